"""Replies that answer another question, or all questions alike, are found by their numbers; chance is not accused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.checks.own_replies import others_reply, same_text
from evaluator.checks.rule import CheckInput, Finding
from evaluator.records import Question, Record
from evaluator.store.proofs import OwnReplies
from evaluator.study.file import parse
from evaluator.study.requests import plan
from tests.support.check_inputs import Found, before_of, reply, study_of
from tests.support.outlined import seen

REFUSAL = "I'm sorry, but as a language model I can not help with this question, since it asks for what I do not know."
HEAD = "study: s\nbaseline: a\nvariants: [{name: a, model: m, runtime: llama_server}]\nbenchmarks: "
MMLU = parse(HEAD + "{mmlu_pro: {questions: 60, shots: 0}}", "s")
CODE = parse(HEAD + "{humaneval: {questions: 60}}", "s")
BODIES = parse(HEAD + "{humaneval: {questions: 60, format: completion}}", "s")


def run_of(study: Any, text: Callable[[list[Question], int], str], **more: Any) -> CheckInput:
    """A run in which the reply to each question is made from all questions and the place of this one."""
    asks = plan(study)
    asked = [ask.question for ask in asks]
    records = [
        Record(key=ask.key, variant="a", started="", request={}, answer=reply(text(asked, i), **more))
        for i, ask in enumerate(asks)
    ]
    questions = {ask.key: ask.question for ask in asks}
    return CheckInput(study=study, facts={}, asked=questions, **seen({"a": records}, questions))


def found(given: CheckInput) -> list[tuple[str, int]]:
    rules: tuple[tuple[str, Callable[[CheckInput], Any]], ...] = (
        ("same_text", same_text),
        ("others_reply", others_reply),
    )
    return [
        (f"{name} {finding.severity}", finding.evidence["count"]) for name, rule in rules for finding in rule(given)
    ]


def right(question: Question) -> str:
    """Answer as models do: in the words of the option, or with the function."""
    if question.kind == "code":
        return f"```python\n{question.code_prompt}    return None\n```"
    place = question.letters.index(question.answer)
    return f"Let us see. It is {question.options[place]}. The answer is ({question.answer})."


@pytest.mark.parametrize(
    ("study", "text", "expected"),
    [
        pytest.param(MMLU, lambda qs, i: right(qs[i]), [], id="right"),
        pytest.param(CODE, lambda qs, i: right(qs[i]), [], id="right-code"),
        pytest.param(BODIES, lambda _, i: f"    return {i}\n\ndef is_prime(n):\n    return n", [], id="bodies"),
        pytest.param(
            BODIES,
            lambda qs, i: f"return {i}\n\n\ndef {qs[i - 1].answer}(n):\n    return n",
            [],
            id="bodies-without-their-blanks-before-the-next-question",
        ),
        pytest.param(CODE, lambda _, i: f"```python\ndef solution(x):\n    return {i}\n```", [], id="another-name"),
        pytest.param(
            CODE,
            lambda qs, i: (
                f"```python\ndef is_prime(n):\n    return True\n\ndef {qs[i].answer}(x):\n    return {i}\n```"
            ),
            [],
            id="a-helper-with-the-name-of-another",
        ),
        pytest.param(MMLU, lambda _qs, _i: "The answer is (C).", [], id="one-letter"),
        pytest.param(MMLU, lambda _qs, _i: "Let's think step by step. The answer is (C).", [], id="one-formula"),
        pytest.param(MMLU, lambda qs, i: REFUSAL if i < 3 else right(qs[i]), [], id="three-refusals"),
        pytest.param(
            MMLU, lambda qs, i: REFUSAL if i < 8 else right(qs[i]), [("same_text warn", 8)], id="eight-refusals"
        ),
        pytest.param(MMLU, lambda _qs, _i: REFUSAL, [("same_text block", 60)], id="one-text-for-all"),
        pytest.param(
            CODE, lambda qs, _: right(qs[0]), [("same_text block", 60), ("others_reply block", 59)], id="one-function"
        ),
        pytest.param(
            CODE, lambda qs, i: right(qs[i - 1]), [("others_reply block", 59)], id="functions-of-the-one-before"
        ),
        pytest.param(
            CODE, lambda qs, i: right(qs[i ^ 1]), [("others_reply block", 59)], id="pairs-of-functions-swapped"
        ),
        pytest.param(
            CODE,
            lambda qs, i: right(qs[i - 1] if i % 10 == 1 else qs[i]),
            [("others_reply block", 6)],
            id="one-in-ten-functions",
        ),
    ],
)
def test_whose_replies_are_whose(
    study: Any, text: Callable[[list[Question], int], str], expected: list[tuple[str, int]]
) -> None:
    assert found(run_of(study, text)) == expected


@pytest.mark.parametrize("by", [1, 2, -1, 15])
def test_options_of_a_question_near_it_are_found(by: int) -> None:
    (finding,) = others_reply(run_of(MMLU, lambda qs, i: right(qs[(i + by) % len(qs)])))

    assert finding.severity == "block"
    assert finding.evidence["count"] > 0.2 * finding.evidence["of"]
    assert "replies answer another question than they were asked (question " in finding.message


def test_replies_that_were_cut_off_are_no_copies() -> None:
    assert found(run_of(MMLU, lambda _qs, _i: REFUSAL, finish_reason="length")) == []


def test_thoughts_are_no_copies() -> None:
    assert found(run_of(MMLU, lambda _qs, _i: f"<think>{REFUSAL}</think>The answer is (C).")) == []


@given(st.lists(st.text("ab ", max_size=9), min_size=1, max_size=5))
def test_texts_that_differ_are_never_one_reply(texts: list[str]) -> None:
    given = run_of(MMLU, lambda _, i: f"{REFUSAL} {texts[i % len(texts)]} {i}")

    assert list[Finding](same_text(given)) == []


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        pytest.param({"alone": OwnReplies(prompts=10, own=0)}, [], id="no-word-at-all"),
        pytest.param(
            {"alone": OwnReplies(prompts=10, own=9, others=1)}, [("mixed", "block", "b")], id="one-of-another"
        ),
        pytest.param({"alone": OwnReplies(prompts=10, own=9, unknown=1)}, [("mixed", "block", "b")], id="of-no-other"),
        pytest.param({"at_once": OwnReplies(prompts=12, own=9, others=2)}, [("mixed", "block", "b")], id="at-once"),
        pytest.param({"alone": OwnReplies(prompts=10, own=0, whole=6)}, [("mixed", "block", "b")], id="streams-only"),
        pytest.param(
            {"alone": OwnReplies(prompts=10, own=10), "at_once": OwnReplies(prompts=12, own=6, lost=6)},
            [("mixed", "warn", "b")],
            id="lost-when-at-once",
        ),
        pytest.param(
            {"alone": OwnReplies(prompts=10, own=10), "at_once": OwnReplies(prompts=12, own=8, lost=4)},
            [],
            id="few-lost",
        ),
        pytest.param({"alone": OwnReplies(prompts=10, own=0, same=10)}, [("one_reply", "block", "b")], id="one-reply"),
        pytest.param({"at_once": OwnReplies(prompts=10, own=0, same=6)}, [("one_reply", "warn", "b")], id="most-alike"),
        pytest.param({"alone": OwnReplies(prompts=10, own=0, same=5)}, [], id="half-alike"),
    ],
)
def test_what_the_check_saw_is_judged(proofs: dict[str, Any], expected: Found) -> None:
    assert before_of(study_of(), proofs={"b": proofs}) == expected


def test_an_answer_without_its_question_is_passed_over() -> None:
    asks = plan(CODE)
    texts = [reply(right(asks[i - 1].question)) for i in range(len(asks))]
    records = [
        Record(key=ask.key, variant="a", started="", request={}, answer=text)
        for ask, text in zip(asks, texts, strict=True)
    ]

    known = CheckInput(study=CODE, facts={}, **seen({"a": records}, {ask.key: ask.question for ask in asks}))
    unknown = CheckInput(study=CODE, facts={}, **seen({"a": records}))

    assert len(list(others_reply(known))) == 1
    assert list(others_reply(unknown)) == []
