"""Several variants of which only counts are known: is there any difference among them at all?

scipy and numpy are imported where they are used, so that the command line starts without them.
"""

from collections.abc import Sequence

from evaluator.stats.proportions import Test, chi_squared_tail

MOST_TABLES = 3_000_000
"""Beyond as many, `freeman_halton` gives up: by then chi-squared is as good, unless almost all or none are right."""
_TIE = 1e-7
"""Relative: chances closer than this are one and the same, computed in different order."""


def chi_squared_of_all(counts: Sequence[tuple[int, int]]) -> Test:
    """Return Pearson's chi-squared for k counts (right, asked), df = k - 1, and its p; 0 and 1 where all or none are.

    Pearson 1900; the sum over variants of (right - expected)^2 / (expected (1 - pooled share)).

    Raises:
        ValueError: there are fewer than two counts, or one does not lie between 0 and its n, or an n is 0.
    """
    _check(counts)
    right, n = sum(k for k, _ in counts), sum(m for _, m in counts)
    if right in (0, n):
        return Test(0.0, 1.0)
    value = sum((k * n - m * right) ** 2 / m for k, m in counts) / (right * (n - right))
    return Test(value, chi_squared_tail(value, len(counts) - 1))


def freeman_halton(counts: Sequence[tuple[int, int]]) -> float | None:
    """Return the exact p for k counts (right, asked): all tables with these margins no more likely than this one.

    Freeman & Halton 1951, Biometrika 38:141-149, by enumeration (scipy.stats.fisher_exact draws tables by chance where
    there are more than two counts). None where there are more than 3,000,000 tables.

    Raises:
        ValueError: there are fewer than two counts, or one does not lie between 0 and its n, or an n is 0.
    """
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.special import gammaln  # noqa: PLC0415  slow to import

    _check(counts)
    right, n = sum(k for k, _ in counts), sum(m for _, m in counts)
    # Counting the rarer of right and wrong makes the fewest tables; so does leaving the largest group to the end.
    rare = min(right, n - right)
    groups = sorted(((k if rare == right else m - k, m) for k, m in counts), key=lambda group: group[1])

    def ways(m: int, k: "np.ndarray | int") -> "np.ndarray":
        return np.asarray(gammaln(m + 1) - gammaln(np.add(k, 1)) - gammaln(m - np.asarray(k) + 1))

    spent, chance, room = np.zeros(1, dtype=np.int64), np.zeros(1), n
    for _, m in groups[:-1]:
        room -= m
        if len(spent) * (min(m, rare) + 1) > 4 * MOST_TABLES:
            return None
        k = np.arange(min(m, rare) + 1)
        spent, chance = np.add.outer(spent, k).ravel(), np.add.outer(chance, ways(m, k)).ravel()
        possible = (spent <= rare) & (rare - spent <= room)
        spent, chance = spent[possible], chance[possible]
        if len(spent) > MOST_TABLES:
            return None
    chance = chance + ways(groups[-1][1], rare - spent)
    observed = sum(float(ways(m, k)) for k, m in groups)
    chance = np.exp(chance - observed)
    return min(1.0, float(chance[chance <= 1 + _TIE].sum() / chance.sum()))


def _check(counts: Sequence[tuple[int, int]]) -> None:
    if len(counts) < 2:
        raise ValueError(f"a comparison needs at least two counts, and there are {len(counts)}")
    for k, n in counts:
        if n <= 0 or not 0 <= k <= n:
            raise ValueError(f"{k} of {n} is no proportion: the count must lie between 0 and {n}, which is above 0")
