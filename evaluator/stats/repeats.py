"""Two variants with several answers to each question: tests and intervals of a mean difference per question.

scipy and numpy are imported where they are used, so that the command line starts without them.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import copysign, fsum, inf, sqrt

from evaluator.stats.equivalence import check_margin, upper_tail
from evaluator.stats.proportions import Interval, critical_z

EXACT_UP_TO = 20
DRAWS = 10_000


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """Return the two-sided p value of "no difference" for one mean difference per question.

    Without a difference each question's sign is a coin's. All 2^K sign patterns are counted for up to 20 nonzero
    differences; beyond, 10,000 are drawn and p = (1 + as extreme) / (1 + drawn) (Phipson & Smyth 2010). It holds
    however the repeats of one question hang together. 1 where all differences are 0.
    """
    # Rounded, so that 1/3 and 1 - 2/3 are one value; sorted, so that the order of the questions changes nothing.
    sizes = sorted(abs(round(d, 12)) for d in differences if round(d, 12))
    if not sizes:
        return 1.0
    threshold = abs(fsum(differences)) - 1e-9
    if len(sizes) <= EXACT_UP_TO and all(size % 1 == 0 for size in sizes):
        return _share_of_signs(sizes, threshold)
    import numpy as np  # noqa: PLC0415  slow to import

    if len(sizes) <= EXACT_UP_TO:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate((sums + size, sums - size))
        return float(np.mean(np.abs(sums) >= threshold))
    rng = np.random.default_rng(seed)
    sums = np.zeros(DRAWS)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        sums += size * (2 * rng.binomial(count, 0.5, DRAWS) - count)
    return float((1 + np.sum(np.abs(sums) >= threshold)) / (1 + DRAWS))


def _share_of_signs(sizes: Sequence[float], threshold: float) -> float:
    """Return the share of sign patterns whose sum, up or down, reaches the threshold; of whole numbers few differ."""
    ways: Counter[float] = Counter({0.0: 1})
    for size in sizes:
        further: Counter[float] = Counter()
        for total, count in ways.items():
            further[total + size] += count
            further[total - size] += count
        ways = further
    return sum(count for total, count in ways.items() if abs(total) >= threshold) / (1 << len(sizes))


def mean_interval(differences: Sequence[float], level: float = 0.95, effect: float = 1.0) -> Interval:
    """Return the normal interval for the mean difference, SE² = effect sum (d_i - mean)² / (n (n - 1)).

    Miller 2024, arXiv 2411.00640, section on paired differences. Cut at ±1. It has no width where all differences
    are alike, which is no certainty: `steadied` first. `effect` is the design effect of questions in clusters.

    Raises:
        ValueError: fewer than two differences, or level is not between 0 and 1.
    """
    mean, error = _mean_and_error(differences)
    half = critical_z(level) * error * sqrt(effect)
    return Interval(max(-1.0, mean - half), min(1.0, mean + half), level)


def mean_z(differences: Sequence[float], d0: float) -> float:
    """Return how many standard errors the mean difference lies above d0; infinite, or 0, where there is no error.

    Raises:
        ValueError: fewer than two differences.
    """
    mean, error = _mean_and_error(differences)
    if error > 0:
        return (mean - d0) / error
    return copysign(inf, mean - d0) if mean != d0 else 0.0


def mean_equivalence(differences: Sequence[float], margin: float) -> float:
    """Return the p value of "differs by the margin or more" that belongs to `mean_interval`: two one-sided tests.

    Raises:
        ValueError: fewer than two differences, or margin is not a proportion between 0 and 1.
    """
    check_margin(margin)
    return max(upper_tail(mean_z(differences, -margin)), upper_tail(-mean_z(differences, margin)))


def steadied(differences: Sequence[float]) -> tuple[float, ...]:
    """Add one question won and one lost, so that few disagreements do not pass for certainty.

    The adjustment of Bonett & Price 2012 (J Educ Behav Stat 37:479-488), whose interval this gives for one answer
    per question: at n = 100 without flips ±2.7 points instead of ±0.
    """
    return (*differences, 1.0, -1.0)


def _mean_and_error(differences: Sequence[float]) -> tuple[float, float]:
    n = len(differences)
    if n < 2:
        raise ValueError(f"a mean difference needs at least two questions, and there are {n}")
    if all(x == y for x, y in pairwise(differences)):
        return differences[0], 0.0
    mean = fsum(differences) / n
    return mean, sqrt(fsum((d - mean) ** 2 for d in differences) / (n * (n - 1)))
