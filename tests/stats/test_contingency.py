"""Several counts at once: the omnibus values of statistics.md, part 1, and other witnesses."""

import random

import pytest

from evaluator.stats.contingency import chi_squared_of_all, freeman_halton
from evaluator.stats.proportions import Test
from evaluator.stats.unpaired import chi_squared, fisher

Table = list[tuple[int, int]]
HUMANEVAL = [(90, 100), (98, 100), (90, 100)]
MMLU_PRO = [(28, 50), (29, 50), (26, 50)]


@pytest.mark.parametrize(
    ("table", "statistic", "p", "exact"),
    [
        pytest.param(HUMANEVAL, 6.2786, 0.04331, 0.033909, id="HumanEval (statistics.md 1)"),
        pytest.param(MMLU_PRO, 0.3776, 0.8279, 0.876316, id="MMLU-Pro (statistics.md 1 and 4)"),
    ],
)
def test_omnibus_of_the_original_study(table: Table, statistic: float, p: float, exact: float) -> None:
    assert chi_squared_of_all(table).statistic == pytest.approx(statistic, abs=5.1e-5)
    assert chi_squared_of_all(table).p == pytest.approx(p, abs=5.1e-5)
    assert freeman_halton(table) == pytest.approx(exact, abs=5.1e-7)


def test_scipys_fisher_draws_by_chance_and_ours_counts() -> None:
    """statistics.md 4, pitfall 2: two draws of scipy differ, ours is the same each time."""
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import MonteCarloMethod, fisher_exact  # noqa: PLC0415  slow to import

    cells = [[90, 98, 90], [10, 2, 10]]
    draws = {
        fisher_exact(cells, method=MonteCarloMethod(n_resamples=499, rng=np.random.default_rng(seed))).pvalue
        for seed in range(3)
    }

    assert len(draws) > 1
    assert freeman_halton(HUMANEVAL) == freeman_halton(HUMANEVAL)


def test_with_two_counts_it_is_fisher_and_chi_squared() -> None:
    draw = random.Random(2)
    for _ in range(200):
        n_a, n_b = draw.randint(1, 60), draw.randint(1, 60)
        a, b = (draw.randint(0, n_a), n_a), (draw.randint(0, n_b), n_b)
        assert freeman_halton([a, b]) == pytest.approx(fisher(*a, *b), rel=1e-9)
        assert chi_squared_of_all([a, b]).statistic == pytest.approx(chi_squared(*a, *b).statistic, rel=1e-9)
        assert chi_squared_of_all([a, b]).p == pytest.approx(chi_squared(*a, *b).p, rel=1e-9)


def brute(table: Table) -> float:
    """Every table of counts, one by one."""
    from itertools import product  # noqa: PLC0415
    from math import comb, prod  # noqa: PLC0415

    right = sum(k for k, _ in table)
    rows = [row for row in product(*(range(n + 1) for _, n in table)) if sum(row) == right]
    ways = [prod(comb(n, k) for k, (_, n) in zip(row, table, strict=True)) for row in rows]
    seen = prod(comb(n, k) for k, n in table)
    return sum(way for way in ways if way <= seen) / sum(ways)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param([(3, 5), (1, 7), (6, 6)], id="unequal groups"),
        pytest.param([(1, 9), (0, 9), (2, 9), (0, 9)], id="few right"),
        pytest.param([(9, 9), (8, 9), (9, 9), (7, 9)], id="few wrong"),
        pytest.param([(2, 4), (2, 4), (2, 4), (1, 4), (4, 4)], id="ties"),
    ],
)
def test_freeman_halton_by_whole_numbers(table: Table) -> None:
    assert freeman_halton(table) == pytest.approx(brute(table), rel=1e-9)
    assert freeman_halton(table[::-1]) == pytest.approx(brute(table), rel=1e-9)


@pytest.mark.parametrize("table", [[(0, 5)] * 3, [(5, 5)] * 3], ids=["none right", "all right"])
def test_where_all_are_alike_nothing_differs(table: Table) -> None:
    assert chi_squared_of_all(table) == Test(0.0, 1.0)
    assert freeman_halton(table) == 1


def test_too_many_tables_are_not_counted_but_few_wrong_answers_are() -> None:
    assert freeman_halton([(9000 + i, 12_032) for i in range(8)]) is None
    assert freeman_halton([(9000, 12_032)] * 3) is None
    # Six wrong answers fall to eight like balls into urns: 31,984 of 8^6 ways are no more likely than 2, 2, 2.
    few = freeman_halton([(12_030, 12_032)] * 3 + [(12_032, 12_032)] * 5)
    assert few == pytest.approx(31_984 / 8**6, rel=1e-3)


def test_impossible_tables_are_refused() -> None:
    for function in (chi_squared_of_all, freeman_halton):
        with pytest.raises(ValueError, match="at least two counts"):
            function([(1, 2)])
        with pytest.raises(ValueError, match="3 of 2"):
            function([(3, 2), (1, 2)])
