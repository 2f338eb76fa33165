"""Two counts without pairing: the table of statistics.md, part 1, other witnesses, edges and laws."""

import random
from math import acos, copysign, cos, inf, pi, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.nuisance import largest
from evaluator.stats.proportions import Test
from evaluator.stats.unpaired import (
    barnard,
    boschloo,
    chi_squared,
    fisher,
    miettinen_nurminen,
    miettinen_nurminen_z,
    newcombe,
    two_proportion_z,
    unpaired_equivalence,
)

Counts = tuple[int, int, int, int]
HE_4_6, HE_4_QAT, HE_6_QAT = (90, 100, 98, 100), (90, 100, 90, 100), (98, 100, 90, 100)
MP_4_6, MP_4_QAT, MP_6_QAT = (28, 50, 29, 50), (28, 50, 26, 50), (29, 50, 26, 50)
unhurried = settings(deadline=None, max_examples=50)


@st.composite
def counts(draw: st.DrawFn, most: int = 60) -> Counts:
    n_a, n_b = draw(st.integers(1, most)), draw(st.integers(1, most))
    return draw(st.integers(0, n_a)), n_a, draw(st.integers(0, n_b)), n_b


# chi-squared, p of it and of z, z, p with Yates, Fisher, Boschloo
P_VALUES = [
    pytest.param(HE_4_6, (5.6738, 0.017221, -2.38197, 0.037140, 0.033040, 0.024810), id="HumanEval 4 v 6"),
    pytest.param(HE_4_QAT, (0, 1, 0, 1, 1, 1), id="HumanEval 4 v QAT"),
    pytest.param(HE_6_QAT, (5.6738, 0.017221, 2.38197, 0.037140, 0.033040, 0.024810), id="HumanEval 6 v QAT"),
    pytest.param(MP_4_6, (0.0408, 0.839925, -0.20199, 1, 1, 0.92041), id="MMLU-Pro 4 v 6"),
    pytest.param(MP_4_QAT, (0.16103, 0.688209, 0.40129, 0.840978, 0.841116, 0.75330), id="MMLU-Pro 4 v QAT"),
    pytest.param(MP_6_QAT, (0.36364, 0.546494, 0.60302, 0.687673, 0.687907, 0.60047), id="MMLU-Pro 6 v QAT"),
]


@pytest.mark.parametrize(("four", "known"), P_VALUES)
def test_p_values_of_the_original_study(four: Counts, known: tuple[float, ...]) -> None:
    """statistics.md, part 1."""
    chi2, p, z, p_yates, p_fisher, p_boschloo = known

    assert chi_squared(*four).statistic == pytest.approx(chi2, abs=5.1e-5)
    assert chi_squared(*four).p == pytest.approx(p, abs=5.1e-7)
    assert two_proportion_z(*four).statistic == pytest.approx(z, abs=5.1e-6)
    assert two_proportion_z(*four).p == pytest.approx(p, abs=5.1e-7)
    assert chi_squared(*four, yates=True).p == pytest.approx(p_yates, abs=5.1e-7)
    assert fisher(*four) == pytest.approx(p_fisher, abs=5.1e-7)
    assert boschloo(*four) == pytest.approx(p_boschloo, abs=5.1e-6)


@pytest.mark.parametrize(
    ("four", "p"),
    [
        pytest.param(HE_4_6, 0.019397, id="HumanEval 4 v 6"),
        pytest.param(HE_4_QAT, 1, id="HumanEval 4 v QAT"),
        pytest.param(HE_6_QAT, 0.019397, id="HumanEval 6 v QAT"),
        pytest.param(MP_4_6, 0.91377, id="MMLU-Pro 4 v 6"),
        # statistics.md has scipy's .75324 here, which lies below the maximum: see the test of Barnard's below.
        pytest.param(MP_4_QAT, 0.75330, id="MMLU-Pro 4 v QAT"),
        pytest.param(MP_6_QAT, 0.60047, id="MMLU-Pro 6 v QAT"),
    ],
)
def test_barnard_of_the_original_study(four: Counts, p: float) -> None:
    assert barnard(*four) == pytest.approx(p, abs=5.1e-6)


@pytest.mark.parametrize(
    ("four", "low", "high"),
    [
        pytest.param(HE_4_6, -0.15577, -0.01288, id="HumanEval 4 v 6"),
        pytest.param(HE_4_QAT, -0.08680, 0.08680, id="HumanEval 4 v QAT"),
        pytest.param(HE_6_QAT, 0.01288, 0.15577, id="HumanEval 6 v QAT"),
        pytest.param(MP_4_6, -0.20626, 0.16824, id="MMLU-Pro 4 v 6"),
        pytest.param(MP_4_QAT, -0.15022, 0.22621, id="MMLU-Pro 4 v QAT"),
        pytest.param(MP_6_QAT, -0.13074, 0.24475, id="MMLU-Pro 6 v QAT"),
        pytest.param((56, 70, 48, 80), 0.0524, 0.3339, id="Newcombe 1998, table II (a)"),
        pytest.param((9, 10, 3, 10), 0.1705, 0.8090, id="Newcombe 1998, table II (b)"),
        pytest.param((10, 10, 0, 10), 0.6075, 1.0, id="Newcombe 1998, table II (h)"),
    ],
)
def test_newcombe(four: Counts, low: float, high: float) -> None:
    """statistics.md, part 1."""
    interval = newcombe(*four)

    assert interval.low == pytest.approx(low, abs=5.1e-5 if low in (0.0524, 0.1705, 0.6075) else 5.1e-6)
    assert interval.high == pytest.approx(high, abs=5.1e-5 if low in (0.0524, 0.1705, 0.6075) else 5.1e-6)


@pytest.mark.parametrize(
    ("four", "low", "high"),
    [
        pytest.param(HE_4_6, -0.15730, -0.01637, id="HumanEval 4 v 6"),
        pytest.param(HE_6_QAT, 0.01637, 0.15730, id="HumanEval 6 v QAT"),
        pytest.param(MP_4_6, -0.21087, 0.17232, id="MMLU-Pro 4 v 6"),
        pytest.param(MP_6_QAT, -0.13430, 0.24989, id="MMLU-Pro 6 v QAT"),
    ],
)
def test_miettinen_nurminen(four: Counts, low: float, high: float) -> None:
    """statistics.md, part 1."""
    interval = miettinen_nurminen(*four)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5.1e-6)


def test_statsmodels_score_interval_is_wrong_and_ours_is_not() -> None:
    """statistics.md 4, pitfall 1: its interval is not even that of the swapped counts, negated."""
    from statsmodels.stats.proportion import confint_proportions_2indep  # noqa: PLC0415  slow to import

    theirs = [
        confint_proportions_2indep(a, 100, b, 100, method="score", compare="diff") for a, b in ((90, 98), (98, 90))
    ]
    assert theirs[0] == pytest.approx((-0.15834, -0.01634), abs=5.1e-6)
    assert theirs[1] == pytest.approx((0.01622, 0.16136), abs=5.1e-6)

    ours = miettinen_nurminen(*HE_4_6), miettinen_nurminen(*HE_6_QAT)

    assert (ours[0].low, ours[0].high) == pytest.approx((-ours[1].high, -ours[1].low), abs=1e-9)


def closed_form(k_a: int, n_a: int, k_b: int, n_b: int, d0: float) -> float:
    """Miettinen and Nurminen's z by the root of their cubic, as Farrington & Manning 1990 print it."""
    theta, p_a, p_b = n_b / n_a, k_a / n_a, k_b / n_b
    a, b = 1 + theta, -(1 + theta + p_a + theta * p_b + d0 * (theta + 2))
    c, d = d0 * d0 + d0 * (2 * p_a + theta + 1) + p_a + theta * p_b, -p_a * d0 * (1 + d0)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = copysign(1, v) * sqrt(b * b / (3 * a) ** 2 - c / (3 * a))
    likeliest = 2 * u * cos((pi + acos(max(-1, min(1, v / u**3)))) / 3) - b / (3 * a)
    other = likeliest - d0
    variance = likeliest * (1 - likeliest) / n_a + other * (1 - other) / n_b
    return (p_a - p_b - d0) / sqrt(variance * (n_a + n_b) / (n_a + n_b - 1))


@pytest.mark.parametrize("d0", [-0.3, -0.02, 0.01, 0.05, 0.4])
@pytest.mark.parametrize("four", [HE_4_6, MP_6_QAT, (30, 70, 9, 20), (9000, 12_032, 8800, 12_032)])
def test_score_statistic_equals_the_closed_form(four: Counts, d0: float) -> None:
    """Two ways to the most likely shares: a root of the slope, and the cubic of Farrington & Manning 1990."""
    assert miettinen_nurminen_z(*four, d0) == pytest.approx(closed_form(*four, d0), rel=1e-9)


@unhurried
@given(counts(12_032))
def test_z_squared_is_chi_squared(four: Counts) -> None:
    z, chi2 = two_proportion_z(*four), chi_squared(*four)

    assert z.statistic**2 == pytest.approx(chi2.statistic, rel=1e-14)
    assert z.p == pytest.approx(chi2.p, rel=1e-12)


@unhurried
@given(counts())
def test_chi_squared_as_scipy(four: Counts) -> None:
    from scipy.stats import chi2_contingency  # noqa: PLC0415  slow to import

    k_a, n_a, k_b, n_b = four
    if k_a + k_b in (0, n_a + n_b):
        assert chi_squared(*four) == chi_squared(*four, yates=True) == two_proportion_z(*four) == Test(0.0, 1.0)
        return
    for yates in (False, True):
        theirs = chi2_contingency([[k_a, k_b], [n_a - k_a, n_b - k_b]], correction=yates)
        ours = chi_squared(*four, yates=yates)
        assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9, abs=1e-12)


def test_boschloo_as_scipy_with_the_groups_in_columns() -> None:
    """statistics.md 4, pitfall 3: with the groups in rows scipy answers another question."""
    from scipy.stats import boschloo_exact  # noqa: PLC0415  slow to import

    draw = random.Random(5)
    for _ in range(25):
        n_a, n_b = draw.randint(2, 30), draw.randint(2, 30)
        k_a, k_b = draw.randint(0, n_a), draw.randint(0, n_b)
        if k_a + k_b in (0, n_a + n_b):
            continue
        theirs = boschloo_exact([[k_a, k_b], [n_a - k_a, n_b - k_b]], n=64).pvalue
        assert boschloo(k_a, n_a, k_b, n_b) == pytest.approx(theirs, rel=1e-5)

    transposed = boschloo_exact([[9, 31], [12, 3]], n=64).pvalue
    assert boschloo(9, 40, 12, 15) != pytest.approx(transposed, rel=1e-3)


@pytest.mark.parametrize("four", [(4, 18, 6, 6), (17, 24, 12, 37), (21, 35, 29, 35), MP_4_QAT])
def test_barnard_reaches_the_maximum(four: Counts) -> None:
    """By all tables at 2,000 shares; scipy's sampling stays up to 8 % below at some of these."""
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    k_a, n_a, k_b, n_b = four
    a, b = np.arange(n_a + 1)[:, None], np.arange(n_b + 1)[None, :]
    pooled = (a + b) / (n_a + n_b)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.abs(np.nan_to_num((a / n_a - b / n_b) / np.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))))
    extreme = z >= z[k_a, k_b] * (1 - 1e-9)
    shares = np.linspace(0.0005, 0.9995, 2000)
    chances = [binom.pmf(a.ravel(), n_a, p) @ extreme @ binom.pmf(b.ravel(), n_b, p) for p in shares]

    assert max(chances) <= barnard(*four) * (1 + 1e-9)
    assert barnard(*four) == pytest.approx(max(chances), rel=1e-5)


@unhurried
@given(counts(25))
def test_the_side_not_tried_first_is_never_the_smaller_when_small(four: Counts) -> None:
    from evaluator.stats.unpaired import _boschloo_lower  # noqa: PLC0415

    k_a, n_a, k_b, n_b = four
    both = min(_boschloo_lower(k_a, n_a, k_b, n_b), _boschloo_lower(k_b, n_b, k_a, n_a))

    assert boschloo(*four) == pytest.approx(min(1.0, 2 * both))


@settings(deadline=None, max_examples=30)
@given(counts())
def test_boschloo_is_at_most_twice_fishers_smaller_side_and_swaps(four: Counts) -> None:
    from scipy.stats import hypergeom  # noqa: PLC0415  slow to import

    k_a, n_a, k_b, n_b = four
    given_both = hypergeom(n_a + n_b, n_a, k_a + k_b)

    assert boschloo(*four) <= 2 * min(given_both.cdf(k_a), given_both.sf(k_a - 1)) + 1e-9
    assert boschloo(*four) == pytest.approx(boschloo(k_b, n_b, k_a, n_a), rel=1e-9)
    assert boschloo(*four) == pytest.approx(boschloo(n_a - k_a, n_a, n_b - k_b, n_b), rel=1e-9)


@pytest.mark.parametrize("test", [boschloo, barnard, fisher])
@pytest.mark.parametrize(
    ("four", "p"),
    [
        pytest.param((0, 5, 0, 5), 1, id="none right"),
        pytest.param((5, 5, 5, 5), 1, id="all right"),
        pytest.param((1, 1, 1, 1), 1, id="one question"),
        pytest.param((0, 12_032, 12_032, 12_032), 0, id="nothing against all"),
    ],
)
def test_exact_tests_at_the_edges(test: object, four: Counts, p: float) -> None:
    assert callable(test)
    assert test(*four) == pytest.approx(p, abs=1e-300)


def test_exact_tests_at_the_size_of_mmlu_pro() -> None:
    """Near the normal p, as so many questions should be; Boschloo's below Fisher's."""
    four = 9000, 12_032, 8800, 12_032

    assert boschloo(*four) == pytest.approx(two_proportion_z(*four).p, rel=0.02)
    assert barnard(*four) == pytest.approx(two_proportion_z(*four).p, rel=0.02)
    assert boschloo(*four) < fisher(*four)


def test_the_worst_case_of_a_constant_level_is_that_level() -> None:
    import numpy as np  # noqa: PLC0415  slow to import

    assert largest(np.full(24_065, 0.03)) == pytest.approx(0.03, rel=1e-9)


Z2 = 1.9599639845400542**2


@pytest.mark.parametrize(
    ("four", "low", "high"),
    [
        # Without a right answer the likeliest shares are d and 0: z^2 = n d / (1 - d) (N - 1) / N.
        pytest.param((0, 10, 0, 10), -Z2 / (Z2 + 9.5), Z2 / (Z2 + 9.5), id="none right"),
        pytest.param((10, 10, 10, 10), -Z2 / (Z2 + 9.5), Z2 / (Z2 + 9.5), id="all right"),
        # All against none: they are (1 + d) / 2 and (1 - d) / 2, so that z^2 = (N - 1) (1 - d) / (1 + d).
        pytest.param((10, 10, 0, 10), (19 - Z2) / (19 + Z2), 1, id="as different as can be"),
        pytest.param((1, 1, 0, 1), (1 - Z2) / (1 + Z2), 1, id="one question each"),
    ],
)
def test_miettinen_nurminen_at_the_edges(four: Counts, low: float, high: float) -> None:
    interval = miettinen_nurminen(*four)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-10)
    assert -1 <= newcombe(*four).low <= newcombe(*four).high <= 1


def test_score_statistic_without_variance() -> None:
    assert miettinen_nurminen_z(0, 10, 0, 10, 0) == 0
    assert miettinen_nurminen_z(10, 10, 0, 10, 1) == 0
    assert miettinen_nurminen_z(9, 10, 0, 10, 1) == -inf
    assert miettinen_nurminen_z(9, 10, 0, 10, -1) == inf


@unhurried
@given(counts())
def test_score_statistic_at_0_is_the_pooled_z(four: Counts) -> None:
    n = four[1] + four[3]

    assert miettinen_nurminen_z(*four, 0) == pytest.approx(
        two_proportion_z(*four).statistic * sqrt((n - 1) / n), abs=1e-9
    )


@unhurried
@given(counts())
def test_the_interval_ends_where_the_statistic_says(four: Counts) -> None:
    interval = miettinen_nurminen(*four)

    assert interval.low <= four[0] / four[1] - four[2] / four[3] <= interval.high
    if interval.low > -1 + 1e-9:
        assert miettinen_nurminen_z(*four, interval.low) == pytest.approx(1.959964, abs=1e-4)
    if interval.high < 1 - 1e-9:
        assert miettinen_nurminen_z(*four, interval.high) == pytest.approx(-1.959964, abs=1e-4)


@unhurried
@given(counts())
def test_swapping_negates_every_interval(four: Counts) -> None:
    swapped = four[2], four[3], four[0], four[1]
    for interval in (newcombe, miettinen_nurminen):
        ours, theirs = interval(*four), interval(*swapped)
        assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low), abs=1e-8)


@unhurried
@given(counts(300), st.floats(0.01, 0.5))
def test_equivalence_is_the_90_percent_interval_within_the_margin(four: Counts, margin: float) -> None:
    interval = miettinen_nurminen(*four, 0.90)
    inside = margin - max(abs(interval.low), abs(interval.high))
    p = unpaired_equivalence(*four, margin)

    assert inside >= 0 or p > 0.05 - 1e-6
    assert inside <= 0 or p < 0.05 + 1e-6


def test_no_comparison_of_the_original_study_is_equivalent_within_5_points() -> None:
    """statistics.md, part 3."""
    for four in (HE_4_6, HE_4_QAT, HE_6_QAT, MP_4_6, MP_4_QAT, MP_6_QAT):
        assert unpaired_equivalence(*four, 0.05) > 0.05


@pytest.mark.parametrize(
    ("four", "told"),
    [
        pytest.param((1, 0, 1, 2), "n is 0", id="no question"),
        pytest.param((3, 2, 1, 2), "3 of 2", id="more right than asked"),
        pytest.param((1, 2, -1, 2), "-1 of 2", id="fewer than none"),
    ],
)
def test_impossible_counts_are_refused(four: Counts, told: str) -> None:
    tests = (two_proportion_z, chi_squared, fisher, boschloo, barnard, newcombe, miettinen_nurminen)
    for function in tests:
        with pytest.raises(ValueError, match=told):
            function(*four)


def test_impossible_differences_margins_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        miettinen_nurminen_z(*HE_4_6, 1.5)
    with pytest.raises(ValueError, match="margin"):
        unpaired_equivalence(*HE_4_6, 5)
    with pytest.raises(ValueError, match="level"):
        miettinen_nurminen(*HE_4_6, 95)
