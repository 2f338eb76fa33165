"""Remove files even if whichquant is killed: a process waits for its end, and removes them then."""

import subprocess
from contextlib import suppress
from pathlib import Path

# `read` ends with the pipe, whose other end is closed by the kernel when its process is gone.
_WAITS_AND_REMOVES = 'read -r _; shift; rm -rf "$@" || { chmod -R u+rwx "$@"; rm -rf "$@"; }'


class Remover:
    """Removes paths when it is closed, or when this process is gone; they need not be there yet.

    Attributes:
        process: What waits. It is in a session of its own: what ends a whole group spares it.
    """

    def __init__(self, *paths: Path, word: str = "") -> None:
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", _WAITS_AND_REMOVES, "sh", word, *map(str, paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Let it remove what is left, and wait for that."""
        with suppress(OSError):
            self.process.communicate()
