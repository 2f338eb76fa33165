"""Linux: one bubblewrap for each answer, with nothing in it but the interpreter, read-only."""

import math
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import Struct

from evaluator.sandbox.seccomp import syscall_filter

SECONDS = 10.0
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_STARTED = b"started\n"
_MEMORY_BYTES = 1 << 30
_SCRATCH_BYTES = 64 << 20
_VERDICT_BYTES = 64 << 10
_JUDGE_MEMORY_BYTES = 4 << 30
_PROCESSES = 64
_OPEN_FILES = 64
_HERE = Path(__file__).parent
_THERE = "/sandbox"
_CHILD, _JUDGE, _VALUES = "child.py", "judge.py", "values.py"
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = ("site-packages", "dist-packages")
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")


class Run(Struct, frozen=True):
    """What became of one answer."""

    outcome: Literal["passed", "failed", "no_verdict"]
    """`no_verdict`: the sandbox did not get as far as the answer, which says nothing about the answer."""
    reason: str
    """`passed`, or why not: the error's last line, `timeout after 10 s`, `memory`, `output`, `died with signal 11`."""


class Sandbox(Struct, frozen=True):
    """A sandbox that has proved itself."""

    command: tuple[str, ...]
    """bubblewrap and its arguments, up to the program to run."""
    interpreter: tuple[str, ...]
    judge: tuple[str, ...]
    """What is started outside, to run the tests."""
    seccomp: bytes | None
    """System call filter; None where none is known for this architecture."""


class NoSandbox(Struct, frozen=True):
    """Model-written code cannot be run here."""

    reason: str
    install: str
    """What to do about it."""


class _StoppedError(Exception):
    """Nobody waits for the verdict any more."""


class _Ended(Struct, frozen=True):
    """How both processes ended, and what the judge said."""

    started: bool
    """Everything was ready for the answer's code."""
    verdict: bytes
    complaint: str
    exit_code: int | None
    """The sandbox's; None when it had to be killed."""


class _Verdict(Struct, frozen=True):
    """What the judge says."""

    passed: bool = False
    gone: bool = False
    """The answer's process ended before it had answered."""
    error: str = ""


def build_sandbox(bwrap: str) -> Sandbox:
    """Describe the sandbox: what is visible in it, and how the interpreter is started there."""
    interpreter = Path(sys.base_prefix, "bin", _PYTHON)
    if not interpreter.exists():
        interpreter = Path(sys.executable).resolve()
    command = [bwrap, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--cap-drop", "ALL"]
    for name in _SYSTEM_LIBRARIES:
        path = Path(name)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            command += ["--ro-bind", name, name]
    command += _bind_interpreter(interpreter)
    for name in (_CHILD, _VALUES):
        command += ["--ro-bind", str(_HERE / name), f"{_THERE}/{name}"]
    command += ["--dev", "/dev", "--remount-ro", "/dev", "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    # Sets are ordered by hash: without a seed the same answer could pass today and fail tomorrow.
    command += ["--setenv", "PYTHONHASHSEED", "0", "--chdir", "/tmp", "--remount-ro", "/"]  # noqa: S108
    # -I would ignore the seed; what else it shuts out is not there: the environment is empty, -s and -P do the rest.
    python = (str(interpreter), "-s", "-P", "-S", "-B")
    judge = (*python, str(_HERE / _JUDGE))
    return Sandbox(tuple(command), (*python, f"{_THERE}/{_CHILD}"), judge, syscall_filter())


def _bind_interpreter(interpreter: Path) -> list[str]:
    """Show the interpreter and its library at their own paths, but no installed packages.

    Packages are no part of the language, and this one brings the right answers with it.
    """
    prefix = Path(sys.base_prefix)
    shown = [prefix]
    if sys.base_prefix in {"/usr", "/usr/local"}:  # much else lives there
        shown = [path for path in (interpreter, prefix / "lib", prefix / "lib64") if path.exists()]
    binds = [argument for path in shown for argument in ("--ro-bind", str(path), str(path))]
    hidden = {prefix / lib / _PYTHON / packages for lib in ("lib", "lib64") for packages in _PACKAGES}
    for path in sorted({*hidden, *(Path("/usr/lib/python3", packages) for packages in _PACKAGES)}):
        if path.is_dir():
            binds += ["--tmpfs", str(path), "--remount-ro", str(path)]
    return binds


def run_tests(
    sandbox: Sandbox,
    program: str,
    tests: str,
    entry_point: str,
    *,
    prompt: str = "",
    seconds: float = SECONDS,
    stop: int | None = None,
) -> Run:
    """Run a program's function against its tests, which stay outside of the sandbox.

    Args:
        sandbox: from `find_sandbox`.
        program: the complete program that defines `entry_point`; executed with another `__name__` than `__main__`.
        tests: the source of `check(candidate)`.
        entry_point: the function's name.
        prompt: what was published with the tests, if they use what it defines.
        seconds: wall clock time for the answer and its tests; the sandbox's start has a limit of its own.
        stop: the reading end of a pipe; when its other end is closed, the run ends without a verdict.
    """
    cpu_seconds = math.ceil(seconds) + 1
    answer = {
        "program": program,
        "entry_point": entry_point,
        "memory_bytes": _MEMORY_BYTES,
        "cpu_seconds": cpu_seconds,
        "file_bytes": _SCRATCH_BYTES,
        "open_files": _OPEN_FILES,
        "processes": _PROCESSES if _processes_are_counted_apart() else None,
    }
    judge = {
        "prompt": prompt,
        "tests": tests,
        "entry_point": entry_point,
        "memory_bytes": _JUDGE_MEMORY_BYTES,
        "cpu_seconds": cpu_seconds,
    }
    try:
        ended = _execute(sandbox, answer, judge, seconds, stop)
    except _StoppedError:
        return Run("no_verdict", "it was stopped")
    except OSError as error:  # no process, pipe or file to be had
        return Run("no_verdict", f"the sandbox could not be started: {error}")
    return _read_verdict(ended, seconds)


def _read_verdict(ended: _Ended, seconds: float) -> Run:
    complaint = f": {ended.complaint}" if ended.complaint else ""
    if not ended.started:
        how = f"within {_START_SECONDS:g} s" if ended.exit_code is None else f"(exit code {ended.exit_code})"
        return Run("no_verdict", f"the sandbox did not start {how}{complaint}")
    verdict = msgspec.json.decode(ended.verdict, type=_Verdict) if ended.verdict.endswith(b"\n") else None
    if verdict and verdict.passed:
        return Run("passed", "passed")
    if verdict and not verdict.gone:
        return Run("failed", verdict.error)
    if ended.exit_code is None or ended.exit_code == 128 + signal.SIGXCPU:
        return Run("failed", f"timeout after {seconds:g} s")
    if ended.exit_code > 128:  # bubblewrap's way of passing a signal on
        return Run("failed", f"died with signal {ended.exit_code - 128}")
    return Run("failed", f"ended without a verdict (exit code {ended.exit_code}){complaint}")


def _execute(
    sandbox: Sandbox, answer: dict[str, Any], judge: dict[str, Any], seconds: float, stop: int | None
) -> _Ended:
    """Start the answer and its judge, wait for the verdict or the deadline, and kill whatever is left of them."""
    deadline = time.monotonic() + _START_SECONDS
    with ExitStack() as open_files:
        started_end, started = _pipe(open_files)
        verdict_end, verdict = _pipe(open_files)
        calls_end, calls = _pipe(open_files)
        results_end, results = _pipe(open_files)
        complaints = open_files.enter_context(tempfile.TemporaryFile())
        seccomp = open_files.enter_context(_file(sandbox.seccomp or b""))
        command, mine = list(sandbox.command), [started, calls_end, results]
        if sandbox.seccomp:
            command += ["--seccomp", str(seccomp.fileno())]
            mine.append(seccomp)
        answer |= {"started_fd": started.fileno(), "calls_fd": calls_end.fileno(), "results_fd": results.fileno()}
        judge |= {"verdict_fd": verdict.fileno(), "calls_fd": calls.fileno(), "results_fd": results_end.fileno()}
        judging = _start(sandbox.judge, judge, [verdict, calls, results_end], subprocess.DEVNULL)
        try:
            process = _start([*command, *sandbox.interpreter], answer, mine, complaints)
            is_started = False
            try:
                for end in (started, calls_end, results, verdict, calls, results_end):
                    end.close()  # so that a pipe ends when those who use it do
                said, in_time = _read_line(started_end, deadline, len(_STARTED), stop)
                is_started = said == _STARTED
                if is_started:
                    deadline = time.monotonic() + seconds
                    said, in_time = _read_line(verdict_end, deadline, _VERDICT_BYTES, stop)
            except BaseException:  # stopped, or Ctrl-C
                # Killed while it sets itself up, bubblewrap would leave its child behind, which waits for it for ever.
                if not is_started:
                    _read_line(started_end, time.monotonic() + _STOP_SECONDS, len(_STARTED), None)
                process.kill()
                raise
            finally:
                # A verdict leaves nothing to wait for but an exit code.
                exit_code = _end(process, deadline)
        finally:
            judging.kill()
            judging.wait()
        complaints.seek(0)
        complaint = complaints.read(2000).decode(errors="replace").strip()
        last = complaint.splitlines()[-1] if complaint else ""
        return _Ended(is_started, said, last, exit_code if in_time else None)


def _pipe(open_files: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return (
        open_files.enter_context(os.fdopen(reading, "rb", buffering=0)),
        open_files.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _file(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asks for it closes it
    file.write(content)
    file.seek(0)
    return file


def _start(
    command: Sequence[str], message: dict[str, Any], mine: list[IO[bytes]], complaints: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    with _file(msgspec.json.encode(message)) as stdin:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=[file.fileno() for file in mine],
            env={"PYTHONHASHSEED": "0"},
            cwd="/",
        )


def _read_line(pipe: IO[bytes], deadline: float, most: int, stop: int | None) -> tuple[bytes, bool]:
    """Read up to a line end, the pipe's end or `most` bytes; False when the deadline came first.

    Raises:
        _StoppedError: `stop` was closed at its other end.
    """
    said = b""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if stop is not None:
        poll.register(stop, select.POLLIN)
    while not said.endswith(b"\n") and len(said) < most:
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if any(descriptor == stop for descriptor, _ in ready):
            raise _StoppedError
        if not ready:
            return said, False
        chunk = os.read(pipe.fileno(), most - len(said))
        if not chunk:
            break
        said += chunk
    return said, True


def _end(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    """Wait for a process that is about to end, or kill it.

    With bubblewrap dies the first process of its PID namespace (--die-with-parent), and with that one the kernel
    kills every other process in the namespace.
    """
    try:
        return process.wait(timeout=max(0.0, min(1.0, deadline - time.monotonic())))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _processes_are_counted_apart() -> bool:
    """Whether RLIMIT_NPROC in a user namespace counts only the processes in it: since Linux 5.14.

    Before, it counts all that the user runs, and an honest answer could not start a thread.
    """
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (5, 14)
