"""Hold a server's life line: when whichquant goes, the server goes.

Run as `python -I -S guard.py [FOLDER] -- command...`, leader of its own session. Standard input is a
pipe whose other end only whichquant holds, so end of file means that whichquant stopped, however it
stopped: `kill -9` closes pipes too. FOLDER, what the server reads at its start, is removed with it.
Needs nothing but the standard library, on Linux and macOS.
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

GRACE_SECONDS = 5.0
"""Between asking to stop and stopping."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str]) -> int:
    """Run the command after `--` until it ends, standard input ends, or a signal comes."""
    mark = argv.index("--")
    folder, command = argv[:mark], list(argv[mark + 1 :])
    wake = _wake_on(*_SIGNALS, signal.SIGCHLD)
    try:
        # The server stays in the guard's own group, so that one signal to the group ends all, guard included.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - the log is its reader
        return 127
    code = _wait(child, wake)
    if code is None:
        _end(child, folder)
        return 0
    _ignore_and_signal_group()
    return code if code >= 0 else 128 - code


def _wake_on(*signals: signal.Signals) -> int:
    """Turn signals into bytes on a pipe and return its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in signals:
        signal.signal(number, lambda *_: None)
    return reading


def _wait(child: subprocess.Popen[bytes], wake: int) -> int | None:
    """Return the child's exit code, or None when it is time to end it."""
    stdin = sys.stdin.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(stdin, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            seen = os.read(wake, 64) if wake in ready else b""
            code = child.poll()
            if code is not None:
                return code
            if any(number in _SIGNALS for number in seen) or (stdin in ready and not os.read(stdin, 64)):
                return None


def _ignore_and_signal_group() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)


def _end(child: subprocess.Popen[bytes], folders: Sequence[str]) -> None:
    """Ask the whole group to stop, wait, remove what it read, then kill it; the guard dies with it."""
    _ignore_and_signal_group()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"still running {GRACE_SECONDS:g} s after SIGTERM: killed", file=sys.stderr)  # noqa: T201
        child.kill()
        child.wait()
    sys.stderr.flush()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
