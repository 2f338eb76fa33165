"""How many questions show equivalence by the test that decides here, Tango's score test against ±margin.

Under a difference of the margin some answers must flip, and the score test reckons with that: where the rate of
disagreement is not well above the margin it needs more questions than `evaluator.stats.power` says, which takes the
variance at hand. The power of either is approximate. All are proportions.
"""

from math import ceil, sqrt
from statistics import NormalDist

from evaluator.stats.equivalence import check_margin
from evaluator.stats.paired import at_least_one
from evaluator.stats.power import check_rates
from evaluator.stats.proportions import critical_z
from evaluator.stats.roots import find_root


def score_questions_for_equivalence(margin: float, flip_rate: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many questions show two equal variants equivalent within ±margin (normal, restricted variance).

    n = ((z(1 - alpha) s₀ + z((1 + power) / 2) s₁) / margin)² with s₁² = flip_rate and s₀² what the variance under a
    difference of the margin tends to (Nam 1997, Biometrics 53:1422-1430). Exact power lies between it and .88 for .80.
    Without any flips it is what Tango's interval needs, z²(1 - margin)/margin.

    Raises:
        ValueError: the margin or a rate is none.
    """
    check_margin(margin)
    check_rates(flip_rate, alpha, power)
    return max(1, ceil((_distance(margin, flip_rate, alpha, power) / margin) ** 2 * (1 - 1e-12)))


def score_smallest_margin(n: int, flip_rate: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Return the smallest margin within which n questions show two equal variants equivalent, the above inverted.

    None where there is none below 1.

    Raises:
        ValueError: n is below 1, or a rate is none.
    """
    at_least_one(n)
    check_rates(flip_rate, alpha, power)

    def surplus(margin: float) -> float:
        return margin * sqrt(n) - _distance(margin, flip_rate, alpha, power)

    most = 1 - 1e-12
    return find_root(surplus, 1e-12, most, xtol=1e-14) if surplus(most) > 0 else None


def _distance(margin: float, flip_rate: float, alpha: float, power: float) -> float:
    """Give what margin √n has to be."""
    z, z_power = critical_z(1 - 2 * alpha), NormalDist().inv_cdf((1 + power) / 2)
    return z * sqrt(_variance(flip_rate / 2, flip_rate / 2, margin)) + z_power * sqrt(flip_rate)


def _variance(b: float, c: float, d0: float) -> float:
    """Give Tango's variance per question under a difference of d0, for shares b and c of flips."""
    linear = (2 - b + c) * d0 - b - c
    root = sqrt(max(0.0, linear * linear + 8 * c * d0 * (1 - d0)))
    return (root - linear) / 2 + d0 * (1 - d0)
