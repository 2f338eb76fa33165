"""A fair coin's chances and chi-squared tails: scipy's, and by whole numbers; a report needs no scipy for them."""

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc, chdtrc
from scipy.stats import binom

from evaluator.stats.clusters import cluster_midp
from evaluator.stats.coins import at_most, coin_chance, coin_chances
from evaluator.stats.paired import PairedTable, mcnemar_exact, mcnemar_midp
from evaluator.stats.posterior import chance_better
from evaluator.stats.proportions import chi_squared_tail
from evaluator.stats.repeats import sign_flip
from tests.support.paired_tables import study, tables, unhurried

DIGITS = 1e-12  # relative; scipy's own last digits are no better


@st.composite
def tossed(draw: st.DrawFn) -> tuple[int, int]:
    tosses = draw(st.integers(0, 3000))
    return draw(st.integers(-1, tosses + 1)), tosses


@given(tossed())
def test_chances_are_the_fractions_that_they_stand_for(case: tuple[int, int]) -> None:
    heads, tosses = case
    chance = Fraction(comb(tosses, heads) if heads >= 0 else 0, 2**tosses)
    below = sum(Fraction(comb(tosses, i), 2**tosses) for i in range(min(heads, tosses) + 1)) if tosses < 60 else None

    assert coin_chance(heads, tosses) == float(chance)
    assert below is None or at_most(heads, tosses) == float(below)
    assert at_most(heads, tosses) == pytest.approx(binom.cdf(heads, tosses, 0.5), rel=DIGITS, abs=1e-300)


@given(st.integers(0, 400))
def test_all_chances_at_once_are_each_one_alone(tosses: int) -> None:
    assert coin_chances(tosses) == [coin_chance(heads, tosses) for heads in range(tosses + 1)]


@unhurried
@given(tables)
def test_paired_p_values_are_those_of_scipys_binomial(table: PairedTable) -> None:
    fewer, flips = min(table.only_a, table.only_b), table.flips
    below, at = binom.cdf(fewer, flips, 0.5), binom.pmf(fewer, flips, 0.5)
    midp = 1 - at / 2 if table.only_a == table.only_b else 2 * below - at

    assert mcnemar_midp(table) == pytest.approx(midp if flips else 1, rel=DIGITS)
    assert mcnemar_exact(table) == pytest.approx(min(1, 2 * below) if flips else 1, rel=DIGITS)
    assert chance_better(table) == pytest.approx(betainc(table.only_b + 1, table.only_a + 1, 0.5), rel=DIGITS)


@pytest.mark.parametrize("effect", [1.0, 1.3])
def test_the_posterior_is_continuous_in_the_design_effect(effect: float) -> None:
    table = study(9, 1)

    assert chance_better(table, effect) == pytest.approx(chance_better(table, effect + 1e-9), rel=1e-6)


@given(st.integers(1, 40), st.floats(1e-3, 200))
def test_chi_squared_tails_are_scipys(freedom: int, statistic: float) -> None:
    assert chi_squared_tail(statistic, freedom) == pytest.approx(chdtrc(freedom, statistic), rel=DIGITS)


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [
        pytest.param(0.0, 1, 1.0, id="nothing"),
        pytest.param(0.0, 6, 1.0, id="nothing, several degrees"),
        pytest.param(5000.0, 4, 0.0, id="beyond the floats"),
        pytest.param(5000.0, 5, 0.0, id="beyond the floats, odd"),
        pytest.param(3000.0, 3001, 0.5017, id="many degrees of freedom"),
    ],
)
def test_chi_squared_tails_at_their_ends(statistic: float, freedom: int, p: float) -> None:
    assert chi_squared_tail(statistic, freedom) == pytest.approx(p, abs=1e-3)


@given(st.lists(st.integers(-4, 4), max_size=10))
def test_signs_of_whole_sums_are_counted_as_all_patterns_are(sums: list[int]) -> None:
    sizes = [abs(total) for total in sums if total]
    patterns = [
        abs(sum(s * size for s, size in zip(signs, sizes, strict=True)))
        for signs in product((1, -1), repeat=len(sizes))
    ]
    seen = abs(sum(sums))
    beyond, level = sum(p > seen for p in patterns), sum(p == seen for p in patterns)

    assert sign_flip([float(total) for total in sums]) == sign_flip(sums) == (beyond + level) / len(patterns)
    assert cluster_midp(sums) == pytest.approx(min(1, (beyond + level / 2) / len(patterns)) if sizes else 1, rel=DIGITS)
