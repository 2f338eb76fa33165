"""How numbers are written, the same everywhere: in cells of tables, and in sentences.

The forms for cells are short (`0.023`, `\u22120.6`); those for sentences read on (`= 0.023`, `5 points`).
"""

from collections.abc import Iterable
from math import ceil
from typing import Literal

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.score import Score
from evaluator.stats.proportions import Interval
from evaluator.study.study import Mode

DASH = "\u2013"
IntervalKind = Literal["alone", "simultaneous", "for equivalence"]
"""What an interval is for: one comparison or share alone, all comparisons together, or two one-sided tests."""
_HOLDS: dict[Mode, str] = {"fixed": "", "sequential": "anytime-valid", "group_sequential": "at planned looks"}


def name(benchmark: str) -> str:
    """Name a benchmark for people."""
    return BENCHMARKS[benchmark].title if benchmark in BENCHMARKS else benchmark


def listed(names: Iterable[str], last: str = "and") -> str:
    """Write `a, b and c`."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def percent(proportion: float | None, digits: int = 1) -> str:
    """Write 0.8234 as `82.3 %`."""
    return DASH if proportion is None else f"{100 * proportion:.{digits}f} %"


def interval(value: Interval | None) -> str:
    """Write an interval of proportions as `75.2 to 87.8 %`."""
    return DASH if value is None else f"{100 * value.low:.1f} to {100 * value.high:.1f} %"


def signed_points(proportion: float) -> str:
    """Write a difference of proportions for a cell, in points with its sign: `\u22120.6`."""
    return f"{round(100 * proportion, 1) + 0.0:+.1f}".replace("-", "\u2212")


def signed_span(value: Interval | None) -> str:
    """Write an interval of differences for a cell, in points: `\u22123.1 to +1.6`."""
    return DASH if value is None else f"{signed_points(value.low)} to {signed_points(value.high)}"


def level(value: float) -> str:
    """Write a level of confidence, 0.95 as `95 %`; 1e-6 short of all is not all."""
    return f"{100 * value:.8g} %"


def interval_label(confidence: float, kind: IntervalKind = "alone", mode: Mode = "fixed") -> str:
    """Say what an interval is, as `95 %`, `95 %, simultaneous`, `90 %, for equivalence` or `95 %, anytime-valid`.

    Args:
        confidence: Level of confidence; of a simultaneous one that of all together.
        kind: What it is for.
        mode: Of the study, for intervals of differences; those of shares of questions are always of a fixed number.
    """
    return ", ".join(filter(None, [level(confidence), "" if kind == "alone" else kind, _HOLDS[mode]]))


def labelled_span(value: Interval | None, kind: IntervalKind = "alone", mode: Mode = "fixed") -> str:
    """Write an interval of differences for a cell, in points, and what it is: `\u22123.1 to +1.6 (95 %)`."""
    return DASH if value is None else f"{signed_span(value)} ({interval_label(value.level, kind, mode)})"


def p_value(p: float | None) -> str:
    """Write a p value for a cell, with three digits: `0.023` or `< 0.001`."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | None, unit: str = "", digits: int = 0) -> str:
    """Write a measured figure, or a dash."""
    return DASH if value is None else f"{value:,.{digits}f}{unit}"


def correct(score: Score) -> str:
    """Write `135/164`: correct replies of graded ones."""
    return f"{score.outcomes.get('correct', 0)}/{score.graded}" if score.graded else "not scored"


def p_equals(p: float | None) -> str:
    """Write a p value for a sentence, to be put behind its name: `= 0.023` or `< 0.001`."""
    return "unknown" if p is None else "< 0.001" if p < 0.001 else f"= {p:.3f}"


def p_range(low: float, high: float) -> str:
    """Write the range of a p value for a sentence: `0.023 to 0.500`, `below 0.001`."""
    ends = [f"{p:.3f}" if p >= 0.001 else "below 0.001" for p in (low, high)]
    return text_range(ends[0], ends[1])


def text_range(low: str, high: str) -> str:
    """Write `1 to 3`, or `1` where both ends read alike."""
    return low if low == high else f"{low} to {high}"


def in_points(proportion: float) -> str:
    """Write a margin for a sentence, 0.05 as `5 points`."""
    figure = f"{100 * proportion:.3g}"
    return f"{figure} point{'' if figure == '1' else 's'}"


def points_rounded_up(proportion: float) -> str:
    """Write a margin that is large enough, 0.0331 as `3.4 points`."""
    return f"{ceil(1000 * proportion) / 10:.1f} points"


def points_apart(difference: float) -> str:
    """Write a difference for a sentence: `8.0 points lower`."""
    size = f"{100 * abs(difference):.1f}"
    return f"{'less than 0.1' if size == '0.0' else size} points {'lower' if difference < 0 else 'higher'}"


def lower_to_higher(value: Interval) -> str:
    """Write an interval of a difference for a sentence: `1.3 to 15.6`, or `8.7 lower to 8.7 higher`."""
    low, high = 100 * value.low, 100 * value.high
    if low < 0 < high:
        return f"{-low:.1f} lower to {high:.1f} higher"
    return f"{min(abs(low), abs(high)):.1f} to {max(abs(low), abs(high)):.1f}"


def two_digits(needed: int, more_than: int) -> int:
    """Round a number of questions to two digits, unless that would ask for no more than there were."""
    short = int(float(f"{needed:.2g}"))
    return short if short > more_than else needed
