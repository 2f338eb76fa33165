"""A child's life: start it under its guard, wait until it answers or dies, stop its whole group."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from servers.causes import cause
from servers.spec import ServerError

GUARD = Path(__file__).with_name("guard.py")
STOP_SECONDS = 7.0
"""For the guard to end its group by itself: its grace of 5 s, and some."""
LAST_LINES = 12
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_TAIL_BYTES = 64 * 1024
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# llama.cpp: "couldn't bind HTTP server socket"; Python's http.server: "[Errno 98] Address already in use".
_TAKEN = re.compile(r"couldn't bind|address already in use", re.IGNORECASE)
_given: set[int] = set()


class PortTakenError(ServerError):
    """Somebody else took the port between choosing and binding."""


class Child(NamedTuple):
    """A server process under its guard, which leads the group."""

    guard: subprocess.Popen[bytes]
    command: tuple[str, ...]
    log: Path
    log_start: int
    """Bytes of log that an earlier child wrote."""


def free_port() -> int:
    """Choose a port on 127.0.0.1 that is free now and was not given out by us before.

    Never twice, because a server that is slow to bind would be taken for the one that has its port already.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port


def start(command: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start the command in a session of its own, its output appended to the log.

    Args:
        command: Program and arguments.
        env: Variables on top of the ones that whichquant has.
        log: File for standard output and standard error; its directory is made.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        log_start = output.tell()
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), "--", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )
    # Reaps the guard the moment it ends: a zombie would look alive.
    threading.Thread(target=guard.wait, daemon=True, name=f"reaper-{guard.pid}").start()
    return Child(guard, tuple(command), log, log_start)


async def wait_ready(child: Child, ready: Callable[[], Awaitable[bool]], *, timeout: float) -> None:  # noqa: ASYNC109
    """Wait until the server answers.

    Args:
        child: What `start` returned.
        ready: Asks the server once; may raise ServerError when there is no hope.
        timeout: Seconds.

    Raises:
        PortTakenError: The server could not bind its port.
        ServerError: It died, gave up, or did not answer in time; with the log's end and the command.
    """
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        try:
            answers = await ready()
        except ServerError as error:
            raise ServerError(failure(child, f"{error}{_why(child)}")) from error
        if _TAKEN.search(_text(child)):
            raise PortTakenError(failure(child, "The server's port was taken by another program."))
        if not alive(child):
            code = child.guard.wait()
            raise ServerError(
                failure(child, f"The server ended with exit code {code} before it answered.{_why(child, code)}")
            )
        if answers:
            return
        if time.monotonic() > deadline:
            raise ServerError(failure(child, f"The server did not answer within {timeout:g} s."))
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def alive(child: Child) -> bool:
    """Whether the child still runs."""
    return child.guard.poll() is None


def running(pid: int) -> bool:
    """Whether the guard with this process id still runs; it is reaped when it ends."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


async def stop(child: Child) -> None:
    """End the whole group and return when it is gone, also while being cancelled.

    Other servers are at work in the same event loop, so waiting is done in a thread;
    a second interrupt does not wait any longer.
    """
    _let_go(child)
    try:
        await asyncio.to_thread(_wait, child, STOP_SECONDS)
    finally:
        _kill_group(child)
        _wait(child, 1.0)


def tail(child: Child, lines: int = LAST_LINES) -> list[str]:
    """Return the log's last lines, without control characters and blank lines."""
    clean = (_UNPRINTABLE.sub("", line).rstrip() for line in re.split(r"[\r\n]+", _text(child)))
    return [line for line in clean if line][-lines:]


def failure(child: Child, sentence: str) -> str:
    """Say what went wrong, with the end of the log and the command to try by hand."""
    log = "\n".join(f"  {line}" for line in tail(child)) or "  (empty)"
    return f"{sentence}\nEnd of its log ({child.log}):\n{log}\nTo try it by hand:\n  {shlex.join(child.command)}"


def _why(child: Child, code: int = 0) -> str:
    why = cause(_text(child), code)
    return f" {why}" if why else ""


def _text(child: Child) -> str:
    with child.log.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(child.log_start, size - _TAIL_BYTES))
        return log.read().decode(errors="replace")


def _let_go(child: Child) -> None:
    if child.guard.stdin is not None:
        with contextlib.suppress(OSError):
            child.guard.stdin.close()


def _wait(child: Child, seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.guard.wait(seconds)


def _kill_group(child: Child) -> None:
    # The group outlives its leader while a member lives; macOS says EPERM of a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.guard.pid, signal.SIGKILL)
