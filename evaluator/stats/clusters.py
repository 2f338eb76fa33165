"""Answers that hang together: several questions on one passage, or several answers to one question.

A benchmark's categories are no clusters but strata: fixed, and all of them asked.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import fsum, sqrt

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


def _grouped(values: Sequence[float], clusters: Sequence[Hashable]) -> list[list[float]]:
    if len(values) != len(clusters):
        raise ValueError(f"each value has one cluster, and there are {len(values)} values and {len(clusters)} clusters")
    groups: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        groups[cluster].append(value)
    return list(groups.values())
