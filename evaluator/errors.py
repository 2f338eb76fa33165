"""Every error that whichquant raises on purpose hangs in one tree.

* WhichquantError           (servers.errors)
  x StudyError          2   the user's input is wrong
    - BadLineError      2   a line of answers to grade cannot be used
  x Blocked             1   a check blocks the claim, and nothing was asked
    - NotStarted        3   a server does not start, and nothing was asked
  x ServerLost          3   a server stopped answering in the middle of a run
  x ServerError         3   (servers.errors) a server could not be started or reached
    - SpecError         2   what is asked of a server cannot be
    - PortTakenError    3   somebody else took the port
  x DiskFullError       4   (servers.errors) nothing more can be written
  x ModelError          3   (servers.errors) a model could not be found or fetched
    - LaterVersionError 3   a model's file is of a later version than is known here

The numbers are exit codes. Each error knows its `problem` and, as far as there are any, `source` (a file, a folder or
an option), `line`, `key` and `remedy`; its text is one sentence made of them, for the user's eyes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from servers.errors import WhichquantError


class StudyError(WhichquantError):
    """The user's input is wrong."""

    exit_code = 2


class BadLineError(StudyError):
    """A line of answers to grade that cannot be used; the others can be."""


class BlockingCheck(Protocol):
    """As much of a check as an error tells of it; see `evaluator.checks.rule.Check`."""

    @property
    def code(self) -> str:
        """Which rule it is of."""

    @property
    def variant(self) -> str | None:
        """Of whom; None is all."""

    @property
    def message(self) -> str:
        """What was found, in one sentence."""

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""


class Blocked(WhichquantError):  # noqa: N818 - nothing went wrong: a check did its work
    """A check blocks the claim before the first question, and nothing was asked.

    Attributes:
        checks: Those that block.
    """

    exit_code = 1

    def __init__(self, checks: Sequence[BlockingCheck], *, source: str | Path | None = None) -> None:
        sentences = [f"{check.variant}: {check.message}" if check.variant else check.message for check in checks]
        super().__init__(
            f"nothing was asked, since the claim would be blocked: {'; '.join(sentences)}",
            source=source,
            remedy="mend that, or ask all the same with force",
        )
        self.checks = tuple(checks)


class NotStarted(Blocked):
    """A variant's server does not start, which was found out before the first question."""

    exit_code = 3


class ServerLost(WhichquantError):  # noqa: N818 - it says what happened to the server
    """A server stopped answering in the middle of a run; what was answered is on disk.

    Attributes:
        restartable: Whether starting the server again may help.
    """

    exit_code = 3

    def __init__(self, problem: str, *, restartable: bool, remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.restartable = restartable
