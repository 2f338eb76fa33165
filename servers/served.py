"""Which servers `whichquant serve` keeps up: each has a file in the user's cache, locked for as long as it lives."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.cache import user_cache
from servers.errors import ServerError
from servers.request import normal_url


def _folder() -> Path:
    return user_cache() / "served"


@contextmanager
def announced(base_url: str) -> Iterator[None]:
    """Let `addresses` find a server; where the cache cannot be written, it is not found, and works all the same."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(_locked_file(base_url))
        yield


@contextmanager
def _locked_file(base_url: str) -> Iterator[None]:
    path = _folder() / f"{os.getpid()}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Locked before it has the name under which it is looked for: one without a lock is removed.
    with path.with_suffix(".new").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(base_url)
        file.flush()
        path.with_suffix(".new").replace(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def addresses() -> tuple[str, ...]:
    """Return the addresses of the servers that are kept up; files of those that were killed are removed."""
    try:
        files = sorted(_folder().glob("*.txt"))
    except OSError:
        return ()
    found = (_address(file) for file in files)
    return tuple(address for address in found if address)


def _address(path: Path) -> str | None:
    """Read a file, or remove it where nobody holds it any more."""
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return normal_url(file.read())
        path.unlink()
    except (OSError, ValueError, ServerError):  # gone already, or not ours to read
        pass
    return None
