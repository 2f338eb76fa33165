"""A few planned looks: published boundaries, a second witness for the recursion, and laws of the repeated p value."""

from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.group_sequential import nominal_level, obrien_fleming, repeated_p

Sides = Literal[1, 2]
NORMAL = NormalDist()
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
looks_anywhere = st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True).map(
    lambda percents: tuple(sorted(k / 100 for k in percents))
)
alphas = st.floats(1e-6, 0.4)
unhurried = settings(deadline=None, max_examples=40)


def equal(looks: int) -> tuple[float, ...]:
    return tuple(i / looks for i in range(1, looks + 1))


@pytest.mark.parametrize(
    ("critical", "published"),
    [
        pytest.param(
            obrien_fleming(FIFTHS), (4.8769, 3.3570, 2.6803, 2.2898, 2.0310), id="OBF, 5 looks (statistics.md 2.8)"
        ),
        pytest.param(obrien_fleming(equal(2)), (2.9626, 1.9686), id="OBF, 2 looks (Lan & DeMets, as R ldbounds)"),
        pytest.param(obrien_fleming(equal(3)), (3.7103, 2.5114, 1.9930), id="OBF, 3 looks (R ldbounds)"),
        pytest.param(obrien_fleming(equal(4)), (4.3326, 2.9631, 2.3590, 2.0141), id="OBF, 4 looks (R ldbounds)"),
        pytest.param(obrien_fleming([1.0]), (1.9600,), id="one look is the plain test"),
        pytest.param(obrien_fleming([1.0], sides=1), (1.6449,), id="one look, one side"),
    ],
)
def test_published_boundaries(critical: tuple[float, ...], published: tuple[float, ...]) -> None:
    assert critical == pytest.approx(published, abs=6e-5)


def test_the_one_sided_spending_is_not_used_for_two_sides() -> None:
    """Trap 5 of statistics.md: 2 - 2 Phi(z_{a/2} / sqrt t) on two sides begins with 4.3826."""
    wrong = NORMAL.inv_cdf(1 - (1 - NORMAL.cdf(NORMAL.inv_cdf(0.975) / sqrt(0.2))))

    assert wrong == pytest.approx(4.3826, abs=5e-5)
    assert obrien_fleming(FIFTHS, 0.05)[0] == pytest.approx(4.8769, abs=5e-5)
    assert obrien_fleming(FIFTHS, 0.05, sides=1)[0] == pytest.approx(4.2292, abs=5e-5)


def test_two_sides_are_one_side_twice_at_half_alpha() -> None:
    assert obrien_fleming(FIFTHS, 0.05) == pytest.approx(obrien_fleming(FIFTHS, 0.025, sides=1), abs=1e-6)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(
    "fractions", [(0.5, 1.0), (0.1, 0.35, 1.0), (0.3, 0.31, 0.9)], ids=["halves", "uneven", "two close looks"]
)
def test_alpha_is_spent_as_planned_by_scipys_multivariate_normal(fractions: tuple[float, ...], sides: Sides) -> None:
    alpha = 0.1
    critical = np.array(obrien_fleming(fractions, alpha, sides))
    cov = [[min(s, t) / sqrt(s * t) for t in fractions] for s in fractions]
    never = scipy.stats.multivariate_normal.cdf(
        critical,
        cov=cov,
        lower_limit=-critical if sides == 2 else None,
        abseps=1e-8,
        releps=1e-8,
        maxpts=10**6,
        rng=np.random.default_rng(1),
    )
    t = fractions[-1]
    parts = 2 * sides
    planned = parts * (1 - NORMAL.cdf(NORMAL.inv_cdf(1 - alpha / parts) / sqrt(t)))

    assert 1 - never == pytest.approx(planned, abs=2e-6)


@unhurried
@given(fractions=looks_anywhere, alpha=alphas, sides=st.sampled_from([1, 2]))
def test_looks_to_come_change_none_of_those_made(fractions: tuple[float, ...], alpha: float, sides: Sides) -> None:
    whole = obrien_fleming(fractions, alpha, sides)
    for k in range(1, len(fractions)):
        assert obrien_fleming(fractions[:k], alpha, sides) == pytest.approx(whole[:k], rel=1e-8)


@unhurried
@given(fractions=looks_anywhere, alpha=alphas, sides=st.sampled_from([1, 2]))
def test_the_repeated_p_on_the_boundary_is_alpha(fractions: tuple[float, ...], alpha: float, sides: Sides) -> None:
    critical = obrien_fleming(fractions, alpha, sides)
    if max(critical) > 37:
        return

    assert repeated_p(critical, fractions, sides) == pytest.approx(alpha, rel=1e-6)


@unhurried
@given(
    fractions=looks_anywhere,
    z=st.lists(st.floats(-5, 5), min_size=6, max_size=6),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
    sides=st.sampled_from([1, 2]),
)
def test_the_repeated_p_is_at_most_alpha_just_when_the_design_has_stopped(
    fractions: tuple[float, ...], z: list[float], alpha: float, sides: Sides
) -> None:
    seen = z[: len(fractions)]
    critical = obrien_fleming(fractions, alpha, sides)
    excess = max((abs(x) if sides == 2 else x) - bound for x, bound in zip(seen, critical, strict=True))
    if abs(excess) < 1e-6:
        return

    assert (repeated_p(seen, fractions, sides) <= alpha) == (excess > 0)


@unhurried
@given(fractions=looks_anywhere, z=st.lists(st.floats(-6, 6), min_size=6, max_size=6))
def test_looking_again_never_takes_evidence_back(fractions: tuple[float, ...], z: list[float]) -> None:
    p = [repeated_p(z[:k], fractions[:k]) for k in range(1, len(fractions) + 1)]

    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(p))
    assert repeated_p([-x for x in z[: len(fractions)]], fractions) == p[-1]


@pytest.mark.parametrize(
    ("z", "fractions", "sides", "p"),
    [
        pytest.param([1.959964], [1.0], 2, 0.05, id="one look at the end is the plain p"),
        pytest.param([1.644854], [1.0], 1, 0.05, id="one look, one side"),
        pytest.param([10.0], [1.0], 2, 1.523971e-23, id="far out, 2 (1 - Phi(10))"),
        pytest.param([0.0, 0.1], [0.5, 1.0], 2, 1.0, id="beyond one half"),
        pytest.param([-4.0], [1.0], 1, 1.0, id="the wrong side"),
        pytest.param([1.0, 2.2895, 1.0, 1.0, 2.031032], FIFTHS, 2, 0.05, id="five looks, the last counts"),
        pytest.param([0.0, 3.357012, 1.0], FIFTHS[:3], 2, 0.05, id="three looks, the second counts"),
    ],
)
def test_repeated_p_values(z: list[float], fractions: list[float], sides: Sides, p: float) -> None:
    assert repeated_p(z, fractions, sides) == pytest.approx(p, rel=2e-6)


def test_certainty_has_a_p_value_that_is_no_error() -> None:
    assert repeated_p([1.0, float("inf")], [0.5, 1.0]) < 1e-300
    assert repeated_p([float("-inf")], [0.5], sides=1) == 1.0


def test_many_looks_keep_alpha() -> None:
    """As the looks grow to 200 the last boundary rises towards that of watching all the time, z_{alpha/4}."""
    last = [obrien_fleming(equal(k))[-1] for k in (1, 5, 50, 200)]

    assert last == sorted(last)
    assert last[-1] < NORMAL.inv_cdf(1 - 0.05 / 4)
    assert obrien_fleming([0.001, 1.0])[0] == float("inf")


@pytest.mark.parametrize(("z", "sides", "level"), [(1.959964, 2, 0.05), (1.644854, 1, 0.05), (4.8769, 2, 1.0776e-6)])
def test_nominal_levels(z: float, sides: Sides, level: float) -> None:
    assert nominal_level(z, sides) == pytest.approx(level, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param(lambda: obrien_fleming([]), "looks are at fractions", id="no look"),
        pytest.param(lambda: obrien_fleming([0.0, 1.0]), "looks are at fractions", id="a look at nothing"),
        pytest.param(lambda: obrien_fleming([0.5, 1.1]), "looks are at fractions", id="beyond the budget"),
        pytest.param(lambda: obrien_fleming([float("nan")]), "looks are at fractions", id="no number"),
        pytest.param(lambda: obrien_fleming([0.5, 0.5]), "follow each other", id="twice the same look"),
        pytest.param(lambda: obrien_fleming([1.0, 0.5]), "follow each other", id="backwards"),
        pytest.param(lambda: obrien_fleming([1.0], 0.0), "false alarms", id="no alpha"),
        pytest.param(lambda: obrien_fleming([1.0], 0.05, 3), "one side or two", id="three sides"),  # type: ignore[arg-type]
        pytest.param(lambda: repeated_p([1.0], [0.5, 1.0]), "one statistic", id="a statistic missing"),
        pytest.param(lambda: repeated_p([float("nan")], [1.0]), "not a number", id="a statistic that is none"),
    ],
)
def test_refusals_say_what_is_wrong(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()
