"""The words of a verdict: one sentence or a few, from the numbers alone."""

from math import ceil
from typing import TYPE_CHECKING

from evaluator.benchmarks import BENCHMARKS
from evaluator.stats.proportions import Interval
from evaluator.text import duration

if TYPE_CHECKING:  # it asks for these sentences
    from evaluator.decide.comparison import Comparison, Verdict

BENCHMARK_NAMES = {benchmark: str(module.NAME) for benchmark, module in BENCHMARKS.items()}
_P = {"fixed": "p", "sequential": "anytime p", "group_sequential": "repeated p"}
_WORTH_SAYING = 0.25
"""A margin beyond which "equivalent" is no news."""
_TOO_FEW = 20
"""Questions from which no rate of disagreement can be read."""


def sentence(comparison: "Comparison", *, reason: str, alpha: float, total: int | None) -> str:
    """Say what a comparison shows; `reason` is why it cannot be compared, `total` how many questions there are."""
    c, where = comparison, BENCHMARK_NAMES.get(comparison.benchmark, comparison.benchmark)
    if c.difference is None or c.interval is None or c.equivalence_interval is None:
        return f"{c.variant} and {c.baseline} cannot be compared on {where}: {reason.rstrip('.')}."
    told = gap(c.difference)
    if c.verdict in ("equivalent", "cannot tell"):
        told = f"{c.variant} scored {told}" if c.difference else "both scored the same"
    numbers = f"{_interval(c)}; {_counts(c)}; {_p(c, alpha)}"
    after = [_allowed_for(c, alpha), _near(c, alpha), _stopped(c), _outlook(c, where, total), _wobble(c, alpha)]
    return " ".join(
        [f"{head(c.verdict, c.variant, c.baseline, where, c.margin)}: {told} ({numbers}).", *filter(None, after)]
    )


def head(verdict: "Verdict", variant: str, baseline: str, where: str, margin: float) -> str:
    """Begin the sentence of a verdict."""
    way, within = verdict.partition(",")[0].partition(" by ")[0], points(margin)
    if verdict == "equivalent":
        return f"{variant} and {baseline} are equivalent within {within} on {where}"
    if verdict == "cannot tell":
        return f"Cannot tell whether {variant} and {baseline} differ on {where}"
    told = f"{variant} is {way} than {baseline} on {where}"
    if verdict.endswith("less than the margin"):
        return f"{told}, but by less than {within}"
    return f"{told}; whether by more than {within} is uncertain" if verdict.endswith("uncertain") else told


def interval_of(c: "Comparison") -> Interval | None:
    """Give the interval that the verdict rests on; what is said of a size holds for all comparisons together."""
    if c.verdict == "equivalent":
        return c.equivalence_interval
    if not _joint(c) or c.interval is None or c.family_interval is None:
        return c.interval
    return Interval(c.family_interval.low, c.family_interval.high, c.interval.level)


def _joint(c: "Comparison") -> bool:
    return c.family > 1 and c.verdict not in ("equivalent", "cannot tell")


def _interval(c: "Comparison") -> str:
    interval = interval_of(c)
    if interval is None:
        return ""
    allowing = f", allowing for {c.family} comparisons" if _joint(c) else ""
    return f"{level(interval.level)} interval {between(interval)}{allowing}"


def _p(c: "Comparison", alpha: float) -> str:
    """Give the p value that the verdict rests on; where the correction alone took it away, the one before."""
    kind = _P[c.mode]
    if _lost_by_correction(c, alpha):
        return f"{kind} {p_value(c.p)} taken alone"
    corrected = "corrected " if c.family > 1 else ""
    if c.verdict == "equivalent":
        return f"{corrected}{kind} {p_value(c.equivalence_p_holm)} against a larger difference"
    return f"{corrected}{kind} {p_value(c.p_holm)}"


def _lost_by_correction(c: "Comparison", alpha: float) -> bool:
    return c.verdict == "cannot tell" and c.p is not None and c.p <= alpha


def _allowed_for(c: "Comparison", alpha: float) -> str:
    """Say where one comparison alone would have shown something, and all of them together do not."""
    allowed = f"After allowing for the {c.family} comparisons made, this is not firm evidence"
    if _lost_by_correction(c, alpha):
        return f"{allowed} (corrected {_P[c.mode]} {p_value(c.p_holm)})."
    if c.verdict == "cannot tell" and c.equivalence_p is not None and c.equivalence_p <= alpha:
        told = f"Taken alone they would count as equivalent within {points(c.margin)}"
        return (
            f"{told} ({_P[c.mode]} {p_value(c.equivalence_p)}); after allowing for the {c.family} comparisons made,"
            f" they do not (corrected {_P[c.mode]} {p_value(c.equivalence_p_holm)})."
        )
    return ""


def _near(c: "Comparison", alpha: float) -> str:
    """Explain an interval that leaves nought out by a hair beside a test that does not reject."""
    if c.verdict != "cannot tell" or c.interval is None or c.p is None or c.p <= alpha:
        return ""
    if c.interval.low <= 0 <= c.interval.high:
        return ""
    return "The interval and the test are different approximations, and so close to the edge they disagree."


def _stopped(c: "Comparison") -> str:
    if not c.stopped or c.planned is None:
        return ""
    rest = f"{c.planned - c.put:,} of the {c.planned:,} planned questions were not"
    if c.verdict.endswith("uncertain"):
        way = c.verdict.partition(",")[0]
        return f"That it is {way} was decided early; by how much was not pursued: {rest} asked."
    return f"This was decided early: {rest} needed."


def _outlook(c: "Comparison", where: str, total: int | None) -> str:
    """Say how many questions would tell, and what so few tell all the same."""
    needed = c.questions_needed
    if needed is None:
        return ""
    if c.n < _TOO_FEW:
        return f"{c.n:,} {'question says' if c.n == 1 else 'questions say'} little, not even how many more it takes."
    rate = ""
    if c.table and c.table.flips / c.n >= c.margin:
        rate = f"at this rate of disagreement ({round(100 * c.table.flips / c.n, 1):g} %) "
    if total is None or needed <= total:
        time = "" if c.hours_needed is None else f"; the others take {duration(3600 * c.hours_needed)} on this server"
        looked_for = f" a difference of {points(c.sought or c.margin)} with 80 % power"
        fixed = " in one test at the end, and more where one looks on the way" if c.mode == "sequential" else ""
        told = f"{rate}about {rounded(needed, c.n):,} questions would tell{looked_for}{fixed}"
        told = f"{told}; this comparison has {c.n:,}{time}."
        return told[0].upper() + told[1:]
    has = f"{total:,} questions of {where}"
    alone = ""
    if c.supported_margin is not None and c.supported_margin <= _WORTH_SAYING:
        bound = f"{ceil(1000 * c.supported_margin) / 10:.1f}"
        alone = f" What these data alone do show is equivalence within {bound} points."
    if c.n < total:
        return f"Even all {has} would be too few {rate}to tell; this comparison has {c.n:,}.{alone}"
    return f"All {has} were compared, and they are too few {rate}to tell.{alone}"


def _wobble(c: "Comparison", alpha: float) -> str:
    """Set the disagreement beside the baseline's with itself, where nothing was shown of its direction."""
    noise = c.noise
    if noise is None or not noise.between or c.verdict not in ("equivalent", "cannot tell"):
        return ""
    asked = f"{c.baseline} disagrees with itself on {100 * noise.within_a:.1f} % of the {c.noise_questions:,} questions"
    itself = "" if noise.within_b is None else f" (which disagrees with itself on {100 * noise.within_b:.1f} %)"
    other = f"that it was asked more than once, and {c.variant}{itself} with it on {100 * noise.between:.1f} %"
    p = c.noise_p_holm if c.noise_p_holm is not None else noise.p
    corrected = "corrected " if c.family > 1 else ""
    if p <= alpha:
        said = "more than its own wobble"
    elif noise.excess <= 0:
        said = "no more than its own wobble"
    else:
        said = "which these questions do not show to be more than its own wobble"
    return f"{asked} {other}: {said} ({corrected}p {p_value(p)})."


def _counts(c: "Comparison") -> str:
    won, lost = c.won or 0, c.lost or 0
    if won + lost == 0:
        same = f"both solved the same {c.table.both:,} of" if c.table else "equally often right in each of"
        return f"no question was answered differently: {same} {c.n:,}"
    if c.table:
        return f"of {c.n:,} questions only {c.baseline} solved {lost:,}, only {c.variant} {won:,}"
    return f"of {c.n:,} questions {c.baseline} solved {lost:,} more often, {c.variant} {won:,}"


def gap(difference: float) -> str:
    """Write a difference as `8.0 points lower`."""
    size = f"{100 * abs(difference):.1f}"
    return f"{'less than 0.1' if size == '0.0' else size} points {'lower' if difference < 0 else 'higher'}"


def between(interval: Interval) -> str:
    """Write an interval of a difference as `1.3 to 15.6`, or `8.7 lower to 8.7 higher`."""
    low, high = 100 * interval.low, 100 * interval.high
    if low < 0 < high:
        return f"{-low:.1f} lower to {high:.1f} higher"
    return f"{min(abs(low), abs(high)):.1f} to {max(abs(low), abs(high)):.1f}"


def level(share: float) -> str:
    """Write 0.95 as `95 %`; 1e-6 short of all is not all."""
    return f"{100 * share:.8g} %"


def points(proportion: float) -> str:
    """Write 0.05 as `5 points`."""
    number = f"{100 * proportion:.3g}"
    return f"{number} point{'' if number == '1' else 's'}"


def p_value(p: float | None) -> str:
    """Write a p value as `= 0.023` or `< 0.001`."""
    return "unknown" if p is None else "< 0.001" if p < 0.001 else f"= {p:.3f}"


def rounded(needed: int, more_than: int) -> int:
    """Keep two digits, unless that would ask for no more than there were."""
    short = int(float(f"{needed:.2g}"))
    return short if short > more_than else needed
