"""The terminal that all output goes to."""

import os
import sys

from rich.console import Console

CLOSED = 141
"""Exit code where the reader of the output closed the pipe, as in shells (128 + SIGPIPE)."""


class Terminal(Console):
    """rich's console, which ends as other programs do when its output is no longer read."""

    def on_broken_pipe(self) -> None:
        """End without a message: nobody would read it."""
        hush()
        raise SystemExit(CLOSED)


def hush() -> None:
    """Discard what is left in the output's buffer, or Python prints an error when it exits."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - not a file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
