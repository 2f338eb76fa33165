"""Two variants on the same questions: McNemar's tests, tests with several answers each; published values and laws."""

import random
from itertools import product
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.stats.paired import PairedTable, mcnemar_exact, mcnemar_midp, paired_table
from evaluator.stats.power import questions_to_see
from evaluator.stats.proportions import Test
from evaluator.stats.repeats import mean_equivalence, mean_interval, sign_flip, steadied
from tests.support.paired_tables import BENTUR, margins, study, tables, unhurried
from tests.support.witnesses import mcnemar_chi2


@pytest.mark.parametrize(
    ("table", "exact", "midp", "chi2"),
    [
        pytest.param(BENTUR, 0.070312, 0.039063, 0.033895, id="Bentur 2009 in Fagerland et al. 2013, table 4"),
        pytest.param(study(8, 0), 0.007812, 0.003906, 0.004678, id="98 v 90, nested (statistics.md 1)"),
        pytest.param(study(9, 1), 0.021484, 0.011719, 0.011412, id="98 v 90, one against (statistics.md 1)"),
        pytest.param(study(10, 2), 0.038574, 0.022461, 0.020921, id="98 v 90, two against (statistics.md 1)"),
    ],
)
def test_published_p_values(table: PairedTable, exact: float, midp: float, chi2: float) -> None:
    assert mcnemar_exact(table) == pytest.approx(exact, abs=1e-6)
    assert mcnemar_midp(table) == pytest.approx(midp, abs=1e-6)
    assert mcnemar_chi2(table).p == pytest.approx(chi2, abs=1e-6)


@unhurried
@given(tables.filter(lambda t: t.only_a != t.only_b), st.booleans())
def test_chi_squared_is_that_of_statsmodels(table: PairedTable, corrected: bool) -> None:
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415  slow to import

    cells = [[table.both, table.only_a], [table.only_b, table.neither]]
    witness = mcnemar(cells, exact=False, correction=corrected)
    test = mcnemar_chi2(table, corrected=corrected)

    assert (test.statistic, test.p) == pytest.approx((witness.statistic, witness.pvalue), rel=1e-9)


def test_the_correction_of_a_tie_is_0_where_statsmodels_gives_1_by_m() -> None:
    """statistics.md 4, pitfall 4: it squares |b - c| - 1 = -1."""
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415  slow to import

    assert mcnemar([[5, 4], [4, 5]], exact=False, correction=True).statistic == 1 / 8
    assert mcnemar_chi2(PairedTable(5, 4, 4, 5), corrected=True) == Test(0.0, 1.0)


@pytest.mark.parametrize("n", [1, 12_032])
def test_p_values_hold_where_all_questions_flip_one_way(n: int) -> None:
    table = PairedTable(0, 0, n, 0)

    assert mcnemar_exact(table) == pytest.approx(min(1.0, 2 * 0.5**n))
    assert mcnemar_midp(table) == pytest.approx(0.5**n)
    assert mcnemar_chi2(table).statistic == n
    assert 0 <= mcnemar_chi2(table).p < 0.32


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        pytest.param(3, 0, 0.25, id="MMLU-Pro, 3 v 0 (statistics.md 1)"),
        pytest.param(24, 21, 0.766, id="MMLU-Pro, 24 v 21 (statistics.md 1)"),
        pytest.param(10, 10, 1.0, id="equal"),
    ],
)
def test_exact_p_values_of_the_original_study(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(PairedTable(5, b, c, 0)) == pytest.approx(p, abs=5e-4)


def test_a_table_counts_each_question_once() -> None:
    a = [True, True, False, False, True]
    b = [True, False, True, False, False]

    table = paired_table(a, b)

    assert table == PairedTable(both=1, only_a=2, only_b=1, neither=1)
    assert (table.n, table.flips, table.difference) == (5, 3, 0.2)


def test_answers_that_do_not_come_in_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs"):
        paired_table([True], [True, False])


@pytest.mark.parametrize("table", [PairedTable(0, 0, 0, 0), PairedTable(60, 0, 0, 40)], ids=["no question", "no flip"])
def test_without_flips_p_is_1(table: PairedTable) -> None:
    assert mcnemar_exact(table) == mcnemar_midp(table) == 1.0
    assert mcnemar_chi2(table) == mcnemar_chi2(table, corrected=True) == Test(0.0, 1.0)


@unhurried
@given(tables)
def test_midp_lies_between_half_the_exact_p_and_the_exact_p(table: PairedTable) -> None:
    assert 0 <= mcnemar_exact(table) / 2 <= mcnemar_midp(table) + 1e-12
    assert mcnemar_midp(table) <= mcnemar_exact(table) + 1e-12 <= 1 + 1e-12


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=50), st.randoms())
def test_the_order_of_the_questions_changes_nothing(answers: list[tuple[bool, bool]], rng: random.Random) -> None:
    shuffled = rng.sample(answers, len(answers))

    assert paired_table(*_columns(answers)) == paired_table(*_columns(shuffled))


@unhurried
@given(tables)
def test_swapping_the_variants_keeps_p(table: PairedTable) -> None:
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)

    assert mcnemar_midp(swapped) == mcnemar_midp(table)
    assert mcnemar_chi2(swapped) == mcnemar_chi2(table)


@unhurried
@given(st.integers(0, 9), st.integers(0, 9))
def test_sign_flip_with_one_answer_each_is_the_exact_mcnemar_test(b: int, c: int) -> None:
    p = sign_flip([1.0] * b + [-1.0] * c + [0.0] * 5)

    assert p == pytest.approx(mcnemar_exact(PairedTable(0, b, c, 5)), abs=1e-12)


@unhurried
@given(st.lists(st.sampled_from([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0]), max_size=9))
def test_sign_flip_counts_all_patterns(differences: list[float]) -> None:
    seen = abs(sum(differences)) - 1e-9
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in _signs(len(differences))]

    assert sign_flip(differences) == pytest.approx(sum(x >= seen for x in sums) / len(sums), abs=1e-12)


def test_sign_flip_draws_where_there_are_too_many_patterns() -> None:
    differences = [1.0] * 30 + [-1.0] * 12 + [0.0] * 100
    p = sign_flip(differences)

    assert p == pytest.approx(mcnemar_exact(PairedTable(0, 30, 12, 100)), abs=0.003)
    assert p == sign_flip(differences[::-1])
    assert p == sign_flip([-d for d in differences])
    assert p != sign_flip(differences, seed=1)


def test_a_drawn_p_is_never_0() -> None:
    assert sign_flip([1.0] * 500) == 1 / 10_001


def test_sign_flip_without_a_difference_is_1() -> None:
    assert sign_flip([]) == sign_flip([0.0, 0.0]) == 1.0


def test_mean_interval_is_millers_paired_standard_error() -> None:
    """arXiv 2411.00640; for one answer each SE² = (b + c - (b - c)²/n) / (n (n - 1)) (statistics.md 2.1)."""
    n, b, c = 200, 14, 6
    error = sqrt((b + c - (b - c) ** 2 / n) / (n * (n - 1)))

    interval = mean_interval([1.0] * b + [-1.0] * c + [0.0] * (n - b - c))

    assert interval.low == pytest.approx(0.04 - 1.959964 * error, abs=1e-7)
    assert interval.high == pytest.approx(0.04 + 1.959964 * error, abs=1e-7)


@pytest.mark.parametrize(("b", "c"), [(1, 7), (0, 0), (21, 0)], ids=["Bentur 2009", "no flips", "all one way"])
def test_steadied_gives_bonett_and_prices_interval(b: int, c: int) -> None:
    """Its closed form (statistics.md 2.4), but for the n - 1 of Miller's standard error."""
    n = 21
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = 1.959964 * sqrt((p + q - (p - q) ** 2) / (n + 2)) * sqrt((n + 2) / (n + 1))

    interval = mean_interval(steadied([1.0] * b + [-1.0] * c + [0.0] * (n - b - c)))

    assert interval.low == pytest.approx(p - q - half, abs=1e-7)
    assert interval.high == pytest.approx(min(1.0, p - q + half), abs=1e-7)


@pytest.mark.parametrize("differences", [[], [1.0]], ids=["none", "one"])
def test_a_mean_needs_two_questions(differences: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        mean_interval(differences)


@given(
    st.lists(st.sampled_from([-1.0, -0.4, -0.2, 0.0, 0.2, 0.6, 1.0]), min_size=2, max_size=80),
    margins,
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_mean_equivalence_belongs_to_the_mean_interval(differences: list[float], margin: float, alpha: float) -> None:
    steady = steadied(differences)
    interval = mean_interval(steady, 1 - 2 * alpha)
    nearest = margin - max(abs(interval.low), abs(interval.high))

    if abs(nearest) > 1e-9:
        assert (mean_equivalence(steady, margin) <= alpha) == (nearest > 0)


@pytest.mark.parametrize(
    ("difference", "flip_rate", "power", "n"),
    [
        pytest.param(0.02, 0.05, 0.8, 979, id="2 points, 5 % flips (statistics.md 1, power)"),
        pytest.param(0.02, 0.10, 0.8, 1_960, id="2 points, 10 % flips"),
        pytest.param(0.02, 0.20, 0.8, 3_923, id="2 points, 20 % flips"),
        pytest.param(0.02, 0.05, 0.9, 1_310, id="2 points, 5 % flips, power 90 %"),
        pytest.param(0.02, 0.10, 0.9, 2_623, id="2 points, 10 % flips, power 90 %"),
        pytest.param(0.02, 0.20, 0.9, 5_250, id="2 points, 20 % flips, power 90 %"),
        pytest.param(0.01, 0.05, 0.8, 3_923, id="1 point, 5 % flips"),
        pytest.param(0.01, 0.10, 0.8, 7_847, id="1 point, 10 % flips"),
        pytest.param(0.01, 0.20, 0.8, 15_696, id="1 point, 20 % flips"),
    ],
)
def test_questions_to_see_a_difference(difference: float, flip_rate: float, power: float, n: int) -> None:
    assert questions_to_see(difference, flip_rate, power=power) == n


@pytest.mark.parametrize(
    ("difference", "flip_rate"), [(0.0, 0.1), (0.5, 0.1)], ids=["none", "more than the flips allow"]
)
def test_a_difference_that_cannot_be_is_not_planned_for(difference: float, flip_rate: float) -> None:
    with pytest.raises(ValueError, match="allows no difference"):
        questions_to_see(difference, flip_rate)


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0, -0.05])
def test_the_margin_of_a_mean_is_a_proportion(margin: float) -> None:
    with pytest.raises(ValueError, match="margin is a proportion"):
        mean_equivalence([0.0, 1.0], margin)


def _columns(answers: list[tuple[bool, bool]]) -> tuple[list[bool], list[bool]]:
    return [a for a, _ in answers], [b for _, b in answers]


def _signs(n: int) -> list[tuple[int, ...]]:
    return list(product((1, -1), repeat=n))
