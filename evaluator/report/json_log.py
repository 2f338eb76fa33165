"""The events of a run for programs: one JSON object a line (`--json-log`).

A line holds no text of a model, and nothing that a terminal would obey.
"""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import msgspec

from evaluator import __version__
from evaluator.errors import StudyError
from evaluator.events import Event
from evaluator.report.log_lines import Ended, Line, line
from evaluator.store.live import now
from evaluator.text import strip_control_within
from servers.errors import WhichquantError

STANDARD_ERROR = "-"
_INTERRUPTED = 130


class JsonLog:
    """Writes a line for each event; `with` writes the last one. That it cannot be written does not end a run."""

    def __init__(self, target: str | None) -> None:
        """Open a file, to write at its end, or standard error for `-`; None writes nothing.

        Raises:
            StudyError: The file cannot be opened.
        """
        self._target = target
        self._file: TextIO | None = None if target is None else _opened(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            interrupted = isinstance(error, KeyboardInterrupt)
            code = error.exit_code if isinstance(error, WhichquantError) else _INTERRUPTED if interrupted else 1
            self.end(code, error=str(error) or ("interrupted" if interrupted else type(error).__name__))
        if self._file is not None and self._target != STANDARD_ERROR:
            self._file.close()

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if self._file is not None:
            self._write(line(event, now(), pid=os.getpid(), version=__version__))

    def end(self, exit_code: int, *, report: Path | None = None, error: str = "") -> None:
        """Write the last line."""
        first = error.partition("\n")[0]
        self._write(Ended(time=now(), exit_code=exit_code, report=str(report or ""), error=first))

    def _write(self, what: Line) -> None:
        if self._file is None:
            return
        try:
            self._file.write(msgspec.json.encode(strip_control_within(msgspec.to_builtins(what))).decode() + "\n")
            self._file.flush()
        except OSError as error:  # a full disk, a closed pipe
            self._file = None
            if self._target != STANDARD_ERROR:
                sys.stderr.write(f"whichquant: {self._target}: {error.strerror}: the log ends here, the run goes on\n")


def _opened(target: str) -> TextIO:
    if target == STANDARD_ERROR:
        return sys.stderr  # as it is now: the live table puts another in its place
    try:
        return Path(target).open("a", encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"cannot be written ({error.strerror})", source=f"--json-log {target}", remedy="give a file in a folder"
        ) from None
