"""Every reply gets the one outcome that says what became of it, and only an answer can be wrong."""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox, Run, Sandbox
from evaluator.records import Answer, Failure, Grade, Key, Question, Record
from servers.spec import Prompt

CHAT = Prompt(messages=({"role": "user", "content": "?"},))
RAW = Prompt(text="?")
NO_SANDBOX = NoSandbox("bubblewrap is not on PATH", "install it")
BROKEN = Sandbox(
    tier="bubblewrap",
    command=("/bin/sh", "-c", "echo 'bwrap: No space left on device' >&2; exit 1", "--"),
    namespaces=True,
    scratch="/",
    readable=(),
    seccomp=None,
    processes=None,
)


def mmlu(prompt: Prompt = CHAT) -> Question:
    options = ("Paris", "London", "Rome", "Berlin")
    return Question(
        benchmark="mmlu_pro",
        id="7",
        kind="choice",
        category="c",
        prompt=prompt,
        letters="ABCD",
        options=options,
        answer="C",
    )


def code(prompt: Prompt = CHAT, name: str = "HumanEval/0") -> Question:
    return Question(
        benchmark="humaneval",
        id=name,
        kind="code",
        category="python",
        prompt=prompt,
        answer="one",
        code_prompt='def one():\n    """Return 1."""\n',
        tests="def check(candidate):\n    assert candidate() == 1\n",
    )


def record(text: str | Failure | None, finish: str | None = "stop", reasoning: str = "") -> Record:
    said = Answer(text=text, reasoning=reasoning, finish_reason=finish, duration_s=1) if isinstance(text, str) else None
    failure = text if isinstance(text, Failure) else None
    return Record(key=Key("b", "q"), variant="v", started="now", request={}, answer=said, failure=failure)


def block(body: str) -> str:
    return f"```python\ndef one():\n    {body}\n```"


SORRY_BUT = "I'm sorry, I misread the question at first. The answer is (C)."
MMLU_PRO: dict[str, tuple[Record, str]] = {
    "right letter": (record("The answer is (C)."), "correct"),
    "right letter, server says nothing of the end": (record("The answer is (C).", None), "correct"),
    "right letter after thinking": (record("<think>Is it (A)?</think>The answer is (C)."), "correct"),
    "right text": (record("The answer is Rome."), "correct"),
    "sorry, then the right letter": (record(SORRY_BUT), "correct"),
    "other letter": (record("The answer is (B)."), "wrong"),
    "right letter only while thinking": (record("The answer is (B).", reasoning="The answer is (C)."), "wrong"),
    "sorry, then the other letter": (record("Sorry, no doubt here: the answer is (B)."), "wrong"),
    "cut, no answer": (record("Let us see, first", "length"), "truncated"),
    "cut, though the text holds an answer": (record("The answer is (C). Let me check: if", "length"), "truncated"),
    "cut while thinking": (record("", "length", reasoning="Let us see"), "truncated"),
    "cut, in Gemini's words": (record("The answer is (C).", "MAX_TOKENS"), "truncated"),
    "cut, in Mistral's words": (record("The answer is (C).", "model_length"), "truncated"),
    "cut, in LM Studio's words": (record("The answer is (C).", "maxPredictedTokensReached"), "truncated"),
    "ended, in TGI's words": (record("The answer is (C).", "eos_token"), "correct"),
    "broken off": (record("The answer is (C).", "error"), "failed"),
    "filtered, nothing written": (record("", "content_filter"), "refused"),
    "filtered in the middle": (record("To make it, one", "content_filter"), "refused"),
    "filtered after the answer": (record("The answer is (C).", "content_filter"), "correct"),
    "thinking never ends": (record("<think>The answer is (C)."), "truncated"),
    "no text": (record(""), "empty"),
    "no text after separated thinking": (record("", reasoning="The answer is (C)."), "empty"),
    "no text after thinking": (record("<think>The answer is (C).</think>\n"), "empty"),
    "white space": (record(" \n\n\t"), "empty"),
    "no letter": (record("It depends on what is meant."), "unparsed"),
    "two letters": (record("The answer is (B) or (C)."), "unparsed"),
    "letter that is no option": (record("The answer is (J)."), "unparsed"),
    "refusal": (record("I'm sorry, but I can't help with that."), "refused"),
    "refusal, curly": (record("\n\nI\u2019m unable to assist with this request."), "refused"),
    "refusal after thinking": (record("<think>Hm.</think>\nI cannot answer this."), "refused"),
    "refusal, declined": (record("This asks how to do harm. I must decline."), "refused"),
    "refusal, will not": (record("I\u2019m sorry, but I won\u2019t answer that."), "refused"),
    "refusal, bold": (record("**I cannot assist with this request.**"), "refused"),
    "refusal, Spanish": (record("Lo siento, pero no puedo ayudar con eso."), "refused"),
    "refusal, Chinese": (record("\u62b1\u6b49\uff0c\u6211\u65e0\u6cd5\u56de\u7b54\u3002"), "refused"),
    "refuses and answers": (record("I can't be certain, and I won't answer for it. The answer is (C)."), "correct"),
    "finds no option right": (record("I'm sorry, but none of the options matches what I found."), "unparsed"),
    "somebody in it refuses": (record("The patient cannot provide consent, so it depends."), "unparsed"),
    "timeout": (record(Failure(kind="timeout", message="no reply within 600 s")), "failed"),
    "nothing recorded": (record(None), "failed"),
}
MMLU_PRO_COMPLETED: dict[str, tuple[Record, str]] = {
    "ends": (record("6 times 7. The answer is (C).\n\n"), "correct"),
    "cut, lines at the margin": (record(" We add.\nThen we divide.\nThe answer is (C).\nSo", "length"), "truncated"),
}
HUMANEVAL: dict[str, tuple[Record, str]] = {
    "right function": (record(block("return 1")), "correct"),
    "other function": (record(block("return 2")), "wrong"),
    "does not parse": (record(block("return (")), "wrong"),
    "cut, though the block is whole": (record(block("return 1") + "\nThis", "length"), "truncated"),
    "no code": (record("One would return 1."), "unparsed"),
    "refusal": (record("As an AI model I do not write code."), "refused"),
    "empty": (record("", reasoning="Easy."), "empty"),
    "server error": (record(Failure(kind="server_error", message="HTTP 500", status=500)), "failed"),
}
HUMANEVAL_COMPLETED: dict[str, tuple[Record, str]] = {
    "stopped": (record("    return 1\n"), "correct"),
    "cut after the function ended": (record("    return 1\n\n# Tests\nassert one() ==", "length"), "correct"),
    "wrong, cut after the function ended": (record("    return 2\n\n# Tests\nassert one() ==", "length"), "wrong"),
    "cut inside the function": (record("    x = 1\n    y = 2\n    retu", "length"), "truncated"),
    "cut inside a bracket": (record("    return max([\n        1,\n]\n", "length"), "truncated"),
    "blank": (record("\n\n"), "empty"),
}
TABLE = [
    pytest.param(question, *row, id=f"{name}, {case}")
    for name, question, rows in [
        ("MMLU-Pro", mmlu(), MMLU_PRO),
        ("MMLU-Pro completed", mmlu(RAW), MMLU_PRO_COMPLETED),
        ("HumanEval", code(), HUMANEVAL),
        ("HumanEval completed", code(RAW), HUMANEVAL_COMPLETED),
    ]
    for case, row in rows.items()
]


@pytest.mark.parametrize(("question", "reply", "outcome"), TABLE)
def test_a_reply_gets_its_outcome_and_a_reason(
    sandbox: Sandbox, question: Question, reply: Record, outcome: str
) -> None:
    grade = Grader(sandbox).grade(reply, question)

    assert grade.outcome == outcome
    assert grade.why
    assert (grade.extracted is not None) == (outcome in {"correct", "wrong"})


@pytest.mark.parametrize(
    ("sandbox_here", "told"),
    [pytest.param(NO_SANDBOX, "not on PATH", id="none"), pytest.param(BROKEN, "No space left", id="does not start")],
)
def test_code_that_could_not_be_run_is_not_scored(sandbox_here: Sandbox | NoSandbox, told: str) -> None:
    grade = Grader(sandbox_here).grade(record(block("return 1")), code())

    assert grade.outcome == "not_scored"
    assert told in grade.why
    assert "return 1" in (grade.extracted or "")


def test_without_a_sandbox_replies_without_code_keep_their_outcomes() -> None:
    grades = [Grader(NO_SANDBOX).grade(record(text), code()) for text in ("", "One would return 1.")]

    assert [grade.outcome for grade in grades] == ["empty", "unparsed"]


class Runs:
    """Stands in for the sandbox and counts what is run."""

    def __init__(self, *runs: Run) -> None:
        self.left = list(runs)
        self.count = 0

    def __call__(self, *_arguments: Any, prompt: str, stop: int | None) -> Run:
        self.count += 1
        return self.left.pop(0)


def graded(monkeypatch: pytest.MonkeyPatch, runs: Runs, *asked: tuple[str, Question]) -> list[Grade]:
    monkeypatch.setattr("evaluator.grade.grader.run_tests", runs)
    grader = Grader(BROKEN)
    return [grader.grade(record(block(body)), question) for body, question in asked]


def test_the_same_program_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(Run("passed", "passed"), Run("failed", "AssertionError"))

    grades = graded(monkeypatch, runs, *[("return 1", code())] * 3, *[("return 2", code())] * 2)

    assert [grade.outcome for grade in grades] == ["correct"] * 3 + ["wrong"] * 2
    assert runs.count == 2


def test_the_same_program_for_another_question_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(Run("passed", "passed"), Run("failed", "AssertionError"))

    grades = graded(monkeypatch, runs, ("return 1", code()), ("return 1", code(name="HumanEval/1")))

    assert [grade.outcome for grade in grades] == ["correct", "wrong"]


def test_a_run_without_a_verdict_is_tried_again_for_the_next_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(Run("no_verdict", "the sandbox did not start"), Run("passed", "passed"))

    grades = graded(monkeypatch, runs, ("return 1", code()), ("return 1", code()))

    assert [grade.outcome for grade in grades] == ["not_scored", "correct"]


def test_grades_come_in_the_order_of_the_records_and_programs_run_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = threading.Barrier(2, timeout=10)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)

    def run(_sandbox: Any, program: str, *_arguments: Any, prompt: str, stop: int | None) -> Run:
        together.wait()
        time.sleep(0.2 if "return 1" in program else 0)
        return Run("passed" if "return 1" in program else "failed", "")

    monkeypatch.setattr("evaluator.grade.grader.run_tests", run)
    texts = [block("return 1"), "", block("return 2"), block("return 3"), "Hm.", block("return 1 + 1")]

    grades = list(Grader(BROKEN).grade_all((record(text), code()) for text in texts))

    assert [grade.outcome for grade in grades] == ["correct", "empty", "wrong", "wrong", "unparsed", "correct"]


def test_replies_are_read_ahead_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr("evaluator.grade.grader.run_tests", Runs(*[Run("passed", "passed")] * 300))
    read = 0

    def asked() -> Iterator[tuple[Record, Question]]:
        nonlocal read
        for number in range(300):
            read = number
            yield record(block(f"return {number}")), code()

    ahead = [read - number for number, _ in enumerate(Grader(BROKEN).grade_all(asked()))]

    assert max(ahead) <= 65


def test_programs_under_way_are_stopped_when_nobody_wants_their_grades(sandbox: Sandbox) -> None:
    endless = [(record(block(f"while True: {number}")), code()) for number in range(4)]
    grades = Grader(sandbox).grade_all([(record("Hm."), code()), *endless])
    started = time.monotonic()

    next(grades)
    grades.close()

    assert time.monotonic() - started < 5
