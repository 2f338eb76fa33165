"""Correction for several tests: published values and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.stats.multiplicity import benjamini_hochberg, holm, holm_by_key

# The six comparisons of the original study: four on the way, the two of 6-bit on HumanEval in first and third place.
CHI2 = (0.017221, 1.0, 0.017221, 0.839925, 0.688209, 0.546494)
FISHER = (0.033040, 1.0, 0.033040, 1.0, 0.841116, 0.687907)
# Benjamini & Hochberg 1995, section 3.2: fifteen endpoints of a study of thrombolysis.
THROMBOLYSIS = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
)
p_values = st.lists(st.floats(0, 1), max_size=40)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        pytest.param(CHI2, 0.10333, id="chi2 over the six (statistics.md 1)"),
        pytest.param(FISHER, 0.19824, id="Fisher over the six (statistics.md 1)"),
        pytest.param(CHI2[:3], 0.05166, id="chi2 on HumanEval alone (statistics.md 1)"),
    ],
)
def test_holm_of_the_original_study(p: tuple[float, ...], adjusted: float) -> None:
    assert holm(p)[0] == holm(p)[2] == pytest.approx(adjusted, abs=1e-5)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        pytest.param(CHI2, 0.05166, id="chi2 over the six (statistics.md 1)"),
        pytest.param(FISHER, 0.09912, id="Fisher over the six (statistics.md 1)"),
        pytest.param(CHI2[:3], 0.02583, id="chi2 on HumanEval alone (statistics.md 1)"),
    ],
)
def test_benjamini_hochberg_of_the_original_study(p: tuple[float, ...], adjusted: float) -> None:
    assert benjamini_hochberg(p)[0] == benjamini_hochberg(p)[2] == pytest.approx(adjusted, abs=1e-5)


def test_the_published_example_rejects_three_by_holm_and_four_by_benjamini_hochberg() -> None:
    """Benjamini & Hochberg 1995, section 3.2."""
    assert sum(p <= 0.05 for p in holm(THROMBOLYSIS)) == 3
    assert sum(p <= 0.05 for p in benjamini_hochberg(THROMBOLYSIS)) == 4


def test_the_order_is_kept_and_a_larger_p_never_gets_a_smaller_one() -> None:
    assert holm((0.04, 0.01, 0.03)) == pytest.approx((0.06, 0.03, 0.06))
    assert benjamini_hochberg((0.04, 0.01, 0.03)) == pytest.approx((0.04, 0.03, 0.04))


def test_nothing_tested_is_nothing_adjusted() -> None:
    assert holm(()) == benjamini_hochberg(()) == ()


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm((0.5, value))


@given(p_values)
def test_holm_is_never_below_benjamini_hochberg_nor_that_below_the_raw_p(p: list[float]) -> None:
    for raw, bh, adjusted in zip(p, benjamini_hochberg(p), holm(p), strict=True):
        assert raw <= bh + 1e-15
        assert bh <= adjusted + 1e-15


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).flatmap(lambda p: st.tuples(st.just(p), st.permutations(p))))
def test_the_order_of_the_tests_changes_nothing(both: tuple[list[float], list[float]]) -> None:
    p, shuffled = both

    assert dict(zip(p, holm(p), strict=True)) == pytest.approx(dict(zip(shuffled, holm(shuffled), strict=True)))


@given(st.lists(st.floats(0, 1), max_size=12), st.integers(0, 5))
def test_tests_that_are_missing_count_in_the_family(p: list[float], missing: int) -> None:
    by_key = holm_by_key(dict(enumerate(p)), len(p) + missing)

    assert tuple(by_key.values()) == holm([*p, *[1.0] * missing])[: len(p)]
    assert list(by_key) == list(range(len(p)))
