"""The tables that the terminal shows at the end of a run, each narrow enough for 80 columns."""

from collections.abc import Callable
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.score import Score
from evaluator.report import phrases


class _Column(NamedTuple):
    heading: str
    """With a place for how many questions were in flight."""
    number: str
    """By its name in `Resources`."""
    write: Callable[[float], str]


_COLUMNS = (
    _Column("file", "file_bytes", phrases.in_bytes),
    _Column("memory", "memory_bytes", phrases.in_bytes),
    _Column("graphics\nmemory", "gpu_bytes", phrases.in_bytes),
    _Column("loads\nin s", "load_s", "{:.1f}".format),
    _Column("tok/s,\nalone", "alone.tokens_per_second", "{:,.0f}".format),
    _Column("tok/s,\n{} at once", "tokens_per_second", "{:,.0f}".format),
    _Column("s for each\ncorrect", "seconds_per_correct", "{:,.2f}".format),
)


def score_table(report: Report, benchmark: str) -> Table:
    """Draw a benchmark's scores and verdicts; "no ans." counts replies without a readable answer."""
    table = _table(f"{wording.name(benchmark)}: {phrases.asked(report, benchmark)}")
    one_variant = phrases.has_one_variant(report)
    if not one_variant:
        table.add_column("verdict", width=10, overflow="fold")  # rich would narrow one that has a least width
    for heading in ("size", "correct", "%", "95 %", *(() if one_variant else ("differs",)), "no\nans.", "tok/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for score in phrases.rows(report, benchmark):
        comparison = phrases.against(report, benchmark).get(score.variant)
        difference = comparison.difference if comparison else None
        cells: tuple[str | Text, ...] = (
            score.variant,
            *(() if one_variant else (_verdict(report, score, comparison),)),
            phrases.size(report, score.variant),
            wording.correct(score).replace(" ", "\n"),
            wording.percent(score.accuracy).removesuffix(" %"),
            wording.interval(score.interval).removesuffix(" %").replace(" to ", wording.DASH),
            *(() if one_variant else ("" if difference is None else wording.signed_points(difference),)),
            str(score.unanswered),
            wording.number(score.tokens_per_second),
        )
        table.add_row(*cells)
    return table


def cost_table(report: Report) -> Table | None:
    """Draw what each variant takes, a column for each figure that is known of any; None where none is."""
    at_once = phrases.number(report)
    known = [c for c in _COLUMNS if any(one.number(c.number) is not None for one in report.resources)]
    if not known:
        return None
    table = _table("What each variant takes")
    for column in known:
        table.add_column(column.heading.format(at_once), justify="right", no_wrap=True)
    for one in report.resources:
        numbers = [(column, one.number(column.number)) for column in known]
        table.add_row(one.variant, *(wording.DASH if x is None else column.write(x) for column, x in numbers))
    return table


def _table(title: str) -> Table:
    table = Table(
        title=Text(f"\n{title}"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column("variant", overflow="fold")
    return table


def _verdict(report: Report, score: Score, comparison: Comparison | None) -> Text:
    verdict = comparison.verdict if comparison else "baseline" if score.variant == report.plan.study.baseline else ""
    return Text(verdict, style=phrases.colour(verdict))
