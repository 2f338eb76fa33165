"""Shares of questions: published values, edges, laws."""

import subprocess
import sys
from fractions import Fraction
from math import comb
from pkgutil import iter_modules

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evaluator.stats
from evaluator.stats.proportions import chi_squared_tail, critical_z, pass_at_k, wilson, wilson_share


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        pytest.param(90, 100, 0.8256, 0.9448, id="original study, HumanEval 90/100 (statistics.md 1)"),
        pytest.param(98, 100, 0.9300, 0.9945, id="original study, HumanEval 98/100 (statistics.md 1)"),
        pytest.param(28, 50, 0.4231, 0.6884, id="original study, MMLU-Pro 28/50 (statistics.md 1)"),
        pytest.param(29, 50, 0.4423, 0.7062, id="original study, MMLU-Pro 29/50 (statistics.md 1)"),
        pytest.param(26, 50, 0.3851, 0.6520, id="original study, MMLU-Pro 26/50 (statistics.md 1)"),
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, Stat Med 17:857, table I, 81/263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe 1998, 15/148"),
        pytest.param(0, 20, 0.0, 0.1611, id="Newcombe 1998, 0/20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe 1998, 1/29"),
    ],
)
def test_wilson_gives_the_published_interval(k: int, n: int, low: float, high: float) -> None:
    interval = wilson(k, n)

    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.level == 0.95


@pytest.mark.parametrize(
    ("k", "n"), [(0, 0), (-1, 10), (11, 10)], ids=["no question", "less than none", "more than all"]
)
def test_wilson_refuses_what_is_no_proportion(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"question|proportion"):
        wilson(k, n)


@settings(deadline=None)
@given(st.integers(1, 15_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_statsmodels(k_n: tuple[int, int]) -> None:
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415  slow to import

    interval = wilson(*k_n)

    assert (interval.low, interval.high) == pytest.approx(proportion_confint(*k_n, method="wilson"), abs=1e-12)


def test_a_share_of_part_of_a_question_has_an_interval_between_its_neighbours() -> None:
    assert wilson(9, 10).low < wilson_share(0.9, 10.5).low < wilson_share(0.9, 11).low


@pytest.mark.parametrize(("share", "n"), [(0.5, 0.0), (0.5, -1.0), (1.5, 10.0), (float("nan"), 10.0)])
def test_wilson_refuses_what_is_no_share(share: float, n: float) -> None:
    with pytest.raises(ValueError, match="a share"):
        wilson_share(share, n)


@pytest.mark.parametrize(
    ("statistic", "p"),
    [(0.0, 1.0), (3.841458820694124, 0.05), (5.6738, 0.017221), (40.0, 2.5396e-10)],
    ids=["0", "the 5 % point", "HumanEval 4 v 6 bit (statistics.md 1)", "far out"],
)
def test_the_tail_of_chi_squared(statistic: float, p: float) -> None:
    assert chi_squared_tail(statistic) == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_must_lie_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level of confidence"):
        critical_z(level)


@given(st.integers(1, 15_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_holds_the_share_stays_within_0_and_1_and_mirrors(k_n: tuple[int, int], level: float) -> None:
    k, n = k_n
    right, wrong = wilson(k, n, level), wilson(n - k, n, level)

    assert 0 <= right.low <= k / n <= right.high <= 1
    assert right.low == pytest.approx(1 - wrong.high, abs=1e-12)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_exact_combinatorial_chance(n_c_k: tuple[int, int, int]) -> None:
    n, c, k = n_c_k

    assert pass_at_k(n, c, k) == pytest.approx(float(1 - Fraction(comb(n - c, k), comb(n, k))), abs=1e-12)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_pass_at_1_is_the_mean(n_c: tuple[int, int]) -> None:
    n, c = n_c

    assert pass_at_k(n, c, 1) == pytest.approx(c / n, abs=1e-9)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0), (0, 0, 1)])
def test_pass_at_k_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"impossible|needs between"):
        pass_at_k(n, c, k)


def test_importing_the_statistics_and_the_verdict_loads_neither_scipy_nor_numpy() -> None:
    modules = [f"evaluator.stats.{found.name}" for found in iter_modules(evaluator.stats.__path__)]
    imported = ", ".join(["sys", "evaluator.decide.verdict", *modules])
    code = f"import {imported}; assert not {{'scipy', 'numpy'}} & set(sys.modules)"

    assert "evaluator.stats.noise" in modules
    subprocess.run([sys.executable, "-c", code], check=True)
