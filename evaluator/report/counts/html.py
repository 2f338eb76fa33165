"""A report on bare counts as one HTML page: no scripts, nothing loaded from elsewhere, all text escaped."""

from pathlib import Path

from evaluator.counts.report import CountsReport
from evaluator.counts.verdict import CountsComparison
from evaluator.decide import wording
from evaluator.decide.wording import name
from evaluator.report.counts import rows
from evaluator.report.html import Span, harmless
from evaluator.text import strip_control


def html(report: CountsReport) -> str:
    """Write a report as one HTML page."""
    import jinja2  # noqa: PLC0415 - needed only for this form

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=harmless
    )
    template = environment.from_string((Path(__file__).parent / "counts.html.j2").read_text(encoding="utf-8"))
    page = template.render(report=report, rows=rows, wording=wording, name=name, spans=_spans(report), kind=_kind)
    return strip_control(page)


def _spans(report: CountsReport) -> dict[tuple[str, str, str], Span]:
    """Place every interval on its benchmark's axis around zero, so that lengths compare within a table."""
    reach: dict[str, float] = {}
    for c in report.comparisons:
        reach[c.benchmark] = max(reach.get(c.benchmark, 0.0), abs(c.interval.low), abs(c.interval.high), c.margin)

    def span(c: CountsComparison) -> Span:
        def place(value: float) -> float:
            return 50 + 48 * value / reach[c.benchmark]

        return Span(
            left=place(c.interval.low),
            width=place(c.interval.high) - place(c.interval.low),
            at=place(c.difference),
            zero=place(0),
            margin_left=place(-c.margin),
            margin_width=place(c.margin) - place(-c.margin),
        )

    return {(c.benchmark, c.variant, c.baseline): span(c) for c in report.comparisons}


def _kind(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return next((word for word in ("worse", "better", "equivalent", "cannot") if word in verdict), "other")
