"""End on Ctrl-C and on signals to terminate: at once while nothing is started yet, in order afterwards.

Every command line imports this first, so it imports nothing heavy itself.
"""

import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def end_at_once() -> None:
    """Let Ctrl-C end the process at once: an exception raised inside an import can get lost."""
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


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, from wherever this is called, and let signals to terminate end it in order.

    Where an event loop runs already, as in a notebook, the work gets a thread and a loop of its own, and this waits.

    Raises:
        KeyboardInterrupt: Ctrl-C or a signal ended it.
    """
    import asyncio  # noqa: PLC0415 - `whichquant --help` does without

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        try:
            return asyncio.run(_until_terminated(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    return _run_in_thread(work)


def _run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    import asyncio  # noqa: PLC0415
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    begun: list[asyncio.Task[Any]] = []

    async def noted() -> T:
        if task := asyncio.current_task():
            begun.append(task)
        return await work

    with ThreadPoolExecutor(1) as pool:  # waits until the work has ended, also after Ctrl-C
        done = pool.submit(asyncio.run, noted())
        try:
            return done.result()
        except KeyboardInterrupt:
            for task in begun:
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Await, and let a signal to terminate end it as Ctrl-C does: servers stopped, files closed."""
    import asyncio  # noqa: PLC0415

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():  # no other may handle signals
        for number in _ENDINGS:
            if task and signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                loop.add_signal_handler(number, task.cancel)
    return await work


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Let signals to terminate raise what Ctrl-C raises; those that are ignored stay so, as nohup means it."""
    in_main = threading.current_thread() is threading.main_thread()
    unhandled = [number for number in _ENDINGS if in_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in unhandled:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)
