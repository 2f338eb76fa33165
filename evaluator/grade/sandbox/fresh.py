"""Do each job in a fresh process that is confined before it starts, where nothing can be forked inside.

Started by file name, outside of the sandbox. Its arguments are the command that confines, the program to confine, and
what every server gets: the socket's number, and the word for namespaces. The job's process is replaced by that command,
so that to kill it is to kill the answer; a second one beside it watches the memory.

Standard library only.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluator.grade.sandbox import forks, values
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 10 ms
    import forks
    import values

    del sys.path[0]

MEMORY_BYTES = 1 << 30
_MEASURE_SECONDS = 0.1
_ALIVE_SECONDS = 0.01
"""The judge learns of an answer's end no sooner: the watcher holds an end of its pipe."""


def work(files: list[int], command: list[str]) -> None:
    """Have this process watched, and start the confined program in its place."""
    message_fd, started_fd, _, results_fd = files
    with open(message_fd, encoding="utf-8", closefd=False) as message:
        scratch = os.path.realpath(json.load(message)["scratch"])
    os.lseek(message_fd, 0, os.SEEK_SET)
    pid = os.getpid()
    if not os.fork():
        for file in files:
            if file != results_fd:
                os.close(file)
        if kill_when_over(pid, MEMORY_BYTES, lambda: os.getppid() == pid):
            # Reported in the place of the answer, whose process was killed.
            os.write(results_fd, b"e" + values.dump(["MemoryError", ""]))
        os._exit(0)
    for file in files:
        os.set_inheritable(file, True)  # noqa: FBT003 - it takes no name
    os.dup2(started_fd, 2)  # what goes wrong before the answer's code runs is reported there
    os.execv(command[0], [command[0], "-D", f"SCRATCH={scratch}", *command[1:], *map(str, files)])  # noqa: S606


def kill_when_over(pid: int, most_bytes: int, is_alive: Callable[[], bool]) -> bool:
    """Kill a process when it holds more memory than `most_bytes`; True if that was so, False when it ended before."""
    next_measure = 0.0
    while is_alive():
        if time.monotonic() >= next_measure:
            if resident_bytes(pid) > most_bytes and is_alive():
                os.kill(pid, signal.SIGKILL)
                return True
            next_measure = time.monotonic() + _MEASURE_SECONDS
        time.sleep(_ALIVE_SECONDS)
    return False


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds, in bytes; 0 where no process has that id."""
    listed = subprocess.run(
        ["/bin/ps", "-o", "rss=", "-p", str(pid)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return int(listed.stdout.strip() or 0) * 1024  # both systems count in KiB


if __name__ == "__main__":
    *_command, _control, _ = sys.argv[1:]
    forks.serve(int(_control), lambda files: work(files, _command), 0)
