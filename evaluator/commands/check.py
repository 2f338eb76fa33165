"""`whichquant check`: start and try every server of a study, and ask no question."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from evaluator.commands.outcome import EVERYTHING, Output, both
from evaluator.pipeline import check_study
from evaluator.preflight.preflight import Preflight
from evaluator.report.display import Display
from evaluator.report.json_log import JsonLog
from evaluator.report.preflight import aspects, show


def check(path: Path, runs: Path, console: Console, *, force: bool, as_json: bool, output: Output = EVERYTHING) -> int:
    """Check the study at `path`, show what was found, and give the exit code. See `check_study`.

    Args:
        path: Path of the study file.
        runs: Folder in which each run has its own.
        console: Where it is shown.
        force: Whether to give exit code 0 even if a finding blocks the claim.
        as_json: Print one JSON object in place of tables.
        output: What is shown while it goes on.
    """
    with (
        JsonLog(output.json_log) as log,
        Display(console, quiet=as_json or output.shows_nothing) as display,
    ):
        preflight = check_study(path, runs=runs, force=force, on_event=both(log, display))
        log.end(_exit_code(preflight, force=force))
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(_object(preflight)), indent=2).decode()
        console.out(text, highlight=False)
    else:
        show(preflight, console)
    return _exit_code(preflight, force=force)


def _exit_code(preflight: Preflight, *, force: bool) -> int:
    if preflight.problems:
        return 3
    return 1 if preflight.blocked and not force else 0


def _object(preflight: Preflight) -> Mapping[str, Any]:
    """Give what `--json` prints.

    study      its name
    blocked    whether a finding blocks the claim
    variants   by name what was proved: {"thinking": "proved", "said", "unknown", or the severity of a finding, ...}
    checks     the findings, as in report.json
    proofs     by variant what its server did
    facts      by variant what its server said
    problems   by variant why it could not be tried
    """
    study = preflight.study
    return {
        "study": study.study,
        "blocked": preflight.blocked,
        "variants": {variant.name: aspects(preflight, variant) for variant in study.variants},
        "checks": preflight.checks,
        "proofs": preflight.proofs,
        "facts": preflight.facts,
        "problems": preflight.problems,
    }
