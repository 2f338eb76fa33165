"""Statistics that the product does not need, as witnesses for those that it does: other tests, and exact power."""

from math import sqrt
from typing import Any

from evaluator.stats.equivalence import check_margin
from evaluator.stats.paired import PairedTable, at_least_one
from evaluator.stats.power import check_rates
from evaluator.stats.proportions import Test, chi_squared_tail, critical_z


def mcnemar_chi2(table: PairedTable, *, corrected: bool = False) -> Test:
    """Return McNemar's chi-squared, (b - c)²/(b + c), one degree of freedom (McNemar 1947, Psychometrika 12:153-157).

    `corrected` is Edwards 1948 (Psychometrika 13:185-187): max(|b - c| - 1, 0)² above; where b = c that is 0, not the
    1/(b + c) of squaring -1. Without flips the statistic is 0 and p 1. For few flips take the mid-p.
    """
    if table.flips == 0:
        return Test(0.0, 1.0)
    apart = abs(table.only_a - table.only_b)
    statistic = (max(apart - 1, 0) if corrected else apart) ** 2 / table.flips
    return Test(statistic, chi_squared_tail(statistic))


def midp_power(n: int, difference: float, flip_rate: float, alpha: float = 0.05) -> float:
    """Return the exact power of McNemar's mid-p test, two-sided: every number of flips, and every way they can fall.

    Flips ~ Bin(n, flip_rate); of m flips, those one way ~ Bin(m, (1 + difference / flip_rate) / 2). Fagerland,
    Lydersen & Laake 2013 (BMC MRM 13:91) enumerate likewise. With difference 0 it is the rate of false alarms.

    Raises:
        ValueError: n is below 1, a rate is no proportion, or the difference is larger than the flip rate.
    """
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    at_least_one(n)
    check_rates(flip_rate, alpha)
    if abs(difference) > flip_rate:
        raise ValueError(f"a flip rate of {flip_rate} allows no difference of {difference}")
    if flip_rate == 0:
        return 0.0
    flips = np.arange(1, n + 1)
    chance = binom.pmf(flips, n, flip_rate)
    flips, chance = flips[chance > 0], chance[chance > 0]
    # The mid-p value F(k) + F(k-1) grows in k: the last k with F(k-1) below alpha/2 rejects, or the one before it does.
    fewer = binom.ppf(alpha / 2, flips, 0.5)
    fewer -= 2 * binom.cdf(fewer, flips, 0.5) - binom.pmf(fewer, flips, 0.5) > alpha
    one_way = (1 + difference / flip_rate) / 2
    rejected = binom.cdf(fewer, flips, one_way) + binom.cdf(fewer, flips, 1 - one_way)
    return float(min(1.0, np.sum(chance * rejected)))


def equivalence_power(
    n: int, margin: float, flip_rate: float, *, difference: float = 0.0, alpha: float = 0.05
) -> float:
    """Return the chance that n questions show equivalence within ±margin, over every way in which answers can flip.

    The test is `evaluator.stats.equivalence.equivalence` at alpha (Nam 1997); at a difference of the margin this is
    its rate of false claims. Outcomes less likely than 1 in 10¹² at either end are left out.

    Raises:
        ValueError: n is below 1, the margin or a rate is none, or the difference is larger than the flip rate.
    """
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    at_least_one(n)
    check_margin(margin)
    check_rates(flip_rate, alpha)
    if abs(difference) > flip_rate * (1 + 1e-12):  # a product may end a hair above its factor
        raise ValueError(f"a flip rate of {flip_rate} allows no difference of {difference}")
    only_a, only_b = (max(0.0, flip_rate + sign * difference) / 2 for sign in (1, -1))
    (b_low, c_low), (b_high, c_high) = (binom.ppf(tail, n, [only_a, only_b]) for tail in (1e-12, 1 - 1e-12))
    b, c = np.arange(b_low, b_high + 1)[:, None], np.arange(c_low, c_high + 1)[None, :]
    chance = binom.pmf(b, n, only_a) * binom.pmf(c, n - b, min(1.0, only_b / (1 - only_a)) if only_a < 1 else 0.0)
    z = critical_z(1 - 2 * alpha)
    shown = (_score(n, b, c, -margin) >= z) & (_score(n, b, c, margin) <= -z)
    return float(np.sum(np.where(shown & (b + c <= n), chance, 0.0)))


def _score(n: int, b: Any, c: Any, d0: float) -> Any:
    """Give Tango's statistic under a difference of d0, for arrays of flips."""
    p, q = b / n, c / n
    linear = (2 - p + q) * d0 - p - q
    # A square, or more: below nought it can only be by rounding.
    root = abs(linear * linear + 8 * q * d0 * (1 - d0)) ** 0.5
    return (p - q - d0) * sqrt(n) / ((root - linear) / 2 + d0 * (1 - d0)) ** 0.5


def unpaired_power(n: int, p: float, difference: float, alpha: float = 0.05) -> float:
    """Return the exact power of the pooled z test for accuracies p and p - difference, over every pair of counts.

    With difference 0 it is the rate of false alarms.

    Raises:
        ValueError: n is below 1, an accuracy is not between 0 and 1, or alpha is no rate.
    """
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    at_least_one(n)
    other = p - difference
    if not (0 <= p <= 1 and 0 <= other <= 1):
        raise ValueError(f"accuracies lie between 0 and 1, and {p} and {other} do not")
    check_rates(0.0, alpha)
    ours = np.arange(n + 1)
    # z² = 2n(a - b)² / ((a + b)(2n - a - b)) grows as b leaves a to either side: two counts b enclose what is kept.
    # They solve a quadratic in a + b; the last step decides by the statistic itself, where rounding could matter.
    z = critical_z(1 - alpha) ** 2
    half, root = (4 * ours + z) * n, np.sqrt(np.maximum(0, ((4 * ours + z) * n) ** 2 - 8 * n * (2 * n + z) * ours**2))
    low, high = (half - root) / (2 * n + z) - ours, (half + root) / (2 * n + z) - ours

    def rejects(theirs: Any) -> Any:
        total = ours + theirs
        return 2.0 * n * (ours - theirs) ** 2 > z * total * (2.0 * n - total)

    last, first = np.floor(low) + 1, np.ceil(high) - 1
    for _ in range(2):
        last = last - (~rejects(last) | (last >= ours))
        first = first + (~rejects(first) | (first <= ours))
    rejected = binom.cdf(last, n, other) + binom.sf(first - 1, n, other)
    return float(min(1.0, np.sum(binom.pmf(ours, n, p) * rejected)))
