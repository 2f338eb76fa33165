"""A run that grows is graded again and again, each reply once."""

from collections.abc import Iterable
from unittest.mock import patch

from msgspec.structs import replace

from evaluator.grade.grader import Grader
from evaluator.grade.kept import KeptGrader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Answer, Grade, Key, Question, Record
from servers.spec import Prompt

NOWHERE = NoSandbox("no sandbox here", "")


def question(identity: str, *, code: bool = False) -> Question:
    return Question(
        benchmark="humaneval" if code else "mmlu_pro",
        id=identity,
        kind="code" if code else "choice",
        category="law",
        prompt=Prompt(messages=({"role": "user", "content": "?"},)),
        answer="f" if code else "B",
        letters="" if code else "ABCD",
    )


def record(asked: Question, text: str, started: str = "2026-01-01T00:00:00") -> Record:
    answer = Answer(text=text, finish_reason="stop", duration_s=1)
    return Record(key=Key(asked.benchmark, asked.id), variant="a", started=started, request={}, answer=answer)


def graded(grader: Grader, replies: Iterable[tuple[Record, Question]]) -> tuple[list[Grade], int]:
    """Grade, and count the replies that are read to do so."""
    with patch.object(Grader, "_finish", autospec=True, side_effect=Grader._finish) as finish:
        return list(grader.grade_all(replies)), finish.call_count


def test_only_what_is_new_is_read_and_the_order_stays() -> None:
    one, two, three = (question(name) for name in "123")
    grader = KeptGrader(NOWHERE, lambda _: None)
    first = [(record(one, "The answer is (B)."), one), (record(three, "The answer is (C)."), three)]

    before = graded(grader, first)
    after = graded(grader, [first[0], (record(two, "The answer is (A)."), two), first[1]])

    assert ([grade.extracted for grade in before[0]], before[1]) == (["B", "C"], 2)
    assert ([grade.extracted for grade in after[0]], after[1]) == (["B", "A", "C"], 1)


def test_a_reply_that_was_asked_for_again_is_read_again() -> None:
    asked = question("1")
    grader = KeptGrader(NOWHERE, lambda _: None)
    graded(grader, [(record(asked, "The answer is (C)."), asked)])

    again, _ = graded(grader, [(record(asked, "The answer is (B).", "2026-01-02T00:00:00"), asked)])

    assert [grade.outcome for grade in again] == ["correct"]


def test_a_grade_that_is_known_from_elsewhere_is_taken_so_that_no_program_runs_twice() -> None:
    asked = question("HumanEval/0", code=True)
    reply = record(asked, "```python\ndef f():\n    return 1\n```")
    known = Grade(key=reply.key, variant="a", outcome="correct", extracted="def f()", why="passed")

    with_it, read = graded(KeptGrader(NOWHERE, lambda _: known), [(reply, asked)])
    without, _ = graded(KeptGrader(NOWHERE, lambda _: None), [(reply, asked)])

    assert (with_it, read) == ([known], 0)
    assert [grade.outcome for grade in without] == ["not_scored"]
    assert replace(without[0], why="") != replace(known, why="")
