"""How many questions a design that looks early asks, by simulated runs that its own rules end."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from math import log
from random import Random
from statistics import fmean

from msgspec import Struct

from evaluator.decide.designs import LOOK_EVERY
from evaluator.decide.samples import Sample, difference_p, score_z
from evaluator.stats.group_sequential import nominal_level, obrien_fleming
from evaluator.stats.paired import PairedTable
from evaluator.stats.sequential import log_e_no_difference, log_equivalence_path
from evaluator.study.study import Mode

RUNS = 100
_LOOKS = 6_000
"""Looks of all simulated runs together at most: with many questions there are fewer runs, but never below a number."""
_FEWEST_RUNS = 40

Rule = Callable[[Sequence[float]], int | None]
"""Says after how many of the questions a comparison is decided, from what each contributes; None: not by them."""


class EarlyEnd(Struct, frozen=True, kw_only=True):
    """How many questions a variant is asked until its comparison is decided. Proportions throughout."""

    difference: float
    """The true one."""
    disagreement: float
    """Share of the questions that only one of the two solves."""
    questions: float
    """On average; all that are planned where it is never decided."""
    decided: float
    """Share of the runs that were decided, before or at the end."""
    runs: int
    """Simulated."""


def early_ends(
    mode: Mode, questions: int, *, margin: float, level: float, looks: int, disagreement: float
) -> tuple[EarlyEnd, ...]:
    """Simulate runs with no difference, one of the margin, and one of twice the margin; empty for a fixed design.

    Args:
        mode: How is decided.
        questions: That are planned, each answered once.
        margin: Of equivalence.
        level: Of the comparison: alpha, or Holm's strictest.
        looks: Planned looks of a group-sequential design.
        disagreement: Share of the questions that only one of the two solves; at least the difference itself.
    """
    if mode == "fixed":
        return ()
    rule = _sequential(margin, level) if mode == "sequential" else _group_sequential(questions, margin, level, looks)
    every = LOOK_EVERY if mode == "sequential" else max(1, questions // looks)
    runs = max(_FEWEST_RUNS, min(RUNS, _LOOKS * every // questions))
    return tuple(
        _simulated(rule, questions, difference, max(disagreement, difference), runs)
        for difference in (0.0, margin, 2 * margin)
        if difference < 1
    )


def _simulated(rule: Rule, questions: int, difference: float, disagreement: float, runs: int) -> EarlyEnd:
    random = Random(42)  # noqa: S311 - the same plan says the same
    won, lost = (disagreement - difference) / 2, (disagreement + difference) / 2
    weights = (won, lost, 1 - disagreement)
    ends = [rule(random.choices((1.0, -1.0, 0.0), weights, k=questions)) for _ in range(runs)]
    return EarlyEnd(
        difference=difference,
        disagreement=disagreement,
        questions=fmean(questions if end is None else end for end in ends),
        decided=fmean(end is not None for end in ends),
        runs=runs,
    )


def _sequential(margin: float, level: float) -> Rule:
    enough = -log(level)

    def within(steps: Sequence[float]) -> int | None:
        looks = [*range(LOOK_EVERY, len(steps), LOOK_EVERY), len(steps)]
        won, lost = ([*accumulate(step == sign for step in steps)] for sign in (1.0, -1.0))
        different = (log_e_no_difference(won[look - 1], lost[look - 1]) for look in looks)
        equivalent = log_equivalence_path(steps, margin, looks)
        found = zip(looks, different, equivalent, strict=True)
        return next((look for look, e, same in found if max(e, same) >= enough), None)

    def decided(steps: Sequence[float]) -> int | None:
        end = 20 * LOOK_EVERY
        while (found := within(steps[:end])) is None and end < len(steps):
            end *= 2
        return found

    return decided


def _group_sequential(questions: int, margin: float, level: float, looks: int) -> Rule:
    ends = [-(-questions * (k + 1) // looks) for k in range(looks)]
    fractions = tuple(end / questions for end in ends)
    two, one = _bounds(fractions, level, 2), _bounds(fractions, level, 1)

    def decided(steps: Sequence[float]) -> int | None:
        not_worse = not_better = False
        for end, level_here, z in zip(ends, map(nominal_level, two), one, strict=True):
            won, lost = (sum(step == sign for step in steps[:end]) for sign in (1.0, -1.0))
            sample = Sample(tuple(steps[:end]), PairedTable(end - won - lost, won, lost, 0))
            not_worse = not_worse or score_z(sample, -margin) >= z
            not_better = not_better or -score_z(sample, margin) >= z
            if difference_p(sample) <= level_here or (not_worse and not_better):
                return end
        return None

    return decided


@cache
def _bounds(fractions: tuple[float, ...], level: float, sides: int) -> tuple[float, ...]:
    return obrien_fleming(fractions, level, 1 if sides == 1 else 2)
