"""The numbers of one variant against the baseline, from answers to the same questions, in each of the designs."""

from collections.abc import Mapping, Sequence
from math import fsum

from msgspec import Struct

from evaluator.decide.designs import DESIGNS, DesignKind, Looks
from evaluator.decide.samples import Answers, Repeats, Sample, comparable, flips_interval, sample_of
from evaluator.stats.paired import PairedTable
from evaluator.stats.proportions import Interval
from evaluator.study.study import LOOKS, Mode


class Design(Struct, frozen=True, kw_only=True):
    """How a study is decided, and in which order the questions are asked."""

    mode: Mode = "fixed"
    looks: int = LOOKS
    """Of the group-sequential design."""
    order: Mapping[str, Sequence[str]] = {}
    """By benchmark, the ids of all planned questions; without it, the order of the variant's answers counts."""
    repeated: Mapping[str, Mapping[str, str]] = {}
    """By benchmark and id of each question whose text stands more than once, the id of the first with that text."""

    @property
    def kind(self) -> DesignKind:
        """The rules of its mode."""
        return DESIGNS[self.mode]

    @property
    def looks_early(self) -> bool:
        """Whether comparisons may be decided before all planned questions were asked."""
        return self.kind.looks_early


FIXED = Design()


class Evidence(Struct, frozen=True, kw_only=True):
    """What one comparison shows, before it is corrected for the other comparisons."""

    n: int
    """Questions compared."""
    answers: int
    """The largest number of answers to a question."""
    table: PairedTable | None
    """A is the variant, B the baseline; None where a question was answered more than once."""
    difference: float
    interval: Interval
    family_interval: Interval
    equivalence_interval: Interval
    p: float
    equivalence_p: float
    noninferiority_p: float
    won: int
    lost: int
    mean_square: float
    """Mean squared difference per question, times the design effect of questions that repeat one another; with one
    answer to each of different questions, the rate of disagreement."""
    flips: Interval
    """Of the share of questions on which the two disagree."""
    effect: float
    """Design effect of questions that repeat one another: 1 where none does."""
    repeated: int
    """Questions that repeat, or are repeated by, another one compared."""


def looks_at(ours: Answers, theirs: Answers, benchmark: str, design: Design) -> Looks:
    """Pair the answers, and cut the pairs at each interim look."""
    order = design.order.get(benchmark) or tuple(ours)
    pairs = [(i, ours[q], theirs[q]) for i, q in enumerate(order) if comparable(ours.get(q, ()), theirs.get(q, ()))]
    both = [q in ours and q in theirs for q in order]
    answered = both.index(False) if False in both else len(order)
    ends = design.kind.cut(len(order), answered, design.looks) if order else []
    repeated = design.repeated.get(benchmark, {})
    clusters = [repeated.get(question, question) for question in order]
    samples = [(_sample_until(end, pairs, clusters), end / len(order)) for end in ends]
    samples = [(sample, fraction) for sample, fraction in samples if sample.n]
    return Looks(
        mode=design.mode,
        put=sum(both),
        samples=tuple(sample for sample, _ in samples),
        fractions=tuple(fraction for _, fraction in samples),
    )


def _sample_until(end: int, pairs: Sequence[tuple[int, Repeats, Repeats]], clusters: Sequence[str]) -> Sample:
    """Take the pairs before a place in the order of questions; `clusters` are those of all questions, in order."""
    seen = [pair for pair in pairs if pair[0] < end]
    return sample_of([(ours, theirs) for _, ours, theirs in seen], [clusters[i] for i, _, _ in seen])


def p_values(looks: Looks, margin: float) -> tuple[float, float]:
    """Return the p values of "no difference" and of "differs by the margin or more", as the design allows.

    Raises:
        ValueError: there is nothing to see yet, or the margin is no proportion between 0 and 1.
    """
    if not looks.samples:
        raise ValueError("no question was answered by both, so there is nothing to compare")
    return DESIGNS[looks.mode].p_values(looks, margin)


def evidence(looks: Looks, *, margin: float, alpha: float, family: int) -> Evidence:
    """Compute what the answers show.

    Args:
        looks: The answers, paired at each look.
        margin: Within which two variants count as equal.
        alpha: Rate of false alarms of all comparisons together.
        family: How many comparisons these are; the family's interval is widened for them (Bonferroni).

    Raises:
        ValueError: there is nothing to see yet, or the margin is no proportion between 0 and 1.
    """
    p, equivalence_p = p_values(looks, margin)
    sample, kind = looks.samples[-1], DESIGNS[looks.mode]
    return Evidence(
        n=sample.n,
        answers=sample.answers,
        table=sample.table,
        difference=sample.difference,
        interval=kind.interval(looks, alpha),
        family_interval=kind.interval(looks, alpha / family),
        equivalence_interval=kind.equivalence_interval(looks, alpha, margin),
        p=p,
        equivalence_p=equivalence_p,
        noninferiority_p=kind.noninferiority_p(looks, margin),
        won=sample.won,
        lost=sample.lost,
        mean_square=sample.effect * fsum(d * d for d in sample.differences) / sample.n,
        flips=flips_interval(sample, 1 - alpha),
        effect=sample.effect,
        repeated=sample.repeated,
    )
