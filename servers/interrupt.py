"""Ctrl-C while nothing is started yet."""

import os
import signal
import threading
from types import FrameType


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
