"""One sandbox and one judge that stay up, and fork for every answer."""

import json
import math
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from evaluator.grade.sandbox.forks import JOB, KILL, READY, STATUS
from evaluator.grade.sandbox.leftovers import Remover
from evaluator.grade.sandbox.sandbox import JUDGE, SCRATCH_BYTES, Run, Sandbox, interpreter

START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_END_SECONDS = 1.0
_STARTED = b"started\n"
_MEMORY_BYTES = 1 << 30
_JUDGE_MEMORY_BYTES = 1 << 30
_LINE_BYTES = 64 << 10
_OPEN_FILES = 64


class StoppedError(Exception):
    """Nobody waits for the verdict any more."""


class LostError(Exception):
    """A server did not start, or has ended; the message is the last line that it wrote."""


class _Verdict(Struct, frozen=True):
    passed: bool = False
    gone: bool = False
    """The answer's process ended before it had answered."""
    error: str = ""


class _Server:
    """A process that does jobs; see forks.py for the protocol."""

    def __init__(self, command: Sequence[str], arguments: Sequence[str] = ()) -> None:
        self._control, remote = socket.socketpair()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._runs = False
        try:
            with remote:
                self._process = subprocess.Popen(
                    [*command, str(remote.fileno()), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._complaints,
                    pass_fds=[remote.fileno()],
                    env={"PYTHONHASHSEED": "0"},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for us
                )
        except OSError:
            self._control.close()
            self._complaints.close()
            raise

    def wait_until_ready(self, deadline: float, stop: int | None) -> None:
        """Wait until it takes jobs.

        Raises:
            LostError: it has ended, or takes too long.
            StoppedError: `stop` was closed at its other end.
        """
        if not _wait(self._control, deadline, stop):
            raise LostError(f"within {START_SECONDS:g} s")
        if self._control.recv(1) != READY:
            raise LostError(self._ending())

    def submit(self, message: dict[str, Any], ends: Sequence[IO[bytes]]) -> None:
        """Submit a job; the ends of its pipes are closed here, so that each ends when those who use it do.

        Raises:
            LostError: the server has ended.
        """
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(message).encode())
            file.seek(0)
            try:
                socket.send_fds(self._control, [JOB], [file.fileno(), *(end.fileno() for end in ends)])
            except OSError:
                raise LostError(self._ending()) from None
            finally:
                for end in ends:
                    end.close()
        self._runs = True

    def end_job(self, deadline: float) -> int | None:
        """Wait for a job that is about to end, or kill it; return its exit code, None when it had to be killed.

        Raises:
            LostError: the server has ended with it.
        """
        if not self._runs:
            return None
        in_time = _wait(self._control, min(time.monotonic() + _END_SECONDS, deadline), None)
        if not in_time:
            self._send(KILL)
            _wait(self._control, time.monotonic() + _STOP_SECONDS, None)
        try:
            status = self._control.recv(STATUS.size, socket.MSG_DONTWAIT)
        except OSError:
            status = b""
        if len(status) != STATUS.size:
            raise LostError(self._ending())
        self._runs = False
        return os.waitstatus_to_exitcode(*STATUS.unpack(status)) if in_time else None

    def close(self) -> None:
        """End the server and what runs in it."""
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def _send(self, byte: bytes) -> None:
        try:
            self._control.sendall(byte)
        except OSError:
            raise LostError(self._ending()) from None

    def _ending(self) -> str:
        try:
            code: int | None = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f"(exit code {code})" + (f": {lines[-1][-2000:]}" if lines else "")


class Worker:
    """Runs one answer after the other. A `LostError` or `StoppedError` leaves it unusable: close it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._is_ready = False
        self._closing = ExitStack()
        self.is_usable = True
        """Whether it can run another answer."""
        self._judge = _Server([str(interpreter()), "-s", "-P", "-S", "-B", str(JUDGE)])
        try:
            self._answers = _Server(sandbox.command, ["namespaces" if sandbox.namespaces else "none"])
        except OSError:
            self._judge.close()
            raise
        self._scratch = None if sandbox.scratch else _scratch(self._closing)

    def run(self, answer: dict[str, str], judging: dict[str, str], seconds: float, stop: int | None) -> Run:
        """Run an answer against its tests; see `run_tests`.

        Raises:
            LostError: the sandbox has ended, or did not start.
            StoppedError: `stop` was closed at its other end.
        """
        deadline = time.monotonic() + START_SECONDS
        if not self._is_ready:
            self._answers.wait_until_ready(deadline, stop)
            self._judge.wait_until_ready(deadline, stop)
            self._is_ready = True
        limits = {"cpu_seconds": math.ceil(seconds) + 1}
        with ExitStack() as pipes:
            started_end, started = _pipe(pipes)
            verdict_end, verdict = _pipe(pipes)
            calls_end, calls = _pipe(pipes)
            results_end, results = _pipe(pipes)
            scratch = None
            if self._scratch:
                scratch = pipes.enter_context(_directory(self._scratch))
            self._judge.submit(
                {**judging, **limits, "memory_bytes": _JUDGE_MEMORY_BYTES}, (verdict, calls, results_end)
            )
            self._answers.submit({**answer, **limits, **self._confinement(scratch)}, (started, calls_end, results))
            report = _read_line(started_end, deadline, stop)
            line = b""
            if report == _STARTED:
                deadline = time.monotonic() + seconds
                line = _read_line(verdict_end, deadline, stop)
            try:
                exit_code = self._answers.end_job(deadline if line else 0)
                self._judge.end_job(deadline if line else 0)
            except LostError:
                if report != _STARTED:
                    raise
                self.is_usable, exit_code = False, None  # it ended together with its answer, whose outcome counts
        if report != _STARTED:
            return Run(
                "no_verdict", f"the sandbox did not start: {report.decode(errors='replace').strip() or exit_code}"
            )
        return _read_verdict(line, exit_code, seconds)

    def close(self) -> None:
        """End both servers."""
        self._answers.close()
        self._judge.close()
        self._closing.close()

    def _confinement(self, scratch: str | None) -> dict[str, Any]:
        sandbox = self.sandbox
        return {
            "scratch": scratch or sandbox.scratch,
            "scratch_bytes": SCRATCH_BYTES if sandbox.namespaces else None,
            "readable": sandbox.readable,
            "seccomp": sandbox.seccomp.hex() if sandbox.seccomp else None,
            "memory_bytes": _MEMORY_BYTES if sandbox.tier != "seatbelt" else None,  # macOS refuses to limit it
            "file_bytes": SCRATCH_BYTES,
            "open_files": _OPEN_FILES,
            "processes": sandbox.processes,
        }


def _scratch(closing: ExitStack) -> str:
    """Make a directory that is removed with `closing`, or when this process is gone."""
    path = Path(tempfile.gettempdir()) / f"whichquant-{secrets.token_hex(8)}"
    closing.callback(Remover(path).close)
    path.mkdir(mode=0o700)
    closing.callback(_remove, str(path))
    return str(path)


@contextmanager
def _directory(where: str) -> Iterator[str]:
    path = tempfile.mkdtemp(dir=where)
    try:
        yield path
    finally:
        _remove(path)


def _remove(path: str) -> None:
    """Remove what an answer has left, however it has nested, linked or closed it; no link is followed."""
    with suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if Path(path).exists():
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, path], stderr=subprocess.DEVNULL, check=False)


def _read_verdict(line: bytes, exit_code: int | None, seconds: float) -> Run:
    try:
        verdict = msgspec.json.decode(line, type=_Verdict) if line.endswith(b"\n") else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Run("failed", "output: no verdict")
    if verdict and verdict.passed:
        return Run("passed", "passed")
    if verdict and not verdict.gone:
        return Run("failed", verdict.error)
    if exit_code is None or exit_code == -signal.SIGXCPU:
        return Run("failed", f"timeout after {seconds:g} s")
    if exit_code < 0:
        return Run("failed", f"died with signal {-exit_code}")
    return Run("failed", f"ended without a verdict (exit code {exit_code})")


def _pipe(open_files: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return (
        open_files.enter_context(os.fdopen(reading, "rb", buffering=0)),
        open_files.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _wait(readable: socket.socket | IO[bytes], deadline: float, stop: int | None) -> bool:
    """Wait until there is something to read; False when the deadline comes first.

    Raises:
        StoppedError: `stop` was closed at its other end.
    """
    poll = select.poll()
    poll.register(readable, select.POLLIN)
    if stop is not None:
        poll.register(stop, select.POLLIN)
    ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    if any(descriptor == stop for descriptor, _ in ready):
        raise StoppedError
    return bool(ready)


def _read_line(pipe: IO[bytes], deadline: float, stop: int | None) -> bytes:
    """Read up to a line end, the pipe's end, or the deadline."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LINE_BYTES and _wait(pipe, deadline, stop):
        chunk = os.read(pipe.fileno(), _LINE_BYTES - len(line))
        if not chunk:
            break
        line += chunk
    return line
