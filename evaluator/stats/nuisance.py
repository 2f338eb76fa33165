"""What an exact test of two independent proportions needs: the worst case over the proportion both would share.

Given the sum of both counts, one of them is hypergeometric; the sum itself is binomial with the unknown shared
proportion. So the size of a rejection region is a mixture of its conditional sizes, and is maximised over one number.
scipy and numpy are imported where they are used, so that the command line starts without them.
"""

from functools import lru_cache
from math import log, pi, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEGLIGIBLE = 25.0
"""Tails lighter than e to the minus this, relative to the p value in question, are left out: 1e-11."""


def given_sums(n_a: int, n_b: int, p: float, *, lower: bool) -> "Iterator[tuple[Floats, Floats]]":
    """Yield, for every sum of both counts from 0 to n_a + n_b at once, a count of the first group and its chance.

    Counts rise by one from step to step, from different beginnings for different sums. Those so far from the mean that
    they matter less than 1e-11 of p are left out (Serfling 1974, Ann Stat 2:39-48), and with `lower` those more than 3
    above it. Chances are exact to about 1e-10, relative.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    n, few = n_a + n_b, min(n_a, n_b)
    s = np.arange(n + 1.0)
    short = np.minimum(s, n - s)
    spread = np.minimum(short * (1 - (short - 1) / n), few * (1 - (few - 1) / n))
    reach = np.sqrt(np.maximum(spread, 1) / 2 * (_NEGLIGIBLE - log(p))) + 1
    x = np.floor(np.maximum(np.maximum(0, s - n_b), s * n_a / n - reach))
    end = np.minimum(np.minimum(n_a, s), s * n_a / n + (3 if lower else reach))
    factorial = _log_factorials(n)
    at, sums = x.astype(np.int64), np.arange(n + 1)
    chance = factorial[n_a] + factorial[n_b] - factorial[n] + factorial[sums] + factorial[n - sums]
    chance -= factorial[at] + factorial[n_a - at] + factorial[sums - at] + factorial[n_b - sums + at]
    chance = np.exp(chance)
    for _ in range(int(np.ceil(end - x).max()) + 1):
        yield x, chance
        chance = chance * ((n_a - x) * (s - x) / ((x + 1) * (n_b - s + x + 1)))
        x = x + 1


def largest(levels: "Floats") -> float:
    """Return the maximum over p of E levels[S], S binomial with n = len(levels) - 1 and p.

    On the scale of asin(sqrt p) a binomial is about 1 / (2 sqrt n) wide everywhere, so that nothing in the mixture
    is narrower: steps of half of that find every peak, and the highest ones are then followed to the top.
    """
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.optimize import minimize_scalar  # noqa: PLC0415  slow to import

    n = len(levels) - 1
    count = max(64, round(2 * pi * sqrt(n)))
    angles = np.linspace(0, pi / 2, count + 2)
    values = np.array([float(levels[0]), *_mixture(levels, angles[1:-1]), float(levels[-1])])
    peaks = [i for i in range(1, count + 1) if values[i - 1] <= values[i] >= values[i + 1]]
    best = float(values.max())
    for i in sorted(peaks, key=lambda i: -values[i])[:8]:
        peak = minimize_scalar(
            lambda angle: -float(_mixture(levels, np.array([angle]))[0]),
            bounds=(angles[i - 1], angles[i + 1]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        best = max(best, -float(peak.fun))
    return min(1.0, best)


def _mixture(levels: "Floats", angles: "Floats") -> "Floats":
    import numpy as np  # noqa: PLC0415  slow to import

    n = len(levels) - 1
    factorial = _log_factorials(n)
    share = np.sin(angles) ** 2
    half = np.ceil(np.minimum(n, 7.5 * np.sqrt(n * share * (1 - share)) + 30))
    first = np.maximum(0, np.floor(n * share - half)).astype(np.int64)
    s = first[:, None] + np.arange(min(n, int(2 * half.max())) + 1)
    inside = s <= n
    s = np.minimum(s, n)
    chance = factorial[n] - factorial[s] - factorial[n - s]
    chance = chance + s * (2 * np.log(np.sin(angles)))[:, None] + (n - s) * (2 * np.log(np.cos(angles)))[:, None]
    mixed: Floats = np.where(inside, np.exp(chance) * levels[s], 0.0).sum(axis=1)
    return mixed


@lru_cache(maxsize=4)
def _log_factorials(n: int) -> "Floats":
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.special import gammaln  # noqa: PLC0415  slow to import

    table: Floats = gammaln(np.arange(n + 1) + 1.0)
    return table
