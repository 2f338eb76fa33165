"""`whichquant fidelity`: how far builds are from their reference, token by token; of a study, or of bare files."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from evaluator.commands.partings import ask_partings
from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.requested import Wanted, measured
from evaluator.report.fidelity.page import write_pages
from evaluator.report.fidelity.terminal import show
from evaluator.store.folder import is_run
from evaluator.study.file import load_study
from evaluator.text import one_line


def fidelity(models: Sequence[str], runs: Path, console: Console, wanted: Wanted, *, as_json: bool = False) -> int:
    """Measure, keep and show; give the exit code.

    Args:
        models: A study's file alone, or two models or more, the first of them the reference if no other is named.
        runs: Folder in which a study's run has its own.
        console: Where it is shown.
        wanted: What is set on the command line.
        as_json: Whether one JSON object is printed in place of tables.

    Raises:
        StudyError: What is given cannot be compared.
        ModelError: A model cannot be had or evaluated.
    """
    tell = (lambda sentence: console.print(Text(one_line(sentence), style="dim"))) if not as_json else _silent
    found, folder = measured(models, runs, wanted, tell)
    if models[0].endswith((".yaml", ".yml")) and is_run(folder):
        partings = ask_partings(load_study(Path(models[0]), asking=False), folder, tell)
        found = replace(found, partings=partings, notes=(*found.notes, *(each.sentence for each in partings)))
        keep_fidelity(folder, found)
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        show(found, console)
        console.print(Text(_where(folder, found)))
    return 0


def _where(folder: Path, found: Fidelity) -> str:
    """Say where it stands: in pages of its own, or, beside answers, in the run's report when that is written again."""
    if is_run(folder):
        return f"Kept in {folder}; whichquant report {folder} writes it into the run's report."
    return f"Report: {write_pages(found, folder)}"


def _silent(_sentence: str) -> None:
    pass
