"""What a command costs: the CPU seconds of its process and of those that it started, run as on a terminal."""

import contextlib
import os
import pty
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_LAST = 4000
"""Characters of what it printed that are shown if it fails."""


class Cost(NamedTuple):
    """Of one command."""

    cpu_s: float
    """User and system time, of itself and of all that it started and waited for."""
    wall_s: float
    code: int
    printed: str


class Side(NamedTuple):
    """One of those that are compared."""

    name: str
    command: Callable[[int, Path], Sequence[str]]
    """Its command line for so many questions, with a folder for what it writes."""
    environment: Mapping[str, str] = {}


def cost(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> Cost:
    """Run a command on a terminal of its own, which nobody looks at."""
    ours, its = pty.openpty()
    printed: list[bytes] = []
    reader = threading.Thread(target=_read, args=(ours, printed))
    begun = time.perf_counter()
    # Compiled modules are kept, so that the second start is a user's every start
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given = {**kept, "COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color", **(environment or {})}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, cwd=cwd, env=given)
    os.close(its)
    reader.start()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    os.close(ours)
    said = b"".join(printed).decode(errors="replace")
    return Cost(used.ru_utime + used.ru_stime, wall, child.returncode, said[-_LAST:])


def _read(terminal: int, printed: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # Linux: the other end is closed
        while piece := os.read(terminal, 1 << 16):
            printed.append(piece)


def checked(side: Side, questions: int, folder: Path) -> Cost:
    """Run a side in a folder that is made for it.

    Raises:
        RuntimeError: It failed; with its last words.
    """
    folder.mkdir(parents=True)
    spent = cost(side.command(questions, folder), side.environment, folder)
    if spent.code not in (0, 1) or (spent.code == 1 and "Traceback" in spent.printed):
        raise RuntimeError(f"{side.name} with {questions} questions ended with {spent.code}:\n{spent.printed}")
    return spent
