"""The end of a run as the terminal shows it."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.score import Score
from evaluator.report import phrases
from evaluator.report.method import saved
from evaluator.text import strip_control


def show(report: Report, console: Console) -> None:
    """Print tables, checks and verdicts."""
    for renderable in _parts(report):
        console.print(renderable)


def _parts(report: Report) -> Iterator[ConsoleRenderable]:
    for benchmark in report.plan.study.benchmarks.chosen():
        yield _table(report, benchmark)
    for score in report.scores:
        if len(score.pass_at_k) > 1:
            yield Text(f"{score.variant}, {wording.name(score.benchmark)}: {phrases.pass_at_k(score)}")
    for check in report.checks:
        style = {"block": "bold red", "warn": "yellow"}.get(check.severity, "dim")
        yield Text.assemble(
            (f"{check.severity} ", style),
            phrases.about(check),
            strip_control(check.message),
            (phrases.advice(check), "dim"),
        )
    yield Text("\nWhat the data show", style="bold")
    if report.plan.study.note:
        yield Text(strip_control(report.plan.study.note), style="italic")
    for comparison in report.comparisons:
        line = Text(strip_control(comparison.sentence))
        line.highlight_words([comparison.verdict], style=f"bold {phrases.colour(comparison.verdict)}")
        yield Padding(Text.assemble(("• ", phrases.colour(comparison.verdict)), line), (0, 0, 0, 2))
    yield from _others(report)


def _others(report: Report) -> Iterator[ConsoleRenderable]:
    for sentence in phrases.single_results(report):
        yield Padding(Text(f"• {sentence}"), (0, 0, 0, 2))
    if sentence := saved(report):
        yield Padding(Text(f"• {sentence}"), (0, 0, 0, 2))
    if report.exploratory and report.exploratory.tests:
        yield Text("\nExplored beside these verdicts: see the end of the report.", style="dim")


def _table(report: Report, benchmark: str) -> Table:
    """Draw a benchmark's scores, narrow enough for 80 columns; "no ans." counts replies without a readable answer."""
    title = f"\n{wording.name(benchmark)}: {phrases.asked(report, benchmark)}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("variant", overflow="fold")
    one_variant = phrases.has_one_variant(report)
    for heading in ("size", "correct", "%", "95 %", *(() if one_variant else ("differs",)), "no\nans.", "tok/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    if not one_variant:
        table.add_column("verdict", width=10, overflow="fold")  # rich would narrow one that has a least width
    for score in phrases.rows(report, benchmark):
        comparison = phrases.against(report, benchmark).get(score.variant)
        difference = comparison.difference if comparison else None
        differs = "" if difference is None else wording.signed_points(difference)
        cells: tuple[str | Text, ...] = (
            score.variant,
            phrases.size(report, score.variant),
            wording.correct(score).replace(" ", "\n"),
            wording.percent(score.accuracy).removesuffix(" %"),
            wording.interval(score.interval).removesuffix(" %").replace(" to ", wording.DASH),
            *(() if one_variant else (differs,)),
            str(score.unanswered),
            wording.number(score.tokens_per_second),
            *(() if one_variant else (_verdict(report, score, comparison),)),
        )
        table.add_row(*cells)
    return table


def _verdict(report: Report, score: Score, comparison: Comparison | None) -> Text:
    verdict = comparison.verdict if comparison else "baseline" if score.variant == report.plan.study.baseline else ""
    return Text(verdict, style=phrases.colour(verdict))
