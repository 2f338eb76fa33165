"""Counts, accuracy three ways, pass@k and speed from records and grades."""

from typing import Any

import pytest

from evaluator.records import Answer, Grade, Key, Outcome, Record
from evaluator.score import per_question, score


def grade(question: int, outcome: Outcome, repeat: int = 0) -> Grade:
    return Grade(key=Key("mmlu_pro", str(question), repeat), variant="v", outcome=outcome, extracted=None, why="")


def scored(outcomes: list[Any], planned: int | None = None) -> Any:
    grades = [grade(i, outcome) for i, outcome in enumerate(outcomes)]
    return score("v", "mmlu_pro", planned=planned or len(grades), records=[], grades=grades)


def test_accuracy_is_given_three_ways() -> None:
    found = scored(["correct"] * 6 + ["wrong"] * 2 + ["truncated", "unparsed"])

    assert found.accuracy == 0.6
    assert found.answered_only == 0.75
    assert found.bounds == (0.6, 0.8)


@pytest.mark.parametrize("outcome", ["failed", "not_scored"])
def test_what_got_no_grade_is_no_wrong_answer(outcome: Outcome) -> None:
    found = scored(["correct"] * 4 + [outcome] * 6)

    assert found.accuracy == 1.0
    assert found.questions == 4
    assert found.bounds == (0.4, 1.0)


def test_nothing_graded_has_no_accuracy_and_could_be_anything() -> None:
    found = scored(["failed"] * 3)

    assert (found.accuracy, found.interval, found.answered_only) == (None, None, None)
    assert found.bounds == (0.0, 1.0)


def test_the_interval_is_wilsons() -> None:
    found = scored(["correct"] * 98 + ["wrong"] * 2)

    assert found.interval is not None
    assert (round(found.interval.low, 4), round(found.interval.high, 4)) == (0.93, 0.9945)


def test_repeats_are_averaged_within_a_question_first() -> None:
    grades = [grade(0, "correct", 0), grade(0, "wrong", 1), grade(1, "correct", 0), grade(1, "correct", 1)]

    found = score("v", "mmlu_pro", planned=4, records=[], grades=grades)

    assert per_question(grades) == {"0": (True, False), "1": (True, True)}
    assert found.accuracy == 0.75
    assert found.pass_at_k == {1: 0.75, 2: 1.0}


def record(start: int, seconds: float, tokens: int) -> Record:
    return Record(
        key=Key("mmlu_pro", str(start), 0),
        variant="v",
        started=f"2026-01-01T00:00:{start:02}.000+00:00",
        request={},
        answer=Answer(text="", duration_s=seconds, completion_tokens=tokens, first_token_s=seconds / 10),
    )


@pytest.mark.parametrize(
    ("records", "rate"),
    [
        pytest.param([record(0, 10, 100)], 10.0, id="one"),
        pytest.param([record(0, 10, 100), record(0, 10, 100)], 20.0, id="two-at-once"),
        pytest.param([record(0, 10, 100), record(5, 10, 200)], 20.0, id="overlap"),
        pytest.param([record(0, 10, 100), record(40, 10, 100)], 10.0, id="a-pause-between-does-not-count"),
    ],
)
def test_speed_is_tokens_over_the_time_in_which_something_was_under_way(records: list[Record], rate: float) -> None:
    found = score("v", "mmlu_pro", planned=2, records=records, grades=[])

    assert found.tokens_per_second == pytest.approx(rate)
