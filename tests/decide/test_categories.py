"""Accuracy by category adds up to the whole accuracy."""

from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.decide.categories import by_category
from evaluator.decide.score import score
from evaluator.records import Grade, Key, Outcome

OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(["correct", "wrong", "truncated", "failed"])
ANSWERS = st.lists(st.tuples(OUTCOMES, st.sampled_from(["law", "math", "art"])), min_size=1, max_size=30)


def graded(outcomes: list[Outcome]) -> list[Grade]:
    return [
        Grade(key=Key("mmlu_pro", str(i)), variant="q4", outcome=outcome, extracted=None, why="")
        for i, outcome in enumerate(outcomes)
    ]


@settings(deadline=None)
@given(ANSWERS)
def test_categories_add_up_to_the_whole(answers: list[tuple[Outcome, str]]) -> None:
    grades = graded([outcome for outcome, _ in answers])
    categories = {str(i): category for i, (_, category) in enumerate(answers)}
    found = by_category({("q4", "mmlu_pro"): grades}, {"mmlu_pro": categories})
    whole = score("q4", "mmlu_pro", planned=len(grades), records=[], grades=grades)

    assert sum(one.questions for one in found) == whole.questions
    assert [one.category for one in found] == sorted({one.category for one in found})
    for one in found:
        assert one.interval is not None
        assert one.interval.low <= one.accuracy <= one.interval.high
    if whole.questions:
        assert whole.accuracy is not None
        assert fmean([one.accuracy for one in found for _ in range(one.questions)]) == pytest.approx(whole.accuracy)


def test_a_benchmark_without_categories_has_none() -> None:
    assert by_category({("q4", "humaneval"): graded(["correct"])}, {"mmlu_pro": {"0": "law"}}) == ()
