"""`whichquant check`: would this study's claim stand? Every server is started and tried, and nothing is asked yet."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from evaluator.ask.servers import check_models, spec_of
from evaluator.checks.rule import Check
from evaluator.preflight.preflight import Tried, judged, keep, try_servers
from evaluator.report.preflight import aspects, show
from evaluator.store.folder import locked
from evaluator.study.file import read
from evaluator.study.requests import context_needed, plan
from evaluator.study.study import Study
from evaluator.text import strip_control
from servers.cache import user_cache


def check_study(path: Path, runs: Path, console: Console, *, force: bool, as_json: bool) -> int:
    """Check the study at `path`, show what was found, and give the exit code.

    Where the study has a folder among the runs, what was proved is kept there; else nothing is written but logs, in
    the user's cache.

    Args:
        path: Of the study file.
        runs: Folder in which each run has its own.
        console: Where it is shown.
        force: Whether a finding that blocks is no failure.
        as_json: Whether a program reads it.

    Raises:
        StudyError: The study cannot be run as it is written, or its folder holds answers of other servers.
        ServerError: A server cannot be started, as is found before any is.
        ModelError: A model cannot be had from the hub.
        KeyboardInterrupt: The user stopped it.
    """
    study, text = read(path)
    check_models(study, text, path)
    asks, folder = plan(study), runs / study.study
    needed = context_needed(asks)
    specs = {variant.name: spec_of(study, variant, needed, path.parent) for variant in study.variants}
    kept = (folder / "plan.json").exists()
    logs = folder / "logs" if kept else user_cache() / "logs" / study.study

    def say(line: str) -> None:
        if not as_json:
            console.print(Text(strip_control(line), style="dim"), soft_wrap=True)

    with locked(folder) if kept else nullcontext():
        tried = try_servers(study, specs, asks, logs, needed=needed, say=say)
        found = judged(study, asks, tried)
        if kept:
            keep(folder, study, tried, found, force=force)
    if as_json:
        told = msgspec.json.format(msgspec.json.encode(_object(study, tried, found)), indent=2)
        console.out(told.decode(), highlight=False)
    else:
        show(study, tried, found, console)
    if tried.problems:
        return 3
    return 1 if any(check.severity == "block" for check in found) and not force else 0


def _object(study: Study, tried: Tried, found: Sequence[Check]) -> Mapping[str, Any]:
    """Give what `--json` prints.

    study      its name
    blocked    whether a finding blocks the claim
    variants   by name what was proved: {"thinking": "proved", "said", "unknown", or the severity of a finding, ...}
    checks     the findings, as in report.json
    proofs     by variant what its server did
    facts      by variant what its server said
    problems   by variant why it could not be tried
    """
    return {
        "study": study.study,
        "blocked": any(check.severity == "block" for check in found),
        "variants": {variant.name: aspects(study, variant, tried, found) for variant in study.variants},
        "checks": found,
        "proofs": tried.proofs,
        "facts": tried.facts,
        "problems": tried.problems,
    }
