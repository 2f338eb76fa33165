"""Shares of questions: one variant's accuracy, a rate of disagreement, pass@k."""

from math import erfc, exp, fsum, lgamma, log, prod, sqrt
from statistics import NormalDist

from msgspec import Struct


class Interval(Struct, frozen=True):
    """A range that covers the true value in a share `level` of all repetitions of the study."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float
    """0.95 for 95 %."""


class Test(Struct, frozen=True):
    """A test of "no difference": its statistic, and how likely one as large would be if there were none."""

    __test__ = False  # pytest takes every class of this name for a set of tests

    statistic: float
    p: float


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval for a proportion, k of n (Wilson 1927, J Am Stat Assoc 22:209-212).

    Raises:
        ValueError: n is 0, k is not between 0 and n, or level is not between 0 and 1.
    """
    if n <= 0:
        raise ValueError(f"a proportion needs at least one question, and n is {n}")
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion: the count must lie between 0 and {n}")
    return wilson_share(k / n, n, level)


def wilson_share(share: float, n: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval for a share that weighs as much as n plain questions; n need not be whole.

    An estimate from a sample by strata, or from several answers per question, brings its effective n, which is
    share (1 - share) / variance (Dean & Pagano 2015, J Surv Stat Methodol 3:484-503).

    Raises:
        ValueError: n is not above 0, or share or level is not between 0 and 1.
    """
    if not n > 0:
        raise ValueError(f"a share needs an effective number of questions above 0, and {n} is not")
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, and {share} does not")
    z = critical_z(level)
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 and 1 the ends are exactly 0 and 1; rounding would leave them a hair beside.
    low = 0.0 if share == 0 else max(0.0, center - half)
    high = 1.0 if share == 1 else min(1.0, center + half)
    return Interval(low, high, level)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Estimate without bias the chance that one of k samples is correct, from n samples of which c are.

    1 - C(n-c, k) / C(n, k) as a product, which never forms the large binomials (Chen et al. 2021,
    arXiv 2107.03374, eq. 1 and figure 3).

    Raises:
        ValueError: c is not between 0 and n, or k is not between 1 and n.
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} correct of {n} samples is impossible")
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs between 1 and {n} samples, as many as there are")
    if n - c < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def critical_z(level: float) -> float:
    """Return z so that a standard normal lies within ±z with probability `level`: 1.96 for 0.95.

    Raises:
        ValueError: level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level of confidence lies between 0 and 1, and {level} does not")
    return NormalDist().inv_cdf((1 + level) / 2)


def chi_squared_tail(statistic: float, freedom: int = 1) -> float:
    """Return the chance that a chi-squared variable with so many degrees of freedom exceeds the statistic.

    The finite sums of Abramowitz & Stegun, 26.4.4 and 26.4.5, whose terms are all positive.
    """
    half = statistic / 2
    if half == 0:
        return 1.0
    odd = freedom % 2
    powers = [i + odd / 2 for i in range(freedom // 2)]
    # As logarithms, so that nothing is beyond the floats on the way.
    parts = [exp(power * log(half) - lgamma(power + 1) - half) for power in powers]
    return fsum([erfc(sqrt(half)), *parts]) if odd else fsum(parts)
