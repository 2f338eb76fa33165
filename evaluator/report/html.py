"""`report.html`: one file, no scripts, nothing loaded from elsewhere. All text is escaped: model output is hostile."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.sentences import interval_cell, interval_of
from evaluator.report import phrases
from evaluator.report.method import method, saved
from evaluator.report.server import describe
from evaluator.report.tables import behind, explored, limits
from evaluator.stats.proportions import Interval
from evaluator.text import strip_control

if TYPE_CHECKING:
    from jinja2 import Template


class Span(Struct, frozen=True):
    """Where an interval of differences lies on an axis, all in percent of the axis's width."""

    left: float
    width: float
    at: float
    zero: float
    margin_left: float
    margin_width: float


def html(report: Report) -> str:
    """Write a report as one HTML page."""
    known = [variant for variant in report.plan.study.variants if variant.name in report.facts]
    return template(Path(__file__).parent / "report.html.j2").render(
        report=report,
        study=report.plan.study,
        phrases=phrases,
        wording=wording,
        alone=phrases.has_one_variant(report),
        interval_cell=interval_cell,
        method=method(report),
        saved=saved(report),
        behind={benchmark: behind(report, benchmark) for benchmark in report.plan.study.benchmarks.chosen()},
        limits={benchmark: limits(report, benchmark) for benchmark in report.plan.study.benchmarks.chosen()},
        explored=explored(report.exploratory) if report.exploratory else (),
        facts=tuple(zip(*(describe(report.facts[v.name]) for v in known), strict=True)),
        known=known,
        spans=_spans(report.comparisons),
        kind=kind,
    )


@cache
def template(path: Path) -> "Template":
    """Read a page's template; everything that it fills in is escaped."""
    import jinja2  # noqa: PLC0415 - needed only at the end of a run

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=harmless
    )
    return environment.from_string(path.read_text(encoding="utf-8"))


def harmless(value: object) -> object:
    """Strip control characters from values shown: text from servers and studies is hostile; markup is our own."""
    return strip_control(value) if type(value) is str else value


def _spans(comparisons: tuple[Comparison, ...]) -> dict[tuple[str, str], Span]:
    """Place every interval on its benchmark's axis around zero, so that lengths compare within a table."""
    shown = [(c, interval_of(c), c.difference) for c in comparisons]
    known = [(c, interval, value) for c, interval, value in shown if interval is not None and value is not None]
    reach: dict[str, float] = {}
    for c, interval, _ in known:
        reach[c.benchmark] = max(reach.get(c.benchmark, 0.0), abs(interval.low), abs(interval.high), c.margin)

    return {
        (c.variant, c.benchmark): span_of(interval, difference, c.margin, reach[c.benchmark])
        for c, interval, difference in known
    }


def span_of(interval: Interval, difference: float, margin: float, reach: float) -> Span:
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


def kind(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return next((word for word in ("worse", "better", "equivalent", "cannot") if word in verdict), "other")
