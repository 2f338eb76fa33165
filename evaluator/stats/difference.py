"""How large the difference between two variants on the same questions is: intervals for d = p_a - p_b."""

from functools import partial
from math import copysign, inf, sqrt

from evaluator.stats.paired import PairedTable, at_least_one
from evaluator.stats.proportions import Interval, critical_z
from evaluator.stats.roots import find_root


def tango_z(table: PairedTable, d0: float) -> float:
    """Return the score statistic for H0: d = d0 (Tango 1998, Stat Med 17:891-908), falling in d0.

    Its variance uses the most likely chance of "only B" under H0, the larger root of a quadratic. At d0 = 0 its
    square is McNemar's chi-squared. Where the variance vanishes (d0 = ±1; d0 = 0 without flips) the statistic is
    infinite, or 0 if the data show just that d0.

    Raises:
        ValueError: the table has no questions, or d0 is not between -1 and 1.
    """
    if not -1 <= d0 <= 1:
        raise ValueError(f"a difference of proportions lies between -1 and 1, and {d0} does not")
    n, b, c = at_least_one(table.n), table.only_a, table.only_b
    quadratic = 2 * n
    linear = (2 * n - b + c) * d0 - b - c
    constant = -c * d0 * (1 - d0)
    root = sqrt(max(0.0, linear * linear - 4 * quadratic * constant))
    # Of the two forms of the root, the one that does not subtract nearly equal numbers.
    only_b = (root - linear) / (2 * quadratic) if linear <= 0 else -2 * constant / (linear + root)
    variance = n * (2 * only_b + d0 * (1 - d0))
    distance = b - c - n * d0
    if variance > 0:
        return distance / sqrt(variance)
    return copysign(inf, distance) if distance else 0.0


def tango(table: PairedTable, level: float = 0.95, effect: float = 1.0) -> Interval:
    """Return Tango's score interval for d: every d0 that the score test at 1 - level does not reject.

    Without flips it is ±z²/(n + z²), not ±0: seeing no flip in 100 questions leaves room for 3.7 points. The variance
    counts `effect` times, the design effect of questions in clusters (`clusters.design_effect`).

    Raises:
        ValueError: the table has no questions, or level is not between 0 and 1.
    """
    z = critical_z(level) * sqrt(effect)
    estimate = table.difference

    def excess(bound: float, d0: float) -> float:
        # interpolation needs finite numbers; the statistic is infinite at ±1.
        return max(-1e9, min(1e9, tango_z(table, d0))) - bound

    low = -1.0 if estimate == -1 else find_root(partial(excess, z), -1.0, estimate, xtol=1e-12)
    high = 1.0 if estimate == 1 else find_root(partial(excess, -z), estimate, 1.0, xtol=1e-12)
    return Interval(low, high, level)
