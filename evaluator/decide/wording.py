"""TODO: evaluator/decide/wording.py."""

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.score import Score
from evaluator.stats.proportions import Interval

DASH = "\u2013"


def percent(proportion: float | None, digits: int = 1) -> str:
    """Write 0.8234 as `82.3 %`."""
    return DASH if proportion is None else f"{100 * proportion:.{digits}f} %"


def interval(value: Interval | None) -> str:
    """Write an interval of proportions as `75.2 to 87.8 %`."""
    return DASH if value is None else f"{100 * value.low:.1f} to {100 * value.high:.1f} %"


def points(proportion: float) -> str:
    """Write a difference of proportions in points, with its sign."""
    return f"{round(100 * proportion, 1) + 0.0:+.1f}".replace("-", "\u2212")


def span(value: Interval | None) -> str:
    """Write an interval of differences as `\u22123.1 to +1.6`, in points."""
    return DASH if value is None else f"{points(value.low)} to {points(value.high)}"


def level(value: float) -> str:
    """Write a level of confidence, 0.95, as `95 %`."""
    return f"{100 * value:.4g} %"


def p_value(p: float | None) -> str:
    """Write a p value with three digits."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def correct(score: Score) -> str:
    """Write `135/164`: correct replies of graded ones."""
    return f"{score.outcomes.get('correct', 0)}/{score.graded}" if score.graded else "not scored"


def number(value: float | None, unit: str = "", digits: int = 0) -> str:
    """Write a measured figure, or a dash."""
    return DASH if value is None else f"{value:,.{digits}f}{unit}"


def name(benchmark: str) -> str:
    """Name a benchmark for people."""
    return str(BENCHMARKS[benchmark].NAME)
