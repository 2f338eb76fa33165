"""Answers that hang together: questions that repeat one another, or several answers to one question.

A benchmark's categories are no clusters but strata: fixed, and all of them asked.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from math import fsum, sqrt

from evaluator.stats.coins import coin_chances
from evaluator.stats.paired import PairedTable, mcnemar_midp
from evaluator.stats.proportions import Interval, wilson_share
from evaluator.stats.repeats import sign_flip


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the standard error of the mean of values, in their unit, where those of one cluster hang together.

    sqrt(sum over clusters of (sum of v - mean)²) / n: Miller 2024 (arXiv 2411.00640, section on clustered errors),
    without correction for few clusters (CR0), so too small below about 30 of them. clusters[i] is that of values[i].

    Raises:
        ValueError: fewer than two clusters, or not one cluster for each value.
    """
    n, groups = len(values), _grouped(values, clusters)
    if len(groups) < 2:
        raise ValueError(f"a clustered error needs at least two clusters, and there is {len(groups)}")
    mean = fsum(values) / n
    return sqrt(fsum(fsum(v - mean for v in group) ** 2 for group in groups)) / n


def cluster_sign_flip(differences: Sequence[float], clusters: Sequence[Hashable], seed: int = 0) -> float:
    """Return the two-sided p value of "no difference" where whole clusters change sign together.

    The sums per cluster, tested as in `repeats.sign_flip`: exact for up to 20 clusters with a difference, 10,000 draws
    beyond. With MMLU-Pro's 14 categories as clusters it asks about another set of subjects: a check of sensitivity.

    Raises:
        ValueError: not one cluster for each difference.
    """
    return sign_flip([fsum(group) for group in _grouped(differences, clusters)], seed)


def cluster_sums(differences: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    """Add up the differences of each cluster.

    Raises:
        ValueError: not one cluster for each difference.
    """
    return [fsum(group) for group in _grouped(differences, clusters)]


def cluster_midp(sums: Sequence[int]) -> float:
    """Return the two-sided mid-p value of "no difference" from each cluster's questions won less those lost.

    Without a difference the sign of a cluster's sum is a coin's, however its questions hang together. All sign patterns
    are counted, as sums of binomials, and those as extreme as what was seen count half. With clusters of one question
    it is McNemar's mid-p (`paired.mcnemar_midp`). 1 where all sums are 0.
    """
    sizes = Counter(abs(total) for total in sums if total)
    if len(sizes) < 2:  # none, or McNemar's table
        return mcnemar_midp(PairedTable(0, sum(total > 0 for total in sums), sum(total < 0 for total in sums), 0))
    import numpy as np  # noqa: PLC0415  slow to import

    chances = np.ones(1)
    for size, count in sorted(sizes.items()):
        apart = np.zeros(2 * size * count + 1)
        apart[:: 2 * size] = coin_chances(count)
        chances = np.convolve(chances, apart)
    most = sum(size * count for size, count in sizes.items())
    distance, seen = np.abs(np.arange(-most, most + 1)), abs(sum(sums))
    return float(min(1.0, chances[distance > seen].sum() + chances[distance == seen].sum() / 2))


def design_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return how many times the variance of a mean of independent values the values of clusters have; 1 at least.

    sum over clusters of (sum of v - mean)² over sum of (v - mean)² (Miller 2024, as `clustered_error`), so that n
    questions tell as much as n / effect independent ones (Kish 1965; Rao & Scott 1992, Biometrics 48:577-585). A value
    of 1 and one of -1 are added, as if a whole cluster had agreed on each: with hardly a difference to see, it tends to
    what clusters that always agree would have, sum m² / n for clusters of m. Exactly 1 where no cluster has two values.

    Raises:
        ValueError: no value, or not one cluster for each.
    """
    groups = _grouped(values, clusters)
    n = len(values)
    if not n:
        raise ValueError("there is no value, so there is no variance")
    if len(groups) == n:
        return 1.0
    mean = fsum(values) / n
    together = fsum(fsum(v - mean for v in group) ** 2 for group in groups)
    plain = fsum((v - mean) ** 2 for v in values)
    agreeing = sum(len(group) ** 2 for group in groups) / n
    return max(1.0, (together + 2 * agreeing) / (plain + 2))


def clustered_share(hits: Sequence[float], clusters: Sequence[Hashable], level: float = 0.95) -> Interval:
    """Return Wilson's interval for the mean of hits, 0 to 1 each, at the effective number of questions.

    Raises:
        ValueError: no hit, one outside of 0 to 1, not one cluster for each, or level is not between 0 and 1.
    """
    effect = design_effect(hits, clusters)
    return wilson_share(fsum(hits) / len(hits), len(hits) / effect, level)


def _grouped(values: Sequence[float], clusters: Sequence[Hashable]) -> list[list[float]]:
    if len(values) != len(clusters):
        raise ValueError(f"each value has one cluster, and there are {len(values)} values and {len(clusters)} clusters")
    groups: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        groups[cluster].append(value)
    return list(groups.values())
