"""Shares of questions: one variant's accuracy, a rate of disagreement, pass@k."""

from math import prod, sqrt
from statistics import NormalDist

from msgspec import Struct


class Interval(Struct, frozen=True):
    """A range that covers the true value in a share `level` of all repetitions of the study."""

    low: float
    high: float
    level: float


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval for a proportion, k of n (Wilson 1927, J Am Stat Assoc 22:209-212).

    Raises:
        ValueError: n is 0, k is not between 0 and n, or level is not between 0 and 1.
    """
    if n <= 0:
        raise ValueError(f"a proportion needs at least one question, and n is {n}")
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion: the count must lie between 0 and {n}")
    z = critical_z(level)
    share = k / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At k = 0 and k = n the ends are exactly 0 and 1; rounding would leave them a hair beside.
    low = 0.0 if k == 0 else max(0.0, center - half)
    high = 1.0 if k == n else min(1.0, center + half)
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
