"""How many questions it takes where only counts are known, and so the pairing of answers is lost.

Both variants get n questions each; `p` and `difference` are proportions. The test is the two-sided z test with pooled
variance, which is Pearson's chi-squared. Pairing needs 2 to 10 times fewer: see `evaluator.stats.power`.
"""

from math import ceil, sqrt
from statistics import NormalDist

from evaluator.stats.proportions import critical_z


def questions_unpaired(p: float, difference: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many questions each variant needs to show a difference around the mean accuracy p (normal).

    (z(1 - alpha/2) √(2p(1-p)) + z(power) √(p₁(1-p₁) + p₂(1-p₂)))² / difference² with p₁, p₂ = p ± difference/2 (Fleiss,
    Levin & Paik 2003, Statistical Methods for Rates and Proportions, chapter 4, without continuity correction).

    Raises:
        ValueError: the difference is 0, takes an accuracy out of 0 to 1, or alpha or power is no rate.
    """
    high, low = p + difference / 2, p - difference / 2
    if difference == 0 or not (0 <= high <= 1 and 0 <= low <= 1):
        raise ValueError(f"accuracies around {p} cannot differ by {difference}")
    _check(alpha, power)
    pooled = critical_z(1 - alpha) * sqrt(2 * p * (1 - p))
    apart = NormalDist().inv_cdf(power) * sqrt(high * (1 - high) + low * (1 - low))
    return ceil(((pooled + apart) / difference) ** 2)


def _check(alpha: float, power: float = 0.8) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is a rate of false alarms between 0 and 0.5, and {alpha} is not")
    if not alpha < power < 1:
        raise ValueError(f"power is a chance between alpha ({alpha}) and 1, and {power} is not")
