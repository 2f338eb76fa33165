"""Power and sample size: the numbers of statistics.md part 1, exact enumeration, statsmodels, and laws."""

from collections.abc import Callable
from math import ceil

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.equivalence import equivalence
from evaluator.stats.paired import PairedTable, mcnemar_midp
from evaluator.stats.power import detectable_difference, questions_to_see, resolution
from evaluator.stats.power_equivalence import score_questions_for_equivalence, score_smallest_margin
from evaluator.stats.power_unpaired import questions_unpaired
from evaluator.stats.proportions import critical_z
from tests.support.witnesses import equivalence_power, midp_power, unpaired_power

unhurried = settings(deadline=None, max_examples=50)
rates = st.floats(0.001, 1)


@pytest.mark.parametrize(
    ("n", "flip_rate", "points"),
    [
        pytest.param(n, flip_rate, points, id=f"{n} at {flip_rate} (statistics.md 1, normal MDE)")
        for n, row in {
            164: (None, 4.9, 6.9, 9.7),
            500: (1.8, 2.8, 4.0, 5.6),
            1_000: (1.25, 2.0, 2.8, 4.0),
            2_000: (0.9, 1.4, 2.0, 2.8),
            12_032: (0.36, 0.57, 0.81, 1.14),
        }.items()
        for flip_rate, points in zip((0.02, 0.05, 0.10, 0.20), row, strict=True)
    ],
)
def test_detectable_difference(n: int, flip_rate: float, points: float | None) -> None:
    found = detectable_difference(n, flip_rate)

    assert (found is None) == (points is None)
    if found is not None and points is not None:
        assert 100 * found == pytest.approx(points, abs=0.051 if n < 12_032 else 0.005)


@pytest.mark.parametrize(
    ("n", "flip_rate", "alpha", "power"),
    [
        pytest.param(1, 1.0, 0.05, 0.8, id="one question"),
        pytest.param(100, 0.05, 0.05, 0.8, id="100 at 5 % (statistics.md 1)"),
        pytest.param(50, 0.10, 0.05, 0.8, id="50 at 10 % (statistics.md 1)"),
        pytest.param(500, 0.0, 0.05, 0.8, id="no flips"),
    ],
)
def test_no_difference_is_detectable_where_all_flips_one_way_are_not_enough(
    n: int, flip_rate: float, alpha: float, power: float
) -> None:
    assert detectable_difference(n, flip_rate, alpha=alpha, power=power) is None


@unhurried
@given(st.integers(20, 20_000), rates, st.floats(0.001, 0.2), st.floats(0.25, 0.99))
def test_what_is_detectable_needs_the_questions_there_are(n: int, flip_rate: float, alpha: float, power: float) -> None:
    found = detectable_difference(n, flip_rate, alpha=alpha, power=power)

    if found is not None:
        assert questions_to_see(found * (1 + 1e-9), flip_rate, alpha=alpha, power=power) <= n
        assert questions_to_see(found * (1 - 1e-6), flip_rate, alpha=alpha, power=power) >= n


@pytest.mark.parametrize(
    ("n", "difference", "flip_rate", "power", "digits"),
    [
        pytest.param(978, 0.02, 0.05, 0.812, 3, id="978 (statistics.md 1, check)"),
        pytest.param(1_959, 0.02, 0.10, 0.802, 3, id="1,959 (statistics.md 1, check)"),
        pytest.param(3_922, 0.02, 0.20, 0.800, 3, id="3,922 (statistics.md 1, check)"),
        pytest.param(100, 0.02, 0.10, 0.08, 2, id="100 questions, 2 points (statistics.md 1)"),
        pytest.param(100, 0.05, 0.10, 0.33, 2, id="100 questions, 5 points (statistics.md 1)"),
        pytest.param(100, 0.08, 0.10, 0.77, 2, id="100 questions, 8 points (statistics.md 1)"),
        pytest.param(100, 0.05, 0.05, 0.56, 2, id="100 questions, all one way (statistics.md 1)"),
        pytest.param(50, 0.10, 0.10, 0.57, 2, id="50 questions, all one way (statistics.md 1)"),
        pytest.param(50, 0.164, 0.20, 0.80, 2, id="MDE of 50 at 20 % (statistics.md 1)"),
        pytest.param(100, 0.0824, 0.10, 0.80, 2, id="MDE of 100 at 10 % (statistics.md 1)"),
        pytest.param(100, 0.121, 0.20, 0.80, 2, id="MDE of 100 at 20 % (statistics.md 1)"),
        pytest.param(216, 0.06, 0.10, 0.823, 2, id="216 of 0.02 v 0.08 (statistics.md 2.8, simulated)"),
        pytest.param(1_000, 0.0, 0.0, 0.0, 9, id="no flips"),
        pytest.param(1, 1.0, 1.0, 0.0, 9, id="one question"),
        pytest.param(5, 1.0, 1.0, 1.0, 9, id="five flips, all one way: mid-p 1/32"),
        pytest.param(4, 1.0, 1.0, 0.0, 9, id="four flips, all one way: mid-p 1/16"),
    ],
)
def test_midp_power(n: int, difference: float, flip_rate: float, power: float, digits: int) -> None:
    assert midp_power(n, difference, flip_rate) == pytest.approx(power, abs=0.51 * 10**-digits)
    assert midp_power(n, -difference, flip_rate) == pytest.approx(midp_power(n, difference, flip_rate), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "difference", "flip_rate", "alpha"),
    [(1, 0.1, 0.5, 0.05), (9, 0.3, 0.6, 0.0625), (30, 0.1, 0.3, 0.05), (40, 0.0, 1.0, 0.01), (25, -0.4, 0.7, 0.4)],
)
def test_midp_power_is_the_sum_over_all_tables(n: int, difference: float, flip_rate: float, alpha: float) -> None:
    total = 0.0
    for flips in range(n + 1):
        for b in range(flips + 1):
            if mcnemar_midp(PairedTable(0, b, flips - b, n - flips)) <= alpha:
                share = (1 + difference / flip_rate) / 2
                total += scipy.stats.binom.pmf(flips, n, flip_rate) * scipy.stats.binom.pmf(b, flips, share)

    assert midp_power(n, difference, flip_rate, alpha) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("flip_rate", [0.0001, 0.02, 0.5, 1.0])
def test_midp_keeps_its_level_at_the_size_of_mmlu_pro(flip_rate: float) -> None:
    assert midp_power(12_032, 0.0, flip_rate) <= 0.052


@pytest.mark.parametrize(
    ("n", "margin", "flip_rate", "difference"),
    [(1, 0.9, 0.3, 0.0), (60, 0.1, 0.1, 0.02), (60, 0.1, 0.1, -0.02), (40, 0.2, 1.0, 0.0), (30, 0.5, 1.0, 1.0)],
)
def test_equivalence_power_is_the_sum_over_all_tables(
    n: int, margin: float, flip_rate: float, difference: float
) -> None:
    pmf = scipy.stats.binom.pmf
    a, b = (flip_rate + difference) / 2, (flip_rate - difference) / 2
    total = 0.0
    for i in range(n + 1):
        for j in range(n - i + 1):
            chance = pmf(i, n, a) * (pmf(j, n - i, b / (1 - a)) if a < 1 else j == 0)
            if chance > 1e-15 and equivalence(PairedTable(0, i, j, n - i - j), margin) <= 0.05:
                total += chance

    assert equivalence_power(n, margin, flip_rate, difference=difference) == pytest.approx(total, abs=1e-10)


@pytest.mark.parametrize("margin", [0.02, 0.03, 0.05])
@pytest.mark.parametrize("flip_rate", [0.02, 0.05, 0.10, 0.20])
def test_the_score_formula_keeps_its_promise(margin: float, flip_rate: float) -> None:
    by_score = equivalence_power(score_questions_for_equivalence(margin, flip_rate), margin, flip_rate)

    assert 0.8 <= by_score < 0.88


def test_liu_and_others_formula_misleads_at_few_flips() -> None:
    """(z(1 - alpha) + z((1 + power) / 2))² flip_rate / margin² = 172 takes the variance at hand (Liu et al. 2002)."""
    assert equivalence_power(172, 0.05, 0.05) == pytest.approx(0.67, abs=0.005)


@pytest.mark.parametrize("flip_rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("n", [200, 2_000, 12_032])
def test_equivalence_at_the_margin_is_claimed_no_more_often_than_alpha(n: int, flip_rate: float) -> None:
    assert equivalence_power(n, 0.02, flip_rate, difference=0.02) <= 0.06


@pytest.mark.parametrize(
    ("n", "end"), [pytest.param(100, 2.63427, id="100: ±z²/(n + z²) of Tango"), pytest.param(500, 0.538196, id="500")]
)
def test_without_flips_the_margin_is_the_end_of_tangos_interval(n: int, end: float) -> None:
    margin = score_smallest_margin(n, 0.0)

    assert margin == pytest.approx(end / 100, rel=1e-5)
    assert score_questions_for_equivalence(margin or 0, 0.0) == n


@unhurried
@given(st.integers(10, 20_000), rates, st.floats(0.001, 0.3))
def test_the_score_margin_needs_the_questions_there_are(n: int, flip_rate: float, alpha: float) -> None:
    margin = score_smallest_margin(n, flip_rate, alpha=alpha)

    if margin is not None:
        assert score_questions_for_equivalence(margin, flip_rate, alpha=alpha) == pytest.approx(n, abs=1.01)


@unhurried
@given(st.integers(1, 60), st.floats(0.01, 0.99), st.integers(0, 100), st.integers(-10, 10))
def test_equivalence_power_is_a_chance(n: int, margin: float, flips: int, tenths: int) -> None:
    flip_rate = flips / 100

    assert 0 <= equivalence_power(n, margin, flip_rate, difference=flip_rate * tenths / 10) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("p", "power", "n"),
    [
        pytest.param(0.56, 0.8, 9_669, id="0.56 (statistics.md 1)"),
        pytest.param(0.70, 0.8, 8_241, id="0.70 (statistics.md 1)"),
        pytest.param(0.80, 0.8, 6_278, id="0.80 (statistics.md 1)"),
        pytest.param(0.90, 0.8, 3_531, id="0.90 (statistics.md 1)"),
        pytest.param(0.95, 0.8, 1_863, id="0.95 (statistics.md 1)"),
        pytest.param(0.56, 0.9, 12_944, id="0.56 at 90 % (statistics.md 1)"),
    ],
)
def test_questions_unpaired(p: float, power: float, n: int) -> None:
    assert questions_unpaired(p, 0.02, power=power) == n


@pytest.mark.parametrize(
    ("n", "p", "percents"),
    [
        pytest.param(100, 0.98, {0.02: 11, 0.05: 38, 0.08: 69, 0.10: 84}, id="100 at 0.98 (statistics.md 1)"),
        pytest.param(100, 0.90, {0.02: 7.5, 0.05: 19, 0.08: 38, 0.10: 52}, id="100 at 0.90 (statistics.md 1)"),
        pytest.param(50, 0.56, {0.02: 6.1, 0.05: 8.8, 0.10: 18.5, 0.20: 54}, id="50 at 0.56 (statistics.md 1)"),
    ],
)
def test_unpaired_power(n: int, p: float, percents: dict[float, float]) -> None:
    for difference, percent in percents.items():
        assert 100 * unpaired_power(n, p, difference) == pytest.approx(percent, abs=0.51 if percent > 20 else 0.5)


@pytest.mark.parametrize("p", [0.56, 0.70, 0.90])
def test_the_questions_unpaired_have_the_power_they_promise(p: float) -> None:
    assert unpaired_power(questions_unpaired(p, 0.02), p + 0.01, 0.02) == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 20, 57, 100])
@pytest.mark.parametrize(("p", "difference"), [(0.5, 0.1), (0.98, 0.3), (1.0, 1.0), (0.3, -0.4), (0.5, 0.0), (0, 0)])
def test_unpaired_power_is_the_sum_over_all_counts(n: int, p: float, difference: float) -> None:
    a, b = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    rejected = 2.0 * n * (a - b) ** 2 > critical_z(0.95) ** 2 * (a + b) * (2.0 * n - a - b)
    expected = np.sum(scipy.stats.binom.pmf(a, n, p) * scipy.stats.binom.pmf(b, n, p - difference) * rejected)

    assert unpaired_power(n, p, difference) == pytest.approx(float(expected), abs=1e-12)


def test_statsmodels_plans_about_the_same_without_pairing() -> None:
    from statsmodels.stats.power import tt_ind_solve_power, zt_ind_solve_power  # noqa: PLC0415 - slow to import

    effect = 0.02 / (0.56 * 0.44) ** 0.5

    assert questions_unpaired(0.56, 0.02) == pytest.approx(
        zt_ind_solve_power(effect_size=effect, alpha=0.05, power=0.8), rel=2e-4
    )
    assert questions_unpaired(0.56, 0.02) == pytest.approx(
        tt_ind_solve_power(effect_size=effect, alpha=0.05, power=0.8), rel=1e-3
    )


@pytest.mark.parametrize(("n", "needed", "share"), [(500, 1_960, 0.255102), (1_960, 1_960, 1.0), (0, 10, 0.0)])
def test_resolution(n: int, needed: int, share: float) -> None:
    assert resolution(n, needed) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: detectable_difference(0, 0.1), "nothing to compare", id="no questions"),
        pytest.param(lambda: detectable_difference(9, 1.1), "flip rate is a proportion", id="flip rate above 1"),
        pytest.param(lambda: detectable_difference(9, 0.1, alpha=0.5), "alpha is a rate", id="alpha"),
        pytest.param(
            lambda: detectable_difference(9, 0.1, power=0.05), "power is a chance", id="power not above alpha"
        ),
        pytest.param(lambda: midp_power(9, 0.2, 0.1), "allows no difference", id="more than the flips"),
        pytest.param(lambda: score_questions_for_equivalence(0, 0.1), "a margin is", id="no margin"),
        pytest.param(lambda: score_smallest_margin(0, 0.1), "nothing to compare", id="margin of no questions"),
        pytest.param(lambda: equivalence_power(9, 0.1, 0.1, difference=0.2), "allows no", id="power v flips"),
        pytest.param(lambda: score_questions_for_equivalence(1, 0.1), "a margin is", id="margin of all"),
        pytest.param(lambda: score_smallest_margin(9, -0.1), "flip rate is", id="negative flip rate"),
        pytest.param(lambda: score_smallest_margin(9, 0.1, alpha=0), "alpha is", id="alpha 0"),
        pytest.param(lambda: score_smallest_margin(9, 0.1, power=1), "power is", id="power 1"),
        pytest.param(lambda: questions_unpaired(0.99, 0.1), "cannot differ", id="above 1"),
        pytest.param(lambda: questions_unpaired(0.5, 0), "cannot differ", id="no difference unpaired"),
        pytest.param(lambda: unpaired_power(9, 0.1, 0.2), "lie between", id="below 0"),
        pytest.param(lambda: unpaired_power(9, 0.5, 0.2, 0.7), "alpha is", id="alpha unpaired"),
        pytest.param(lambda: questions_unpaired(0.5, 0.1, power=0.01), "power is", id="power unpaired"),
        pytest.param(lambda: resolution(9, 0), "at least one needed", id="nothing needed"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_pairing_saves_what_the_reference_says() -> None:
    saved = [questions_unpaired(p, 0.02) / questions_to_see(0.02, f) for p in (0.56, 0.90) for f in (0.05, 0.10)]

    # statistics.md 2.10
    assert [ceil(10 * each - 0.5) / 10 for each in saved] == [9.9, 4.9, 3.6, 1.8]
