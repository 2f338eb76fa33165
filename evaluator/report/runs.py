"""A comparison of finished runs as the terminal shows it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.decide import wording
from evaluator.report import phrases
from evaluator.report.fidelity.terminal import parts as fidelity_parts
from evaluator.report.recommendation import recommendation_parts
from evaluator.text import strip_control

if TYPE_CHECKING:  # it imports this module to show itself
    from evaluator.analyse.report import RunsReport


def show(report: "RunsReport", console: Console) -> None:
    """Print tables, verdicts and warnings."""
    for renderable in _parts(report):
        console.print(renderable)


def _parts(report: "RunsReport") -> Iterator[ConsoleRenderable]:
    yield from recommendation_parts(report.recommendation)
    for benchmark in report.margins:
        yield _table(report, benchmark)
    if report.fidelity:
        yield from fidelity_parts(report.fidelity)
    yield Text("\nWhat the data show", style="bold")
    for comparison in report.comparisons:
        line = Text(strip_control(comparison.sentence))
        line.highlight_words([comparison.verdict], style=f"bold {phrases.colour(comparison.verdict)}")
        yield Padding(Text.assemble(("• ", phrases.colour(comparison.verdict)), line), (0, 0, 0, 2))
    if report.warnings:
        yield Text("")
    for warning in report.warnings:
        yield Text.assemble(("warn ", "yellow"), strip_control(warning))


def _table(report: "RunsReport", benchmark: str) -> Table:
    """Draw a benchmark's scores, the baseline first, narrow enough for 80 columns."""
    title = f"\n{wording.name(benchmark)}: margin {report.margins[benchmark]:g} points, baseline {report.baseline}"
    table = Table(
        title=Text(strip_control(title)),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("variant", overflow="fold")
    table.add_column("verdict", min_width=10, overflow="fold")
    table.add_column("run", overflow="fold")
    for heading in ("correct", "%", "95 %", "differs"):
        table.add_column(heading, justify="right", no_wrap=True)
    comparisons = {c.variant: c for c in report.comparisons if c.benchmark == benchmark}
    origins = {name: run.name for run in report.runs for name in run.variants}
    scores = sorted((s for s in report.scores if s.benchmark == benchmark), key=lambda s: s.variant != report.baseline)
    for score in scores:
        comparison = comparisons.get(score.variant)
        verdict = comparison.verdict if comparison else "baseline"
        difference = comparison.difference if comparison else None
        run = origins[score.variant]
        table.add_row(
            Text(strip_control(score.variant.removeprefix(f"{run}/"))),
            Text(verdict, style=phrases.colour(verdict)),
            Text(strip_control(run)),
            wording.correct(score),
            wording.percent(score.accuracy).removesuffix(" %"),
            wording.interval(score.interval).removesuffix(" %").replace(" to ", wording.DASH),
            "" if difference is None else wording.signed_points(difference),
        )
    return table
