"""The posterior of a paired difference: published values, other ways to the same number, laws."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.paired import PairedTable
from evaluator.stats.posterior import chance_better, chance_within

cells = st.integers(0, 200)
tables = st.builds(PairedTable, cells, cells, cells, cells).filter(lambda t: t.n > 0)
margins = st.floats(0.001, 0.9)
# scipy is loaded by the first call, which takes longer than an example may.
unhurried = settings(deadline=None, max_examples=25)


def test_the_published_values() -> None:
    """(8, 0) in 100 questions, margin 3 points: statistics.md 2.5."""
    table = PairedTable(90, 8, 0, 2)

    assert chance_better(table) == pytest.approx(0.998047, abs=5e-7)
    assert chance_within(table, 0.03) == pytest.approx(0.038843, abs=5e-7)


@unhurried
@given(tables)
def test_the_chance_to_be_better_is_a_binomial_tail(table: PairedTable) -> None:
    """1 - I_1/2(b + 1, c + 1) = P(Bin(b + c + 1, 1/2) <= b)."""
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    tail = binom.cdf(table.only_a, table.flips + 1, 0.5)

    assert chance_better(table) == pytest.approx(tail, rel=1e-9)


@pytest.mark.parametrize(
    "table",
    [
        PairedTable(0, 1, 0, 0),
        PairedTable(1, 0, 0, 0),
        PairedTable(90, 8, 0, 2),
        PairedTable(60, 0, 0, 40),
        PairedTable(0, 30, 20, 0),
        PairedTable(10_000, 1_000, 900, 132),
    ],
    ids=["one flip", "one question", "98 v 90", "no flip", "all flips", "12,032"],
)
@pytest.mark.parametrize("margin", [0.001, 0.02, 0.2, 0.9])
def test_the_chance_to_be_within_is_the_integral_in_the_other_order(table: PairedTable, margin: float) -> None:
    """Over the share r of A in the flips, of the chance that the rate of flips is below margin / |2r - 1|."""
    from scipy.integrate import quad  # noqa: PLC0415  slow to import
    from scipy.stats import beta  # noqa: PLC0415

    rate = beta(table.flips + 2, table.n - table.flips + 2)
    share = beta(table.only_a + 1, table.only_b + 1)

    def density(r: float) -> float:
        return float(share.pdf(r) * rate.cdf(margin / max(1e-300, abs(2 * r - 1))))

    breaks = sorted({0.0, 1.0, 0.5 - margin / 2, 0.5 + margin / 2, *share.ppf([1e-14, 0.01, 0.5, 0.99, 1 - 1e-14])})
    parts = (quad(density, x, y, epsabs=1e-11, limit=200)[0] for x, y in pairwise(breaks))

    assert chance_within(table, margin) == pytest.approx(sum(parts), abs=1e-9)


@unhurried
@given(tables, margins)
def test_swapping_the_variants_turns_the_chances_round(table: PairedTable, margin: float) -> None:
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)

    assert chance_better(table) + chance_better(swapped) == pytest.approx(1)
    assert chance_within(table, margin) == pytest.approx(chance_within(swapped, margin), abs=1e-12)


@unhurried
@given(tables, margins, margins)
def test_a_wider_margin_is_no_less_likely(table: PairedTable, x: float, y: float) -> None:
    assert 0 <= chance_within(table, min(x, y)) <= chance_within(table, max(x, y)) + 1e-12 <= 1 + 2e-12


@pytest.mark.parametrize("ask", [chance_better, lambda t: chance_within(t, 0.02)], ids=["better", "within"])
def test_without_a_question_there_is_nothing_to_say(ask: Callable[[PairedTable], float]) -> None:
    with pytest.raises(ValueError, match="no question was answered by both"):
        ask(PairedTable(0, 0, 0, 0))


@pytest.mark.parametrize("margin", [0.0, 1.0, 2.0])
def test_a_margin_is_a_proportion(margin: float) -> None:
    with pytest.raises(ValueError, match="margin is a proportion"):
        chance_within(PairedTable(1, 1, 1, 1), margin)
