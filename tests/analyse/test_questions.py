"""Every question of a run with its replies, graded as far as that can be done by looking."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.analyse.load import read_grades
from evaluator.analyse.questions import Asked, asked_questions
from evaluator.records import Key, Outcome
from tests.support.scripted import Bench, right, wrong

BOTH = "benchmarks: {mmlu_pro: {questions: 6, shots: 0, margin: 10}, humaneval: {questions: 2, margin: 20}}\n"
LATER = "2099-01-01T00:00:00.000+00:00"


@pytest.fixture
def folder(bench: Bench) -> Path:
    """A finished run with choices and code, and with the baseline asked twice."""
    study = bench.study(6, "decide: {noise_floor: 2}\n", good=right, bad=wrong)
    kept = [line for line in study.read_text().splitlines(keepends=True) if not line.startswith("benchmarks")]
    study.write_text("".join(kept) + BOTH)
    bench.run(study)
    return bench.folder / "runs" / "s"


def outcomes(asked: list[Asked]) -> dict[tuple[str, Key], Outcome | None]:
    return {
        (variant, each.key): reply.grade.outcome if reply.grade else None
        for each in asked
        for variant, reply in each.replies.items()
    }


def rewrite(folder: Path, variant: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "records" / f"{variant}.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        change(record)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_questions_come_in_the_order_of_asking_with_the_grades_of_the_folder(folder: Path) -> None:
    asked = list(asked_questions(folder))

    assert [each.again for each in asked] == [False] * 8 + [True] * 4
    assert [each.key.benchmark for each in asked[:8]] == ["mmlu_pro"] * 6 + ["humaneval"] * 2
    assert all(list(each.replies) == (["good"] if each.again else ["good", "bad"]) for each in asked)
    assert outcomes(asked) == {part: grade.outcome for part, grade in read_grades(folder).items()}


def test_what_has_no_grade_is_graded_by_looking_but_code_is_not_run(folder: Path) -> None:
    before = outcomes(list(asked_questions(folder)))
    (folder / "grades.jsonl").unlink()

    after = outcomes(list(asked_questions(folder)))

    ran = {part for part in before if part[0] == "good" and part[1].benchmark == "humaneval"}
    assert after == {part: None if part in ran else outcome for part, outcome in before.items()}
    assert not (folder / "grades.jsonl").exists()


def test_grades_that_are_given_count_and_no_others(folder: Path) -> None:
    some = {part: grade for part, grade in read_grades(folder).items() if part[0] == "bad"}

    shown = outcomes(list(asked_questions(folder, some)))

    assert {part for part, outcome in shown.items() if outcome} == set(some)


def test_a_reply_that_came_after_the_report_has_not_the_grade_of_the_one_before(folder: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        record["started"] = LATER
        record["answer"]["text"] = "I do not know."

    rewrite(folder, "good", change)

    shown = outcomes(list(asked_questions(folder)))

    mine = {outcome for (variant, _), outcome in shown.items() if variant == "good"}
    assert mine == {"unparsed"}
    assert {outcome for (variant, _), outcome in shown.items() if variant == "bad"} == {"wrong", "unparsed"}


def test_a_run_without_replies_has_questions_all_the_same(folder: Path) -> None:
    for file in (folder / "records").iterdir():
        file.unlink()

    assert [dict(each.replies) for each in asked_questions(folder)] == [{}] * 12
