"""Simulate how often tests and intervals err on all of MMLU-Pro, where 748 of the 12,032 questions share 357 texts.

`python -m tests.bench.simulate_repeated [--runs 10000] [--seed 1]` prints a markdown table; six minutes on one core.
Each text falls to one of the two variants, or to neither, as a question of its own would; with `agreeing` a question
with the same text does as the first did, else it is drawn anew. Beside it stands a made-up benchmark of 1,000 questions
that all stand twice. "Plain" takes all questions for independent, "clustered" is what reports show.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluator.benchmarks import mmlu_pro
from evaluator.decide.samples import Sample, difference_interval, difference_p, equivalence_p
from evaluator.stats.clusters import design_effect
from evaluator.stats.paired import PairedTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALPHA = 0.05
MARGIN = 0.01


class Errors(NamedTuple):
    """Shares of simulated runs."""

    false_alarm: float
    """Called different, without a difference."""
    missed: float
    """The interval does not hold the true difference of one point."""
    false_equivalence: float
    """Called equivalent within one point, with a difference of one point."""


def mmlu_pro_sizes() -> dict[int, int]:
    """Count the texts that stand once, twice, three times ... in MMLU-Pro."""
    repeated = mmlu_pro.repeated()
    several = Counter(Counter(repeated.values()).values())
    return {1: mmlu_pro.TOTAL - len(repeated), **several}


def draw(
    rng: np.random.Generator, sizes: Mapping[int, int], p10: float, p01: float, agreeing: float
) -> list[list[int]]:
    """Draw one run: for each text on which the variants differ somewhere, the differences of its questions."""
    groups: list[list[int]] = []
    for size, count in sorted(sizes.items()):
        chance = rng.random((count, size))
        values = (chance < p10).astype(int) - ((chance >= p10) & (chance < p10 + p01)).astype(int)
        same = rng.random((count, size)) < agreeing
        values = np.where(same, values[:, :1], values)
        groups += [[int(v) for v in row] for row in values[values.any(axis=1)]]
    return groups


def samples(groups: list[list[int]], sizes: Mapping[int, int]) -> tuple[Sample, Sample]:
    """Make of a run the sample without clusters and the one with them, without listing what does not differ."""
    n = sum(size * count for size, count in sizes.items())
    values = [v for group in groups for v in group]
    won, lost = values.count(1), values.count(-1)
    table = PairedTable(0, won, lost, n - won - lost)
    labels = tuple(str(i) for i, group in enumerate(groups) for _ in group)
    differences = tuple(float(v) for v in values)
    return Sample(differences, table), Sample(differences, table, 1, labels, effect(groups, sizes))


def effect(groups: list[list[int]], sizes: Mapping[int, int]) -> float:
    """Compute `design_effect` from the texts that differ; the others all add their size times the mean."""
    n = sum(size * count for size, count in sizes.items())
    mean = sum(map(sum, groups)) / n
    left = Counter(sizes)
    left.subtract(Counter(map(len, groups)))
    alike = sum(count * (size * mean) ** 2 for size, count in left.items())
    together = alike + sum((sum(group) - len(group) * mean) ** 2 for group in groups)
    plain = sum(v * v for group in groups for v in group) - n * mean * mean
    agreeing = sum(count * size * size for size, count in sizes.items()) / n
    return max(1.0, (together + 2 * agreeing) / (plain + 2))


def check(rng: np.random.Generator, sizes: Mapping[int, int]) -> None:
    """Hold the shortcut of `effect` against the project's own rule.

    Raises:
        AssertionError: they differ.
    """
    for agreeing in (0.0, 0.5, 1.0):
        groups = draw(rng, sizes, 0.04, 0.02, agreeing)
        left = Counter(sizes)
        left.subtract(Counter(map(len, groups)))
        everything = [*groups, *([0] * size for size, count in left.items() for _ in range(count))]
        labels = [i for i, group in enumerate(everything) for _ in group]
        exact = design_effect([float(v) for group in everything for v in group], labels)
        if abs(exact - effect(groups, sizes)) > 1e-9:
            raise AssertionError(f"the shortcut gives {effect(groups, sizes)}, the rule {exact}")


def simulate(
    rng: np.random.Generator, runs: int, sizes: Mapping[int, int], psi: float, agreeing: float
) -> tuple[Errors, Errors]:
    """Return how often each errs, plain and clustered."""
    errors = np.zeros((2, 3))
    for _ in range(runs):
        equal = samples(draw(rng, sizes, psi / 2, psi / 2, agreeing), sizes)
        worse = samples(draw(rng, sizes, (psi + MARGIN) / 2, (psi - MARGIN) / 2, agreeing), sizes)
        for i in range(2):
            errors[i, 0] += difference_p(equal[i]) <= ALPHA
            interval = difference_interval(worse[i], 1 - ALPHA)
            errors[i, 1] += not interval.low <= MARGIN <= interval.high
            errors[i, 2] += equivalence_p(worse[i], MARGIN) <= ALPHA
    return Errors(*errors[0] / runs), Errors(*errors[1] / runs)


def rows(rng: np.random.Generator, runs: int) -> Iterator[str]:
    """Write the table."""
    yield "| questions | differ on | same text, same answer | | false alarms | interval misses | false equivalence |"
    yield "|---|---|---|---|---|---|---|"
    doubled = {2: 1_000}
    for name, sizes in (("all of MMLU-Pro", mmlu_pro_sizes()), ("1,000, each twice", doubled)):
        check(rng, sizes)
        for psi in (0.02, 0.05, 0.10) if sizes is not doubled else (0.10,):
            for agreeing in (1.0, 0.0):
                found = simulate(rng, runs, sizes, psi, agreeing)
                for kind, errors in zip(("plain", "clustered"), found, strict=True):
                    shares = " | ".join(f"{share:.4f} ± {sqrt(share * (1 - share) / runs):.4f}" for share in errors)
                    yield f"| {name} | {psi:.0%} | {agreeing:.0%} | {kind} | {shares} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for row in rows(np.random.default_rng(given.seed), given.runs):
        sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    main()
