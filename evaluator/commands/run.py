"""`whichquant run` and `whichquant report`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from evaluator.analyse.report import Report
from evaluator.commands.outcome import EVERYTHING, Output, exit_code, show_report, watched
from evaluator.rebuild import rebuild_report
from evaluator.report.display import Display
from evaluator.report.image_files import Form, save_pictures
from evaluator.report.markdown import markdown
from evaluator.report.post import post
from evaluator.store.folder import locked

Pasted = Literal["reddit", "github"]
"""Where a report's Markdown is to be pasted."""


def run(
    path: Path,
    runs: Path,
    console: Console,
    *,
    more_tokens: int | None = None,
    check: bool = True,
    force: bool = False,
    output: Output = EVERYTHING,
) -> int:
    """Run or resume the study at `path` and show its report; give the exit code. See `run_study`."""
    from evaluator.pipeline import run_study  # noqa: PLC0415 - a report is written without it

    return watched(
        lambda on_event: run_study(
            path, runs=runs, more_tokens=more_tokens, check=check, force=force, on_event=on_event
        ),
        runs,
        console,
        output,
    )


def report(folder: Path, console: Console, *, form: Pasted | None = None, png: bool = False, svg: bool = False) -> int:
    """Grade a run's records again, write its report again and show it; give the exit code.

    Args:
        folder: The run's.
        console: Where to show it.
        form: Where it is to be pasted: its Markdown is printed instead, and nothing else.
        png: Whether its pictures are saved, too.
        svg: Whether they are saved as SVG, too.
    """
    wanted: dict[Form, bool] = {"png": png, "svg": svg}
    forms = [form for form, is_wanted in wanted.items() if is_wanted]
    if form is not None:
        rebuilt = rebuild_report(folder)
        for picture in _saved(rebuilt, folder, forms):
            sys.stderr.write(f"A picture: {picture}\n")
        sys.stdout.write(post(rebuilt) if form == "reddit" else markdown(rebuilt))
        return exit_code(rebuilt)
    with Display(console) as display:
        rebuilt = rebuild_report(folder, display)
    pictures = _saved(rebuilt, folder, forms)
    code = show_report(rebuilt, folder, console)
    for picture in pictures:
        console.print(f"A picture: {picture}", markup=False, soft_wrap=True)
    return code


def _saved(report: Report, folder: Path, forms: Sequence[Form]) -> tuple[Path, ...]:
    if not forms:
        return ()
    with locked(folder):
        return save_pictures(report, folder, forms)
