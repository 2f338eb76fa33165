"""One estimate for a whole benchmark from questions sampled by stratum, such as MMLU-Pro's 14 categories.

The mean of every stratum counts by its share W = N_h / N of the benchmark, whatever share of it was asked:
sum W m, with variance sum W² s² / n, and times 1 - n/N in each stratum where the claim is about just these N questions
rather than about questions like them (Cochran 1977, Sampling Techniques, 3rd ed., chapter 5).

Two cases need care. A stratum without an answer says nothing: the weights are spread over those that were asked, and
`covered` is the share of the benchmark that these hold. A stratum with one question has no variance of its own: it gets
the variance within the others, pooled by their degrees of freedom; if no stratum has two, that of all questions around
one mean, which is too large rather than too small.
"""

from collections.abc import Mapping, Sequence
from math import fsum, inf, sqrt

from msgspec import Struct

from evaluator.stats.proportions import Interval, critical_z, wilson_share


class Estimate(Struct, frozen=True):
    """A mean over a benchmark's strata."""

    value: float
    """The mean."""
    error: float
    """Standard error, for questions like these; 0 where the answers within every stratum are alike."""
    interval: Interval
    interval_finite: Interval
    """For just the questions of the benchmark: no width where all were asked."""
    covered: float
    """Share of the benchmark's questions whose strata were asked."""


class _Stratum(Struct, frozen=True):
    asked: int
    size: int
    mean: float
    squares: float
    """Sum of squared deviations from the mean."""


def stratified(correct: Mapping[str, tuple[int, int]], sizes: Mapping[str, int], level: float = 0.95) -> Estimate:
    """Estimate the share of right answers from (right, asked) by stratum; sizes are the benchmark's questions.

    s² = n p (1 - p) / (n - 1) in a stratum. The intervals are Wilson's at the effective number of questions,
    n / deff, where deff is the variance over that of a simple sample (Kish 1965; for Wilson's: Dean & Pagano 2015,
    J Surv Stat Methodol 3:484-503); with one stratum just Wilson's. Where all strata are all right or all wrong it is
    1 / sum W²/n (Kish), so that 20 of 20 right is no certainty.

    Raises:
        ValueError: nothing was asked, a stratum has no size or more questions asked than that, a count is impossible,
            or level is not between 0 and 1.
    """
    for name, (right, asked) in correct.items():
        if not 0 <= right <= asked:
            raise ValueError(f"stratum {name!r}: {right} right of {asked} asked is impossible")
    strata = [
        _Stratum(asked, _size(name, asked, sizes), right / asked, right * (asked - right) / asked)
        for name, (right, asked) in correct.items()
        if asked
    ]
    return _estimate(strata, sum(sizes.values()), level, shares=True)


def stratified_mean(
    values: Mapping[str, Sequence[float]],
    sizes: Mapping[str, int],
    level: float = 0.95,
    *,
    shares: bool = False,
    effect: float = 1.0,
) -> Estimate:
    """Estimate the mean of one value per question, given by stratum; sizes are the benchmark's questions.

    The values are differences between two variants, from -1 to 1, and the intervals value ± z error, cut there. With
    `shares` they lie between 0 and 1, such as the share right of several answers, and the intervals are those of
    `stratified`. Where all differences of every stratum are alike, z error would have no width; there each s² is taken
    for 2 / n, n questions in all, as if one had been won and one lost (after Bonett & Price 2012). Variances count
    `effect` times, the design effect of questions that repeat one another (`clusters.design_effect`).

    Raises:
        ValueError: nothing was asked, a stratum has no size or more values than that, a value is out of its range, or
            level is not between 0 and 1.
    """
    lowest = 0 if shares else -1
    for name, given in values.items():
        for value in given:
            if not lowest <= value <= 1:
                raise ValueError(f"stratum {name!r}: a value lies between {lowest} and 1, and {value} does not")
    strata = []
    for name, given in values.items():
        if given:
            # Alike values must leave exactly no variance, and the mean of 0.1, 0.1, 0.1 is a hair beside 0.1.
            mean = given[0] if min(given) == max(given) else fsum(given) / len(given)
            squares = fsum((value - mean) ** 2 for value in given)
            strata.append(_Stratum(len(given), _size(name, len(given), sizes), mean, squares))
    return _estimate(strata, sum(sizes.values()), level, shares=shares, effect=effect)


def _size(name: str, asked: int, sizes: Mapping[str, int]) -> int:
    if name not in sizes:
        raise ValueError(f"stratum {name!r} has no size: say how many questions the benchmark has in it")
    if asked > sizes[name]:
        raise ValueError(f"stratum {name!r} has {sizes[name]} questions, and {asked} were asked")
    return sizes[name]


def _estimate(strata: Sequence[_Stratum], total: int, level: float, *, shares: bool, effect: float = 1.0) -> Estimate:
    if not strata:
        raise ValueError("no stratum was asked, so there is nothing to estimate")
    covered = sum(s.size for s in strata)
    weights = [s.size / covered for s in strata]
    # Divided once and last: exactly 1 where all strata are.
    value = fsum(s.size * s.mean for s in strata) / covered
    # What each stratum would add to the variance of the mean if its questions had variance 1.
    plain = [effect * w * w / s.asked for w, s in zip(weights, strata, strict=True)]
    finite = [part * (1 - s.asked / s.size) for part, s in zip(plain, strata, strict=True)]
    spread = _variances(strata)
    scales = [(_dot(parts, spread), fsum(parts)) for parts in (plain, finite)]
    intervals = _share_intervals if shares else _difference_intervals
    interval, interval_finite = intervals(value, sum(s.asked for s in strata), scales, level)
    return Estimate(value, sqrt(scales[0][0]), interval, interval_finite, covered / total)


def _variances(strata: Sequence[_Stratum]) -> list[float]:
    freedom = sum(s.asked - 1 for s in strata)
    if freedom:
        pooled = fsum(s.squares for s in strata) / freedom
    else:
        mean = fsum(s.mean for s in strata) / len(strata)
        pooled = fsum((s.mean - mean) ** 2 for s in strata) / max(1, len(strata) - 1)
    return [s.squares / (s.asked - 1) if s.asked > 1 else pooled for s in strata]


def _share_intervals(value: float, asked: int, scales: list[tuple[float, float]], level: float) -> list[Interval]:
    plain, finite = (_effective(value, asked, variance, unit) for variance, unit in scales)
    # Where only strata without a variance are left to chance, the fallback may say less than the plain estimate.
    return [wilson_share(value, plain, level), wilson_share(value, max(plain, finite), level)]


def _effective(value: float, asked: int, variance: float, unit: float) -> float:
    if variance > 0:
        return asked / (asked - 1) * value * (1 - value) / variance
    return 1 / unit if unit else inf


def _difference_intervals(value: float, asked: int, scales: list[tuple[float, float]], level: float) -> list[Interval]:
    plain, finite = (variance or unit * 2 / asked for variance, unit in scales)
    halves = (critical_z(level) * sqrt(variance) for variance in (plain, min(plain, finite)))
    return [Interval(max(-1.0, value - half), min(1.0, value + half), level) for half in halves]


def _dot(parts: Sequence[float], by: Sequence[float]) -> float:
    return fsum(x * y for x, y in zip(parts, by, strict=True))
