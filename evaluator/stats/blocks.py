"""Means, ratios and quantiles of values along a text, where neighbours resemble each other.

The values of one token after the other are no independent draws: a hard passage is hard for some dozens of them. So
they are cut into blocks, long enough that the means of blocks hardly resemble each other, and it is the blocks that
count. Positions: index 0 is the first scored token of the first window; windows follow one another.
"""

from math import ceil, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.stats.proportions import Interval, critical_z, wilson_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_TIMES = 6
"""Correlation times in a block: what its two ends share with its neighbours is then a sixth of it at most."""
FEWEST = 12
"""Blocks; fewer tell too little of how much they vary."""


class Blocks(Struct, frozen=True):
    """How values along a text are cut."""

    length: int
    """Values in a block; the last one takes what is left over."""
    number: int


def correlation_time(values: "NDArray[np.float64]") -> float:
    """Return how many neighbours count as one value: 1 + 2 times the sum of the autocorrelations; 1 at least.

    The sum ends where two neighbouring ones add up to less than nothing (Geyer 1992, Statistical Science 7:473-483,
    the initial positive sequence), so that the noise of far ones is not added up.
    """
    import numpy as np  # noqa: PLC0415 - slow to import

    apart = np.asarray(values, dtype=np.float64) - np.mean(values)
    n = len(apart)
    variance = float(apart @ apart) / n if n else 0.0
    if variance == 0:
        return 1.0
    padded = np.fft.rfft(apart, 2 ** ceil(np.log2(2 * n)))
    covariances = np.fft.irfft(np.abs(padded) ** 2)[:n] / n
    rho = covariances / variance
    total = 1.0
    for lag in range(1, n - 1, 2):
        pair = float(rho[lag] + rho[lag + 1])
        if pair <= 0:
            break
        total += 2 * pair
    return max(1.0, total)


def blocks_of(series: "Sequence[NDArray[np.float64]]") -> Blocks:
    """Choose one length of block for several series along the same text: what the most correlated of them needs.

    It is never so long that fewer than twelve blocks remain; a text that would need that is short for its correlation,
    and its intervals are too narrow.

    Raises:
        ValueError: There is no value.
    """
    n = len(series[0]) if series else 0
    if n == 0:
        raise ValueError("there is no value to cut into blocks")
    wanted = ceil(_TIMES * max(correlation_time(values) for values in series))
    length = max(1, min(wanted, n // FEWEST))
    return Blocks(length, max(1, n // length))


def block_sums(values: "NDArray[np.float64]", blocks: Blocks) -> "NDArray[np.float64]":
    """Add up each block."""
    import numpy as np  # noqa: PLC0415

    return np.add.reduceat(np.asarray(values, dtype=np.float64), np.arange(blocks.number) * blocks.length)


def mean_error(values: "NDArray[np.float64]", blocks: Blocks) -> float:
    """Return the standard error of the mean, from the sums of blocks.

    Raises:
        ValueError: There are fewer than two blocks.
    """
    import numpy as np  # noqa: PLC0415

    k = blocks.number
    if k < 2:
        raise ValueError("an error needs two blocks at least")
    sums, sizes = block_sums(values, blocks), block_sums(np.ones(len(values)), blocks)
    apart = sums - np.mean(values) * sizes
    return sqrt(k / (k - 1) * float(apart @ apart)) / len(values)


def mean_interval(
    values: "NDArray[np.float64]", blocks: Blocks, level: float = 0.95, *, skewed: bool = False
) -> Interval:
    """Return the interval of the mean: Student's, with as many degrees of freedom as there are blocks less one.

    Of values that are `skewed` by nature, it is corrected for that as in Hall 1992 (Journal of the Royal Statistical
    Society B 54:221-228): a few tokens have most of a KL divergence, and an interval as long on both sides is too low.

    Raises:
        ValueError: There are fewer than two blocks.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.stats import t  # noqa: PLC0415 - slow to import

    far, error = float(t.ppf((1 + level) / 2, blocks.number - 1)), mean_error(values, blocks)
    skew = _skew(values, blocks) if skewed else 0.0
    middle = float(np.mean(values))
    ends = middle - error * _straight(far, skew), middle - error * _straight(-far, skew)
    return Interval(low=min(ends), high=max(ends), level=level)


def share_interval(hits: "NDArray[np.float64]", blocks: Blocks, level: float = 0.95) -> Interval:
    """Return the interval of a share: Wilson's, at as many values as would be as sure if they were independent.

    Raises:
        ValueError: There are fewer than two blocks.
    """
    import numpy as np  # noqa: PLC0415

    share = float(np.mean(hits))
    return wilson_share(share, len(hits) / _effect(hits, blocks, level), level)


def quantile_interval(values: "NDArray[np.float64]", share: float, blocks: Blocks, level: float = 0.95) -> Interval:
    """Return the interval of a quantile: the quantiles of a little less and a little more.

    Woodruff 1952 (Journal of the American Statistical Association 47:635-646), with the error of the share below it by
    blocks. Where there are too few values for the upper end, it is the largest.

    Raises:
        ValueError: There are fewer than two blocks.
    """
    import numpy as np  # noqa: PLC0415

    below = (values <= np.quantile(values, share)).astype(np.float64)
    half = critical_z(level) * sqrt(share * (1 - share) * _effect(below, blocks, level) / len(values))
    low, high = np.quantile(values, [max(0.0, share - half), min(1.0, share + half)])
    return Interval(low=float(low), high=float(high), level=level)


def p_above(values: "NDArray[np.float64]", limit: float, blocks: Blocks, *, skewed: bool = False) -> float:
    """Return the p value of "the mean is at most `limit`": small where it is larger. It agrees with `mean_interval`.

    Raises:
        ValueError: There are fewer than two blocks.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.stats import t  # noqa: PLC0415

    error = mean_error(values, blocks)
    apart = float(np.mean(values)) - limit
    if error == 0:
        return 0.0 if apart > 0 else 1.0
    skew = _skew(values, blocks) if skewed else 0.0
    return float(t.sf(_bent(apart / error, skew), blocks.number - 1))


def _effect(hits: "NDArray[np.float64]", blocks: Blocks, level: float) -> float:
    """Return how many values count as one, with what is not known of that in it: 1 at least."""
    import numpy as np  # noqa: PLC0415
    from scipy.stats import t  # noqa: PLC0415

    share = float(np.mean(hits))
    plain = sqrt(share * (1 - share) / len(hits))
    unsure = float(t.ppf((1 + level) / 2, blocks.number - 1)) / critical_z(level)
    return max(1.0, (mean_error(hits, blocks) / plain) ** 2) * unsure**2 if plain else unsure**2


def _skew(values: "NDArray[np.float64]", blocks: Blocks) -> float:
    """Return the skewness of the sums of blocks over the root of their number; what Hall's correction takes."""
    import numpy as np  # noqa: PLC0415

    sums, sizes = block_sums(values, blocks), block_sums(np.ones(len(values)), blocks)
    apart = sums - np.mean(values) * sizes
    variance = float(np.mean(apart**2))
    return float(np.mean(apart**3)) / variance**1.5 / sqrt(blocks.number) if variance else 0.0


def _bent(statistic: float, skew: float) -> float:
    """Turn a mean over its error into what is distributed like Student's although values are skew."""
    return statistic + skew * statistic**2 / 3 + skew**2 * statistic**3 / 27 + skew / 6


def _straight(bent: float, skew: float) -> float:
    """Undo `_bent`."""
    import numpy as np  # noqa: PLC0415

    if abs(skew) < 1e-6:
        return bent
    inner = 1 + skew * (bent - skew / 6)
    return float(3 / skew * (np.cbrt(inner) - 1))
