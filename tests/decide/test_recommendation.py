"""Which build is recommended, and what is said of it."""

import pytest

from evaluator.decide.recommendation import recommend
from evaluator.study.study import Prefer
from tests.support.recommendation_cases import CASES, Q4, Q8, SAME, Case
from tests.support.recommended import both, recommended


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_all_that_is_said(case: Case) -> None:
    found = recommended(case.comparisons, *case.costs, prefer=case.prefer)

    assert (found.variant, found.sentence, found.others, found.missing) == (
        case.variant,
        case.sentence,
        case.others,
        case.missing,
    )


def test_one_variant_alone_is_not_recommended() -> None:
    assert recommend([], [Q8], variants=["q8_0"], baseline="q8_0") is None


@pytest.mark.parametrize(
    ("prefer", "words", "then"),
    [
        pytest.param(
            "size", "the smallest, if it is smaller than", "better in memory or speed and worse in neither", id="size"
        ),
        pytest.param(
            "speed", "the fastest, if it is faster than", "better in file size or memory and worse", id="speed"
        ),
        pytest.param("memory", "the smallest in memory, if it is smaller in", "file size or speed", id="memory"),
    ],
)
def test_the_rule_is_stated(prefer: Prefer, words: str, then: str) -> None:
    rule = recommended(both("q4_0", SAME, SAME), Q8, Q4, prefer=prefer).rule

    assert words in rule
    assert then in rule
    assert "file size within 1 %" in rule


def test_a_speed_that_was_measured_on_a_busy_machine_is_so_called() -> None:
    found = recommend(both("q4_0", SAME, SAME), [Q8, Q4], variants=["q8_0", "q4_0"], baseline="q8_0", busy=True)

    assert found is not None
    assert "10 % faster than q8_0 (speed of one request alone, on a busy machine)" in found.sentence
