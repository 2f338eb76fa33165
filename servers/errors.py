"""Errors of serving, each one sentence for the user's eyes.

* WhichquantError           the base of every error that whichquant raises on purpose
  x ServerError         3   a server could not be started or reached
    - SpecError         2   what is asked of a server is impossible
    - PortTakenError    3   another program took the port
  x DiskFullError       4   nothing more can be written
  x ModelError          3   a model could not be found or fetched
    - LaterVersionError 3   a model's file is of a later version than is known here

The numbers are exit codes. What hangs in the tree beside these is drawn in `evaluator.errors`.
"""

import errno
from pathlib import Path


class WhichquantError(Exception):
    """An error to show to the user in one sentence: `source:line: key: problem: remedy`, as far as known.

    Attributes:
        exit_code: Exit code of the program: 2 the input is wrong, 3 a server or a model is, 4 the disk is full,
            1 something blocks.
        problem: What is wrong.
        source: The file, folder or option in which it is wrong; None where there is none.
        line: Its line there, counted from 1.
        key: What is set there, as `variants[2].model`.
        remedy: What to do about it; empty where `problem` includes it, or nothing can be done.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        source: str | Path | None = None,
        line: int | None = None,
        key: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.source = None if source is None else str(source)
        self.line = line
        self.key = key
        self.remedy = remedy

    def __str__(self) -> str:
        where = self.source if self.line is None or self.source is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (where, self.key, self.problem, self.remedy) if part)


class ServerError(WhichquantError):
    """A server could not be started or reached."""

    exit_code = 3


class SpecError(ServerError):
    """The user asks for what is impossible: the input is wrong, not the server."""

    exit_code = 2


class PortTakenError(ServerError):
    """Another program took the port between choosing and binding."""


class DiskFullError(WhichquantError):
    """Nothing more can be written; what was written stays."""

    exit_code = 4


def disk_full(error: OSError, place: str | Path | None = None) -> DiskFullError | None:
    """Return what to say where a disk, or what a user may take of it, is full; None of another error.

    Args:
        error: What writing raised.
        place: What was written to, where the error does not name it.
    """
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    where, why = error.filename or place, (error.strerror or "").lower()
    problem = f"the disk is full ({why})" if error.errno == errno.ENOSPC else f"no more may be written ({why})"
    remedy = "make room and give the same command again; what was written is kept"
    return DiskFullError(problem, source=where, remedy=remedy)


class ModelError(WhichquantError):
    """A model could not be found or fetched."""

    exit_code = 3


class LaterVersionError(ModelError):
    """A file of a version of GGUF that is not known here; a server may know it."""
