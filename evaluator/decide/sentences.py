"""The sentences of a verdict, written from the numbers alone."""

from evaluator.decide.asked_twice import itself
from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.designs import DESIGNS
from evaluator.decide.wording import (
    IntervalKind,
    in_points,
    interval_label,
    labelled_span,
    lower_to_higher,
    name,
    p_equals,
    points_apart,
    points_rounded_up,
    two_digits,
)
from evaluator.stats.noise import Excess
from evaluator.stats.proportions import Interval
from evaluator.study.study import Mode
from evaluator.text import duration

_WORTH_SAYING = 0.25
"""The largest margin at which equivalence is worth reporting."""
TOO_FEW = 20
"""With fewer questions a rate of disagreement cannot be estimated."""


def cannot_compare(variant: str, baseline: str, benchmark: str, reason: str) -> str:
    """Say why two variants cannot be compared."""
    return f"{_cannot_compare(variant, baseline, benchmark)}{reason.rstrip('.')}."


def reason_of(c: Comparison) -> str:
    """Return why two cannot be compared, of a comparison that is not valid."""
    return c.sentence.removeprefix(_cannot_compare(c.variant, c.baseline, c.benchmark))


def _cannot_compare(variant: str, baseline: str, benchmark: str) -> str:
    return f"{variant} and {baseline} cannot be compared on {name(benchmark)}: "


def sentence(c: Comparison, *, alpha: float, total: int | None) -> str:
    """Say what a comparison shows; `total` is how many questions the benchmark has."""
    where = name(c.benchmark)
    difference = c.difference or 0.0
    scored = points_apart(difference)
    if c.verdict in ("equivalent", "cannot tell"):
        scored = f"{c.variant} scored {scored}" if difference else "both scored the same"
    numbers = f"{_interval(c)}; {_counts(c)}; {_p(c, alpha)}"
    first = f"{opening(c.verdict, c.variant, c.baseline, where, c.margin)}: {scored} ({numbers})."
    rest = [_allowed_for(c, alpha), _near(c, alpha), _stopped(c), _outlook(c, where, total), _noise(c, alpha)]
    return " ".join([first, *filter(None, rest)])


def opening(verdict: Verdict, variant: str, baseline: str, where: str, margin: float) -> str:
    """Write the beginning of a verdict's sentence."""
    direction, within = verdict.partition(",")[0].partition(" by ")[0], in_points(margin)
    if verdict == "equivalent":
        return f"{variant} and {baseline} are equivalent within {within} on {where}"
    if verdict == "cannot tell":
        return f"Cannot tell whether {variant} and {baseline} differ on {where}"
    text = f"{variant} is {direction} than {baseline} on {where}"
    if verdict.endswith("less than the margin"):
        return f"{text}, but by less than {within}"
    return f"{text}; whether by more than {within} is uncertain" if verdict.endswith("uncertain") else text


def interval_kind(verdict: Verdict, family: int) -> IntervalKind:
    """Return which interval a verdict rests on; about a size, it is one that holds for all comparisons together."""
    if verdict == "equivalent":
        return "for equivalence"
    return "simultaneous" if family > 1 and verdict != "cannot tell" else "alone"


def interval_of(c: Comparison) -> Interval | None:
    """Return the interval that the verdict rests on; a simultaneous one has the level at which all hold together."""
    kind = interval_kind(c.verdict, c.family)
    if kind == "for equivalence":
        return c.equivalence_interval
    if kind == "alone" or c.interval is None or c.family_interval is None:
        return c.interval
    return Interval(c.family_interval.low, c.family_interval.high, c.interval.level)


def interval_cell(c: Comparison) -> str:
    """Write the interval that the verdict rests on for a cell, and what it is: `\u22123.1 to +1.6 (95 %)`."""
    return labelled_span(interval_of(c), interval_kind(c.verdict, c.family), c.mode)


def labelled_interval(value: Interval, kind: IntervalKind, mode: Mode = "fixed") -> str:
    """Write an interval of a difference for a sentence: `95 % interval 1.3 to 15.6, simultaneous`."""
    confidence, *what = interval_label(value.level, kind, mode).split(", ")
    return ", ".join([f"{confidence} interval {lower_to_higher(value)}", *what])


def _interval(c: Comparison) -> str:
    interval = interval_of(c)
    return "" if interval is None else labelled_interval(interval, interval_kind(c.verdict, c.family), c.mode)


def _p(c: Comparison, alpha: float) -> str:
    """Write the p value that the verdict rests on; the uncorrected one where only the correction made it too large."""
    p_name = DESIGNS[c.mode].p_name
    if _lost_by_correction(c, alpha):
        return f"{p_name} {p_equals(c.p)} taken alone"
    corrected = "corrected " if c.family > 1 else ""
    if c.verdict == "equivalent":
        return f"{corrected}{p_name} {p_equals(c.equivalence_p_holm)} against a larger difference"
    return f"{corrected}{p_name} {p_equals(c.p_holm)}"


def _lost_by_correction(c: Comparison, alpha: float) -> bool:
    return c.verdict == "cannot tell" and c.p is not None and c.p <= alpha


def _allowed_for(c: Comparison, alpha: float) -> str:
    """Say where one comparison alone would have shown something that does not survive the correction."""
    allowed = f"After allowing for the {c.family} comparisons made, this is not firm evidence"
    p_name = DESIGNS[c.mode].p_name
    if _lost_by_correction(c, alpha):
        return f"{allowed} (corrected {p_name} {p_equals(c.p_holm)})."
    if c.verdict == "cannot tell" and c.equivalence_p is not None and c.equivalence_p <= alpha:
        return (
            f"Taken alone they would count as equivalent within {in_points(c.margin)} ({p_name}"
            f" {p_equals(c.equivalence_p)}); after allowing for the {c.family} comparisons made, they do not (corrected"
            f" {p_name} {p_equals(c.equivalence_p_holm)})."
        )
    return ""


def _near(c: Comparison, alpha: float) -> str:
    """Explain an interval that barely excludes zero where the test does not reject."""
    if c.verdict != "cannot tell" or c.interval is None or c.p is None or c.p <= alpha:
        return ""
    if c.interval.low <= 0 <= c.interval.high:
        return ""
    return "The interval and the test are different approximations, and so close to the edge they disagree."


def _stopped(c: Comparison) -> str:
    if not c.stopped or c.planned is None:
        return ""
    rest = f"{c.planned - c.put:,} of the {c.planned:,} planned questions were not"
    if c.verdict.endswith("uncertain"):
        direction = c.verdict.partition(",")[0]
        return f"That it is {direction} was decided early; by how much was not pursued: {rest} asked."
    return f"This was decided early: {rest} needed."


def _outlook(c: Comparison, where: str, total: int | None) -> str:
    """Say how many questions would be needed, and what the present ones do show."""
    needed = c.questions_needed
    if needed is None:
        return ""
    if c.n < TOO_FEW:
        return f"{c.n:,} {'question says' if c.n == 1 else 'questions say'} little, not even how many more it takes."
    rate = ""
    if c.table and c.table.flips / c.n >= c.margin:
        rate = f"at this rate of disagreement ({round(100 * c.table.flips / c.n, 1):g} %) "
    if total is None or needed <= total:
        time = "" if c.hours_needed is None else f"; the others take {duration(3600 * c.hours_needed)} on this server"
        looked_for = f" a difference of {in_points(c.sought or c.margin)} with 80 % power"
        one_test = DESIGNS[c.mode].in_one_test
        text = f"{rate}about {two_digits(needed, c.n):,} questions would tell{looked_for}{one_test}"
        text = f"{text}; this comparison has {c.n:,}{time}."
        return text[0].upper() + text[1:]
    has = f"{total:,} questions of {where}"
    alone = ""
    if c.supported_margin is not None and c.supported_margin <= _WORTH_SAYING:
        alone = f" What these data alone do show is equivalence within {points_rounded_up(c.supported_margin)}."
    if c.n < total:
        return f"Even all {has} would be too few {rate}to tell; this comparison has {c.n:,}.{alone}"
    return f"All {has} were compared, and they are too few {rate}to tell.{alone}"


def _noise(c: Comparison, alpha: float) -> str:
    """Say how often the baseline differs from itself, and whether the variant differs from it more than that."""
    twice, noise = c.asked_twice, c.noise
    if twice and (noise is None or c.table):
        return f"{itself(twice)}{_beside(c, alpha)}."
    if noise is None or not noise.between or c.verdict not in _NO_DIRECTION:
        return ""
    asked = f"{c.baseline} disagrees with itself on {100 * noise.within_a:.1f} % of the {c.noise_questions:,} questions"
    itself_too = "" if noise.within_b is None else f" (which disagrees with itself on {100 * noise.within_b:.1f} %)"
    other = f"that it was asked more than once, and {c.variant}{itself_too} with it on {100 * noise.between:.1f} %"
    return f"{asked} {other}: {_is_more(c, noise, alpha)}."


_NO_DIRECTION = ("equivalent", "cannot tell")


def _beside(c: Comparison, alpha: float) -> str:
    """Say on how many of the questions that were asked twice the variant has another outcome than the baseline."""
    noise, asked = c.noise, c.noise_questions or 0
    if noise is None or not noise.between:
        return ""
    differs = f"; {c.variant} has another outcome than it on {round(noise.between * asked):,} of these"
    return f"{differs}: {_is_more(c, noise, alpha)}" if c.verdict in _NO_DIRECTION else differs


def _is_more(c: Comparison, noise: Excess, alpha: float) -> str:
    p = c.noise_p_holm if c.noise_p_holm is not None else noise.p
    corrected = "corrected " if c.family > 1 else ""
    if p <= alpha:
        more = "more than its own run-to-run variation"
    elif noise.excess <= 0:
        more = "no more than its own run-to-run variation"
    else:
        more = "which these questions do not show to be more than its own run-to-run variation"
    return f"{more} ({corrected}p {p_equals(p)})"


def _counts(c: Comparison) -> str:
    won, lost = c.won or 0, c.lost or 0
    if won + lost == 0:
        same = f"both solved the same {c.table.both:,} of" if c.table else "equally often right in each of"
        return f"no question was answered differently: {same} {c.n:,}"
    if c.table:
        return f"of {c.n:,} questions only {c.baseline} solved {lost:,}, only {c.variant} {won:,}"
    return f"of {c.n:,} questions {c.baseline} solved {lost:,} more often, {c.variant} {won:,}"
