"""LM Studio's program `lms`: find it, run it, and have its server run for as long as it is needed."""

import asyncio
import contextlib
import re
import shlex
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from servers.errors import ServerError
from servers.http import HttpReply
from servers.process import LAST_LINES
from servers.spec import ServerSpec
from servers.start_errors import cause
from servers.weights.disk import expand, program

INSTALL = """\
LM Studio's program lms was found neither on PATH nor in ~/.lmstudio/bin. It comes with LM Studio:
get that from https://lmstudio.ai and open it once. If lms is still not on PATH:
  ~/.lmstudio/bin/lms bootstrap"""
_START = ("server", "start", "--bind", "127.0.0.1")
_QUICK, _WAKING = 30.0, 120.0
"""Seconds for a step; for one that may have to start LM Studio first."""
_GRACE = 5.0
"""Seconds for lms to call a load off."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Lms(NamedTuple):
    """The program, and where its output goes."""

    program: tuple[str, ...]
    log: Path
    log_start: int
    """Bytes of the log that were there before."""


class _Share:
    """What this process has to do with LM Studio's one server, which its variants share."""

    users = 0
    started = False


_share = _Share()
_one_at_a_time = asyncio.Lock()


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, lms on PATH, or where LM Studio puts it.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    binary = spec.binary or shutil.which("lms") or shutil.which(expand("~/.lmstudio/bin/lms"))
    if binary is None:
        raise ServerError(INSTALL)
    words, command = program(binary)
    return f"LM Studio by {words}", command


def writing_to(log: Path, command: tuple[str, ...]) -> Lms:
    """Return the program with its log, whose directory is made.

    Raises:
        ServerError: The log cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(_unwritable(log, error)) from error
    with _appending(log) as output:
        return Lms(command, log, output.tell())


@contextlib.contextmanager
def _appending(log: Path) -> Iterator[BinaryIO]:
    try:
        output = log.open("ab")
    except OSError as error:
        raise ServerError(_unwritable(log, error)) from error
    with output:
        yield output


def _unwritable(log: Path, error: OSError) -> str:
    return f"The log {log} cannot be written: {error.strerror}."


@asynccontextmanager
async def serving(lms: Lms) -> AsyncIterator[int]:
    """Have LM Studio's server run, and yield its port; the last user stops it, if this process started it.

    Raises:
        ServerError: It cannot be started.
    """
    _share.users += 1
    try:
        yield await _ensure_running(lms)
    finally:
        _share.users -= 1
        async with _one_at_a_time:
            if _share.started and not _share.users:
                _share.started = False
                await clean_up(lms, "server", "stop")


async def _ensure_running(lms: Lms) -> int:
    async with _one_at_a_time:
        port = await _port(lms)
        if port is None:
            _share.started = True
            # No --port: LM Studio would keep ours as the user's own. It takes the one that it had last. The address is
            # given because LMS_SERVER_HOST, and an lms before October 2025, may open the server to the whole network.
            await run(lms, *_START, seconds=_WAKING)
            port = await _port(lms)
    if port is None:
        raise ServerError(_failure(lms, _START, "LM Studio's server was started, but does not run.", ""))
    return port


async def _port(lms: Lms) -> int | None:
    arguments = ("server", "status", "--json")
    printed = await run(lms, *arguments, seconds=_QUICK)
    for line in reversed(printed.splitlines()):
        with contextlib.suppress(msgspec.DecodeError):
            status = HttpReply(200, msgspec.json.decode(line))
            return status.number("port") if status.get("running") is True else None
    raise ServerError(_failure(lms, arguments, "lms does not report whether the server runs.", printed))


async def clean_up(lms: Lms, *arguments: str) -> None:
    """Run lms to clean up at the end; a failure goes to the log only, as the results are not affected."""
    try:
        await run(lms, *arguments, seconds=_QUICK)
    except ServerError as error:
        with contextlib.suppress(OSError), lms.log.open("a", encoding="utf-8") as output:
            output.write(f"{error}\n")


async def run(lms: Lms, *arguments: str, seconds: float) -> str:
    """Run lms to its end and return its output, which is appended to the log.

    Into a file, because a pipe would be held open by an LM Studio that lms wakes up.

    Raises:
        ServerError: It cannot be run, failed, or took too long, or the log cannot be written or read.
    """
    with _appending(lms.log) as output:
        before = output.tell()
        try:
            child = await asyncio.create_subprocess_exec(
                *lms.program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C goes to whichquant, which then ends it in order
            )
        except OSError as error:
            raise ServerError(f"{lms.program[0]} cannot be run: {error.strerror}.") from error
    try:
        async with asyncio.timeout(seconds):
            code = await child.wait()
    except TimeoutError:
        printed = _since(lms, before)
        raise ServerError(_failure(lms, arguments, f"lms did not end within {seconds:g} s.", printed)) from None
    finally:
        await _end(child)
    printed = _since(lms, before)
    if code != 0:
        why = cause(printed)
        sentence = f"lms ended with exit code {code}." + (f" {why}" if why else "")
        raise ServerError(_failure(lms, arguments, sentence, printed))
    return printed


async def _end(child: asyncio.subprocess.Process) -> None:
    """End lms if it still runs: interrupted, it calls off the load that LM Studio does for it."""
    if child.returncode is not None:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _since(lms: Lms, before: int) -> str:
    try:
        with lms.log.open("rb") as log:
            log.seek(before)
            return _ESCAPES.sub("", log.read().decode(errors="replace"))
    except OSError as error:
        raise ServerError(f"The log {lms.log} cannot be read: {error.strerror}.") from error


def _failure(lms: Lms, arguments: Sequence[str], sentence: str, printed: str) -> str:
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", printed)]
    # An error of its own brings the lines of JavaScript along that it passed through.
    kept = [line for line in lines if line and not line.lstrip().startswith("at ")][-LAST_LINES:]
    words = "\n".join(f"  {line}" for line in kept) or "  (nothing)"
    return (
        f"{sentence}\nIts last output ({lms.log}):\n{words}\n"
        f"To try it by hand:\n  {shlex.join((*lms.program, *arguments))}"
    )
