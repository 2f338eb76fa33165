"""`whichquant plan`: what a study can show, and how long it takes."""

from pathlib import Path

import msgspec
from rich.console import Console

from evaluator.planning import plan_study
from evaluator.report.power import show


def show_plan(
    path: Path,
    runs: Path,
    console: Console,
    *,
    tokens_per_second: float | None,
    tokens_per_answer: float | None,
    as_json: bool,
) -> int:
    """Print what the study at `path` can show and how long it takes; give the exit code. See `plan_study`."""
    study_plan = plan_study(path, runs=runs, tokens_per_second=tokens_per_second, tokens_per_answer=tokens_per_answer)
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(study_plan), indent=2).decode() + "\n")
    else:
        show(study_plan, console)
    return 0
