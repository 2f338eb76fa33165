"""A report on bare counts as the terminal shows it."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.counts.report import CountsReport
from evaluator.decide import wording
from evaluator.decide.wording import name
from evaluator.report import phrases
from evaluator.report.counts import rows
from evaluator.text import one_line


def show(report: CountsReport, console: Console) -> None:
    """Print tables, verdicts and what they rest on."""
    for renderable in _parts(report):
        console.print(renderable)


def _parts(report: CountsReport) -> Iterator[ConsoleRenderable]:
    for benchmark in rows.benchmarks(report):
        yield Text(one_line(f"{name(benchmark)}: {rows.about(benchmark, report)}"), style="italic")
        yield _scores(report, benchmark)
        yield _tests(report, benchmark)
    yield Text(
        "p values: above uncorrected, below corrected by Holm. Intervals: above Miettinen-Nurminen, below Newcombe.\n"
    )
    yield from (Text(one_line(rows.any_difference(item))) for item in report.omnibus)
    if report.implausible:
        yield Text("\nRead this before you believe a number", style="bold")
    yield from (Text.assemble(("warn ", "yellow"), one_line(item.sentence)) for item in report.implausible)
    yield Text("\nWhat the counts show", style="bold")
    if report.note:
        yield Text(one_line(report.note), style="italic")
    for comparison, sentence, pairing in zip(report.comparisons, report.sentences, report.pairings, strict=True):
        line = Text(one_line(f"{sentence} {pairing}"))
        line.highlight_words([comparison.verdict], style=f"bold {phrases.colour(comparison.verdict)}")
        yield Padding(Text.assemble(("• ", phrases.colour(comparison.verdict)), line), (0, 0, 0, 2))
    yield Text("\nAll together", style="bold")
    yield from (Padding(Text.assemble("• ", one_line(remark)), (0, 0, 0, 2)) for remark in report.remarks)
    yield from (Text("\n" + one_line(part)) for part in report.method)


def _scores(report: CountsReport, benchmark: str) -> Table:
    table = _table()
    table.add_column("variant", overflow="fold")
    for heading in ("correct", "%", wording.interval_label(1 - report.alpha)):
        table.add_column(heading, justify="right", no_wrap=True)
    for score in rows.scores(report, benchmark):
        table.add_row(
            Text(one_line(score.variant)),
            f"{score.correct}/{score.total}",
            wording.percent(score.accuracy).removesuffix(" %"),
            wording.interval(score.interval).removesuffix(" %"),
        )
    return table


def _tests(report: CountsReport, benchmark: str) -> Table:
    """Draw the comparisons, narrow enough for 80 columns: each p value above the corrected one."""
    table = _table()
    table.add_column("compared", overflow="fold")
    table.add_column("differs", justify="right", no_wrap=True)
    table.add_column(wording.interval_label(1 - report.alpha), justify="right", no_wrap=True)
    for heading in ("z, χ²", "Yates", "Fisher", "Boschloo"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=10, overflow="fold")
    for c, _ in rows.comparisons(report, benchmark):
        tests = [c.tests[test] for test in ("chi_squared", "yates", "fisher", "boschloo")]
        table.add_row(
            Text(f"{one_line(c.variant)}\nv {one_line(c.baseline)}"),
            wording.signed_points(c.difference),
            f"{wording.signed_span(c.interval)}\n{wording.signed_span(c.newcombe)}".replace(" to ", wording.DASH),
            *(f"{wording.p_value(test.p)}\n{wording.p_value(test.p_holm)}" for test in tests),
            Text(c.verdict, style=phrases.colour(c.verdict)),
        )
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
