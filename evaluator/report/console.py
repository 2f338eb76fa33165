"""The terminal that everything is told to."""

import os
import sys

from rich.console import Console

CLOSED = 141
"""Exit code where whoever read the output had enough, as shells have it (128 + SIGPIPE)."""


class Terminal(Console):
    """rich's console, which ends as other programs do when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """End without a word: there is nobody to hear it."""
        hush()
        raise SystemExit(CLOSED)


def hush() -> None:
    """Let what is left in the output's buffer go nowhere, or Python complains of it at its end."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - it is no file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
