"""The end of a run as the terminal shows it: first which build to run, then what that rests on."""

from collections.abc import Iterator

from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.report import phrases
from evaluator.report.fidelity.terminal import parts as fidelity_parts
from evaluator.report.method import saved
from evaluator.report.recommendation import recommendation_parts
from evaluator.report.terminal_tables import cost_table, score_table
from evaluator.text import strip_control

_STYLES = {"block": "bold red", "warn": "yellow", "note": "dim"}


def show(report: Report, console: Console) -> None:
    """Print the recommendation, tables, checks and verdicts."""
    for renderable in _parts(report):
        console.print(renderable)


def _parts(report: Report) -> Iterator[ConsoleRenderable]:
    yield from recommendation_parts(report.recommendation)
    for benchmark in report.plan.study.benchmarks.chosen():
        yield score_table(report, benchmark)
    for score in report.scores:
        if len(score.pass_at_k) > 1:
            yield Text(f"{score.variant}, {wording.name(score.benchmark)}: {phrases.pass_at_k(score)}")
    if table := cost_table(report):
        yield table
    if report.fidelity:
        yield from fidelity_parts(report.fidelity, report.fidelity_and_tasks)
    yield from _checks(report)
    yield Text("\nWhat the data show", style="bold")
    if report.plan.study.note:
        yield Text(strip_control(report.plan.study.note), style="italic")
    for comparison in report.comparisons:
        line = Text(strip_control(comparison.sentence))
        line.highlight_words([comparison.verdict], style=f"bold {phrases.colour(comparison.verdict)}")
        yield Padding(Text.assemble(("• ", phrases.colour(comparison.verdict)), line), (0, 0, 0, 2))
    yield from _others(report)


def _checks(report: Report) -> Iterator[ConsoleRenderable]:
    """Show the findings, those that block first; of several with one remedy it stands behind the last."""
    if report.checks:
        yield Text("\nWhat blocks or weakens this", style="bold")
    for severity, style in _STYLES.items():
        for group in phrases.with_one_remedy(report.checks, severity):
            for check in group:
                remedy = (phrases.advice(check) if check is group[-1] else "") or "."
                message = phrases.about(check) + strip_control(check.message)
                yield Text.assemble((f"{severity} ", style), message, (remedy, "dim"))


def _others(report: Report) -> Iterator[ConsoleRenderable]:
    for sentence in phrases.single_results(report):
        yield Padding(Text(f"• {sentence}"), (0, 0, 0, 2))
    if report.plan.study.concurrency == "auto" and report.in_flight:
        yield Padding(Text(f"• {phrases.questions_at_once(report)}"), (0, 0, 0, 2))
    for sentence in filter(None, (saved(report), phrases.reuse(report))):
        yield Padding(Text(f"• {strip_control(sentence)}"), (0, 0, 0, 2))
    if report.exploratory and report.exploratory.tests:
        yield Text("\nExplored beside these verdicts: see the end of the report.", style="dim")
