"""`whichquant status`: whether a run goes on, has ended or was stopped, and how far it is, read from its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console, ConsoleRenderable
from rich.text import Text

from evaluator.commands.outcome import exit_code
from evaluator.decide.wording import listed
from evaluator.report import progress
from evaluator.report.counted import counted
from evaluator.report.display import drawn
from evaluator.store.folder import read_plan, report_path
from evaluator.store.last_report import LastReport, is_complete, last_report
from evaluator.store.live import Live, age_s, goes_on, read_live
from evaluator.text import strip_control

GOING_ON, STOPPED = 5, 130
"""Exit codes, where the run has none of its own."""
_LATE_S = 30.0
"""A file older than this is said to be."""
State = Literal["going on", "finished", "not finished", "stopped"]


class RunStatus(Struct, frozen=True, kw_only=True):
    """How a run stands."""

    run: str
    """Its folder."""
    state: State
    """`not finished`: it ended, but a variant could not be asked all questions. `stopped`: before its end."""
    exit_code: int
    """The run's own; 5 while it goes on, 130 where it was stopped."""
    why: str = ""
    """Why it was stopped or is not finished, in words; empty where nothing is known."""
    report: str = ""
    """Path of its report; empty where there is none yet."""
    counted: bool = False
    """Whether `live` was counted from the records; else the process that asks wrote it."""
    live: Live


def show_status(folder: Path, console: Console, *, as_json: bool = False) -> int:
    """Show how a run stands; give its exit code, or that it has none yet.

    Raises:
        StudyError: the folder holds no run, or a damaged one.
    """
    status = read_status(folder)
    if as_json:
        console.out(msgspec.json.format(msgspec.json.encode(status), indent=2).decode(), highlight=False)
        return status.exit_code
    for part in drawing(status, console):
        console.print(part, soft_wrap=isinstance(part, Text))
    if status.report and status.state in ("finished", "not finished"):
        console.print(Text(f"The report: {status.report}"), soft_wrap=True)
    return status.exit_code


def read_status(folder: Path) -> RunStatus:
    """Read how a run stands.

    Raises:
        StudyError: the folder holds no run, or a damaged one.
    """
    read_plan(folder)
    live, last = read_live(folder), last_report(folder)
    if live is not None and last.written > live.updated[:19] and is_complete(folder):
        live = None  # an earlier version brought the run to its end
    report = str(report_path(folder, "html")) if report_path(folder, "html").exists() else ""
    if goes_on(folder, live):
        shown = live if live is not None and live.phase != "ended" else counted(folder)
        return RunStatus(
            run=str(folder), state="going on", exit_code=GOING_ON, report=report, counted=shown is not live, live=shown
        )
    from_records = counted(folder) if live is None or not any(each.planned for each in live.variants) else None
    shown = replace(from_records or live or counted(folder), phase="ended")
    if live is not None or not last.written or shown.updated[:19] > last.written[:19]:
        return RunStatus(
            run=str(folder),
            state="stopped",
            exit_code=STOPPED,
            why=live.end if live else "",
            report=report,
            counted=from_records is not None,
            live=shown,
        )
    return _ended(folder, last, shown, report)


def drawing(status: RunStatus, console: Console) -> Iterator[ConsoleRenderable]:
    """Draw the state in one line, and below it the table."""
    yield Text(strip_control(_sentence(status)), "bold")
    yield drawn(status.live, console) if status.state == "going on" else progress.drawing(status.live, console)


def _ended(folder: Path, last: LastReport, live: Live, report: str) -> RunStatus:
    missing = listed(last.problems) if last.problems else ""
    return RunStatus(
        run=str(folder),
        state="not finished" if last.problems else "finished",
        exit_code=exit_code(last),
        why=f"{missing} could not be asked all questions" if missing else "",
        report=report,
        counted=True,
        live=live,
    )


def _sentence(status: RunStatus) -> str:
    live, state = status.live, status.state
    if state == "going on":
        where = f", process {live.pid} on {live.host}" if live.pid else ""
        old = f", as of {progress.ago(age_s(live))}" if live.updated and age_s(live) > _LATE_S else ""
        return f"{live.study}: going on{where}{old}"
    why = f" ({status.why})" if status.why else ""
    again = " The same command goes on where it stopped." if state != "finished" else ""
    when = f", as of {live.updated[:16].replace('T', ' ')} UTC" if live.updated and state == "stopped" else ""
    return f"{live.study}: {state}{when}{why}.{again}"
