"""One test for several variants or strata: statistics.md, statsmodels and scipy as witnesses, laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.omnibus import cochran_q, homogeneity
from evaluator.stats.paired import paired_table
from evaluator.stats.proportions import Test
from tests.support.witnesses import mcnemar_chi2

unhurried = settings(deadline=None, max_examples=50)
answers = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=1, max_size=40)
)
counts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=14)


def humaneval(*groups: tuple[int, str]) -> list[list[bool]]:
    """100 questions to 4-bit, 6-bit and QAT; the groups say how many were got wrong by which (by digit)."""
    rows = [[str(variant) not in wrong for variant in range(3)] for times, wrong in groups for _ in range(times)]
    return rows + [[True] * 3] * (100 - len(rows))


@pytest.mark.parametrize(
    ("rows", "statistic", "p"),
    [
        pytest.param(humaneval((2, "012"), (8, "02")), 16.0, 0.00034, id="nested (statistics.md 1)"),
        pytest.param(humaneval((10, "0"), (2, "1"), (10, "2")), 5.82, 0.0545, id="disjoint (statistics.md 1)"),
    ],
)
def test_cochrans_q_of_the_original_study(rows: list[list[bool]], statistic: float, p: float) -> None:
    """Right answers 90, 98 and 90 of 100, in the two extreme tables that give these counts."""
    test = cochran_q(rows)

    assert [sum(column) for column in zip(*rows, strict=True)] == [90, 98, 90]
    assert test.statistic == pytest.approx(statistic, abs=5e-3)
    assert test.p == pytest.approx(p, abs=5e-5)


@unhurried
@given(answers.filter(lambda rows: any(len(set(row)) > 1 for row in rows)))
def test_cochrans_q_is_that_of_statsmodels(rows: list[list[bool]]) -> None:
    import numpy as np  # noqa: PLC0415  slow to import
    from statsmodels.stats.contingency_tables import cochrans_q  # noqa: PLC0415

    witness = cochrans_q(np.array(rows, dtype=int))
    test = cochran_q(rows)

    assert (test.statistic, test.p) == pytest.approx((witness.statistic, witness.pvalue), rel=1e-9, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_for_two_variants_it_is_mcnemars(rows: list[tuple[bool, bool]]) -> None:
    plain = mcnemar_chi2(paired_table([a for a, _ in rows], [b for _, b in rows]))

    test = cochran_q(rows)

    assert (test.statistic, test.p) == pytest.approx((plain.statistic, plain.p))


def test_where_all_variants_answer_alike_p_is_1() -> None:
    assert cochran_q([[True] * 3, [False] * 3]) == Test(0.0, 1.0)


@pytest.mark.parametrize(
    "rows", [[], [[True], [False]], [[True, False], [True]]], ids=["no question", "one variant", "an answer missing"]
)
def test_cochrans_q_refuses_half_a_table(rows: list[list[bool]]) -> None:
    with pytest.raises(ValueError, match="Cochran's Q needs"):
        cochran_q(rows)


@unhurried
@given(counts.filter(lambda x: sum(b + c > 0 for b, c in x) > 1 and sum(b for b, _ in x) and sum(c for _, c in x)))
def test_homogeneity_is_scipys_chi_squared_of_the_strata_with_flips(tables: list[tuple[int, int]]) -> None:
    from scipy.stats import chi2_contingency  # noqa: PLC0415  slow to import

    witness = chi2_contingency([table for table in tables if sum(table)], correction=False)
    test = homogeneity(tables)

    assert (test.statistic, test.p) == pytest.approx((witness.statistic, witness.pvalue), rel=1e-9, abs=1e-12)


def test_one_worked_by_hand() -> None:
    """(10, 0) and (0, 10): all 20 flips off by 5 in cells that expect 5."""
    assert homogeneity([(10, 0), (0, 10), (0, 0)]).statistic == pytest.approx(20)


@pytest.mark.parametrize(
    "tables",
    [[], [(0, 0), (0, 0)], [(3, 1), (0, 0)], [(3, 0), (5, 0)], [(2, 1), (4, 2)]],
    ids=["no stratum", "no flips", "flips in one stratum", "all one way", "the same shares"],
)
def test_where_nothing_can_differ_p_is_1(tables: list[tuple[int, int]]) -> None:
    assert homogeneity(tables) == Test(0.0, 1.0)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        homogeneity([(1, -1)])
