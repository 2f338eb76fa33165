"""`whichquant compare`: compare finished runs, or bare counts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from evaluator.analyse import runs
from evaluator.commands.margin import read_margin
from evaluator.counts.analyse import analyse_counts
from evaluator.counts.file import read_counts
from evaluator.errors import StudyError
from evaluator.report.runs import show
from evaluator.store.folder import write

if TYPE_CHECKING:
    from evaluator.study.study import Prefer


def compare(
    run_folders: Sequence[Path],
    *,
    counts: str | None,
    baseline: str | None,
    margins: Sequence[str],
    alpha: float | None,
    prefer: "Prefer | None",
    as_json: bool,
    write_to: Path | None,
    console: Console,
) -> int:
    """Compare runs, or counts; give the exit code.

    Args:
        run_folders: Folders of finished runs.
        counts: In their place a file of counts, or its text.
        baseline: The variant to compare with; None is the first run's baseline, or that of the counts.
        margins: In points, each as `5`, for all benchmarks, or `mmlu_pro=2`.
        alpha: Rate of false alarms; None is the first run's, or that of the counts.
        prefer: What the recommended build is to have most of; None is what the first run's study says.
        as_json: Print one JSON object in place of tables.
        write_to: Folder for the report of counts.
        console: Where it is shown.

    Raises:
        StudyError: an option is impossible, or what is to be compared cannot be.
    """
    points = dict(map(read_margin, margins))
    if alpha is not None and not 0 < alpha < 0.5:
        raise StudyError("give a number between 0 and 0.5", source=f"--alpha {alpha:g}")
    if (counts is None) == (not run_folders):
        raise StudyError("give the folders of runs, as runs/<study>, or --counts FILE", source="compare")
    if counts is not None:
        if prefer is not None:
            raise StudyError("works only with runs: counts say nothing of size, speed or memory", source="--prefer")
        return compare_counts(
            counts,
            baseline=baseline,
            margins=points,
            alpha=alpha,
            as_json=as_json,
            write_to=write_to,
            console=console,
        )
    if write_to is not None:
        raise StudyError("--write works only with --counts; a run already has a report")
    return compare_runs(
        run_folders,
        baseline=baseline,
        margins=points,
        alpha=alpha,
        prefer=prefer,
        as_json=as_json,
        console=console,
    )


def compare_runs(
    folders: Sequence[Path],
    *,
    baseline: str | None,
    margins: Mapping[str, float],
    alpha: float | None,
    as_json: bool,
    console: Console,
    prefer: "Prefer | None" = None,
) -> int:
    """Compare the variants of finished runs and say what they show; give the exit code, 1 where something is blocked.

    Args:
        folders: Folders of the runs; a single run is compared with another baseline, margin or alpha.
        baseline: The variant to compare with, `run/name` where runs share the name; None is the first run's baseline.
        margins: Points by benchmark, "" for all others; where none is given, what the studies say.
        alpha: Rate of false alarms over all comparisons together; None is the first run's.
        as_json: Print one JSON object in place of tables.
        console: Where it is printed.
        prefer: What the recommended build is to have most of; None is what the first run's study says.

    Raises:
        StudyError: a run is not finished, or runs were not asked the same questions in the same way.
    """
    report = runs.compare(folders, baseline=baseline, margins=margins, alpha=alpha, prefer=prefer)
    if as_json:
        console.out(msgspec.json.format(msgspec.json.encode(report), indent=2).decode(), highlight=False)
    else:
        show(report, console)
    return 1 if any(comparison.verdict == "not comparable" for comparison in report.comparisons) else 0


def compare_counts(
    source: str,
    *,
    baseline: str | None,
    margins: Mapping[str, float],
    alpha: float | None,
    as_json: bool,
    write_to: Path | None,
    console: Console,
) -> int:
    """Compare bare counts and say what they show; give the exit code.

    Args:
        source: A YAML file with counts, or the YAML itself.
        baseline: The variant to compare with; None is what the file says, and without one every pair is compared.
        margins: Points by benchmark, "" for all others, in place of those of the file.
        alpha: Rate of false alarms over all comparisons together; None is what the file says, or 0.05.
        as_json: Print the whole report as one JSON object in place of tables.
        write_to: A folder for `counts.yaml`, `report.json`, `report.md` and `report.html`; None writes nothing.
        console: Where it is printed.

    Raises:
        StudyError: the counts are wrong, or the folder cannot be written to.
    """
    from evaluator.report.counts.html import html  # noqa: PLC0415 - only where it is asked for
    from evaluator.report.counts.markdown import markdown  # noqa: PLC0415
    from evaluator.report.counts.terminal import show as show_counts  # noqa: PLC0415

    counts, text = read_counts(source, baseline=baseline, margins=margins, alpha=alpha)
    report = analyse_counts(counts)
    if write_to is not None:
        data = msgspec.json.format(msgspec.json.encode(report), indent=2)
        files = {"report.json": data, "report.md": markdown(report).encode(), "report.html": html(report).encode()}
        _write_all(write_to, {"counts.yaml": text.encode(), **files})
    if as_json:
        # In ASCII: names from a file may hold what a terminal obeys.
        console.out(json.dumps(msgspec.to_builtins(report), indent=2), highlight=False)
        return 0
    show_counts(report, console)
    if write_to is not None:
        console.print(f"\nReport: {write_to / 'report.html'}", markup=False, soft_wrap=True)
    return 0


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"is no folder to write to ({error.strerror})", source=folder, remedy="name another") from None
    for file, data in files.items():
        write(folder / file, data)
