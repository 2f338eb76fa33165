"""How large, or how small, a paired difference is: published values, edges, and the laws of statistics.md, part 5."""

from collections.abc import Callable
from math import inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.stats.difference import tango, tango_z
from evaluator.stats.equivalence import equivalence, noninferiority, supported_margin
from evaluator.stats.paired import PairedTable, paired_table
from tests.support.paired_tables import BENTUR, margins, study, tables, unhurried
from tests.support.witnesses import mcnemar_chi2


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        pytest.param(BENTUR, -0.5172, -0.0260, id="Bentur 2009 in Fagerland et al. 2014"),
        pytest.param(study(8, 0), 0.0400, 0.1500, id="98 v 90, nested (statistics.md 1)"),
        pytest.param(study(9, 1), 0.0226, 0.1541, id="98 v 90, one against (statistics.md 1)"),
        pytest.param(study(10, 2), 0.0143, 0.1580, id="98 v 90, two against (statistics.md 1)"),
        pytest.param(PairedTable(0, 80, 20, 900), 0.0413, 0.0803, id="80 v 20 of 1,000 (statistics.md 2.8)"),
    ],
)
def test_tango_gives_the_published_interval(table: PairedTable, low: float, high: float) -> None:
    interval = tango(table)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda t: t.difference, id="difference"),
        pytest.param(tango, id="tango"),
        pytest.param(lambda t: tango_z(t, 0.1), id="tango_z"),
        pytest.param(lambda t: equivalence(t, 0.05), id="equivalence"),
        pytest.param(lambda t: noninferiority(t, 0.05), id="noninferiority"),
        pytest.param(supported_margin, id="supported_margin"),
    ],
)
def test_without_a_question_there_is_nothing_to_say(ask: Callable[[PairedTable], object]) -> None:
    with pytest.raises(ValueError, match="no question was answered by both"):
        ask(paired_table([], []))


def test_without_flips_the_interval_is_not_nothing() -> None:
    """statistics.md 2.6: (0,0) in 100 questions leaves ±3.7 points; the closed form is z²/(n + z²)."""
    interval = tango(PairedTable(60, 0, 0, 40))

    assert interval.high == pytest.approx(1.959964**2 / (100 + 1.959964**2), abs=1e-7)
    assert interval.low == pytest.approx(-interval.high)
    assert round(interval.high, 3) == 0.037


@pytest.mark.parametrize("n", [1, 2, 5, 164, 12_032])
def test_where_every_question_flips_one_way_the_interval_ends_at_1(n: int) -> None:
    interval = tango(PairedTable(0, n, 0, 0))

    assert interval.high == 1.0
    assert interval.low == pytest.approx((n - 1.959964**2) / (n + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "d0", "z"),
    [
        (PairedTable(9, 0, 0, 1), 0.0, 0.0),
        (PairedTable(0, 4, 0, 0), 1.0, 0.0),
        (PairedTable(0, 0, 4, 0), -1.0, 0.0),
        (PairedTable(3, 4, 2, 1), 1.0, -inf),
        (PairedTable(3, 4, 2, 1), -1.0, inf),
    ],
    ids=["no flips at 0", "all for A at 1", "all for B at -1", "mixed at 1", "mixed at -1"],
)
def test_tango_z_where_its_variance_vanishes(table: PairedTable, d0: float, z: float) -> None:
    assert tango_z(table, d0) == z


@given(tables.filter(lambda t: t.flips > 0))
def test_tango_z_at_0_squared_is_mcnemars_chi_squared(table: PairedTable) -> None:
    assert tango_z(table, 0) ** 2 == pytest.approx(mcnemar_chi2(table).statistic, rel=1e-9, abs=1e-12)


@unhurried
@given(tables, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_tangos_interval_holds_the_difference_and_its_ends_are_just_not_rejected(
    table: PairedTable, level: float
) -> None:
    from scipy.stats import norm  # noqa: PLC0415  an independent quantile

    interval = tango(table, level)
    z = norm.ppf((1 + level) / 2)

    assert -1 <= interval.low <= table.difference <= interval.high <= 1
    if table.difference > -1:
        assert tango_z(table, interval.low) == pytest.approx(z, abs=1e-5)
    if table.difference < 1:
        assert tango_z(table, interval.high) == pytest.approx(-z, abs=1e-5)


@unhurried
@given(tables, st.floats(-0.999, 0.999))
def test_tango_z_uses_the_most_likely_table_under_the_hypothesis(table: PairedTable, d0: float) -> None:
    """The variance n (p12 + p21 - d0²) at the constrained maximum of the likelihood, found by search."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415
    from scipy.special import xlogy  # noqa: PLC0415

    n, b, c = table.n, table.only_a, table.only_b

    def surprise(only_b: float) -> float:
        rest = max(0.0, 1 - d0 - 2 * only_b)
        return -float(xlogy(b, max(0.0, only_b + d0)) + xlogy(c, only_b) + xlogy(n - b - c, rest))

    found = minimize_scalar(surprise, bounds=(max(0.0, -d0), (1 - d0) / 2), method="bounded", options={"xatol": 1e-10})
    variance = n * (2 * found.x + d0 - d0 * d0)

    assert tango_z(table, d0) == pytest.approx((b - c - n * d0) / sqrt(variance), rel=1e-3, abs=1e-3)


@given(tables, st.floats(-1, 1), st.floats(-1, 1))
def test_tango_z_falls_as_the_hypothesis_rises(table: PairedTable, x: float, y: float) -> None:
    assert tango_z(table, min(x, y)) >= tango_z(table, max(x, y)) - 1e-9


@unhurried
@given(tables)
def test_swapping_the_variants_negates_difference_and_interval(table: PairedTable) -> None:
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)
    interval, mirrored = tango(table), tango(swapped)

    assert swapped.difference == -table.difference
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=1e-9)
    assert equivalence(swapped, 0.05) == pytest.approx(equivalence(table, 0.05), abs=1e-9)


@unhurried
@given(tables, margins, st.sampled_from([0.01, 0.05, 0.2]))
def test_equivalence_holds_exactly_where_the_interval_lies_within_the_margins(
    table: PairedTable, margin: float, alpha: float
) -> None:
    interval = tango(table, 1 - 2 * alpha)
    nearest = margin - max(abs(interval.low), abs(interval.high))

    if abs(nearest) > 1e-9:
        assert (equivalence(table, margin) <= alpha) == (nearest > 0)


@unhurried
@given(tables.filter(lambda t: abs(t.difference) < 1))
def test_the_supported_margin_is_where_equivalence_begins(table: PairedTable) -> None:
    margin = supported_margin(table)

    assert equivalence(table, margin) == pytest.approx(0.05, abs=1e-6)


@unhurried
@given(tables, margins, st.sampled_from([0.01, 0.05, 0.2]))
def test_no_worse_by_the_margin_exactly_where_the_interval_lies_above_it(
    table: PairedTable, margin: float, alpha: float
) -> None:
    room = tango(table, 1 - 2 * alpha).low + margin

    if abs(room) > 1e-9:
        assert (noninferiority(table, margin) <= alpha) == (room > 0)


@given(tables, margins)
def test_equivalent_is_no_worse_either_way(table: PairedTable, margin: float) -> None:
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)
    both = max(noninferiority(table, margin), noninferiority(swapped, margin))

    assert equivalence(table, margin) == pytest.approx(both, abs=1e-9)


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0, -0.05])
def test_a_margin_is_a_proportion(margin: float) -> None:
    with pytest.raises(ValueError, match="margin is a proportion"):
        equivalence(BENTUR, margin)
    with pytest.raises(ValueError, match="margin is a proportion"):
        noninferiority(BENTUR, margin)
