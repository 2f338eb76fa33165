"""A report on bare counts as one HTML page: no scripts, nothing loaded from elsewhere, all text escaped."""

from pathlib import Path

from msgspec import Struct

from evaluator.counts.report import CountsReport
from evaluator.decide import wording
from evaluator.decide.wording import name
from evaluator.report.counts import rows
from evaluator.report.html import template
from evaluator.report.picture import kind
from evaluator.stats.proportions import Interval
from evaluator.text import strip_control


class Span(Struct, frozen=True):
    """Where an interval of differences lies on an axis, all in percent of the axis's width."""

    left: float
    width: float
    at: float
    zero: float
    margin_left: float
    margin_width: float


def html(report: CountsReport) -> str:
    """Write a report as one HTML page."""
    page = template(Path(__file__).parent / "counts.html.j2").render(
        report=report, rows=rows, wording=wording, name=name, spans=_spans(report), kind=kind
    )
    return strip_control(page)


def _spans(report: CountsReport) -> dict[tuple[str, str, str], Span]:
    """Place every interval on its benchmark's axis around zero, so that lengths compare within a table."""
    reach: dict[str, float] = {}
    for c in report.comparisons:
        reach[c.benchmark] = max(reach.get(c.benchmark, 0.0), abs(c.interval.low), abs(c.interval.high), c.margin)

    return {
        (c.benchmark, c.variant, c.baseline): _span_of(c.interval, c.difference, c.margin, reach[c.benchmark])
        for c in report.comparisons
    }


def _span_of(interval: Interval, difference: float, margin: float, reach: float) -> Span:
    """Place an interval of differences on an axis from -reach to reach; all are proportions."""

    def place(value: float) -> float:
        return 50 + 48 * value / reach

    return Span(
        left=place(interval.low),
        width=place(interval.high) - place(interval.low),
        at=place(difference),
        zero=place(0),
        margin_left=place(-margin),
        margin_width=place(margin) - place(-margin),
    )
