"""A report on bare counts as one HTML page: no scripts, nothing loaded from elsewhere, all text escaped."""

from pathlib import Path

from evaluator.counts.report import CountsReport
from evaluator.decide import wording
from evaluator.decide.wording import name
from evaluator.report.counts import rows
from evaluator.report.html import Span, kind, span_of, template
from evaluator.text import strip_control


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
        (c.benchmark, c.variant, c.baseline): span_of(c.interval, c.difference, c.margin, reach[c.benchmark])
        for c in report.comparisons
    }
