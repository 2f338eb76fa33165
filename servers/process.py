"""A child's life: start it under its guard, wait until it answers or dies, stop its whole group."""

import asyncio
import contextlib
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from servers.errors import PortTakenError, ServerError
from servers.ports import chosen_port, free_port
from servers.start_errors import cause

GUARD = Path(__file__).with_name("guard.py")
_PORTS_TO_TRY = 3
STOP_SECONDS = 7.0
"""For the guard to end its group by itself: its grace of 5 s, and some."""
LAST_LINES = 12
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_TAIL_BYTES = 64 * 1024
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# llama.cpp: "couldn't bind HTTP server socket"; Python's http.server: "[Errno 98] Address already in use".
_TAKEN = re.compile(r"couldn't bind|address already in use", re.IGNORECASE)
_guards: dict[int, subprocess.Popen[bytes]] = {}


class Child(NamedTuple):
    """A server process under its guard, which leads the group."""

    guard: subprocess.Popen[bytes]
    command: tuple[str, ...]
    env: Mapping[str, str | None]
    """Variables that it was given, or that were taken away."""
    log: Path
    log_start: int
    """Bytes of log that an earlier child wrote."""


def start(command: Sequence[str], env: Mapping[str, str | None], log: Path, folder: Path | None = None) -> Child:
    """Start the command in a session of its own, its output appended to the log.

    Args:
        command: Program and arguments.
        env: Variables on top of the ones that whichquant has; None takes one away.
        log: File for standard output and standard error; its directory is made.
        folder: What the server reads at its start; removed with the server, even if whichquant was killed.

    Raises:
        ServerError: The log cannot be written, or no process be started.
    """
    if log.exists() and not log.is_file():
        raise ServerError(f"The server's log cannot be {log}: it is no plain file.")
    changed = {**os.environ, **env}
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            log_start = output.tell()
            guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *([str(folder)] if folder else []), "--", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in changed.items() if value is not None},
                start_new_session=True,
            )
    except OSError as error:
        raise ServerError(f"The server cannot be started with its log in {log}: {error.strerror}.") from error
    _guards[guard.pid] = guard
    # Reaps the guard the moment it ends: a zombie would look alive.
    threading.Thread(target=guard.wait, daemon=True, name=f"reaper-{guard.pid}").start()
    return Child(guard, tuple(command), env, log, log_start)


async def started(
    command: Callable[[int], Sequence[str]],
    env: Callable[[int], Mapping[str, str | None]],
    log: Path,
    *,
    ready: Callable[[Child, int], Awaitable[bool]],
    seconds: float,
    port: int | None = None,
    folder: Path | None = None,
) -> tuple[Child, int]:
    """Start a server on a port of this machine, wait until it answers, and return it with its port.

    Args:
        command: Program and arguments, for a port.
        env: Variables, for a port.
        log: See `start`.
        ready: Asks the server once.
        seconds: How long to wait.
        port: The only one to try; None tries free ones.
        folder: See `start`.

    Raises:
        ServerError: It did not start; nothing of it is left.
    """
    for left in reversed(range(_PORTS_TO_TRY if port is None else 1)):
        at = free_port() if port is None else chosen_port(port)
        words, variables = command(at), env(at)
        child = start(words, variables, log, folder)
        async with contextlib.AsyncExitStack() as undo:
            # On every way out but success, an interrupt while it loads included.
            undo.push_async_callback(stop, child)
            try:
                await wait_ready(child, functools.partial(ready, child, at), timeout=seconds)
            except PortTakenError:
                if not left:
                    raise
                continue
            undo.pop_all()
            return child, at
    raise AssertionError


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


def describe_end(pid: int, log: Path, log_start: int) -> str:
    """Describe how a server ended: its exit code, the cause where code or log show it, and where the log is."""
    guard = _guards.get(pid)
    code = guard.poll() if guard else None
    why = cause(_end_of(log, log_start), code or 0)
    ended = f" with exit code {code}" if code else ""
    return f"{ended}: {why} Its log is {log}" if why else f"{ended}: its log is {log}"


async def stop(child: Child) -> None:
    """End the whole group and return when it is gone, also while being cancelled.

    Other servers are at work in the same event loop, so waiting is done in a thread;
    a second interrupt does not wait any longer.
    """
    _close_life_line(child)
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
    """Describe what went wrong, with the end of the log and the command to try by hand."""
    log = "\n".join(f"  {line}" for line in tail(child)) or "  (empty)"
    given = [f"{name}={shlex.quote(value)}" for name, value in child.env.items() if value is not None]
    by_hand = " ".join([*given, shlex.join(child.command)])
    return f"{sentence}\nEnd of its log ({child.log}):\n{log}\nTo try it by hand:\n  {by_hand}"


def _why(child: Child, code: int = 0) -> str:
    text = _text(child)
    why = cause(text, code)
    if why is None and code and not text.strip():
        why = f"It wrote nothing: see whether {child.command[0]} is the right program."
    return f" {why}" if why else ""


def _text(child: Child) -> str:
    return _end_of(child.log, child.log_start)


def _end_of(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:  # it was removed, or the server writes it only later
        return ""


def _close_life_line(child: Child) -> None:
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
