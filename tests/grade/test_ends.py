"""A reply that was broken off or cut off is never graded, whatever its server says of its end; a whole one is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.benchmarks import gsm8k, humaneval
from evaluator.finish import end_of
from evaluator.grade.grader import Grader, was_cut_off
from evaluator.grade.kinds import KINDS
from evaluator.grade.sandbox import NoSandbox, Sandbox
from evaluator.records import Answer, Grade, Key, Question, Record
from tests.grade.test_grader import CHAT, RAW, block, code, mmlu
from tests.support.humaneval_material import PROBLEMS

COMPLETED = {question.id: question for question in humaneval.load(form="completion")}
NUMBER = gsm8k.load(shots=0)[0]
WHOLE = "Let us see. The answer is (C)."
HALF = "Option A looks right at first: the answer is (A). But wait, let me check"
SUM = f"She sells 16 - 3 - 4 = 9 eggs for 9 * 2 = ${NUMBER.answer} a day."


def replied(text: str, reason: Any = "stop", count: int | None = None, limit: int | None = 4096, **more: Any) -> Record:
    answer = Answer(text=text, finish_reason=reason, completion_tokens=count, duration_s=1, **more)
    request = {} if limit is None else {"max_tokens": limit}
    return Record(key=Key("b", "q"), variant="v", started="now", request=request, answer=answer)


def grade(record: Record, question: Question, sandbox: Sandbox | NoSandbox = NoSandbox("none", "")) -> Grade:  # noqa: B008 - a constant
    return Grader(sandbox).grade(record, question)


@given(st.one_of(st.text(max_size=30), st.lists(st.text("aeinorst", min_size=2, max_size=9), max_size=3).map("_".join)))
def test_a_good_answer_under_a_word_that_is_not_listed_is_a_failure_that_names_it(word: str) -> None:
    given_up = grade(replied(WHOLE, word), mmlu())

    assert (given_up.outcome == "failed") == (end_of(word) == "broken")
    assert given_up.outcome in {"failed", "correct", "truncated"}


def test_the_word_of_a_broken_end_is_told_in_one_short_line() -> None:
    told = [grade(replied(WHOLE, word), mmlu()).why for word in ("capacity", "", "oh\n\x1b[31mno", "x" * 1000)]

    assert told[:3] == [f"the server broke the reply off ({word})" for word in ("capacity", "''", "oh [31mno")]
    assert len(told[3]) < 150


COUNTED: dict[str, tuple[Record, str]] = {
    "stop at the limit": (replied(HALF, "stop", 4096), "truncated"),
    "stop one before the limit": (replied(WHOLE, "stop", 4095), "truncated"),
    "stop two before the limit": (replied(WHOLE, "stop", 4094), "correct"),
    "no reason at the limit": (replied(WHOLE, None, 4096), "truncated"),
    "another word at the limit": (replied(HALF, "eos_token", 4096), "truncated"),
    "half beyond the limit": (replied(HALF, "stop", 4100), "truncated"),
    "whole beyond a limit that is not kept to": (replied(WHOLE, "stop", 6000, reasoning="Hm."), "correct"),
    "at a limit too small to tell": (replied("C.", "stop", 2, 2), "correct"),
    "stop, no count": (replied(WHOLE, "stop"), "correct"),
    "stop, no limit": (replied(WHOLE, "stop", 4096, None), "correct"),
    "length at the limit": (replied(WHOLE, "length", 4096), "truncated"),
    "length near the limit": (replied(WHOLE, "length", 3800), "truncated"),
    "length, thoughts not counted": (replied(WHOLE, "length", 8, reasoning="Perhaps. " * 99), "truncated"),
    "length, no count": (replied(WHOLE, "length"), "truncated"),
    "length, no limit": (replied(WHOLE, "length", 14, None), "truncated"),
    "length early, whole": (replied(WHOLE, "length", 14), "correct"),
    "length early, another letter": (replied("The answer is (B).", "max_tokens", 14), "wrong"),
    "length early, boxed": (replied("So it is Rome: \\boxed{C}", "length", 14), "correct"),
    "length early, a line in bold": (replied("Rome, then.\n**Answer: (C)**", "length", 14), "correct"),
    "length early, a line that is closed": (replied("The answer is (C)\n", "length", 14), "correct"),
    "length early, after thinking": (replied(f"<think>{HALF}</think>{WHOLE}", "length", 90), "correct"),
    "length early, half": (replied(HALF, "length", 64), "truncated"),
    "length early, the form without a full stop": (replied("The answer is (C)", "length", 14), "correct"),
    "length early, a bare letter": (replied("It is Rome.\nAnswer: C", "length", 14), "correct"),
    "length early, bold at the end": (replied("The correct answer is **C**", "length", 14), "correct"),
    "length early, an open bracket": (replied("The answer is (C", "length", 14), "truncated"),
    "length early, half of a word": (replied("The answer is Co", "length", 14), "truncated"),
    "length early, half of a text": (replied("The answer is Rome", "length", 14), "truncated"),
    "length early, the sentence goes on": (replied("The answer is (C), unless", "length", 14), "truncated"),
    "length early, two letters": (replied("The answer is (B) or (C)", "length", 14), "truncated"),
    "length early, another sentence": (replied("The answer is (C). It may be", "length", 14), "truncated"),
    "length early, thinking": (replied(f"<think>{WHOLE}", "length", 14), "truncated"),
    "length early, no text": (replied("", "length", 64), "truncated"),
    "length early, no answer": (replied("It depends on what is meant.", "length", 14), "truncated"),
    "context full, whole": (replied(WHOLE, "contextLengthReached", 1500), "truncated"),
}


@pytest.mark.parametrize(("record", "outcome"), COUNTED.values(), ids=COUNTED.keys())
def test_the_count_of_tokens_is_held_against_the_word(record: Record, outcome: str) -> None:
    assert grade(record, mmlu()).outcome == outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        pytest.param(f"{SUM}\n#### {NUMBER.answer}", "correct", id="as-asked"),
        pytest.param(f"{SUM}\n#### {NUMBER.answer}\n", "correct", id="as-asked-with-a-line-end"),
        pytest.param(f"The answer is {NUMBER.answer}.", "correct", id="sentence"),
        pytest.param(f"So \\boxed{{{NUMBER.answer}}}", "correct", id="boxed"),
        pytest.param(f"{SUM}\n**{NUMBER.answer}**", "correct", id="bold"),
        pytest.param(f"{SUM}\n#### {NUMBER.answer[:1]}", "truncated", id="half-a-number"),
        pytest.param(f"#### {NUMBER.answer}", "truncated", id="may-be-half-a-number"),
        pytest.param(f"The answer is {NUMBER.answer}. But wait, let me", "truncated", id="goes-on"),
        pytest.param(f"{SUM} Then she", "truncated", id="another-sentence"),
        pytest.param("1. She sells eggs.\n2. The answer is 1", "truncated", id="half-of-a-number-that-a-list-has"),
    ],
)
def test_a_number_stands_where_the_reply_ends_with_it(text: str, outcome: str) -> None:
    assert grade(replied(text, "length", 60), NUMBER).outcome == outcome


@given(st.integers(1, len(HALF)))
def test_no_part_of_a_reply_that_goes_on_is_graded_but_one_that_ends_with_its_answer(length: int) -> None:
    text = HALF[:length]

    outcome = grade(replied(text, "length", 64), mmlu()).outcome

    assert (outcome == "wrong") == text.rstrip().endswith(("the answer is (A)", "is (A)."))


@pytest.mark.parametrize("number", range(0, 164, 20))
def test_right_bodies_stand_where_the_server_says_length_for_every_end(sandbox: Sandbox, number: int) -> None:
    problems = PROBLEMS[number : number + 20]

    graded = [
        grade(replied(problem["canonical_solution"], "length", 60), COMPLETED[problem["task_id"]], sandbox)
        for problem in problems
    ]

    assert {one.outcome for one in graded} == {"correct"}


def test_no_body_that_was_cut_at_a_line_is_taken_for_a_whole_one() -> None:
    taken = []
    for problem in PROBLEMS:
        lines = problem["canonical_solution"].splitlines(keepends=True)
        parts = ["".join(lines[:count]) for count in range(1, len(lines)) if "".join(lines[count:]).strip()]
        taken += [part for part in parts if KINDS["code"].ends_by_itself(part, COMPLETED[problem["task_id"]])]

    assert taken == []


CODE: dict[str, tuple[str, Question, str]] = {
    "a closed block": (block("return 1"), code(CHAT), "correct"),
    "a closed block, wrong": (block("return 2"), code(CHAT), "wrong"),
    "an open block": (block("return 1").removesuffix("```"), code(CHAT), "truncated"),
    "a closed block of something else": ("```\n1 + 1\n```", code(CHAT), "truncated"),
    "a closed block and more": (f"{block('return 1')}\nBut wait", code(CHAT), "truncated"),
    "a body": ("    return 1\n", code(RAW), "correct"),
    "a body, wrong": ("    return 2\n", code(RAW), "wrong"),
    "a body in a block": ("```python\ndef one():\n    return 1\n```", code(RAW), "correct"),
    "a body without its line's end": ("    return 1", code(RAW), "truncated"),
    "a body with two branches": ("    if True:\n        return 1\n    else:\n        return 2\n", code(RAW), "correct"),
    "a body that may go on, and is right": ("    for i in [1]:\n        return i\n", code(RAW), "correct"),
    "a body that may go on": ("    for i in []:\n        return i\n", code(RAW), "truncated"),
    "a body that tries": (
        "    try:\n        return 1\n    except ValueError:\n        return 2\n",
        code(RAW),
        "correct",
    ),
    "half a body": ("    x = 1\n", code(RAW), "truncated"),
    "the function anew": ("def one():\n    return 1\n", code(RAW), "correct"),
    "a stub": ("    pass\n", code(RAW), "truncated"),
}


@pytest.mark.parametrize(("text", "question", "outcome"), CODE.values(), ids=CODE.keys())
def test_code_stands_where_its_end_shows_that_it_is_whole(
    sandbox: Sandbox, text: str, question: Question, outcome: str
) -> None:
    assert grade(replied(text, "length", 30), question, sandbox).outcome == outcome


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(replied(HALF, "stop", 4096), "cut off: it has 4,096 of the 4,096 tokens allowed", id="at-limit"),
        pytest.param(replied(HALF, "length", 64), "cut after 64 tokens although 4,096 were allowed", id="its-own"),
        pytest.param(replied(HALF, "length", 4096), "the output limit cut the reply", id="limit"),
        pytest.param(replied(HALF, "contextLengthReached", 64), "the context was full", id="context"),
        pytest.param(replied("", tool_calls=("answer",)), "it called the tool answer in place of", id="tool"),
        pytest.param(replied("", "tool_calls"), "it called a tool in place of an answer", id="some-tool"),
        pytest.param(replied("Let me look.", tool_calls=("a", "b")), "it called the tool a, b in place", id="text-too"),
        pytest.param(replied("", refusal="I can't help\nwith that."), "it refuses: I can't help with that.", id="no"),
        pytest.param(replied("", reasoning="Perhaps (A)."), "thinking, but no answer after it", id="only-thinking"),
        pytest.param(replied("", count=0, prompt_tokens=0), "0 tokens read, 0 written", id="not-even-read"),
        pytest.param(replied("", count=0, prompt_tokens=90), "nothing was written: 0 tokens", id="read-and-no-more"),
        pytest.param(replied("", count=800), "800 tokens were generated, but none reached us", id="none-reached-us"),
        pytest.param(replied("", count=1), "nothing was written: 1 token", id="ended-at-once"),
    ],
)
def test_why_there_is_no_answer_is_told_with_what_was_counted(record: Record, why: str) -> None:
    assert why in grade(record, mmlu()).why


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        pytest.param(replied("", tool_calls=("answer",)), "empty", id="tool"),
        pytest.param(replied("The answer is (C).", "tool_calls", tool_calls=("f",)), "correct", id="answer-and-tool"),
        pytest.param(replied("Let me look.", tool_calls=("f",)), "unparsed", id="text-and-tool"),
        pytest.param(replied("", refusal="I can't."), "refused", id="refusal"),
        pytest.param(replied("No.", refusal="I can't."), "refused", id="refusal-and-text"),
        pytest.param(replied("The answer is (C).", refusal="I'd rather not."), "correct", id="refusal-and-answer"),
        pytest.param(replied("", "sensitive"), "refused", id="zhipu-s-filter"),
        pytest.param(replied("", reasoning="Hm."), "empty", id="only-thinking"),
        pytest.param(replied("", reasoning="Hm.", count=800), "empty", id="only-thinking-counted"),
        pytest.param(replied("", count=0, prompt_tokens=0), "failed", id="not-even-read"),
        pytest.param(replied("", count=0, prompt_tokens=90), "empty", id="read-and-no-more"),
        pytest.param(replied("", count=0), "empty", id="prompt-not-counted"),
        pytest.param(replied("", count=800), "failed", id="none-reached-us"),
        pytest.param(replied("", None, count=800), "failed", id="none-reached-us-without-a-reason"),
        pytest.param(replied("\n" * 800, count=800), "empty", id="800-line-ends"),
        pytest.param(replied("", count=32), "empty", id="ended-at-once"),
        pytest.param(replied(WHOLE, count=0, prompt_tokens=0), "correct", id="a-server-that-counts-nothing"),
    ],
)
def test_nothing_said_is_not_the_same_as_nothing_written(record: Record, outcome: str) -> None:
    assert grade(record, mmlu()).outcome == outcome


@pytest.mark.parametrize(
    ("record", "again"),
    [
        pytest.param(replied(HALF, "length", 4096), True, id="at-the-limit"),
        pytest.param(replied(HALF, "stop", 4096), True, id="at-the-limit-and-stop"),
        pytest.param(replied(HALF, "length"), True, id="not-counted"),
        pytest.param(replied("", "length", 2, reasoning="Perhaps. " * 99), True, id="thoughts-not-counted"),
        pytest.param(replied("<think>Hm", "length", 4000), True, id="thinking"),
        pytest.param(replied(HALF, "length", 64), False, id="the-server-s-own-limit"),
        pytest.param(replied(HALF, "contextLengthReached", 4096), False, id="context"),
        pytest.param(replied("<think>Hm", "stop", 64), False, id="thinking-that-the-model-ended"),
        pytest.param(replied(WHOLE, "length", 14), False, id="whole"),
        pytest.param(replied(WHOLE, "capacity", 4096), False, id="broken-off"),
    ],
)
def test_only_what_a_larger_limit_can_mend_is_asked_again(record: Record, again: bool) -> None:
    assert was_cut_off(record, mmlu()) == again


FILTERS = ("content_filter", "SAFETY", "refusal", "guardrail_intervened", "sensitive")


@pytest.mark.parametrize("word", FILTERS)
@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        pytest.param(WHOLE, "correct", id="whole"),
        pytest.param("**C**", "correct", id="a letter"),
        pytest.param(HALF, "refused", id="half, with a letter"),
        pytest.param("The answer is (C", "refused", id="an open bracket"),
        pytest.param("Then the answer is (C), for it", "refused", id="inside a sentence"),
        pytest.param("To make it, one", "refused", id="no letter"),
        pytest.param("", "refused", id="nothing"),
        pytest.param(" \n", "refused", id="blanks"),
    ],
)
def test_what_a_filter_cut_off_is_not_graded(word: str, text: str, outcome: str) -> None:
    assert grade(replied(text, word), mmlu()).outcome == outcome


def test_a_number_and_code_that_a_filter_cut_off_are_not_graded_either() -> None:
    assert grade(replied(SUM, "content_filter"), NUMBER).outcome == "correct"
    assert grade(replied(f"{SUM} That is, for a", "content_filter"), NUMBER).outcome == "refused"
    assert grade(replied(block("return 1"), "content_filter"), code(CHAT)).outcome == "not_scored"
    assert grade(replied(block("return 1").removesuffix("```"), "content_filter"), code(CHAT)).outcome == "refused"


def test_blanks_are_told_from_nothing() -> None:
    said = [grade(replied(text, count=count), mmlu()).why for text, count in (("", 1), ("\n" * 9, 2000), (" ", None))]

    assert said == [
        "nothing was written: 1 token",
        "only blanks were written: 2,000 tokens",
        "only blanks were written",
    ]
