"""`whichquant watch`: the live table of a run that goes on in another terminal."""

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live as LiveTable
from rich.text import Text

from evaluator.analyse.report import Report
from evaluator.commands.outcome import interruptible, show_report
from evaluator.commands.status import RunStatus, drawing, read_status, show_status
from evaluator.errors import StudyError
from evaluator.report import progress
from evaluator.report.display import LINE_EVERY_S, is_animated
from evaluator.store.last_report import read_report

_EVERY_S = 1.0
_COUNT_EVERY_S = 10.0
"""Where records have to be counted, which takes long for a large run."""


def watch(folder: Path, console: Console) -> int:
    """Show how a run goes on until it ends, and how it ended; give its exit code.

    Raises:
        StudyError: the folder holds no run, or a damaged one.
    """
    return interruptible(lambda: _watch(folder, console), "the run goes on without this")


def _watch(folder: Path, console: Console) -> int:
    status = read_status(folder)
    if status.state == "going on":
        status = _until_it_ends(folder, status, console)
        if report := _report(folder) if status.state in ("finished", "not finished") else None:
            return show_report(report, folder, console)
    return show_status(folder, console)


def _until_it_ends(folder: Path, status: RunStatus, console: Console) -> RunStatus:
    animated = is_animated(console)
    lines = _Lines(console)
    with LiveTable(console=console, auto_refresh=False, transient=True) as table:
        while status.state == "going on":
            if animated:
                table.update(Group(*drawing(status, console)), refresh=True)
            else:
                lines.show(status)
            time.sleep(_COUNT_EVERY_S if status.counted else _EVERY_S)
            status = read_status(folder)
    return status


class _Lines:
    """Prints a line for each variant that has gone on, now and then."""

    def __init__(self, console: Console) -> None:
        self._console, self._shown, self._line_at = console, dict[str, str](), 0.0

    def show(self, status: RunStatus) -> None:
        if self._shown and time.monotonic() < self._line_at + LINE_EVERY_S:
            return
        self._line_at = time.monotonic()
        for variant in status.live.variants:
            asked = variant.phase not in ("checking", "waiting") or variant.asked
            text = (
                progress.line(variant, at_most=status.live.at_most) if asked else f"{variant.variant}: {variant.phase}"
            )
            if text != self._shown.get(variant.variant):
                self._shown[variant.variant] = text
                self._console.print(Text(text), soft_wrap=True)


def _report(folder: Path) -> Report | None:
    try:
        return read_report(folder, Report)
    except StudyError:  # of another version
        return None
