"""The three designs: when results are looked at, which p values and intervals are then valid, and their names.

Fixed: all questions are asked, then tested once. Sequential: tested as it goes, with e-values, which are valid
however often one looks and whenever one stops. Group-sequential: tested at a few planned looks. A design is chosen
before the first question, and its numbers are never mixed with another's. All proportions are between 0 and 1.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import ceil
from statistics import NormalDist
from typing import ClassVar, Literal, Protocol

from msgspec import Struct

from evaluator.decide.samples import (
    Sample,
    difference_interval,
    difference_p,
    equivalence_p,
    noninferiority_p,
    score_z,
)
from evaluator.stats.group_sequential import nominal_level, obrien_fleming, repeated_p
from evaluator.stats.proportions import Interval
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

LOOK_EVERY = 20
"""Questions between two looks of the sequential design."""
_FIRST_ROUND = 100


class Looks(Struct, frozen=True, kw_only=True):
    """Paired answers at each interim look; the last is reported."""

    mode: Mode
    put: int
    """Questions that both were asked, those without an answer included."""
    samples: tuple[Sample, ...]
    """Empty where there is nothing to compare yet."""
    fractions: tuple[float, ...]
    """Share of the planned questions, at each look."""


class DesignKind(Protocol):
    """What differs between the designs. `looks`: how many are planned, if group-sequential."""

    looks_early: ClassVar[bool]
    """Whether comparisons may be decided before all planned questions were asked."""
    p_name: ClassVar[str]
    """The name of its p values."""
    in_one_test: ClassVar[str]
    """Put behind a number of questions still needed, which is computed for a single test at the end."""
    planning: ClassVar[str]
    """A plan's remark on looking earlier, since its numbers are for a single test at the end; empty without looks."""

    def cut(self, planned: int, answered: int, looks: int) -> list[int]:
        """Return the looks, as numbers of questions; both variants have answered the first `answered` ones."""

    def look_is_due(self, planned: int, answered: int, looks: int, *, compared: int, counts: bool) -> bool:
        """Return whether to look after this question; it `counts` if both can be compared, as `compared` so far."""

    def rounds(self, planned: Mapping[str, int], looks: int) -> list[dict[str, int]]:
        """Return for each round the number of questions of each benchmark asked by its end, variants taking turns."""

    def nothing_yet(self, looks: Looks, planned_looks: int) -> str:
        """Say why there is nothing to compare."""

    def p_values(self, looks: Looks, margin: float) -> tuple[float, float]:
        """Return the p values of "no difference" and of "differs by the margin or more"."""

    def noninferiority_p(self, looks: Looks, margin: float) -> float:
        """Return the p value of "worse by the margin or more"."""

    def interval(self, looks: Looks, alpha: float) -> Interval:
        """Return the interval of the difference, at level 1 - alpha."""

    def equivalence_interval(self, looks: Looks, alpha: float, margin: float) -> Interval:
        """Return the interval at level 1 - 2 alpha that lies within the margin where equivalence is shown."""

    def method(self, repeats: Sequence[int], looks: int) -> Iterator[str]:
        """Say how differences are tested; `repeats` are the answers to a question, for each benchmark."""


class Fixed(Struct, frozen=True):
    """All questions are asked, then tested once."""

    looks_early: ClassVar[bool] = False
    p_name: ClassVar[str] = "p"
    in_one_test: ClassVar[str] = ""
    planning: ClassVar[str] = ""

    def cut(self, planned: int, answered: int, looks: int) -> list[int]:
        """Look once, at all questions."""
        return [planned]

    def look_is_due(self, planned: int, answered: int, looks: int, *, compared: int, counts: bool) -> bool:
        """Never look while a run goes on."""
        return False

    def rounds(self, planned: Mapping[str, int], looks: int) -> list[dict[str, int]]:
        """Ask all questions in one round."""
        return [dict(planned)]

    def nothing_yet(self, looks: Looks, planned_looks: int) -> str:
        """Say why there is nothing to compare."""
        return _NO_ANSWERS

    def p_values(self, looks: Looks, margin: float) -> tuple[float, float]:
        """Test all questions once."""
        sample = looks.samples[-1]
        return difference_p(sample), equivalence_p(sample, margin)

    def noninferiority_p(self, looks: Looks, margin: float) -> float:
        """Test all questions once."""
        return noninferiority_p(looks.samples[-1], margin)

    def interval(self, looks: Looks, alpha: float) -> Interval:
        """Return the interval of one test."""
        return difference_interval(looks.samples[-1], 1 - alpha)

    def equivalence_interval(self, looks: Looks, alpha: float, margin: float) -> Interval:
        """Return the interval of two one-sided tests."""
        return difference_interval(looks.samples[-1], 1 - 2 * alpha)

    def method(self, repeats: Sequence[int], looks: int) -> Iterator[str]:
        """Name the tests."""
        yield from _tests(repeats, "Differences are tested once, after all questions:", "their intervals are")


class Sequential(Struct, frozen=True):
    """Tested every `LOOK_EVERY` questions, with e-values, which are valid whenever one stops."""

    looks_early: ClassVar[bool] = True
    p_name: ClassVar[str] = "anytime p"
    in_one_test: ClassVar[str] = " in one test at the end, and more where one looks on the way"
    planning: ClassVar[str] = (
        "Sequential mode may end a comparison earlier, at no higher rate of false alarms. The numbers are for the whole"
        " budget of questions, tested once; looking often has its price: what it sees at the end of the budget is about"
        " 1.2 to 1.4 times as large (simulated)."
    )

    def cut(self, planned: int, answered: int, looks: int) -> list[int]:
        """Use only the questions before the first open one: quick answers come first, and would bias the result."""
        return [answered]

    def look_is_due(self, planned: int, answered: int, looks: int, *, compared: int, counts: bool) -> bool:
        """Look after every `LOOK_EVERY` questions that count."""
        return counts and compared % LOOK_EVERY == 0

    def rounds(self, planned: Mapping[str, int], looks: int) -> list[dict[str, int]]:
        """Double the questions from round to round."""
        ends = [_FIRST_ROUND]
        while ends[-1] < max(planned.values()):
            ends.append(2 * ends[-1])
        return [{name: min(n, end) for name, n in planned.items()} for end in ends]

    def nothing_yet(self, looks: Looks, planned_looks: int) -> str:
        """Say why there is nothing to compare."""
        return _NO_ANSWERS

    def p_values(self, looks: Looks, margin: float) -> tuple[float, float]:
        """Return 1 / the largest e-value so far."""
        sample = looks.samples[-1]
        equivalent = log_equivalence_path(sample.distinct, margin, _look_ends(sample))
        return anytime_p(_log_e_against_none(sample)), anytime_p(equivalent)

    def noninferiority_p(self, looks: Looks, margin: float) -> float:
        """Return 1 / the largest e-value so far."""
        sample = looks.samples[-1]
        return anytime_p(log_e_path(sample.distinct, -margin, "above", _look_ends(sample)))

    def interval(self, looks: Looks, alpha: float) -> Interval:
        """Return the confidence sequence's interval."""
        return _confidence_sequence(looks.samples[-1], 1 - alpha, sides=2, against=((0.0, "two"),))

    def equivalence_interval(self, looks: Looks, alpha: float, margin: float) -> Interval:
        """Return the interval of two one-sided confidence sequences."""
        against: tuple[tuple[float, Side], ...] = ((-margin, "above"), (margin, "below"))
        return _confidence_sequence(looks.samples[-1], 1 - 2 * alpha, sides=1, against=against)

    def method(self, repeats: Sequence[int], looks: int) -> Iterator[str]:
        """Say what the p values and intervals are."""
        yield (
            f"Decided sequentially: it was looked at after every {LOOK_EVERY} questions, and what was decided was asked"
            " no further. p values are anytime p values, 1/e with the largest e-value so far; intervals of differences"
            ' are confidence sequences, marked "anytime-valid". Both hold however often one looks and whenever one'
            " stops, and are wider than those of a fixed number of questions."
        )
        if min(repeats) == 1:
            yield (
                "With one answer a question, the e-value against no difference is 2^m B(b+1, c+1) of the b + c = m"
                " flips."
            )


class GroupSequential(Struct, frozen=True):
    """Tested at a few planned looks, with bounds that share alpha (O'Brien and Fleming)."""

    looks_early: ClassVar[bool] = True
    p_name: ClassVar[str] = "repeated p"
    in_one_test: ClassVar[str] = ""
    planning: ClassVar[str] = (
        "Group-sequential mode may end a comparison earlier, at one of its planned looks, at no higher rate of false"
        " alarms. The numbers are for the whole budget of questions, at whose end it sees nearly as much as one single"
        " test."
    )

    def cut(self, planned: int, answered: int, looks: int) -> list[int]:
        """Look at the planned numbers, as far as all questions up to them are answered."""
        return [end for end in _look_ends_planned(planned, looks) if end <= answered]

    def look_is_due(self, planned: int, answered: int, looks: int, *, compared: int, counts: bool) -> bool:
        """Look at the planned numbers."""
        return answered in _look_ends_planned(planned, looks)

    def rounds(self, planned: Mapping[str, int], looks: int) -> list[dict[str, int]]:
        """Ask up to each planned look."""
        ends = {name: _look_ends_planned(n, looks) for name, n in planned.items()}
        return [{name: ends[name][k] for name in planned} for k in range(looks)]

    def nothing_yet(self, looks: Looks, planned_looks: int) -> str:
        """Say why there is nothing to compare."""
        return f"the first of the {planned_looks} planned looks is still to come" if looks.put else _NO_ANSWERS

    def p_values(self, looks: Looks, margin: float) -> tuple[float, float]:
        """Return repeated p values."""
        z = [-NormalDist().inv_cdf(max(difference_p(sample), 1e-300) / 2) for sample in looks.samples]
        not_better = repeated_p([-score_z(sample, margin) for sample in looks.samples], looks.fractions, sides=1)
        return repeated_p(z, looks.fractions), max(self.noninferiority_p(looks, margin), not_better)

    def noninferiority_p(self, looks: Looks, margin: float) -> float:
        """Return the repeated p value."""
        return repeated_p([score_z(sample, -margin) for sample in looks.samples], looks.fractions, sides=1)

    def interval(self, looks: Looks, alpha: float) -> Interval:
        """Return the intersection of the repeated intervals."""
        return _repeated_interval(looks, 1 - alpha, obrien_fleming(looks.fractions, alpha))

    def equivalence_interval(self, looks: Looks, alpha: float, margin: float) -> Interval:
        """Return the intersection of the repeated intervals of two one-sided tests."""
        return _repeated_interval(looks, 1 - 2 * alpha, obrien_fleming(looks.fractions, alpha, sides=1))

    def method(self, repeats: Sequence[int], looks: int) -> Iterator[str]:
        """Say what the p values and intervals are, and name the tests."""
        yield (
            f"Decided at up to {looks} planned looks, by O'Brien and Fleming's bounds (alpha spent after Lan and"
            " DeMets). p values are repeated p values and intervals of differences repeated confidence intervals,"
            ' marked "at planned looks": both hold at every planned look; what is given is of the last one reached.'
        )
        yield from _tests(repeats, "At each look differences are tested", "intervals are made from")


DESIGNS: Mapping[Mode, DesignKind] = {
    "fixed": Fixed(),
    "sequential": Sequential(),
    "group_sequential": GroupSequential(),
}
_NO_ANSWERS = "no question was answered by both"


def _look_ends(sample: Sample) -> list[int]:
    steps = len(sample.distinct)
    return [*range(LOOK_EVERY, steps, LOOK_EVERY), steps]


def _look_ends_planned(planned: int, looks: int) -> list[int]:
    return [ceil(planned * (k + 1) / looks) for k in range(looks)]


def _log_e_against_none(sample: Sample) -> Sequence[float]:
    """Return at each look the logarithm of the e-value against "no difference"; with one answer each in closed form."""
    looks, steps = _look_ends(sample), sample.distinct
    if sample.table is None:
        return [float(e) for e in log_e_path(steps, 0.0, "two", looks)]
    won, lost = ([*accumulate(d == sign for d in steps)] for sign in (1.0, -1.0))
    return [log_e_no_difference(won[look - 1], lost[look - 1]) for look in looks]


def _repeated_interval(looks: Looks, level: float, critical: Iterable[float]) -> Interval:
    intervals = [
        difference_interval(sample, 1 - nominal_level(z))
        for sample, z in zip(looks.samples, critical, strict=True)
        if nominal_level(z) > 0
    ]
    return _intersect(intervals, looks.samples[-1].difference, level)


def _confidence_sequence(
    sample: Sample, level: float, *, sides: Literal[1, 2], against: tuple[tuple[float, Side], ...]
) -> Interval:
    """Intersect the intervals at the end and at the looks with the most evidence against these differences."""
    values, looks = sample.distinct, _look_ends(sample)
    strongest = {looks[int(log_e_path(values, d0, side, looks).argmax())] for d0, side in against} | {len(values)}
    intervals = [confidence_sequence(tally(values[:look]), level, sides) for look in sorted(strongest)]
    return _intersect(intervals, sample.difference, level)


def _intersect(intervals: Sequence[Interval], estimate: float, level: float) -> Interval:
    """Intersect simultaneous intervals; if that excludes the estimate, return the last."""
    low, high = max((i.low for i in intervals), default=-1.0), min((i.high for i in intervals), default=1.0)
    if low <= estimate <= high:
        return Interval(low, high, level)
    return Interval(intervals[-1].low, intervals[-1].high, level)


def _tests(repeats: Sequence[int], begin: str, intervals: str) -> Iterator[str]:
    if min(repeats) == 1:
        yield f"{begin} on the paired answers (McNemar, mid-p), and {intervals} Tango's."
    if max(repeats) > 1:
        how = f"{begin} by flipping signs" if min(repeats) > 1 else "Where there are several, signs are flipped"
        yield f"{how}, and {intervals} those of the mean difference, one question won and one lost added."
