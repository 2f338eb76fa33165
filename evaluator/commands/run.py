"""`whichquant run` and `whichquant report`."""

from pathlib import Path

from rich.console import Console

from evaluator.commands.outcome import show_report, watched
from evaluator.pipeline import rebuild_report, run_study
from evaluator.report.display import Display


def run(
    path: Path,
    runs: Path,
    console: Console,
    *,
    more_tokens: int | None = None,
    check: bool = True,
    force: bool = False,
) -> int:
    """Run or resume the study at `path` and show its report; give the exit code. See `run_study`."""
    return watched(
        lambda on_event: run_study(
            path, runs=runs, more_tokens=more_tokens, check=check, force=force, on_event=on_event
        ),
        runs,
        console,
    )


def report(folder: Path, console: Console) -> int:
    """Grade a run's records again, write its report again and show it; give the exit code."""
    with Display(console) as display:
        rebuilt = rebuild_report(folder, display)
    return show_report(rebuilt, folder, console)
