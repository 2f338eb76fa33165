"""What pairing could have shown where only counts are known: statistics.md, part 1, and every small table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.compatible import CompatibleRange, compatible_range
from evaluator.stats.difference import tango
from evaluator.stats.paired import PairedTable, mcnemar_exact, mcnemar_midp


def test_range_of_98_against_90() -> None:
    """statistics.md, part 1: only 8-0, 9-1 and 10-2 are possible."""
    found = compatible_range(98, 90, 100)

    assert (found.fewest, found.most, found.tables) == (PairedTable(90, 8, 0, 2), PairedTable(88, 10, 2, 0), 3)
    assert (found.exact_low, found.exact_high) == pytest.approx((0.007812, 0.038574), abs=1e-6)
    assert (found.midp_low, found.midp_high) == pytest.approx((0.003906, 0.022461), abs=1e-6)
    assert (found.narrowest.low, found.narrowest.high) == pytest.approx((0.0400, 0.1500), abs=5.1e-5)
    assert (found.widest.low, found.widest.high) == pytest.approx((0.0143, 0.1580), abs=5.1e-5)
    assert found.could_reach(0.05)
    assert not found.could_reach(0.001)


def test_range_of_29_against_26() -> None:
    """statistics.md, part 1: (3, 0) p .25 to (24, 21) p .766, none significant."""
    found = compatible_range(29, 26, 50)

    assert (found.fewest.only_a, found.fewest.only_b) == (3, 0)
    assert (found.most.only_a, found.most.only_b) == (24, 21)
    assert (found.exact_low, found.exact_high) == pytest.approx((0.25, 0.766), abs=5e-4)
    assert not found.could_reach(0.05)


def test_equal_counts_do_not_show_equality() -> None:
    """statistics.md, part 1: (0, 0) to (10, 10), intervals from ±.037 to ±.092."""
    found = compatible_range(90, 90, 100)

    assert (found.fewest.flips, found.most.flips) == (0, 20)
    assert (found.exact_low, found.exact_high, found.midp_high) == (1, 1, 1)
    assert found.midp_low == pytest.approx(0.75)
    assert found.narrowest.high == pytest.approx(0.037, abs=5e-4)
    assert found.widest.high == pytest.approx(0.092, abs=5e-4)


def agrees(found: CompatibleRange, k_a: int, k_b: int, n: int) -> bool:
    """Compare with every paired table that has these counts."""
    tables = [
        PairedTable(k_a - b, b, c, n - k_a - c)
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if b - c == k_a - k_b and k_a >= b and n - k_a >= c
    ]
    midp, exact = [mcnemar_midp(t) for t in tables], [mcnemar_exact(t) for t in tables]
    seen = (found.midp_low, found.midp_high, found.exact_low, found.exact_high)
    flips = [t.flips for t in tables]
    return (
        seen == pytest.approx((min(midp), max(midp), min(exact), max(exact)))
        and found.tables == len(tables)
        and (found.fewest.flips, found.most.flips) == (min(flips), max(flips))
    )


def test_the_ends_tell_for_every_small_table() -> None:
    for n in range(1, 9):
        for k_a in range(n + 1):
            for k_b in range(n + 1):
                assert agrees(compatible_range(k_a, k_b, n), k_a, k_b, n), (k_a, k_b, n)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_the_ends_tell_for_larger_tables(data: st.DataObject) -> None:
    n = data.draw(st.integers(9, 70))
    k_a, k_b = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    found = compatible_range(k_a, k_b, n)

    assert agrees(found, k_a, k_b, n)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_every_interval_lies_between_the_narrowest_and_the_widest(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 70))
    k_a, k_b = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    found = compatible_range(k_a, k_b, n)
    only_a = data.draw(st.integers(found.fewest.only_a, found.most.only_a))
    only_b = only_a - k_a + k_b
    interval = tango(PairedTable(k_a - only_a, only_a, only_b, n - k_a - only_b))

    assert found.widest.low - 1e-9 <= interval.low <= found.narrowest.low + 1e-9
    assert found.narrowest.high - 1e-9 <= interval.high <= found.widest.high + 1e-9


def test_it_is_as_quick_for_all_of_mmlu_pro() -> None:
    found = compatible_range(9000, 8800, 12_032)

    assert found.tables == 3033
    assert found.midp_low < 1e-50
    assert found.midp_high == pytest.approx(0.0115, abs=5e-4)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        compatible_range(0, 0, 0)
    with pytest.raises(ValueError, match="5 of 4"):
        compatible_range(5, 1, 4)
