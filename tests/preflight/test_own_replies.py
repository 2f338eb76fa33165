"""Replies that belong to other requests are found before the first question, and weak models are accused of nothing."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.checks.rule import CheckInput
from evaluator.checks.table import before
from evaluator.preflight.own_replies import Found, number_of_requests, own_replies
from evaluator.preflight.probes import prove
from evaluator.preflight.prompts import CODEWORDS, MORE_CODEWORDS, TOGETHER
from evaluator.records import Answer
from evaluator.study.file import parse
from evaluator.study.requests import plan
from servers.fake import FakeServer, Reply, Script
from servers.launch import launch
from servers.spec import Prompt, Sampling, ServerFacts, ServerSpec
from tests.support.probe_scripts import Behind, honest, prompt

STUDY = """
study: s
baseline: a
variants: [{name: a, model: fake, base_url: "http://h/v1"}]
benchmarks: {mmlu_pro: {questions: 5, shots: 0}, humaneval: {questions: 5}, gsm8k: {questions: 5, shots: 0}}
sampling: {max_tokens: 500}
"""
LONG = "I'm sorry, but as a language model I have nothing to say about that."
FORMULA = "Thinking Process:\n\n1.  **Analyze the Request:**\n    *   **Task:** Write"
"""How thoughts begin that a chat template opened: nothing tells them from an answer."""
TALES = ("There once was a king.", "Rain fell for a week.", "She sold sea shells.", "Nobody came.", "He left at noon.")


async def found(script: Script, extra: str = "") -> list[tuple[str, str, str]]:
    """Try a server, and give what the checks say of whose replies are whose."""
    study = parse(STUDY + extra, "s")
    async with FakeServer(script) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url, slots=4)
        async with launch(spec, log=Path()) as server:
            proofs = await prove(server, study, asks=plan(study), settings="x")
    facts = {"a": ServerFacts(runtime="openai", engine="e")}
    checks = before(CheckInput(study=study, facts=facts, proofs={"a": proofs}))
    return [(c.code, c.severity, c.message) for c in checks if c.code in ("mixed", "one_reply")]


def streamed(body: Any) -> bool:
    return bool(body.get("stream"))


def is_question(body: Any) -> bool:
    return "Options:" in prompt(body) or "def " in prompt(body)


class Repeated:
    """Answers as `then` once a prompt of the check is put for the second time: when all are sent at once."""

    def __init__(self, then: Script, first: Script = honest) -> None:
        self.then, self.first, self.seen = then, first, set[str]()

    def __call__(self, body: Any, number: int) -> Reply:
        asked = prompt(body)
        begun = asked in self.seen and asked in TOGETHER
        self.seen.add(asked)
        if begun:
            self.seen |= set(TOGETHER)
        script = self.then if begun else self.first
        assert callable(script)
        return script(body, number)


def swapped_pairs(body: Any, number: int) -> Reply:
    """Give each of two prompts the reply to the other."""
    asked = prompt(body)
    other = TOGETHER[TOGETHER.index(asked) ^ 1] if asked in TOGETHER else asked
    return honest({**body, "messages": [{"role": "user", "content": other}]}, number)


def somebody_elses(body: Any, number: int) -> Reply:
    return replace(honest(body, number), text=TALES[number % len(TALES)])


def of_an_earlier_check(body: Any, number: int) -> Reply:
    """Answer with words of the list that this request did not ask for."""
    return replace(honest(body, number), text=f"Here: {MORE_CODEWORDS[number * 5 % len(MORE_CODEWORDS)]}.")


class Alike:
    """A cache that takes prompts for the same because they begin alike."""

    def __init__(self) -> None:
        self.kept: dict[str, str | None] = {}

    def __call__(self, body: Any, number: int) -> Reply:
        reply = honest(body, number)
        return replace(reply, text=self.kept.setdefault(prompt(body)[:15], reply.text))


def letters_only(body: Any, number: int) -> Reply:
    """Answer a choice by its letter, and nothing else with a word."""
    offered = re.findall(r"^([A-J])\.", prompt(body).rpartition("Options:")[2], re.MULTILINE)
    if "Options:" in prompt(body):
        return Reply(text=f"Let us see. The answer is ({offered[len(prompt(body)) % len(offered)]}).", prompt_tokens=9)
    return replace(honest(body, number), text="Hello.")


class LettersBehind(Behind):
    """Streamed questions alone are one reply behind, and no reply holds a word."""

    def __call__(self, body: Any, number: int) -> Reply:
        reply = letters_only(body, number)
        if streamed(body) and is_question(body):
            reply, self.last = replace(self.last, prompt_tokens=reply.prompt_tokens), reply
        return reply


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param(Behind(), "of 10 prompts, 9 got the reply to another prompt, even one at a time", id="streams"),
        pytest.param(Behind(lambda _: True), "even one at a time (asked for", id="every-reply"),
        pytest.param(Behind(is_question), "even one at a time (asked for", id="questions"),
        pytest.param(LettersBehind(), "of 10 prompts, 3 got the reply to another prompt", id="questions-letters-only"),
        pytest.param(Repeated(Behind(lambda _: True)), "when all were sent at once (asked for", id="several-in-flight"),
        pytest.param(Repeated(swapped_pairs), "when all were sent at once (asked for", id="pairs-swapped"),
        pytest.param(Alike(), "even one at a time (asked for", id="cache-of-alike-prompts"),
        pytest.param(of_an_earlier_check, "replies belong to other requests: of 10 prompts", id="earlier-check"),
        pytest.param(
            lambda body, n: (somebody_elses if streamed(body) else honest)(body, n),
            "streamed replies belong to other requests: without streaming, 6 of 6",
            id="streams-of-somebody-else",
        ),
    ],
)
async def test_replies_of_other_requests_are_found_before_the_first_question(script: Script, says: str) -> None:
    checks = await found(script)

    assert [(code, severity) for code, severity, _ in checks] == [("mixed", "block")]
    assert says in checks[0][2]


async def test_somebody_elses_replies_when_several_are_in_flight_are_a_warning() -> None:
    (check,) = await found(Repeated(somebody_elses))

    assert check[:2] == ("mixed", "warn")
    assert "6 did not when all prompts were sent at once: they may belong to other requests" in check[2]


async def test_shifted_replies_are_found_one_at_a_time() -> None:
    assert [check[:2] for check in await found(Behind(), "concurrency: 1\n")] == [("mixed", "block")]


@pytest.mark.parametrize(
    ("script", "severity"),
    [
        pytest.param(Reply(text=LONG, prompt_tokens=9), "block", id="all"),
        pytest.param(
            lambda body, n: (
                replace(honest(body, n), text=LONG)
                if is_question(body) or prompt(body) in TOGETHER[:3]
                else honest(body, n)
            ),
            "warn",
            id="most",
        ),
    ],
)
async def test_one_long_reply_for_different_prompts_is_found(script: Script, severity: str) -> None:
    assert [check[:2] for check in await found(script)] == [("one_reply", severity)]


def _formula_to(which: int) -> Script:
    """Give one of the prompts nothing but the beginning of thoughts."""

    def script(body: Any, number: int) -> Reply:
        reply = honest(body, number)
        is_it = prompt(body) == TOGETHER[which]
        return replace(reply, text=FORMULA, finish_reason="length") if is_it else reply

    return script


class Cached:
    """A cache that gives a prompt the reply that it got before: of an earlier run, too."""

    def __init__(self) -> None:
        self.kept: dict[str, Reply] = {}

    def __call__(self, body: Any, number: int) -> Reply:
        return self.kept.setdefault(str(body["messages"]), honest(body, number))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(honest, id="honest"),
        pytest.param(Cached(), id="cached-reply-to-the-same-prompt"),
        pytest.param(Reply(text="Hello.", prompt_tokens=9), id="hello-to-all"),
        pytest.param(Reply(text="The answer is (C).", prompt_tokens=9), id="one-letter-to-all"),
        pytest.param(Reply(text="", reasoning="Okay, the user wants", finish_reason="length"), id="cut-in-thoughts"),
        pytest.param(Reply(text=FORMULA, prompt_tokens=9, finish_reason="length"), id="one-formula-of-thoughts"),
        pytest.param(Repeated(_formula_to(1), _formula_to(0)), id="a-formula-of-thoughts-to-another-prompt"),
        pytest.param(letters_only, id="letters-only"),
        pytest.param(
            lambda body, n: replace(honest(body, n), text=LONG if is_question(body) else "Hello."),
            id="refuses-questions",
        ),
        pytest.param(
            lambda body, n: replace(honest(body, n), text=f"The answer is ({'AH'[n % 2]})."), id="two-letters"
        ),
    ],
)
async def test_weak_models_and_caches_are_accused_of_nothing(script: Script) -> None:
    assert await found(script) == []


class FakeTrial:
    """Stands for a server that is tried: a function from prompts to replies, and what becomes of many at once."""

    def __init__(
        self, replies: Callable[[str], str], extra: str, order: Callable[[int], Iterable[int]] = range
    ) -> None:
        self.study, self._replies, self._order = parse(STUDY + extra, "s"), replies, order
        self.asked = 0

    async def ask(self, asked: str | Prompt, _sampling: Sampling, _what: str, **_: Any) -> Answer:
        self.asked += 1
        text = asked if isinstance(asked, str) else asked.text or asked.messages[0]["content"]
        return Answer(text=self._replies(text), duration_s=0)

    async def ask_all(self, asked: list[tuple[str | Prompt, Sampling]], what: str) -> list[Answer]:
        replies = [await self.ask(*one, what) for one in asked]
        return [replies[i] for i in self._order(len(replies))]


def looked_at(trial: FakeTrial) -> Found:
    """Run what asks no server to its end."""
    try:
        own_replies(trial).send(None)  # type: ignore[arg-type] # it has what is used of a trial
    except StopIteration as ended:
        result: Found = ended.value
        return result
    raise AssertionError("it waits for something")


WITHOUT_WORDS = st.text(max_size=60).filter(
    lambda text: not any(word in text.lower() for word in (*CODEWORDS, *MORE_CODEWORDS))
)


@given(
    texts=st.lists(WITHOUT_WORDS | st.sampled_from("ABCDEFGHIJ").map("The answer is ({}).".format), min_size=1),
    concurrency=st.sampled_from([1, 4, 40]),
)
def test_a_model_that_answers_by_the_prompt_alone_is_never_accused(texts: list[str], concurrency: int) -> None:
    trial = FakeTrial(lambda asked: texts[len(asked) % len(texts)], f"concurrency: {concurrency}\n")

    found = looked_at(trial)

    for seen in (found.alone, found.at_once):
        assert seen is None or (seen.others, seen.unknown, seen.lost, seen.whole) == (0, 0, 0, None)
    assert found.together is None or (found.together.changed, found.together.mixed) == (0, 0)


@given(shift=st.integers(1, 39), concurrency=st.sampled_from([2, 4, 40]))
def test_replies_in_any_rotated_order_are_found(shift: int, concurrency: int) -> None:
    def echo(asked: str) -> str:
        return " ".join(word for word in (*CODEWORDS, *MORE_CODEWORDS) if word in asked.lower())

    trial = FakeTrial(echo, f"concurrency: {concurrency}\n", lambda n: [(i + shift) % n for i in range(n)])
    expected = number_of_requests(trial.study)

    found = looked_at(trial)

    assert trial.asked == expected
    assert found.alone is not None
    assert (found.alone.others, found.alone.own) == (0, found.alone.prompts)
    assert found.at_once is not None
    turned = shift % found.at_once.prompts != 0
    assert found.at_once.others == (found.at_once.prompts if turned else 0)


def test_no_word_is_part_of_another_or_stands_twice() -> None:
    words = (*CODEWORDS, *MORE_CODEWORDS)

    assert len(set(words)) == len(words)
    assert not [(a, b) for a in words for b in words if a != b and a in b]
    assert all(re.fullmatch(r"[a-z]{9,}", word) for word in words)
