"""Read as much of a run's last report as a later command needs."""

from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from evaluator.errors import StudyError
from evaluator.records import Record
from evaluator.store.folder import read_json, report_path

T = TypeVar("T", bound=Struct)


class SavedCheck(Struct, frozen=True):
    """A check's finding, by its code."""

    code: str
    severity: str = ""


class SavedScore(Struct, frozen=True):
    """One variant on one benchmark."""

    variant: str
    benchmark: str
    outcomes: dict[str, int] = {}
    accuracy: float | None = None
    mean_tokens: float | None = None
    tokens_per_second: float | None = None


class SavedComparison(Struct, frozen=True):
    """A verdict."""

    variant: str
    benchmark: str
    verdict: str
    mode: str = "fixed"


class LastReport(Struct, frozen=True):
    """As much of `report.json` as later commands need."""

    grader: str | None = None
    """Version of the grader; None where there is no report."""
    written: str = ""
    """UTC, ISO 8601, in whole seconds; empty where there is no report."""
    problems: dict[str, str] = {}
    """Variants that could not be finished, and why."""
    checks: tuple[SavedCheck, ...] = ()
    scores: tuple[SavedScore, ...] = ()
    comparisons: tuple[SavedComparison, ...] = ()


def read_report(folder: Path, kind: type[T]) -> T | None:
    """Read what a caller needs of a run's last report; None where there is none.

    Raises:
        StudyError: It is damaged.
    """
    try:
        return read_json(report_path(folder), kind, remedy=f"write it again with whichquant report {folder}")
    except OSError:
        return None


def last_report(folder: Path) -> LastReport:
    """Read a run's last report; an empty one if it is missing or damaged, since it will be written again."""
    return _readable(folder) or LastReport()


def is_complete(folder: Path) -> bool:
    """Whether a run has a report in which no variant and no question is missing."""
    report = _readable(folder)
    return report is not None and not report.problems and all(check.code != "no_reply" for check in report.checks)


def came_later(record: Record, written: str) -> bool:
    """Whether a record was begun after a report was written, so that the report's grade is not of it."""
    seconds = len("2026-01-31T12:00:00")
    return bool(written) and record.started[:seconds] > written[:seconds]


def _readable(folder: Path) -> LastReport | None:
    try:
        return read_report(folder, LastReport)
    except StudyError:
        return None
