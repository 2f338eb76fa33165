"""What the answers to the same questions show of one variant against the baseline: the numbers, in three designs.

Fixed: all questions are put, then tested once. Sequential: looked at as it goes, with e-values, which hold however
often one looks and whenever one stops. Group-sequential: looked at a few planned times. A design is chosen before the
first question, and its numbers are never mixed with another's. All proportions are between 0 and 1.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import ceil, fsum
from statistics import NormalDist
from typing import Literal

from msgspec import Struct

from evaluator.stats.difference import tango, tango_z
from evaluator.stats.equivalence import equivalence, noninferiority, upper_tail
from evaluator.stats.group_sequential import nominal_level, obrien_fleming, repeated_p
from evaluator.stats.paired import PairedTable, mcnemar_midp, paired_table
from evaluator.stats.proportions import Interval
from evaluator.stats.repeats import mean_equivalence, mean_interval, mean_z, sign_flip, steadied
from evaluator.stats.sequential import (
    Side,
    anytime_p,
    confidence_sequence,
    log_e_no_difference,
    log_e_path,
    log_equivalence_path,
    tally,
)
from evaluator.study.study import Mode

Repeats = tuple[bool, ...]
Answers = Mapping[str, Repeats]
"""By question, whether each answer is correct; empty for a question that was put and has no answer."""
LOOK_EVERY = 20
"""Questions between two looks of the sequential design."""


class Design(Struct, frozen=True, kw_only=True):
    """How it is decided, and in which order the questions are put."""

    mode: Mode = "fixed"
    looks: int = 5
    """Of the group-sequential design."""
    order: Mapping[str, Sequence[str]] = {}
    """By benchmark the ids of all planned questions; where it is left out, the order of the variant's answers."""


FIXED = Design()


class Sample(Struct, frozen=True):
    """Questions that both answered equally often."""

    differences: tuple[float, ...]
    """Share of right answers, variant minus baseline, for each question in the order in which they are put."""
    table: PairedTable | None
    """A is the variant, B the baseline; None where a question was answered more than once."""
    answers: int = 1
    """To a question; the most there are."""


class Course(Struct, frozen=True, kw_only=True):
    """What was there to see at each look; the last is the one that counts."""

    mode: Mode
    put: int
    """Questions that were put to both, those without an answer included."""
    samples: tuple[Sample, ...]
    fractions: tuple[float, ...]
    """Of the planned questions, at each look."""


class Evidence(Struct, frozen=True, kw_only=True):
    """What one comparison shows, before it is corrected for the other comparisons."""

    n: int
    table: PairedTable | None
    difference: float
    interval: Interval
    family_interval: Interval
    equivalence_interval: Interval
    p: float
    equivalence_p: float
    noninferiority_p: float
    won: int
    lost: int
    spread: float
    """Mean squared difference per question; with one answer each, the rate of disagreement."""


def course(ours: Answers, theirs: Answers, benchmark: str, design: Design) -> Course:
    """Pair the answers, and cut them where it was looked; without a sample there is nothing to see yet."""
    order = design.order.get(benchmark) or tuple(ours)
    places = [
        (i, ours[q], theirs[q]) for i, q in enumerate(order) if len(ours.get(q, ())) == len(theirs.get(q, ())) > 0
    ]
    # Quick answers come first: where one may stop at any time, only the questions before the first open one count.
    passed = next((i for i, q in enumerate(order) if q not in ours or q not in theirs), len(order))
    ends = [len(order) if design.mode == "fixed" else passed]
    if design.mode == "group_sequential":
        ends = [end for k in range(design.looks) if (end := ceil(len(order) * (k + 1) / design.looks)) <= passed]
    samples = [(_sample([(a, b) for i, a, b in places if i < end]), end / len(order)) for end in ends if order]
    samples = [(sample, fraction) for sample, fraction in samples if sample.differences]
    return Course(
        mode=design.mode,
        put=sum(q in ours and q in theirs for q in order),
        samples=tuple(sample for sample, _ in samples),
        fractions=tuple(fraction for _, fraction in samples),
    )


def p_values(course: Course, margin: float) -> tuple[float, float]:
    """Return the p values of "no difference" and of "differs by the margin or more", as the design allows.

    Raises:
        ValueError: there is nothing to see yet, or the margin is no proportion between 0 and 1.
    """
    if not course.samples:
        raise ValueError("no question was answered by both, so there is nothing to compare")
    sample = course.samples[-1]
    if course.mode == "fixed":
        return _p(sample), _equivalence_p(sample, margin)
    if course.mode == "sequential":
        return anytime_p(_against_none(sample)), anytime_p(
            log_equivalence_path(sample.differences, margin, _looks(sample))
        )
    z = [-NormalDist().inv_cdf(max(_p(s), 1e-300) / 2) for s in course.samples]
    not_better = repeated_p([-_z(s, margin) for s in course.samples], course.fractions, sides=1)
    return repeated_p(z, course.fractions), max(_noninferiority_p(course, margin), not_better)


def evidence(course: Course, *, margin: float, alpha: float, family: int) -> Evidence:
    """Say what the answers show.

    Args:
        course: What was there to see.
        margin: Within which two variants count as equal.
        alpha: Rate of false alarms of all comparisons together.
        family: How many comparisons these are; the family's interval is widened for them (Bonferroni).

    Raises:
        ValueError: there is nothing to see yet, or the margin is no proportion between 0 and 1.
    """
    p, equivalence_p = p_values(course, margin)
    sample = course.samples[-1]
    differences = sample.differences
    return Evidence(
        n=len(differences),
        table=sample.table,
        difference=fsum(differences) / len(differences),
        interval=_interval(course, alpha),
        family_interval=_interval(course, alpha / family),
        equivalence_interval=_equivalence_interval(course, alpha, margin),
        p=p,
        equivalence_p=equivalence_p,
        noninferiority_p=_noninferiority_p(course, margin),
        won=sum(d > 0 for d in differences),
        lost=sum(d < 0 for d in differences),
        spread=fsum(d * d for d in differences) / len(differences),
    )


def _sample(pairs: Sequence[tuple[Repeats, Repeats]]) -> Sample:
    once = all(len(a) == 1 for a, _ in pairs)
    table = paired_table([a[0] for a, _ in pairs], [b[0] for _, b in pairs]) if once else None
    most = max((len(a) for a, _ in pairs), default=0)
    return Sample(tuple((sum(a) - sum(b)) / len(a) for a, b in pairs), table, most)


def _looks(sample: Sample) -> list[int]:
    n = len(sample.differences)
    return [*range(LOOK_EVERY, n, LOOK_EVERY), n]


def _against_none(sample: Sample) -> Sequence[float]:
    """Return at each look the logarithm of the e-value against "no difference"; with one answer each in closed form."""
    looks = _looks(sample)
    if sample.table is None:
        return [float(e) for e in log_e_path(sample.differences, 0.0, "two", looks)]
    won, lost = ([*accumulate(d == sign for d in sample.differences)] for sign in (1.0, -1.0))
    return [log_e_no_difference(won[look - 1], lost[look - 1]) for look in looks]


def _p(sample: Sample) -> float:
    return mcnemar_midp(sample.table) if sample.table else sign_flip(sample.differences)


def _z(sample: Sample, d0: float) -> float:
    return tango_z(sample.table, d0) if sample.table else mean_z(steadied(sample.differences), d0)


def _equivalence_p(sample: Sample, margin: float) -> float:
    return equivalence(sample.table, margin) if sample.table else mean_equivalence(steadied(sample.differences), margin)


def _noninferiority_p(course: Course, margin: float) -> float:
    sample = course.samples[-1]
    if course.mode == "sequential":
        return anytime_p(log_e_path(sample.differences, -margin, "above", _looks(sample)))
    if course.mode == "group_sequential":
        return repeated_p([_z(s, -margin) for s in course.samples], course.fractions, sides=1)
    return noninferiority(sample.table, margin) if sample.table else upper_tail(_z(sample, -margin))


def _interval(course: Course, alpha: float) -> Interval:
    """Return the interval for the difference; in the group-sequential design what the repeated ones share."""
    sample = course.samples[-1]
    if course.mode == "sequential":
        return _confidence_sequence(sample, 1 - alpha, sides=2, against=((0.0, "two"),))
    if course.mode == "fixed":
        return _plain_interval(sample, 1 - alpha)
    return _repeated_interval(course, 1 - alpha, obrien_fleming(course.fractions, alpha))


def _equivalence_interval(course: Course, alpha: float, margin: float) -> Interval:
    """Return the interval at level 1 - 2 alpha that lies within the margin where equivalence is shown."""
    sample = course.samples[-1]
    if course.mode == "sequential":
        return _confidence_sequence(sample, 1 - 2 * alpha, sides=1, against=((-margin, "above"), (margin, "below")))
    if course.mode == "fixed":
        return _plain_interval(sample, 1 - 2 * alpha)
    return _repeated_interval(course, 1 - 2 * alpha, obrien_fleming(course.fractions, alpha, sides=1))


def _plain_interval(sample: Sample, level: float) -> Interval:
    return tango(sample.table, level) if sample.table else mean_interval(steadied(sample.differences), level)


def _repeated_interval(course: Course, level: float, critical: Sequence[float]) -> Interval:
    found = [
        _plain_interval(sample, 1 - nominal_level(z))
        for sample, z in zip(course.samples, critical, strict=True)
        if nominal_level(z) > 0
    ]
    return _shared(found, course.samples[-1], level)


def _confidence_sequence(
    sample: Sample, level: float, *, sides: Literal[1, 2], against: tuple[tuple[float, Side], ...]
) -> Interval:
    """Return what the intervals share at the end and at the looks that spoke most against these: they hold together."""
    values, looks = sample.differences, _looks(sample)
    most = {looks[int(log_e_path(values, d0, side, looks).argmax())] for d0, side in against} | {len(values)}
    found = [confidence_sequence(tally(values[:look]), level, sides) for look in sorted(most)]
    return _shared(found, sample, level)


def _shared(found: Sequence[Interval], sample: Sample, level: float) -> Interval:
    """Return what intervals that hold together share; the last alone where they contradict what was seen since."""
    seen = fsum(sample.differences) / len(sample.differences)
    low, high = max((i.low for i in found), default=-1.0), min((i.high for i in found), default=1.0)
    if low <= seen <= high:
        return Interval(low, high, level)
    return Interval(found[-1].low, found[-1].high, level)
