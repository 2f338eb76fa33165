"""Two variants of which only counts are known, k of n each: tests and intervals for independent proportions.

Throughout, d = p_a - p_b is a difference of proportions. Where both answered the same questions these are weaker than
the paired methods, because which questions each solved is lost. scipy and numpy are imported where they are used.
"""

from functools import partial
from math import comb, copysign, erfc, fsum, inf, sqrt

from evaluator.stats.equivalence import check_margin, upper_tail
from evaluator.stats.nuisance import given_sums, largest
from evaluator.stats.proportions import Interval, Test, chi_squared_tail, critical_z, wilson
from evaluator.stats.roots import find_root

_TIE = 1e-7
"""Relative: chances closer than this are one and the same, computed in different order."""


def two_proportion_z(k_a: int, n_a: int, k_b: int, n_b: int) -> Test:
    """Return the pooled z of "no difference" and its two-sided normal p; 0 and 1 where all or none are right.

    z = d / sqrt(p (1 - p) (1/n_a + 1/n_b)) with p the pooled share (Fleiss, Levin & Paik 2003, Statistical Methods for
    Rates and Proportions, chapter 3, without continuity correction). Its square is Pearson's chi-squared: one test.

    Raises:
        ValueError: a count does not lie between 0 and its n, or an n is 0.
    """
    _check(k_a, n_a, k_b, n_b)
    right, n = k_a + k_b, n_a + n_b
    if right in (0, n):
        return Test(0.0, 1.0)
    z = (k_a * n_b - k_b * n_a) * sqrt(n / (n_a * n_b * right * (n - right)))
    return Test(z, erfc(abs(z) / sqrt(2)))


def chi_squared(k_a: int, n_a: int, k_b: int, n_b: int, *, yates: bool = False) -> Test:
    """Return Pearson's chi-squared with one degree of freedom, on request with Yates' continuity correction.

    N max(0, |k_a (n_b - k_b) - k_b (n_a - k_a)| - N/2)^2 / (product of the four margins) (Yates 1934, J R Stat Soc
    Suppl 1:217-235); without correction the N/2 is left out. 0 and p = 1 where all or none are right.

    Raises:
        ValueError: a count does not lie between 0 and its n, or an n is 0.
    """
    _check(k_a, n_a, k_b, n_b)
    right, n = k_a + k_b, n_a + n_b
    if right in (0, n):
        return Test(0.0, 1.0)
    distance = max(0.0, abs(k_a * n_b - k_b * n_a) - (n / 2 if yates else 0))
    value = n * distance * distance / (n_a * n_b * right * (n - right))
    return Test(value, chi_squared_tail(value))


def fisher(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    """Return Fisher's exact two-sided p: all tables with these margins that are no more likely than this one.

    Fisher 1935, J R Stat Soc 98:39-82, as scipy.stats.fisher_exact, but in whole numbers: right to the last digit.
    Timid: with both margins given it can seldom use up alpha.

    Raises:
        ValueError: a count does not lie between 0 and its n, or an n is 0.
    """
    _check(k_a, n_a, k_b, n_b)
    right, seen, unlikely = k_a + k_b, comb(n_a, k_a) * comb(n_b, k_b), 0
    first, last = max(0, right - n_b), min(right, n_a)
    ways = comb(n_a, first) * comb(n_b, right - first)
    for k in range(first, last + 1):
        unlikely += ways if ways <= seen else 0
        ways = ways * (n_a - k) * (right - k) // ((k + 1) * (n_b - right + k + 1))
    return unlikely / comb(n_a + n_b, right)


def boschloo(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    """Return Boschloo's exact unconditional p, two-sided as twice the smaller one-sided one.

    Boschloo 1970, Stat Neerl 24:1-9: Fisher's one-sided p as the statistic, its chance maximised over the share both
    would have. As scipy.stats.boschloo_exact (groups in columns), but maximised on a grid that misses no peak instead
    of by sampling, and with room for n in the ten thousands. Exact to about 1e-9, relative.

    Raises:
        ValueError: a count does not lie between 0 and its n, or an n is 0.
    """
    _check(k_a, n_a, k_b, n_b)
    sides = [(k_a, n_a, k_b, n_b), (k_b, n_b, k_a, n_a)]
    if k_a * n_b > k_b * n_a:
        sides.reverse()
    first = _boschloo_lower(*sides[0])
    # The side to which the counts do not lean is the smaller one only where both are large.
    return min(1.0, 2 * (first if first < 0.1 else min(first, _boschloo_lower(*sides[1]))))


def barnard(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    """Return Barnard's exact unconditional two-sided p with the pooled z as the statistic.

    Barnard 1947, Biometrika 34:123-138; Suissa & Shuster 1985, J R Stat Soc A 148:317-327. As
    scipy.stats.barnard_exact (groups in columns), but maximised on a grid that misses no peak.

    Raises:
        ValueError: a count does not lie between 0 and its n, or an n is 0.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    _check(k_a, n_a, k_b, n_b)
    n, right, observed = n_a + n_b, k_a + k_b, abs(k_a * n_b - k_b * n_a)
    if observed == 0:
        return 1.0
    p = max(1e-300, two_proportion_z(k_a, n_a, k_b, n_b).p)
    # z^2 is (x n - s n_a)^2 / (s (n - s)) but for a constant.
    s = np.arange(n + 1.0)
    bar = observed / sqrt(right * (n - right)) * np.sqrt(s * (n - s)) * (1 - _TIE)
    levels = np.zeros(n + 1)
    for x, chance in given_sums(n_a, n_b, p, lower=False):
        levels += np.where(np.abs(x * n - s * n_a) >= bar, chance, 0.0)
    # Without a right answer, or a wrong one, z is 0.
    levels[[0, n]] = 0.0
    return largest(levels)


def newcombe(k_a: int, n_a: int, k_b: int, n_b: int, level: float = 0.95) -> Interval:
    """Return Newcombe's hybrid score interval for d, made of the two Wilson intervals.

    Newcombe 1998, Stat Med 17:873-890, method 10.

    Raises:
        ValueError: a count does not lie between 0 and its n, an n is 0, or level is not between 0 and 1.
    """
    a, b = wilson(k_a, n_a, level), wilson(k_b, n_b, level)
    p_a, p_b = k_a / n_a, k_b / n_b
    low = p_a - p_b - sqrt((p_a - a.low) ** 2 + (b.high - p_b) ** 2)
    high = p_a - p_b + sqrt((a.high - p_a) ** 2 + (p_b - b.low) ** 2)
    return Interval(max(-1.0, low), min(1.0, high), level)


def miettinen_nurminen_z(k_a: int, n_a: int, k_b: int, n_b: int, d0: float) -> float:
    """Return the score statistic for H0: d = d0, falling in d0.

    Miettinen & Nurminen 1985, Stat Med 4:213-226: the variance at the most likely shares with that
    difference, times N / (N - 1). At d0 = 0 it is the pooled z times sqrt((N - 1) / N). Where the variance vanishes it
    is infinite, or 0 if the data show just that d0.

    Raises:
        ValueError: a count does not lie between 0 and its n, an n is 0, or d0 is not between -1 and 1.
    """
    _check(k_a, n_a, k_b, n_b)
    if not -1 <= d0 <= 1:
        raise ValueError(f"a difference of proportions lies between -1 and 1, and {d0} does not")
    p_a, p_b = _likeliest(k_a, n_a, k_b, n_b, d0)
    n = n_a + n_b
    variance = (p_a * (1 - p_a) / n_a + p_b * (1 - p_b) / n_b) * n / (n - 1)
    distance = k_a / n_a - k_b / n_b - d0
    if variance > 0:
        return distance / sqrt(variance)
    return copysign(inf, distance) if distance else 0.0


def miettinen_nurminen(k_a: int, n_a: int, k_b: int, n_b: int, level: float = 0.95) -> Interval:
    """Return the score interval for d: every d0 that `miettinen_nurminen_z` does not reject at 1 - level.

    statsmodels' confint_proportions_2indep(method="score") differs and is wrong: its cubic takes a count for an n.

    Raises:
        ValueError: a count does not lie between 0 and its n, an n is 0, or level is not between 0 and 1.
    """
    _check(k_a, n_a, k_b, n_b)
    z, estimate = critical_z(level), k_a / n_a - k_b / n_b

    def excess(bound: float, d0: float) -> float:
        # interpolation needs finite numbers; the statistic is infinite at ±1.
        return max(-1e9, min(1e9, miettinen_nurminen_z(k_a, n_a, k_b, n_b, d0))) - bound

    low = -1.0 if estimate == -1 else find_root(partial(excess, z), -1.0, estimate, xtol=1e-12)
    high = 1.0 if estimate == 1 else find_root(partial(excess, -z), estimate, 1.0, xtol=1e-12)
    return Interval(low, high, level)


def unpaired_equivalence(k_a: int, n_a: int, k_b: int, n_b: int, margin: float) -> float:
    """Return the p value of "differs by the margin or more": two one-sided score tests, the larger p.

    Farrington & Manning 1990, Stat Med 9:1447-1454, with Miettinen and Nurminen's factor N / (N - 1); p <= alpha
    exactly where the Miettinen-Nurminen interval of level 1 - 2 alpha lies within ±margin.

    Raises:
        ValueError: a count does not lie between 0 and its n, an n is 0, or margin is no proportion between 0 and 1.
    """
    check_margin(margin)
    below = upper_tail(miettinen_nurminen_z(k_a, n_a, k_b, n_b, -margin))
    return max(below, upper_tail(-miettinen_nurminen_z(k_a, n_a, k_b, n_b, margin)))


def _boschloo_lower(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.stats import hypergeom  # noqa: PLC0415  slow to import

    fisher_p = float(hypergeom.cdf(k_a, n_a + n_b, n_a, k_a + k_b))
    if fisher_p in (0.0, 1.0):
        return fisher_p
    below, levels = np.zeros(n_a + n_b + 1), np.zeros(n_a + n_b + 1)
    for _, chance in given_sums(n_a, n_b, fisher_p, lower=fisher_p < 0.5):
        below = below + chance
        levels = np.where(below <= fisher_p * (1 + _TIE), below, levels)
    return largest(levels)


def _likeliest(k_a: int, n_a: int, k_b: int, n_b: int, d0: float) -> tuple[float, float]:
    """Return the most likely shares with p_a - p_b = d0."""

    def shares(p_b: float) -> tuple[float, float]:
        return min(1.0, max(0.0, p_b + d0)), p_b

    def slope(p_b: float) -> float:
        """Differentiate the log likelihood; it falls in p_b, from and to what stands for infinity at the ends."""
        p_a, _ = shares(p_b)
        parts = (k_a, p_a), (k_b, p_b), (k_a - n_a, 1 - p_a), (k_b - n_b, 1 - p_b)
        return fsum(count / max(share, 1e-300) for count, share in parts if count)

    low, high = max(0.0, -d0), min(1.0, 1 - d0)
    if low >= high or slope(low) <= 0:
        return shares(low)
    if slope(high) >= 0:
        return shares(high)
    return shares(find_root(slope, low, high, xtol=1e-16))


def _check(k_a: int, n_a: int, k_b: int, n_b: int) -> None:
    for k, n in ((k_a, n_a), (k_b, n_b)):
        if n <= 0:
            raise ValueError(f"a proportion needs at least one question, and n is {n}")
        if not 0 <= k <= n:
            raise ValueError(f"{k} of {n} is no proportion: the count must lie between 0 and {n}")
