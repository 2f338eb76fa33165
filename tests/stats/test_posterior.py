"""The posterior of a paired difference: published values, other ways to the same number, laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.paired import PairedTable
from evaluator.stats.posterior import chance_better

cells = st.integers(0, 200)
tables = st.builds(PairedTable, cells, cells, cells, cells).filter(lambda t: t.n > 0)
# scipy is loaded by the first call, which takes longer than an example may.
unhurried = settings(deadline=None, max_examples=25)


def test_the_published_value() -> None:
    """(8, 0) in 100 questions: statistics.md 2.5."""
    table = PairedTable(90, 8, 0, 2)

    assert chance_better(table) == pytest.approx(0.998047, abs=5e-7)


@unhurried
@given(tables)
def test_the_chance_to_be_better_is_a_binomial_tail(table: PairedTable) -> None:
    """1 - I_1/2(b + 1, c + 1) = P(Bin(b + c + 1, 1/2) <= b)."""
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    tail = binom.cdf(table.only_a, table.flips + 1, 0.5)

    assert chance_better(table) == pytest.approx(tail, rel=1e-9)


@unhurried
@given(tables)
def test_swapping_the_variants_turns_the_chances_round(table: PairedTable) -> None:
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)

    assert chance_better(table) + chance_better(swapped) == pytest.approx(1)


def test_without_a_question_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="no question was answered by both"):
        chance_better(PairedTable(0, 0, 0, 0))
