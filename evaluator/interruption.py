"""Let Ctrl-C, or a signal to terminate, end work that asks no server: in order, in one sentence, with exit code 130."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
