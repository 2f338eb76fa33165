"""End on Ctrl-C and on signals to terminate: at once while nothing is started yet, in order afterwards.

Every command line imports this first, so it imports nothing heavy itself.
"""

import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
E = TypeVar("E")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_ENDING_HANDLERS = (signal.SIG_DFL, signal.default_int_handler)
"""With which a signal would end the process at once, or raise anywhere."""


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
    Of errors that tasks raised together, the first is raised by itself.

    Raises:
        KeyboardInterrupt: Ctrl-C or a signal ended it.
    """
    import asyncio  # noqa: PLC0415 - `whichquant --help` does without

    try:
        return _run_in_thread(work) if _loop_is_running() else _run_in_loop(_until_terminated(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except (BaseExceptionGroup, _Ending) as raised:
        error = _first(raised)
    raise error


def _run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do what `asyncio.run` does, in a loop of uvloop's where that is installed."""
    import asyncio  # noqa: PLC0415

    with asyncio.Runner(loop_factory=_uvloops()) as runner:
        return runner.run(work)


def _uvloops() -> Callable[[], Any] | None:
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    loops: Callable[[], Any] = uvloop.new_event_loop
    return loops


def _loop_is_running() -> bool:
    import asyncio  # noqa: PLC0415

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.error if isinstance(error, _Ending) else error


class _Ending(Exception):  # noqa: N818 - it carries what ends the work
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def in_order(callback: Callable[[E], None]) -> Callable[[E], None]:
    """Let a callback of tasks end their work in order: `run` raises its KeyboardInterrupt or SystemExit afterwards.

    In a task either would break the loop off, and the servers of other tasks would stay.
    """

    def called(event: E) -> None:
        try:
            callback(event)
        except (KeyboardInterrupt, SystemExit) as error:
            raise _Ending(error) from error

    return called


def _run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    import asyncio  # noqa: PLC0415
    from concurrent import futures  # noqa: PLC0415

    begun: futures.Future[asyncio.Task[Any] | None] = futures.Future()

    async def noted() -> T:
        begun.set_result(asyncio.current_task())
        return await work

    # The pool waits until the work has ended, also after Ctrl-C.
    with _interruptible_loop(), as_ctrl_c(), futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(_run_in_loop, noted())
        try:
            return done.result()
        except KeyboardInterrupt:
            either: list[futures.Future[Any]] = [begun, done]
            futures.wait(either, return_when=futures.FIRST_COMPLETED)
            if not done.done() and (task := begun.result()):
                with suppress(RuntimeError):  # its loop was closed just now
                    task.get_loop().call_soon_threadsafe(task.cancel)
            raise


@contextmanager
def _interruptible_loop() -> Iterator[None]:
    """Let Ctrl-C raise while a running loop is blocked: its own handler would wait for the loop's next turn."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Await, and let a signal to terminate end it as Ctrl-C does: servers stopped, files closed.

    One that is ignored stays so, as nohup means it, and so does a handler of the program that calls this.
    """
    import asyncio  # noqa: PLC0415

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    in_main = threading.current_thread() is threading.main_thread()  # no other may handle signals
    before = {number: signal.getsignal(number) for number in _ENDINGS if in_main}
    before = {number: handler for number, handler in before.items() if handler in _ENDING_HANDLERS}
    for number in before:
        if task:
            loop.add_signal_handler(number, task.cancel)
    try:
        return await work
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


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
