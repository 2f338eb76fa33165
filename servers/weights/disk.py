"""Find what the user names on this machine: files, directories and programs."""

import os
import re
import shutil
from pathlib import Path

from servers.errors import ServerError

_SPLIT = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<total>\d{5})\.gguf")


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


def find(name: str, named: str | None, install: str) -> tuple[str, tuple[str, ...]]:
    """Find a runtime's program: the one that the study names, or the one on PATH.

    Args:
        name: What it is called on PATH.
        named: The study's, by its path or on PATH.
        install: What to say where there is none.

    Returns:
        In words, and the beginning of a command.

    Raises:
        ServerError: There is none.
    """
    if named is not None:
        return program(named)
    if binary := shutil.which(name):
        return f"{name} on PATH ({binary})", (binary,)
    raise ServerError(install)


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
        raise ServerError(f"The program {name} does not exist or cannot be run", remedy="see where binary points.")
    return f"{Path(binary).name} ({binary})", (binary,)


def gguf_parts(name: str) -> list[str]:
    """List all files of a GGUF, the one to load first; a GGUF in one file is alone in the list."""
    split = _SPLIT.fullmatch(name)
    if split is None or not int(split["total"]):
        return [name]
    return [f"{split['stem']}-{part:05}-of-{split['total']}.gguf" for part in range(1, int(split["total"]) + 1)]


def weight_files(model: Path) -> list[Path]:
    """List the files of a directory of MLX weights that mlx_lm loads, whatever an index beside them says."""
    files = [file for file in sorted(model.glob("*.safetensors")) if not file.name.startswith("._")]
    return [file for file in files if file.name.startswith("model")] or files
