"""The types of the sandbox, and what every tier needs to know about the interpreter."""

import sys
import sysconfig
from pathlib import Path
from typing import Literal

from msgspec import Struct

SECONDS = 10.0
SCRATCH_BYTES = 64 << 20
_HERE = Path(__file__).parent
CHILD = "child.py"
SHIPPED = tuple(_HERE / name for name in (CHILD, "confine.py", "forks.py", "values.py"))
"""What is started inside, and what that imports."""
JUDGE = _HERE / "judge.py"
_PYTHON = f"python{sysconfig.get_python_version()}"
_PACKAGES = frozenset({"site-packages", "dist-packages"})


class Run(Struct, frozen=True):
    """What became of one answer."""

    outcome: Literal["passed", "failed", "no_verdict"]
    """`no_verdict`: the sandbox failed before the answer ran, so that nothing is known about the answer."""
    reason: str
    """`passed`, or why not: the error's last line, `timeout after 10 s`, `memory`, `output: too large`, `died ...`."""


class Sandbox(Struct, frozen=True):
    """How answers are run on this machine."""

    tier: str
    command: tuple[str, ...]
    """What starts child.py inside, up to its arguments."""
    namespaces: bool
    """Every answer gets namespaces of its own."""
    scratch: str | None
    """The directory an answer may write to; None where each gets one made outside."""
    readable: tuple[str, ...]
    """The paths it may read."""
    seccomp: bytes | None
    """System call filter; None where none is known for this architecture."""
    processes: int | None
    """How many an answer may have, threads among them; None where that cannot be limited for it alone."""


class NoSandbox(Struct, frozen=True):
    """Model-written code cannot be run here."""

    reason: str
    install: str
    """What to do about it."""


def interpreter() -> Path:
    """Find the interpreter itself, and neither a link in a virtual environment nor a shim."""
    python = Path(sys.base_prefix, "bin", _PYTHON)
    return python if python.exists() else Path(sys.executable).resolve()


def readable() -> tuple[str, ...]:
    """List what the interpreter reads, without installed packages: they are no part of the language."""
    prefix = Path(sys.base_prefix)
    paths = [interpreter(), *prefix.glob("lib*/libpython*")]
    for library in (prefix / "lib" / _PYTHON, prefix / "lib64" / _PYTHON):
        if library.is_dir():
            paths += [path for path in sorted(library.iterdir()) if path.name not in _PACKAGES]
    return tuple(map(str, paths))


def libraries() -> tuple[str, ...]:
    """List the system's libraries, without what is installed there for any Python."""
    folders = sorted({Path(name).resolve() for name in ("/usr/lib", "/usr/lib64", "/lib", "/lib64")})
    entries = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return (*(str(path) for path in entries if not path.name.startswith("python")), "/etc/ld.so.cache")
