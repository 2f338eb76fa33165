"""The page of a run as it is now: the report that lies there once it has ended, before that one made of its records."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from evaluator.analyse.interim import interim
from evaluator.analyse.questions import kept_grades
from evaluator.analyse.run import look_at
from evaluator.benchmarks import BENCHMARKS
from evaluator.grade.kept import KeptGrader
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.report.html import html
from evaluator.report.questions import questions_section
from evaluator.store.folder import (
    is_run,
    plan_path,
    read_plan,
    records_folder,
    report_path,
)
from evaluator.store.journal import last_record
from evaluator.store.last_report import came_later, last_report
from evaluator.store.live import goes_on, read_live
from evaluator.study.study import Study

Phase = Literal["going_on", "stopped", "ended", "gone"]
_LEAST_S = 5.0
"""Between two pages that are made of records."""
_SHARE = 10
"""A page is made anew only after so many times the processor's seconds that the last one took: the run needs them."""


class State(Struct, frozen=True):
    """What a page that is open needs to know."""

    version: str
    """Changes whenever there is another page to be shown."""
    phase: Phase
    words: str
    """How far the run is, in words."""


class Page(Struct, frozen=True):
    """A page, and what it is made of."""

    html: bytes
    version: str
    words: str
    phase: Phase


class Followed:
    """A run's page, made when it is asked for; nothing is ever written into the run's folder. Safe for threads."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        """Take the run's folder, and the seconds that have passed and that this process has worked."""
        self._folder, self._clock, self._processor = folder, clock, processor
        self._lock = threading.Lock()
        self._grader: KeptGrader | None = None
        self._page: Page | None = None
        self._due = 0.0
        """When the next page may be made of records."""

    def end(self) -> None:
        """End the programs that a page in the making runs."""
        if self._grader:
            self._grader.end()

    def state(self) -> State:
        """Say what a page that is open needs to know; quick."""
        phase, page = phase_of(self._folder), self._page
        if phase == "ended":
            return State(_version(self._folder, phase), phase, "The run has ended.")
        if phase == "gone":
            words = "The run's folder is gone" + (": the page shows what was there last." if page else ".")
            return State(page.version if page else "", phase, words)
        if page is None or self._is_due(phase):
            return State(_version(self._folder, phase), phase, page.words if page else "The page is being made.")
        return State(page.version, phase, page.words)

    def page(self) -> Page:
        """Return the page as it is now, or was a few seconds ago.

        Raises:
            StudyError: The folder is gone or damaged, and there was no page before.
        """
        with self._lock:
            phase = phase_of(self._folder)
            version = _version(self._folder, phase)
            if phase == "ended":
                return Page(report_path(self._folder, "html").read_bytes(), version, "", phase)
            if self._page is None or (version != self._page.version and self._is_due(phase)):
                self._page = self._made(version, phase)
            return self._page

    def _is_due(self, phase: Phase) -> bool:
        """Whether a page may be made: some time after the last one, or at once where the run has stopped since."""
        is_other = self._page is not None and phase != self._page.phase
        return phase != "gone" and (is_other or self._clock() >= self._due)

    def _made(self, version: str, phase: Phase) -> Page:
        begun, going_on = self._processor(), phase == "going_on"
        if self._grader is None:
            sandbox = _sandbox(read_plan(self._folder).study)
            self._grader = KeptGrader(sandbox, kept_grades(self._folder))
        problems = {} if going_on else last_report(self._folder).problems
        report, grades = look_at(self._folder, grader=self._grader, problems=problems)
        report = interim(report, going_on=going_on)
        section = questions_section(report, self._folder, grades={(g.variant, g.key): g for g in grades})
        page = html(report, section).encode()
        self._due = self._clock() + max(_LEAST_S, _SHARE * (self._processor() - begun))
        return Page(page, version, report.unfinished[0], phase)


def phase_of(folder: Path) -> Phase:
    """Say whether a run has ended with a report of all its records, is going on, or stopped before."""
    if not is_run(folder):
        return "gone"
    if _is_reported(folder):
        return "ended"
    return "going_on" if goes_on(folder, read_live(folder)) else "stopped"


def _is_reported(folder: Path) -> bool:
    written = last_report(folder).written
    if not written or not report_path(folder, "html").exists():
        return False
    last = (last_record(path) for path in records_folder(folder).glob("*.jsonl"))
    return not any(record and came_later(record, written) for record in last)


def _version(folder: Path, phase: Phase) -> str:
    """Name the state of a run's files."""
    files = [plan_path(folder), report_path(folder, "html"), *sorted(records_folder(folder).glob("*.jsonl"))]
    parts: list[str] = [phase]
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        parts.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _sandbox(study: Study) -> Sandbox | NoSandbox:
    if any(BENCHMARKS[name].kind == "code" for name in study.benchmarks.chosen()):
        return find_sandbox()
    return NoSandbox(reason="no code questions in this study", install="")
