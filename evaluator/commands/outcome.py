"""How a run ends: its report is written and shown, and its exit code chosen."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.report.files import write_report
from evaluator.report.terminal import show


def tell(report: Report, folder: Path, console: Console) -> int:
    """Write and show a report; give the exit code."""
    written = write_report(report, folder)
    show(report, console)
    console.print(Text.assemble("\nThe report: ", (str(written), "bold")), soft_wrap=True)
    return exit_code(report)


def exit_code(report: Report) -> int:
    """Give the exit code of a run: 3 where no server answered anything, 1 where the claim is blocked or incomplete."""
    if report.problems and not any(score.outcomes for score in report.scores):
        return 3
    return 1 if report.problems or any(check.severity == "block" for check in report.checks) else 0
