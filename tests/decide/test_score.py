"""Counts, accuracy three ways, pass@k and speed from records and grades."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.decide.score import per_question, score
from evaluator.records import Answer, Grade, Key, Outcome, Record
from evaluator.stats.proportions import Interval, wilson, wilson_share
from evaluator.stats.strata import stratified
from tests.support.outlined import outlined


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


def several(*outcomes: str) -> Any:
    """One question for each string, one reply for each letter: correct, wrong, unparsed, failed."""
    kinds: dict[str, Outcome] = {"c": "correct", "w": "wrong", "u": "unparsed", "f": "failed"}
    grades = [grade(i, kinds[letter], k) for i, of in enumerate(outcomes) for k, letter in enumerate(of)]
    return score("v", "mmlu_pro", planned=len(grades), records=[], grades=grades)


def test_accuracy_lies_within_its_bounds_where_some_questions_have_more_replies_than_others() -> None:
    found = several("c", "wwwww")

    assert (found.accuracy, found.answered_only, found.bounds) == (0.5, 0.5, (0.5, 0.5))


@settings(deadline=None)
@given(st.lists(st.text("cwuf", min_size=1, max_size=5), min_size=1, max_size=8))
def test_bounds_hold_both_accuracies(outcomes: list[str]) -> None:
    found = several(*outcomes)
    low, high = found.bounds

    assert low <= high
    for accuracy in (found.accuracy, found.answered_only):
        assert accuracy is None or low - 1e-12 <= accuracy <= high + 1e-12


def test_what_went_wrong_has_a_rate_with_an_interval() -> None:
    found = scored(["correct"] * 90 + ["truncated"] * 10 + ["failed"] * 25)

    truncated, failed = found.rates["truncated"], found.rates["failed"]
    assert (truncated.count, truncated.of, truncated.share, truncated.interval) == (10, 100, 0.1, wilson(10, 100))
    assert (failed.count, failed.of, failed.share, failed.interval) == (25, 125, 0.2, wilson(25, 125))
    assert found.rates["empty"].interval == wilson(0, 100)


def test_nothing_graded_has_a_rate_of_failure_only() -> None:
    assert list(scored(["failed"] * 3).rates) == ["failed"]
    assert scored([], planned=3).rates == {}


@pytest.mark.parametrize(
    ("outcomes", "as_if"),
    [
        pytest.param(["uuuu"] * 5 + ["cccc"] * 15, wilson(5, 20), id="a-question-always-or-never"),
        pytest.param(
            ["uccc", "cucc", "ccuc", "cccu"], wilson_share(0.25, 4), id="spread-so-evenly-that-nothing-varies"
        ),
        pytest.param(["u"] * 3 + ["c"] * 9, wilson(3, 12), id="one-reply-each"),
        pytest.param(["cccc"] * 20, wilson(0, 20), id="never"),
        pytest.param(["uucc"], wilson_share(0.5, 1), id="one-question"),
    ],
)
def test_replies_to_one_question_count_for_no_more_than_they_tell(outcomes: list[str], as_if: Interval) -> None:
    found = several(*outcomes).rates["unparsed"].interval

    assert (found.low, found.high) == pytest.approx((as_if.low, as_if.high))


def test_categories_count_by_their_share_of_the_whole_benchmark() -> None:
    """9 of 10 in a category with a quarter of the benchmark, 4 of 10 in the other: (0.9 + 3 x 0.4) / 4."""
    grades = [grade(i, "correct" if i < 9 or 10 <= i < 14 else "wrong") for i in range(20)]
    categories = {str(i): "math" if i < 10 else "law" for i in range(20)}
    sizes = {"math": 100, "law": 300}

    found = score("v", "mmlu_pro", planned=20, records=[], grades=grades, categories=categories, sizes=sizes)

    assert found.accuracy == 0.65
    assert found.stratified is not None
    assert found.stratified.value == pytest.approx(0.525)
    expected = stratified({"math": (9, 10), "law": (4, 10)}, sizes)
    assert found.stratified.interval.low == pytest.approx(expected.interval.low, abs=1e-12)
    assert found.stratified.interval_finite.high == pytest.approx(expected.interval_finite.high, abs=1e-12)
    assert scored(["correct"]).stratified is None


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
    found = score("v", "mmlu_pro", planned=2, records=outlined(records).records, grades=[])

    assert found.tokens_per_second == pytest.approx(rate)


def test_questions_that_all_came_out_alike_are_no_certainty() -> None:
    grades = [grade(i, "correct", repeat) for i in range(20) for repeat in range(3)]

    interval = score("v", "mmlu_pro", planned=60, records=[], grades=grades).interval

    assert interval is not None
    assert (round(interval.low, 3), interval.high) == (0.839, 1.0)
