"""Ctrl-C and signals to terminate: at once while nothing is started yet, in order afterwards."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar


def end_at_once() -> None:
    """Let Ctrl-C end the process without more ado: what it raises inside an import can get lost there."""
    if threading.current_thread() is threading.main_thread() and _is(signal.default_int_handler):
        signal.signal(signal.SIGINT, _end)


def end_in_order() -> None:
    """Let Ctrl-C raise again: servers are to be stopped and files closed."""
    if _is(_end):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is(handler: object) -> bool:
    return signal.getsignal(signal.SIGINT) is handler


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)


T = TypeVar("T")


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Await, and let a signal to terminate end it as Ctrl-C does: servers stopped, files closed.

    Raises:
        asyncio.CancelledError: A signal came.
    """
    import asyncio  # noqa: PLC0415 - `whichquant --help` does without

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task and signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, task.cancel)
    return await work


_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def interruptible(work: Callable[[], int], told: str) -> int:
    """Do the work and give its exit code; when it is interrupted, say `told` and give 130."""
    try:
        with _as_ctrl_c():
            return work()
    except KeyboardInterrupt:
        sys.stderr.write(f"whichquant: interrupted: {told}\n")
        return 130


@contextmanager
def _as_ctrl_c() -> Iterator[None]:
    """Let signals to terminate raise what Ctrl-C raises; those that are ignored stay so, as nohup means it."""
    in_main = threading.current_thread() is threading.main_thread()
    mine = [number for number in _ENDINGS if in_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
