"""`whichquant regrade`: grade a run's records again with today's graders, and say what that changed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluator.analyse.kept import forget
from evaluator.analyse.load import Grades, read_each, read_grades
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
    console.print(Text(f"\nGraded by {_versions(version)}", style="bold"))
    for line in _changes(before, read_each(folder)):
        console.print(Text(strip_control(line)), soft_wrap=True)
    return code


def _versions(before: str | None) -> str:
    if before is None:
        return f"grader {grade.VERSION}; there was no report before"
    if before == grade.VERSION:
        return f"grader {grade.VERSION}, as before"
    return f"grader {grade.VERSION}, before by grader {before}"


class _Part:
    """What changed of one variant on one benchmark."""

    def __init__(self) -> None:
        self.graded = self.outcomes = 0
        self.kinds: dict[str, list[str]] = defaultdict(list)
        """By the kind of change the questions."""

    def add(self, old: Grade, new: Grade) -> None:
        self.graded += 1
        self.outcomes += old.outcome != new.outcome
        if kind := _kind(old, new):
            self.kinds[kind].append(new.key.question_id)


def _changes(before: Grades, now: Iterable[Grade]) -> Iterator[str]:
    """Say for each variant and benchmark what changed, kind by kind."""
    parts: dict[tuple[str, str], _Part] = defaultdict(_Part)
    first, again = 0, 0
    for new in now:
        old = before.get((new.variant, new.key))
        if old is None:
            first += 1
        else:
            again += 1
            parts[new.variant, new.key.benchmark].add(old, new)
    changed = [line for (variant, benchmark), part in parts.items() for line in _lines(variant, benchmark, part)]
    yield from changed
    if first:
        yield f"{first:,} graded for the first time"
    if dropped := len(before) - again:
        yield f"{dropped:,} graded before, but no longer part of the study"
    if parts and not changed:
        yield "nothing changed"


def _lines(variant: str, benchmark: str, part: _Part) -> Iterator[str]:
    if part.kinds:
        yield f"{variant}, {wording.name(benchmark)}: {part.outcomes:,} of {part.graded:,} outcomes changed"
    for kind, ids in sorted(part.kinds.items(), key=lambda item: -len(item[1])):
        more = ", \u2026" if len(ids) > _EXAMPLES else ""
        yield f"  {kind} {len(ids):,} (questions {', '.join(ids[:_EXAMPLES])}{more})"


def _kind(old: Grade, new: Grade) -> str:
    """Name the change; empty when there is none."""
    if old.outcome != new.outcome:
        return f"{old.outcome} -> {new.outcome}"
    return f"still {new.outcome}, but another answer was read" if old.extracted != new.extracted else ""
