"""How a run stands just now: a small file in its folder, for those who look from elsewhere (`live.json`)."""

import datetime as dt
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator.store.folder import is_being_written, write
from evaluator.text import one_line, strip_control_within

_EVERY_S = 1.5
_ALIVE_S = 60.0
"""A run on another machine writes more often than this, even if the two clocks are not quite alike."""
Phase = Literal["starting", "checking", "asking", "writing", "ended"]
VariantPhase = Literal["waiting", "checking", "asking", "done", "lost"]


class BenchmarkProgress(Struct, frozen=True, kw_only=True):
    """How far one variant is with one benchmark."""

    benchmark: str
    planned: int
    """Questions in all, times their repeats."""
    asked: int = 0
    """Of these, those with a record, of earlier runs too."""
    scored: int = 0
    """Of these, those with a grade that counts."""
    correct: int = 0


class VariantProgress(Struct, frozen=True, kw_only=True):
    """How far one variant is."""

    variant: str
    phase: VariantPhase = "waiting"
    benchmarks: tuple[BenchmarkProgress, ...] = ()
    now: str = ""
    """The benchmark that was answered last; empty where none was."""
    failed: int = 0
    """Questions to which no reply came."""
    tokens_per_second: float | None = None
    """Completion tokens per second of this run, over all requests in flight; None where none was measured."""
    left_s: float | None = None
    """Estimated seconds until all that is still wanted is answered; None where nothing was measured."""
    server: str = ""
    """What happens to its server, in words."""
    wait: str = ""
    """What is waited for, in words, and for `wait_s` more seconds; empty where nothing is."""
    wait_s: float = 0.0
    checked: int = 0
    """Of the requests that check its server, those that were answered."""
    checks: int = 0
    """About how many these are in all; 0 where none is put now."""

    @property
    def planned(self) -> int:
        """Questions of all benchmarks."""
        return sum(part.planned for part in self.benchmarks)

    @property
    def asked(self) -> int:
        """Of these, those with a record."""
        return sum(part.asked for part in self.benchmarks)


Trouble = Literal["", "busy", "restarted", "lost"]
"""What is wrong with a server: it asks to wait or takes fewer at once, is started again, or is given up."""


class Incident(Struct, frozen=True, kw_only=True):
    """Something that went wrong: a question asked again, a busy server, a restart, a failure."""

    variant: str
    text: str
    ago_s: float
    """Seconds before the moment of the whole."""


class Live(Struct, frozen=True, kw_only=True):
    """How a run stands at one moment."""

    study: str
    whichquant: str = ""
    """Version of the program that asks."""
    pid: int = 0
    host: str = ""
    started: str = ""
    """UTC, ISO 8601; so is `updated`."""
    updated: str = ""
    phase: Phase = "starting"
    variants: tuple[VariantProgress, ...] = ()
    at_most: bool = False
    """Whether the design looks early, so that times left are the longest that it can take."""
    left_s: float | None = None
    """Estimated seconds until all variants are done; None where nothing was measured."""
    incident: Incident | None = None
    """The last one."""
    end: str = ""
    """Of a run that ended without its report: why, in one sentence."""


def live_path(folder: Path) -> Path:
    """Return the path of the file."""
    return folder / "live.json"


def read_live(folder: Path) -> Live | None:
    """Read how a run stood last, as a terminal can bear it; None where there is no such file, or a damaged one."""
    try:
        found = msgspec.json.decode(live_path(folder).read_bytes())
        return msgspec.convert(strip_control_within(found), Live)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def goes_on(folder: Path, live: Live | None) -> bool:
    """Whether a process is writing a run now, on this machine or on another that shares the folder."""
    if is_being_written(folder):
        return True
    if live is None or live.phase == "ended" or age_s(live) > _ALIVE_S:
        return False
    # Locks do not reach from one machine to another on every network folder.
    return live.host != socket.gethostname() or _is_alive(live.pid)


def age_s(live: Live) -> float:
    """Return the seconds since it was written; infinity where it does not say when."""
    try:
        written = dt.datetime.fromisoformat(live.updated)
        return abs((dt.datetime.now(dt.UTC) - written).total_seconds())
    except (ValueError, TypeError):  # not what whichquant wrote
        return float("inf")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return pid > 0


def now() -> str:
    """Return the time as the file has it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


class LiveFile:
    """Keeps the file up to date while its `with` lasts; no error of the disk ends the run.

    After a run that reached its end the file is removed, since the report says more; else it is marked as ended.
    """

    def __init__(self, folder: Path, look: Callable[[], Live], *, every_s: float = _EVERY_S) -> None:
        """Take the run's folder, and what tells how the run stands; it is called from a thread."""
        self._folder, self._look, self._every_s = folder, look, every_s
        self._who = {"pid": os.getpid(), "host": socket.gethostname(), "started": now()}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="live.json", daemon=True)

    def __enter__(self) -> Self:
        self._write(self._look())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        if error is None:
            with suppress(OSError):
                live_path(self._folder).unlink(missing_ok=True)
        else:
            why = one_line(str(error).partition("\n")[0])  # the bytes of a path may be no text
            self._write(replace(self._look(), phase="ended", end=why or "interrupted"))

    def _keep_writing(self) -> None:
        while not self._ending.wait(self._every_s):
            self._write(self._look())

    def _write(self, live: Live) -> None:
        with suppress(OSError):
            write(live_path(self._folder), msgspec.json.encode(replace(live, updated=now(), **self._who)))
