"""How many questions it takes, and what so many can show.

Differences, margins and rates of disagreement (`flip_rate`: the share of questions that only one of the two solves) are
proportions: 0.02 is 2 points. "Power" is the chance to see what is there. What is approximate (normal) says so.
Where answers are not paired, see `evaluator.stats.power_unpaired`.
"""

from math import ceil, sqrt
from statistics import NormalDist

from evaluator.stats.paired import at_least_one
from evaluator.stats.proportions import critical_z

_NORMAL = NormalDist()


def questions_to_see(difference: float, flip_rate: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many questions show a true difference with the given power (Connor 1987, Biometrics 43:207-211).

    Flip rate and difference are proportions; with repeats the flip rate is the mean squared difference per question.

    Raises:
        ValueError: the difference is 0, or larger than a rate of disagreement allows.
    """
    if difference == 0 or flip_rate < difference**2:
        raise ValueError(f"a flip rate of {flip_rate} allows no difference of {difference} to look for")
    z_alpha, z_power = critical_z(1 - alpha), NormalDist().inv_cdf(power)
    return ceil(((z_alpha * sqrt(flip_rate) + z_power * sqrt(flip_rate - difference**2)) / difference) ** 2)


def detectable_difference(n: int, flip_rate: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Return the smallest difference that n questions to both show with the given power, two-sided (normal).

    Connor 1987 (Biometrics 43:207-211) solved for the difference. None where even all flips one way are not enough:
    a difference cannot be larger than the rate of disagreement.

    Raises:
        ValueError: n is below 1, the flip rate is no proportion, or alpha and power are no rates with alpha < power.
    """
    at_least_one(n)
    check_rates(flip_rate, alpha, power)
    z_alpha, z_power = critical_z(1 - alpha), _NORMAL.inv_cdf(power)
    left = n + z_power**2 - z_alpha**2
    if left < 0:
        return None
    difference = sqrt(flip_rate) * (z_alpha * sqrt(n) + z_power * sqrt(left)) / (n + z_power**2)
    return difference if 0 < difference <= flip_rate else None


def resolution(n: int, needed: int) -> float:
    """Return the questions asked as a share of those needed: from 1 on the study resolves what it looks for.

    "Resolution Diagnostics for Paired LLM Evaluation" (arXiv 2605.30315) puts it beside every comparison as N/N*.

    Raises:
        ValueError: n is negative, or needed is below 1.
    """
    if n < 0 or needed < 1:
        raise ValueError(f"a resolution is of questions asked among at least one needed, and {n} of {needed} is not")
    return n / needed


def check_rates(flip_rate: float, alpha: float, power: float = 0.8) -> None:
    """Refuse what is no rate or no chance.

    Raises:
        ValueError: the flip rate is no proportion, or alpha or the power make no sense.
    """
    if not 0 <= flip_rate <= 1:
        raise ValueError(f"a flip rate is a proportion between 0 and 1, and {flip_rate} is not")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is a rate of false alarms between 0 and 0.5, and {alpha} is not")
    if not alpha < power < 1:
        raise ValueError(f"power is a chance between alpha ({alpha}) and 1, and {power} is not")
