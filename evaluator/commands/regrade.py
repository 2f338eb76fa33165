"""`whichquant regrade`: grade a run's records again with today's graders, and say what that changed."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluator.analyse.kept import forget
from evaluator.analyse.load import Grades, read_grades
from evaluator.commands.outcome import interruptible
from evaluator.commands.run import report
from evaluator.decide import wording
from evaluator.grade import grader as grade
from evaluator.records import Grade
from evaluator.store.folder import records_folder
from evaluator.store.last_report import last_report
from evaluator.text import strip_control

_EXAMPLES = 5
"""Questions named for each kind of change."""


def regrade(folder: Path, console: Console) -> int:
    """Grade a run's records again, write its report again, and say which outcomes changed; give the exit code.

    Raises:
        StudyError: the folder holds no run, or a damaged one, or one whose code cannot be run again here.
    """
    return interruptible(lambda: _regrade(folder, console), "the records are as they were; run the same command again")


def _regrade(folder: Path, console: Console) -> int:
    version, before = last_report(folder).grader, read_grades(folder)
    forget(records_folder(folder).glob("*.jsonl"))
    code = report(folder, console)
    now = read_grades(folder)
    console.print(Text(f"\nGraded by {_versions(version)}", style="bold"))
    for line in _changes(before, now):
        console.print(Text(strip_control(line)), soft_wrap=True)
    return code


def _versions(before: str | None) -> str:
    if before is None:
        return f"grader {grade.VERSION}; there was no report before"
    if before == grade.VERSION:
        return f"grader {grade.VERSION}, as before"
    return f"grader {grade.VERSION}, before by grader {before}"


def _changes(before: Grades, now: Grades) -> Iterator[str]:
    """Say for each variant and benchmark what changed, kind by kind."""
    parts: dict[tuple[str, str], list[tuple[Grade, Grade]]] = defaultdict(list)
    for (variant, key), new in now.items():
        if old := before.get((variant, key)):
            parts[variant, key.benchmark].append((old, new))
    changed = [line for (variant, benchmark), pairs in parts.items() for line in _part(variant, benchmark, pairs)]
    yield from changed
    if first := len(now.keys() - before.keys()):
        yield f"{first:,} graded for the first time"
    if dropped := len(before.keys() - now.keys()):
        yield f"{dropped:,} graded before, but no longer part of the study"
    if parts and not changed:
        yield "nothing changed"


def _part(variant: str, benchmark: str, pairs: list[tuple[Grade, Grade]]) -> Iterator[str]:
    kinds: dict[str, list[str]] = defaultdict(list)
    for old, new in pairs:
        if kind := _kind(old, new):
            kinds[kind].append(new.key.question_id)
    if kinds:
        outcomes = sum(old.outcome != new.outcome for old, new in pairs)
        yield f"{variant}, {wording.name(benchmark)}: {outcomes:,} of {len(pairs):,} outcomes changed"
    for kind, ids in sorted(kinds.items(), key=lambda item: -len(item[1])):
        more = ", \u2026" if len(ids) > _EXAMPLES else ""
        yield f"  {kind} {len(ids):,} (questions {', '.join(ids[:_EXAMPLES])}{more})"


def _kind(old: Grade, new: Grade) -> str:
    """Name the change; empty when there is none."""
    if old.outcome != new.outcome:
        return f"{old.outcome} -> {new.outcome}"
    return f"still {new.outcome}, but another answer was read" if old.extracted != new.extracted else ""
