"""Accuracy against the output limit: what is drawn, and where."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.report.axis import Axis, Tick, axis
from evaluator.report.drawing import SMALL, TEXT, Box, Drawing, Label, Line, Mark, fitting

STYLES = 6
"""Series that are drawn apart; further ones begin again."""


class Curve(Struct, frozen=True):
    """One variant's."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Limit in doublings of 256 tokens, and accuracy; in ascending order."""


class Curves(Struct, frozen=True, kw_only=True):
    """All variants on one benchmark."""

    title: str
    x: Axis
    y: Axis
    curves: tuple[Curve, ...]


def limits_picture(report: Report, benchmark: str) -> Curves | None:
    """Show accuracy against the output limit; None where smaller limits would have changed nothing."""
    budgets = [budget for budget in report.budgets if budget.benchmark == benchmark]
    places = sorted({point.limit for budget in budgets for point in budget.points})
    if len(places) < 2:
        return None
    at = {limit: float(number) for number, limit in enumerate(places)}
    values = [point.accuracy for budget in budgets for point in budget.points]
    ticks = tuple(Tick(at[limit], f"{limit:,}") for limit in places)
    return Curves(
        title=wording.name(benchmark),
        x=Axis(label="output limit (tokens, thinking included)", low=0.0, high=len(places) - 1.0, ticks=ticks),
        y=axis(values, "accuracy", lambda value, _: f"{100 * value:.0f} %", most=5, least=0.0, largest=1.0),
        curves=tuple(Curve(b.variant, tuple((at[p.limit], p.accuracy) for p in b.points)) for b in budgets),
    )


def curves(picture: Curves, width: float, height: float) -> Drawing:
    """Lay out curves, each with its name at its end."""
    left, right, top, bottom = 46.0, width - 110, 12.0, height - 42

    def place(x: float, y: float) -> tuple[float, float]:
        return left + picture.x.place(x) * (right - left), bottom - picture.y.place(y) * (bottom - top)

    parts: list[Line | Box | Mark | Label] = []
    for tick in picture.y.ticks:
        _, y = place(0, tick.value)
        parts += [Line(left, y, right, y, "grid"), Label(left - 6, y + 4, tick.text, "tick", "end", SMALL)]
    every = max(1, round(len(picture.x.ticks) * 48 / (right - left)))  # texts of ticks keep apart
    for number, tick in enumerate(reversed(picture.x.ticks)):
        x, _ = place(tick.value, picture.y.low)
        parts.append(Line(x, bottom, x, bottom + 4, "axis"))
        if number % every == 0:
            parts.append(Label(x, bottom + 17, tick.text, "tick", "middle", SMALL))
    parts.append(Line(left, bottom, right, bottom, "axis"))
    parts.append(Label(right, bottom + 34, picture.x.label, "tick", "end", SMALL))
    ends = []
    for number, curve in enumerate(picture.curves):
        style = f"s{number % STYLES}"
        points = [place(x, y) for x, y in curve.points]
        parts += [Line(*start, *end, f"series {style}") for start, end in pairwise(points)]
        parts += [Mark(x, y, "circle", f"series {style}") for x, y in points]
        ends.append((*points[-1], curve.name, style))
    return Drawing(width, height, (*parts, *_names(ends, right + 12, width - 4)))


def _names(ends: Sequence[tuple[float, float, str, str]], left: float, right: float) -> Iterator[Line | Label]:
    """Write the names below each other, each as near to its curve's end as the one above lets it."""
    lowest = 0.0
    for x, y, name, style in sorted(ends, key=lambda end: end[1]):
        middle = max(y, lowest + 1.2 * TEXT)
        lowest = middle
        if middle - y > 3 or left - x > 16:
            yield Line(x + 5, y, left - 3, middle, "leader")
        yield Label(left, middle + 0.35 * TEXT, fitting(name, right - left), f"text {style}")
