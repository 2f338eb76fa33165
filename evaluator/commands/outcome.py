"""Show a run's progress and its report, and choose its exit code."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.errors import Blocked, NotStarted
from evaluator.events import Event, OnEvent
from evaluator.report.display import Display
from evaluator.report.json_log import STANDARD_ERROR, JsonLog
from evaluator.report.recommendation import headline
from evaluator.report.terminal import show
from evaluator.store.folder import report_path
from evaluator.store.last_report import LastReport


class Output(NamedTuple):
    """What a command shows besides its end."""

    quiet: bool = False
    json_log: str | None = None
    """A file for its events, `-` for standard error; None for nothing."""

    @property
    def shows_nothing(self) -> bool:
        """Whether the screen is left alone until the end: by wish, or since the events are written to it."""
        return self.quiet or (self.json_log == STANDARD_ERROR and sys.stderr.isatty())


EVERYTHING = Output()


def watched(work: Callable[[OnEvent], Report], runs: Path, console: Console, output: Output = EVERYTHING) -> int:
    """Do the work of a run, show what happens and its report, and give the exit code.

    Args:
        work: Runs a study; it is given the function to call with each event.
        runs: Folder in which each run has its own.
        console: Where it is shown.
        output: What is shown while it goes on.

    Raises:
        WhichquantError: What the work raises, except `Blocked`, which is shown.
    """
    with JsonLog(output.json_log) as log, Display(console, quiet=output.shows_nothing) as display:
        try:
            report = work(both(log, display))
        except Blocked as error:
            display.show_logs()
            log.end(error.exit_code, error=error.problem)
            no_server = isinstance(error, NotStarted)
            why = "a server does not start." if no_server else "the findings above would block the claim."
            who = "the others" if no_server else "all the same"
            sentence = f"Nothing was asked: {why} --force asks {who}, and the report says so."
            console.print(Text(sentence, style="bold"))
            return error.exit_code
        folder = runs / report.plan.study.study
        log.end(exit_code(report), report=report_path(folder))
    code = show_report(report, folder, console)
    display.show_logs()
    return code


def both(log: JsonLog, display: Display) -> OnEvent:
    """Return what hands each event to the log and to the screen."""

    def on_event(event: Event) -> None:
        log(event)
        display(event)

    return on_event


def show_report(report: Report, folder: Path, console: Console) -> int:
    """Show a report that was written into a run's folder; give the exit code."""
    show(report, console)
    if report.recommendation:  # what was printed first may be out of sight by now
        console.print(Text("\n").append(headline(report.recommendation)))
    console.print(Text.assemble("\nThe report: ", (str(report_path(folder, "html")), "bold")), soft_wrap=True)
    return exit_code(report)


def exit_code(report: Report | LastReport) -> int:
    """Give the exit code of a run: 3 where no server answered anything, 1 where the claim is blocked or incomplete."""
    if report.problems and not any(score.outcomes for score in report.scores):
        return 3
    return 1 if report.problems or any(check.severity == "block" for check in report.checks) else 0


def interruptible(work: Callable[[], int], sentence: str) -> int:
    """Do work that asks no server and give its exit code; when it is interrupted, say so and give 130."""
    try:
        return work()
    except KeyboardInterrupt:
        sys.stderr.write(f"whichquant: interrupted: {sentence}\n")
        return 130
