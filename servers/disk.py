"""What the user names on this machine: files, directories and programs."""

import os
import shutil
from pathlib import Path

from servers.spec import ServerError


def expand(name: str) -> str:
    """Put the home directory for a tilde; that of a user whom this machine does not know stays as it is."""
    return os.path.expanduser(name)  # noqa: PTH111 - pathlib's raises RuntimeError of an unknown user


def file_at(name: str) -> Path | None:
    """Return the file that a name means; None where there is none."""
    path = Path(expand(name))
    try:
        return path if path.is_file() else None
    except OSError:  # a name that is too long, a folder that may not be entered
        return None


def directory_at(name: str) -> Path | None:
    """Return the directory that a name means; None where there is none."""
    path = Path(expand(name))
    try:
        return path if path.is_dir() else None
    except OSError:
        return None


def program(name: str) -> tuple[str, tuple[str, ...]]:
    """Find the program that a study names, by its path or on PATH.

    Returns:
        In words, and the beginning of a command.

    Raises:
        ServerError: There is none.
    """
    # The name as it was written: pathlib would make `./llama-server` a name to look for on PATH.
    binary = shutil.which(expand(name))
    if binary is None:
        raise ServerError(f"The program {name} that the study names does not exist or cannot be run.")
    return f"{Path(binary).name} ({binary})", (binary,)
