"""Several tests at once: p values corrected for having looked more than once."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

Key = TypeVar("Key")


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Adjust p values so that any false claim at all has probability at most alpha (Holm 1979).

    Compare with alpha itself; the order is kept; holds under any dependence between the tests.

    Raises:
        ValueError: a p value is not between 0 and 1.
    """
    ranked = _ranked(p)
    raised = (min(1.0, (len(p) - i) * p[index]) for i, index in enumerate(ranked))
    return _in_place(ranked, accumulate(raised, max))


def holm_by_key(p: Mapping[Key, float], family: int) -> dict[Key, float]:
    """Adjust p values by `holm` for a family of so many tests; those that are missing have a p of 1.

    Raises:
        ValueError: a p value is not between 0 and 1.
    """
    return dict(zip(p, holm([*p.values(), *[1.0] * (family - len(p))]), strict=False))


def benjamini_hochberg(p: Sequence[float]) -> tuple[float, ...]:
    """Adjust p values so that of all claims a share of at most alpha is false (Benjamini & Hochberg 1995).

    For exploring only: it promises less than Holm, and needs independent or positively dependent tests.

    Raises:
        ValueError: a p value is not between 0 and 1.
    """
    ranked = _ranked(p)[::-1]
    raised = (min(1.0, p[index] * len(p) / (len(p) - i)) for i, index in enumerate(ranked))
    return _in_place(ranked, accumulate(raised, min))


def _ranked(p: Sequence[float]) -> list[int]:
    for value in p:
        if not 0 <= value <= 1:
            raise ValueError(f"a p value lies between 0 and 1, and {value} does not")
    return sorted(range(len(p)), key=p.__getitem__)


def _in_place(ranked: list[int], adjusted: Iterable[float]) -> tuple[float, ...]:
    by_index = dict(zip(ranked, adjusted, strict=True))
    return tuple(by_index[i] for i in range(len(ranked)))
