"""A few looks planned on a fixed budget: how extreme the statistic must be at each (group sequential design).

The rate of false alarms is spent as the budget is used up (Lan & DeMets 1983, Biometrika 70:659-663), and what each
look may spend is turned into a critical z by following the density of the statistic from look to look (Armitage,
McPherson & Rowe 1969, JRSS A 132:235-244; Jennison & Turnbull 2000, chapter 19). A look at n of N planned questions
is at the fraction n/N. The looks so far do not depend on those to come. The run cannot be extended beyond N.
scipy and numpy are imported where they are used, so that the command line starts without them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import ceil, e, inf, isfinite, log, sqrt
from typing import TYPE_CHECKING, Literal

from evaluator.stats.roots import find_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

SHORTEST_STEP = 5e-5
"""Looks are at least this share of the budget apart: one question of 20,000."""

LARGEST_Z = 37.5
"""Beyond, the chance is below the smallest float."""


def obrien_fleming(fractions: Sequence[float], alpha: float = 0.05, sides: Literal[1, 2] = 2) -> tuple[float, ...]:
    """Return the critical z of each look, with spending of O'Brien and Fleming's type: little early, most at the end.

    Two-sided alpha(t) = 4 - 4 Phi(z_{alpha/4} / sqrt t), one-sided 2 - 2 Phi(z_{alpha/2} / sqrt t) (Lan & DeMets
    1983, alpha_1*, on each side). Five equal looks at 0.05: 4.8769 3.3570 2.6803 2.2898 2.0310. With sides=2 a look
    rejects where |z| reaches it, with sides=1 where z does. inf where nothing can be spent yet.

    Raises:
        ValueError: the fractions do not rise from above 0 to at most 1 in steps of 1/20,000 or more, alpha is not
            between 0 and 1, or sides is neither 1 nor 2.
    """
    return _boundary(tuple(fractions), alpha, sides)


def nominal_level(z: float, sides: Literal[1, 2] = 2) -> float:
    """Return the level at which a plain test is done at a look with critical value z: a mid-p at most this rejects."""
    from scipy.special import ndtr  # noqa: PLC0415  slow to import

    return float(sides * ndtr(-z))


def repeated_p(z: Sequence[float], fractions: Sequence[float], sides: Literal[1, 2] = 2) -> float:
    """Return the smallest alpha whose boundary the statistic has reached at one of the looks so far.

    Repeated p value of Jennison & Turnbull 1984 (Control Clin Trials 5:33-45) and 1989 (JRSS B 51:305-361): at most
    alpha exactly when the design at alpha has stopped, so it can be corrected like any p. `z` is the statistic at each
    look, its sign ignored with sides=2; a p value becomes z = Phi^-1(1 - p/2). 1 where it exceeds 0.5.

    Raises:
        ValueError: there is not one z for each fraction, a z is no number, or the fractions or sides are refused by
            `obrien_fleming`.
    """
    if len(z) != len(fractions):
        raise ValueError(f"each look has one statistic, and there are {len(z)} at {len(fractions)} looks")
    if any(value != value for value in z):  # noqa: PLR0124  only nan differs from itself
        raise ValueError("the statistic of a look is not a number")
    bounded = tuple(max(-LARGEST_Z, min(LARGEST_Z, abs(value) if sides == 2 else value)) for value in z)
    return _repeated_p(bounded, tuple(fractions), sides)


@lru_cache(maxsize=4096)
def _repeated_p(z: tuple[float, ...], fractions: tuple[float, ...], sides: Literal[1, 2]) -> float:
    def excess(log_alpha: float) -> float:
        critical = _critical(fractions, e**log_alpha, sides)
        return max(value - bound for value, bound in zip(z, critical, strict=True))

    _check(fractions, 0.5, sides)
    if excess(log(0.5)) < 0:
        return 1.0
    # A look alone rejects at a level that is at most what was spent until then: alpha can be no smaller than this.
    least = min(
        _alpha_that_spends(nominal_level(value, sides), t, sides) for value, t in zip(z, fractions, strict=True)
    )
    low = log(max(least, 1e-300)) - 1e-9
    high = low
    while excess(high) < 0:
        low, high = high, min(log(0.5), high + 1)
    if low == high:
        return float(e**high)
    return float(e ** find_root(excess, low, high, xtol=1e-12))


@lru_cache(maxsize=1024)
def _boundary(fractions: tuple[float, ...], alpha: float, sides: Literal[1, 2]) -> tuple[float, ...]:
    _check(fractions, alpha, sides)
    return _critical(fractions, alpha, sides)


def _critical(fractions: tuple[float, ...], alpha: float, sides: Literal[1, 2]) -> tuple[float, ...]:
    """Follow a Brownian motion that has not yet crossed: its density over the nodes, from look to look."""
    import numpy as np  # noqa: PLC0415  slow to import
    from scipy.special import ndtri  # noqa: PLC0415  slow to import

    critical: list[float] = []
    spent = before = 0.0
    places, masses = np.zeros(1), np.ones(1)
    for i, t in enumerate(fractions):
        total = _spent(t, alpha, sides)
        step = sqrt(t - before)
        share = total - spent
        if i == 0:
            bound = float(-ndtri(share / sides)) if share > 0 else inf
        else:
            bound = _solve(places, masses, step, share, sides) / sqrt(t) if share > 0 else inf
        critical.append(bound)
        if i + 1 < len(fractions):
            finest = min(step, sqrt(fractions[i + 1] - t))
            places, masses = _advance(places, masses, step, _region(bound, t, sides), finest)
        spent, before = max(spent, total), t
    return tuple(critical)


def _region(bound: float, t: float, sides: Literal[1, 2]) -> tuple[float, float]:
    """Return where the motion goes on at time t; 10 standard deviations stand for no limit below."""
    high = min(bound, LARGEST_Z) * sqrt(t)
    return (-high if sides == 2 else min(-10 * sqrt(t), high - 10 * sqrt(t))), high


def _advance(
    places: NDArray[np.float64],
    masses: NDArray[np.float64],
    step: float,
    region: tuple[float, float],
    finest: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Gauss-Legendre nodes over the region and the mass at each after a normal step."""
    import numpy as np  # noqa: PLC0415  slow to import

    low, high = region
    # The integrand varies over the step's standard deviation: four nodes for each give ten digits or more.
    nodes, weights = _legendre(max(48, 16 * ceil((high - low) / finest / 4)))
    there = low + (nodes + 1) * (high - low) / 2
    away = (there[:, None] - places[None, :]) / step
    density = np.exp(-away * away / 2) @ masses / (step * sqrt(2 * np.pi))
    return there, density * weights * (high - low) / 2


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.special import roots_legendre  # noqa: PLC0415  slow to import

    nodes, weights = roots_legendre(count)
    return nodes, weights


def _solve(
    places: NDArray[np.float64], masses: NDArray[np.float64], step: float, share: float, sides: Literal[1, 2]
) -> float:
    """Return the bound that a step from these places crosses with probability `share`."""
    from scipy.special import ndtr  # noqa: PLC0415  slow to import

    def excess(bound: float) -> float:
        crossing = float(masses @ ndtr((places - bound) / step))
        if sides == 2:
            crossing += float(masses @ ndtr((-places - bound) / step))
        return log(max(crossing, 1e-320)) - log(share)

    lowest = 0.0 if sides == 2 else -12.0
    if excess(lowest) <= 0:
        return lowest
    return find_root(excess, lowest, float(places[-1]) + LARGEST_Z * step, xtol=1e-13)


def _spent(t: float, alpha: float, sides: Literal[1, 2]) -> float:
    """Return the share of false alarms that may have happened by time t."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415  slow to import

    parts = 2 * sides
    return float(parts * ndtr(ndtri(alpha / parts) / sqrt(t)))


def _alpha_that_spends(share: float, t: float, sides: Literal[1, 2]) -> float:
    """Return the alpha of which `share` is spent by time t: the inverse of `_spent`."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415  slow to import

    parts = 2 * sides
    return float(parts * ndtr(ndtri(share / parts) * sqrt(t)))


def _check(fractions: tuple[float, ...], alpha: float, sides: int) -> None:
    if not fractions or not all(isfinite(t) and 0 < t <= 1 for t in fractions):
        raise ValueError(f"looks are at fractions of the budget above 0 and up to 1, and these are {fractions}")
    if any(later - earlier < SHORTEST_STEP for earlier, later in pairwise((0.0, *fractions))):
        raise ValueError(f"looks follow each other by at least 1/20,000 of the budget, and these are at {fractions}")
    if not 0 < alpha < 1:
        raise ValueError(f"a rate of false alarms lies between 0 and 1, and {alpha} does not")
    if sides not in (1, 2):
        raise ValueError(f"a test has one side or two, and sides is {sides}")
