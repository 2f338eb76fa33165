"""Probes: a few small requests by which a server proves, before the first question, what it was asked to be.

Each is put in the server's own dialect, with the key, the format and the switch for thinking that the questions will
have. What a server says of itself is asked elsewhere (`servers.probe`); here counts what it does. What is found out is
judged elsewhere, too (`checks`): this gives numbers.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import NamedTuple, TypedDict

from msgspec.structs import replace

from evaluator.ask import client
from evaluator.ask.traffic import OnWait, Traffic
from evaluator.grade.thinking import PAIRS, split_thinking
from evaluator.loading import without_loading
from evaluator.preflight.applied_sampling import applied_sampling
from evaluator.preflight.long_prompts import lengths, tokens_needed
from evaluator.preflight.own_replies import number_of_requests, own_replies
from evaluator.preflight.prompts import COUNTED, OPEN, TEMPLATE_MARKS
from evaluator.preflight.trial import GREEDY, ONE, Trial, all_text
from evaluator.records import Answer
from evaluator.store.proofs import WITHIN_PREFLIGHT, Length, OwnReplies, Proofs, Repeated, Thought, Together
from evaluator.study.requests import Ask, context_needed
from evaluator.study.study import Study
from servers.errors import ServerError
from servers.request import headers
from servers.spec import Sampling, Server
from servers.start_errors import cause
from servers.thinking import token_counts

SECONDS = 300.0
"""For all probes of one variant; what is not done by then is left out."""
SHARE = 0.1
"""Of the run that follows, what the check may take; what can block is tried whatever it takes."""
LEAST_S = 3.0
"""What it may take in any case."""
_WAITING = 0.8
"""The part of it for which a server is waited for that asks to be asked later."""
_THOUGHT_TOKENS = 768
_MORE_THOUGHTS = 2
"""Questions put besides, where the first shows the contrary of what is declared: one may be an odd one."""
_HOT_TIMES = 4
_LONG_PROMPTS = "long prompts"
_LONGER = 256


class Findings(TypedDict, total=False):
    """Fields of `Proofs`, as far as a step finds them out."""

    needed: int
    tokens: dict[str, int]
    thinking_tokens: dict[str, int]
    thought: Thought | None
    lengths: tuple[Length, ...]
    needle: bool | None
    cold: Repeated | None
    hot: Repeated | None
    plain: Repeated | None
    applied: dict[str, float]
    alone: OwnReplies | None
    at_once: OwnReplies | None
    question_s: float | None
    together: Together | None


class _Step(NamedTuple):
    """One thing that is tried."""

    what: str
    """What it is called where time runs out."""
    requests: int
    """About how many it takes."""
    run: Callable[[], Awaitable[Findings]]
    may_block: bool = True
    """Whether what it finds can end the run before its first question; what only warns is left out first."""


OnStep = Callable[[int, int, str], None]
"""Called with how many of about how many requests are done, and what is tried now."""


async def prove(
    server: Server,
    study: Study,
    *,
    asks: Sequence[Ask],
    settings: str,
    context: int = 0,
    earlier: Proofs | None = None,
    questions: int | None = None,
    seconds: float = SECONDS,
    on_step: OnStep = lambda _done, _of, _what: None,
    on_wait: OnWait = lambda _text, _seconds: None,
) -> Proofs:
    """Try a server.

    Args:
        server: It answers.
        study: How it will be asked.
        asks: The study's questions: the first is put, and the longest says how much context is needed.
        settings: Identifies what the server was asked to be: see `settings.settings_of`.
        context: Tokens of context that the study needs, as estimated.
        earlier: What it proved with the same settings and less context: then only long prompts are tried.
        questions: That will be asked next; steps that only warn are left out where the check takes more than a tenth of
            what these will take, by the time that the first one took. None: everything is tried.
        seconds: After so long the rest is left out, and named in `failures`.
        on_step: Called as it goes on; the first number never falls, and at the end both are the same.
        on_wait: Called with what is waited for where the server asks to be asked later.

    Raises:
        ServerError: The server is gone, or what is to be its key can be none.
    """
    began = time.monotonic()
    http = client.connect(
        server.base_url,
        concurrency=max(study.tried_at_once, 2),
        silence=min(study.silence, seconds),
        headers=headers(server.spec),
    )
    async with http:
        # What is never let in is to be said as that, not as "time ran out".
        silence, startup = (min(bound, _WAITING * seconds) for bound in (study.silence, server.spec.startup_seconds))
        traffic = Traffic(study.tried_at_once, silence=silence, startup=startup, on_wait=on_wait)
        trial = Trial(server, study, http, traffic)
        found: Findings = {"needed": context_needed(tuple(asks))}
        steps = _steps(trial, asks)
        steps = [step for step in steps if step.what == _LONG_PROMPTS] if earlier else steps
        found |= await _tried(trial, steps, _Time(began, seconds, questions), on_step)
    # Some proxies name a model in streams otherwise than in whole replies.
    names, others = list(trial.names[study.stream]), list(trial.names[not study.stream])
    took = round(time.monotonic() - began, 2)
    if earlier:
        still = [sentence for sentence in earlier.failures if "long prompt" not in sentence.lower()]
        failures = tuple(dict.fromkeys((*still, *trial.failures)))
        return replace(earlier, context=context, seconds=took, failures=failures, **found)
    return Proofs(
        settings=settings,
        seconds=took,
        context=context,
        model=next(iter(names or others), None),
        changed=_swapped(names if len(names) > 1 else others),
        failures=tuple(trial.failures),
        **found,
    )


def _swapped(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) < 2:
        return ()
    return (f"it replied as {names[0]} first, and as {', '.join(names[1:])} later {WITHIN_PREFLIGHT}",)


def _steps(trial: Trial, asks: Sequence[Ask]) -> Sequence[_Step]:
    """List what is tried: what can block first, and of that the cheap things first."""
    drawn = trial.study.sampling.temperature not in (None, 0)
    return (
        _Step("counting the tokens of fixed texts", len(COUNTED), lambda: _tokens(trial)),
        _Step("the switch for thinking", 1, lambda: _thinking_tokens(trial)),
        _Step("prompts one at a time and all at once", number_of_requests(trial.study), lambda: _own_replies(trial)),
        _Step("one question of the study", 1, lambda: _thought(trial, asks)),
        _Step(_LONG_PROMPTS, 6, lambda: _lengths(trial, asks)),
        _Step("the server's record of its sampling", 1, lambda: _applied(trial), may_block=drawn),
        _Step("the same prompt four times at temperature 1", _HOT_TIMES, lambda: _drawn(trial), may_block=drawn),
        _Step("the same prompt twice at temperature 0", 3, lambda: _greedy(trial), may_block=False),
        _Step(
            "the same prompt twice with the study's sampling",
            0 if _few(trial.study) == GREEDY else 3,
            lambda: _study_sampling(trial),
            may_block=drawn,
        ),
    )


def share_of(questions: int | None, question_s: float | None, at_once: int) -> float:
    """Return the seconds that a check may take before so many questions; without limit where too little is known."""
    return inf if questions is None or question_s is None else max(SHARE * questions * question_s / at_once, LEAST_S)


class _Time(NamedTuple):
    """How long a check may take."""

    began: float
    seconds: float
    questions: int | None

    def is_spent(self, question_s: float | None, at_once: int) -> bool:
        """Whether the check has taken its share of the run, as far as one question shows how long that will be."""
        return time.monotonic() - self.began > share_of(self.questions, question_s, at_once)


async def _tried(trial: Trial, steps: Sequence[_Step], allowed: _Time, on_step: OnStep) -> Findings:
    found: Findings = {}
    late: list[str] = []
    dear: list[str] = []
    before, of = 0, sum(step.requests for step in steps)
    until = allowed.began + allowed.seconds
    for step in steps:
        if not step.may_block and allowed.is_spent(found.get("question_s"), trial.study.tried_at_once):
            dear += [step.what] if step.requests else []
            before += step.requests
            continue
        on_step(before, of, step.what)
        trial.on_request = _counter(before, step, of, on_step)
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                found |= await step.run()
        except TimeoutError:
            late.append(step.what)
        before += step.requests
        on_step(before, of, step.what)
    if dear:
        why = f"Left out, since the check took a tenth of what {allowed.questions} questions will take"
        trial.failures.append(f"{why}: {'; '.join(dear)}")
    on_step(of, of, steps[-1].what)
    if late:
        trial.failures.append(f"Time ran out, so these were left out: {'; '.join(late)}")
    return found


def _counter(before: int, step: _Step, of: int, on_step: OnStep) -> Callable[[], None]:
    """Make what counts the requests of a step: never more than it was to take."""
    done = itertools.count(1)
    return lambda: on_step(before + min(next(done), step.requests), of, step.what)


async def _tokens(trial: Trial) -> Findings:
    """Count the tokens of the fixed texts.

    Raises:
        ServerError: The server answers none of them.
    """
    # Not streamed: some servers count nothing in a stream.
    asked = [(text, ONE) for text in COUNTED.values()]
    answers = await trial.ask_all(asked, "Counting the tokens of a fixed text", stream=False)
    if not any(answers):
        why = trial.failures[0]
        raise ServerError(". ".join(part for part in (f"The server does not answer. {why}", cause(why)) if part))
    by_name = zip(COUNTED, answers, strict=True)
    counts = {name: answer.prompt_tokens for name, answer in by_name if answer and answer.prompt_tokens}
    return {"tokens": counts if len(set(counts.values())) > 1 else {}}  # one number for all of them is no count


async def _thinking_tokens(trial: Trial) -> Findings:
    return {"thinking_tokens": await token_counts(trial.server)} if trial.chat else {}


async def _greedy(trial: Trial) -> Findings:
    """Ask greedily twice; a first time goes before, so that both find the prompt in the server's cache, or neither."""
    await trial.ask(OPEN, ONE, "The first prompt at temperature 0")
    answers = [await trial.ask(OPEN, GREEDY, "The same prompt twice at temperature 0") for _ in range(2)]
    cold = _repeated(0.0, answers)
    return {"cold": cold, "plain": cold} if _few(trial.study) == GREEDY else {"cold": cold}


async def _drawn(trial: Trial) -> Findings:
    seed = trial.study.sampling.seed
    hot = replace(GREEDY, temperature=1.0)
    seeded = [hot if seed is None else replace(hot, seed=(seed + i) % 2**31) for i in range(_HOT_TIMES)]
    what = "The same prompt four times at temperature 1"
    found = _repeated(1.0, await trial.ask_all([(OPEN, one) for one in seeded], what))
    if found and found.different == 1:  # thoughts often begin with the same formula
        longer = [replace(one, max_tokens=_LONGER) for one in seeded[:2]]
        found = _repeated(1.0, await trial.ask_all([(OPEN, one) for one in longer], what)) or found
    return {"hot": found}


async def _study_sampling(trial: Trial) -> Findings:
    few = _few(trial.study)
    if few == GREEDY:
        return {}
    await trial.ask(OPEN, replace(few, max_tokens=1), "The first prompt with the study's sampling")
    answers = [await trial.ask(OPEN, few, "The same prompt twice with the study's sampling") for _ in range(2)]
    return {"plain": _repeated(few.temperature, answers)}


def _few(study: Study) -> Sampling:
    return _at_most(study.sampling, GREEDY.max_tokens)


def _repeated(temperature: float | None, answers: Sequence[Answer | None]) -> Repeated | None:
    """Count the different answers; None where there are fewer than two to compare, or all of them are empty."""
    texts = [all_text(answer) for answer in answers if answer]
    if len(texts) < 2 or not any(texts):
        return None
    return Repeated(temperature=temperature, times=len(texts), different=len(set(texts)))


async def _applied(trial: Trial) -> Findings:
    return {"applied": await applied_sampling(trial)}


async def _own_replies(trial: Trial) -> Findings:
    found = await own_replies(trial)
    return {"alone": found.alone, "at_once": found.at_once, "together": found.together}


async def _thought(trial: Trial, asks: Sequence[Ask]) -> Findings:
    """Put a question as it will be put, but for its limit; two more where it shows the contrary of what is declared."""
    began = time.monotonic()
    first = await _one_thought(trial, asks[0])
    took = time.monotonic() - began
    declared = trial.server.spec.thinking
    if first is None or declared is None or first.reasoned == declared:
        return {"thought": first, "question_s": took if first else None}
    more = [await _one_thought(trial, one) for one in asks[1 : 1 + _MORE_THOUGHTS]]
    others = [thought for thought in more if thought is not None and thought.reasoned == declared]
    return {"thought": others[0] if len(others) == _MORE_THOUGHTS else first, "question_s": took}


async def _one_thought(trial: Trial, asked: Ask) -> Thought | None:
    sampling = _at_most(asked.sampling, _THOUGHT_TOKENS)
    outcome = await trial.put(trial.request_for(asked.question.prompt, sampling))
    if not isinstance(outcome, Answer):
        trial.fail("One question of the study", outcome)
        return None
    apart = split_thinking(outcome.text, outcome.reasoning)
    marks = [*(tag for pair in PAIRS.items() for tag in pair), *TEMPLATE_MARKS]
    lower = outcome.text.lower()
    return Thought(
        reasoned=bool(apart.reasoning.strip()) or apart.unclosed,
        separated=bool(without_loading(outcome.reasoning).strip()),
        tags=tuple(mark for mark in dict.fromkeys(marks) if mark in lower),
        finish_reason=outcome.finish_reason,
        completion_tokens=outcome.completion_tokens,
    )


async def _lengths(trial: Trial, asks: Sequence[Ask]) -> Findings:
    needed = await tokens_needed(trial, asks)
    found, needle = await lengths(trial, needed)
    return {"needed": needed, "lengths": found, "needle": needle}


def _at_most(sampling: Sampling, tokens: int) -> Sampling:
    return replace(sampling, max_tokens=min(tokens, sampling.max_tokens))
