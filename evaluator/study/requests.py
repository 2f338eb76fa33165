"""List the requests that a study needs, in the order in which they are sent."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator.benchmarks import BENCHMARKS
from evaluator.benchmarks.order import nested_order
from evaluator.records import Key, Question
from evaluator.study.study import Study
from servers.spec import Prompt, Sampling

Order = Literal[1, 2]
"""By which rule questions are put in order. 1: by the seed alone. 2: those with the text of another come last."""
NEWEST_ORDER: Order = 2

# English has about four characters a token and code three; two leaves room for other scripts and chat markup
_CHARACTERS_A_TOKEN = 2


LEAST_AGAIN, _MOST_AGAIN, _SHARE_AGAIN = 20, 100, 0.1
"""Of the questions of a benchmark those that the baseline is asked once more, where the study does not say."""


class Ask(Struct, frozen=True, kw_only=True):
    """One question to ask once."""

    key: Key
    question: Question
    sampling: Sampling


def questions(study: Study, order: Order = NEWEST_ORDER) -> dict[str, tuple[Question, ...]]:
    """Choose each benchmark's questions: the first of a seeded, stratified order, so that fewer are part of more."""
    chosen: dict[str, tuple[Question, ...]] = {}
    for name, settings in study.benchmarks.chosen().items():
        benchmark = BENCHMARKS[name]
        count = benchmark.total if settings.questions == "all" else settings.questions
        chosen[name] = settings.load(_ordered(name, study.seed, order)[:count])
    return chosen


@lru_cache(maxsize=8)  # a run asks for it several times
def _ordered(benchmark: str, seed: int, order: Order) -> tuple[str, ...]:
    """List the ids of all questions of a benchmark in the order in which they are asked."""
    of = BENCHMARKS[benchmark]
    return tuple(question.id for question in nested_order(of.listed(), seed, of.repeated() if order > 1 else {}))


def plan(study: Study, order: Order = NEWEST_ORDER) -> tuple[Ask, ...]:
    """List every request that all variants get: all questions once before any is repeated.

    Modes that look before the end count a question once it has all its answers, so there its repeats follow each other.
    """
    asked = questions(study, order)
    settings = study.benchmarks.chosen()
    asks = [
        Ask(key=Key(name, question.id, repeat), question=question, sampling=_for_repeat(study.sampling, repeat))
        for repeat in range(max(s.repeats for s in settings.values()))
        for name, chosen in asked.items()
        if repeat < settings[name].repeats
        for question in chosen
    ]
    if study.decide.mode != "fixed":
        place = {(name, question.id): i for name, chosen in asked.items() for i, question in enumerate(chosen)}
        names = list(asked)
        asks.sort(key=lambda a: (names.index(a.key.benchmark), place[a.key.benchmark, a.key.question_id], a.key.repeat))
    return tuple(asks)


def plan_again(study: Study, asks: Sequence[Ask]) -> tuple[Ask, ...]:
    """List what the baseline alone is asked once more, to measure how much it differs from itself (the noise floor).

    `asks` is what all variants get.
    """
    return tuple(
        Ask(
            key=Key(name, ask.question.id, settings.repeats),
            question=ask.question,
            sampling=_for_repeat(study.sampling, settings.repeats),
        )
        for name, settings in study.benchmarks.chosen().items()
        for mine in [[ask for ask in asks if ask.key.benchmark == name and ask.key.repeat == 0]]
        for ask in mine[: asked_again(study, name, len(mine))]
    )


def asked_again(study: Study, benchmark: str, questions: int) -> int:
    """Return how many of a benchmark's questions the baseline is asked once more."""
    wanted = study.decide.noise_floor
    if isinstance(wanted, int):
        return min(questions, wanted)
    if len(study.variants) == 1 or study.benchmarks.chosen()[benchmark].repeats > 1:
        return 0
    return min(questions, max(LEAST_AGAIN, min(_MOST_AGAIN, math.ceil(questions * _SHARE_AGAIN))))


def context_needed(asks: tuple[Ask, ...], more_tokens: int = 0) -> int:
    """Estimate the context, in tokens, that the longest prompt and its reply need; a multiple of 256.

    Args:
        asks: What is asked.
        more_tokens: Limit of a reply, if it is larger than the study's.
    """
    longest = max(
        characters(ask.question.prompt) / _CHARACTERS_A_TOKEN + max(ask.sampling.max_tokens, more_tokens)
        for ask in asks
    )
    return math.ceil((longest + 64) / 256) * 256


def data_hashes(study: Study) -> dict[str, str]:
    """Return the sha256 of each benchmark's data, by benchmark."""
    return {name: BENCHMARKS[name].data_sha256() for name in study.benchmarks.chosen()}


def _for_repeat(sampling: Sampling, repeat: int) -> Sampling:
    """Give each repeat a seed of its own: the same seed again would draw the same answer again."""
    if sampling.seed is None or repeat == 0:
        return sampling
    return msgspec.structs.replace(sampling, seed=(sampling.seed + repeat) % 2**31)


def characters(prompt: Prompt) -> int:
    """Count the characters of a prompt."""
    return len(prompt.text or "") + sum(len(message["content"]) for message in prompt.messages)


def with_limit(ask: Ask, tokens: int) -> Ask:
    """Return the same request with another limit of tokens."""
    return replace(ask, sampling=replace(ask.sampling, max_tokens=tokens))
