"""Looking after every question: e-values and intervals that hold at whatever moment one stops, and if one goes on.

A question contributes x: +1 if only A solved it, -1 if only B did, 0 if they agree; with several answers to each
question, the mean of A's less the mean of B's. d is the mean of x. Questions come in an order drawn before the run.

An e-value bets against a hypothesis on every question. Were the hypothesis true, the stake would on average stay what
it was, 1, whatever came before; so it ever reaches 1/alpha with probability alpha at most (Ville 1939). Bets and
their mixture: Waudby-Smith & Ramdas 2024 (JRSS B 86:1-27, arXiv 2010.09686, section 4).
scipy and numpy are imported where they are used, so that the command line starts without them.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from math import exp, fsum, inf, lgamma, log
from typing import TYPE_CHECKING, Literal, get_args

from evaluator.stats.equivalence import check_margin
from evaluator.stats.proportions import Interval
from evaluator.stats.roots import find_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

Side = Literal["two", "above", "below"]
"""What is bet on: that d is not d0, that d > d0 (which tests d <= d0), or that d < d0 (which tests d >= d0)."""

BETS = 2_001
LARGEST_LOG = 709.78
"""The logarithm of the largest float, rounded down."""


def tally(values: Sequence[float]) -> dict[float, int]:
    """Count how often each contribution occurs: `{1.0: 8, 0.0: 90, -1.0: 2}`, all that the e-values need to know."""
    # Rounded, so that 1/3 and 1 - 2/3 are one value; + 0.0 makes of -0.0 a 0.0.
    return dict(sorted(Counter(round(x, 12) + 0.0 for x in values).items(), reverse=True))


def log_e_no_difference(b: int, c: int) -> float:
    """Return the natural logarithm of `e_no_difference`, which no number of questions overflows."""
    if b < 0 or c < 0:
        raise ValueError(f"a number of questions is not negative: {b} only A solved, {c} only B")
    m = b + c
    return m * log(2) + lgamma(b + 1) + lgamma(c + 1) - lgamma(m + 2)


def e_no_difference(b: int, c: int) -> float:
    """Return the e-value against d = 0 from b questions only A solved and c only B solved.

    2^m B(b+1, c+1) with m = b + c: bets on every bias of the coin alike, the Beta(1, 1) mixture (Robbins 1970, Ann
    Math Stat 41:1397-1409). The limit of `e_value` at d0 = 0 with ever more bets: up to 100 the two agree to five
    digits. inf beyond the floats.

    Raises:
        ValueError: a count is negative.
    """
    return _from_log(log_e_no_difference(b, c))


def log_e_value(counts: Mapping[float, int], d0: float, side: Side = "two") -> float:
    """Return the natural logarithm of `e_value`."""
    _check_counts(counts)
    return _log_e(tuple(counts), tuple(counts.values()), d0, side)


def e_value(counts: Mapping[float, int], d0: float, side: Side = "two") -> float:
    """Return the e-value against d = d0 (side "two"), against d <= d0 ("above") or against d >= d0 ("below").

    The mean, over 2,001 bets r, of the product of 1 + r (x - d0) over all questions; the bets are the midpoints of
    as many equal parts of (-1/(1-d0), 1/(1+d0)), of its positive half for "above" and its negative half for "below".
    A finite mean is as valid as the integral. `counts` holds how many questions contributed each x (`tally`).
    1 without questions, inf beyond the floats.

    Raises:
        ValueError: an x is not between -1 and 1, a count is negative, d0 is not strictly between -1 and 1, or the
            side is unknown.
    """
    return _from_log(log_e_value(counts, d0, side))


def confidence_sequence(counts: Mapping[float, int], level: float = 0.95, sides: Literal[1, 2] = 2) -> Interval:
    """Return the interval for d that holds at every look together: all d0 whose e-value is small.

    sides=2: every d0 whose two-sided e-value is below 1/(1 - level). sides=1: every d0 at which both one-sided
    e-values are below 2/(1 - level), so that at level 1 - 2 alpha it lies within ±margin exactly where both reach
    1/alpha: equivalence. On either side of the data's mean the e-values pass the
    threshold once, so each end is one root.
    -1 to 1 without questions.

    Raises:
        ValueError: level is not between 0 and 1, sides is neither 1 nor 2, or the counts are refused by `e_value`.
    """
    _check_counts(counts)
    if not 0 < level < 1:
        raise ValueError(f"a level of confidence lies between 0 and 1, and {level} does not")
    if sides not in (1, 2):
        raise ValueError(f"an interval inverts one-sided or two-sided e-values, and sides is {sides}")
    n = sum(counts.values())
    if n == 0:
        return Interval(-1.0, 1.0, level)
    mean = min(1.0, max(-1.0, fsum(x * k for x, k in counts.items()) / n))
    threshold = log(2 / sides) - log(1 - level)
    low = _end(counts, mean, -1.0, threshold, "two" if sides == 2 else "above")
    high = _end(counts, mean, 1.0, threshold, "two" if sides == 2 else "below")
    return Interval(low, high, level)


def log_e_path(values: Sequence[float], d0: float, side: Side, looks: Sequence[int]) -> NDArray[np.float64]:
    """Return the logarithm of `e_value` at each look; a look is the number of questions answered by then.

    `values` are in the order in which the questions were asked. 12,032 looks take half a second, and those
    that were taken before nearly nothing: a run that goes on adds one look at a time.

    Raises:
        ValueError: a look lies beyond the answers or before the first, or `e_value` refuses an argument.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    if any(not 1 <= look <= len(values) for look in looks):
        raise ValueError(f"a look comes after 1 to {len(values)} questions, as many as were answered")
    rounded = np.round(np.asarray(values, dtype=float), 12)
    unique = tuple(tally(values))
    _check_counts(dict.fromkeys(unique, 0))
    at = np.asarray(looks, dtype=np.int64) - 1
    seen = [np.cumsum(rounded == x)[at].tolist() for x in unique]
    return np.array([_log_e(unique, counts, d0, side) for counts in zip(*seen, strict=True)], dtype=float)


def log_equivalence_path(values: Sequence[float], margin: float, looks: Sequence[int]) -> NDArray[np.float64]:
    """Return at each look the logarithm of the weaker evidence that d > -margin and that d < margin.

    Each is the largest e-value up to that look, for a hypothesis once rejected stays so. Both must reach 1/alpha, and
    alpha is not shared between them (intersection-union test, Berger 1982, Technometrics 24:295-300).

    Raises:
        ValueError: margin is not a proportion between 0 and 1, or as `log_e_path`.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    check_margin(margin)
    not_worse = np.maximum.accumulate(log_e_path(values, -margin, "above", looks))
    not_better = np.maximum.accumulate(log_e_path(values, margin, "below", looks))
    return np.minimum(not_worse, not_better)


def anytime_p(logs: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the p value that holds at every look: 1 / the largest e-value so far, at most 1; from logarithms of e.

    With `log_equivalence_path` it is the p value of equivalence. 1 before the first look.
    """
    return exp(-max(0.0, *(float(e) for e in logs))) if len(logs) else 1.0


@lru_cache(maxsize=1 << 15)
def _log_e(values: tuple[float, ...], counts: tuple[int, ...], d0: float, side: Side) -> float:
    import numpy as np  # noqa: PLC0415  slow to import

    return float(_log_mean(np.array([counts], dtype=float) @ _log_gains(values, d0, side))[0])


@lru_cache(maxsize=64)
def _log_gains(values: tuple[float, ...], d0: float, side: Side) -> NDArray[np.float64]:
    """Return log(1 + r (x - d0)), a row for each x, a column for each bet r."""
    import numpy as np  # noqa: PLC0415  slow to import

    if not -1 < d0 < 1:
        raise ValueError(f"a difference that can be bet against lies strictly between -1 and 1, and {d0} does not")
    if side not in get_args(Side):
        raise ValueError(f'a side is "two", "above" or "below", and {side!r} is none of these')
    least = 0.0 if side == "above" else -1 / (1 - d0)
    most = 0.0 if side == "below" else 1 / (1 + d0)
    bets = least + (np.arange(BETS) + 0.5) * ((most - least) / BETS)
    gains: NDArray[np.float64] = np.log1p(np.outer(np.asarray(values, dtype=float) - d0, bets))
    gains.flags.writeable = False  # it is handed out again
    return gains


def _log_mean(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the mean of exp over each row, without forming what would overflow."""
    import numpy as np  # noqa: PLC0415  slow to import

    largest = logs.max(axis=1)
    mean: NDArray[np.float64] = largest + np.log(np.mean(np.exp(logs - largest[:, None]), axis=1))
    return mean


def _end(counts: Mapping[float, int], mean: float, limit: float, threshold: float, side: Side) -> float:
    """Return the d0 between the mean and the limit (-1 or 1) at which log e reaches the threshold."""
    outermost = limit * (1 - 1e-12)
    start = min(max(mean, -1 + 1e-12), 1 - 1e-12)

    def excess(d0: float) -> float:
        return log_e_value(counts, d0, side) - threshold

    if mean == limit or excess(outermost) < 0:
        return limit
    return find_root(excess, outermost, start, xtol=1e-13)


def _check_counts(counts: Mapping[float, int]) -> None:
    for x, k in counts.items():
        if not -1 <= x <= 1:
            raise ValueError(f"a question contributes between -1 and 1, and {x} does not lie there")
        if k < 0:
            raise ValueError(f"a number of questions is not negative, and {k} contributed {x}")


def _from_log(logarithm: float) -> float:
    return exp(logarithm) if logarithm <= LARGEST_LOG else inf
