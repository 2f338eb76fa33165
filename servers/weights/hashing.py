"""Identify weights: size and SHA-256 of a model file or directory, hashed once."""

import contextlib
import errno
import hashlib
import os
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec

from servers.cache import user_cache
from servers.errors import ServerError
from servers.weights.disk import gguf_parts

_BLOCK = 1 << 20
"""Bytes read at a time: a millisecond's work."""
_Cache = dict[str, tuple[int, int, str]]
"""Resolved path -> size, mtime_ns, sha256."""


class Weights(NamedTuple):
    """What a model is on disk."""

    bytes: int
    """Of the weights alone: what bits per weight are computed from."""
    sha256: str


def weights(model: Path, stop: threading.Event | None = None) -> Weights:
    """Measure and hash a model, unless `stop` is set meanwhile.

    A single file gives its own SHA-256. A split GGUF (named by its first shard) and a directory (its
    `*.safetensors` and `config.json`) give the SHA-256 of the lines `name sha256`, sorted by name.

    Raises:
        ServerError: Something of the model cannot be read, or `stop` was set.
    """
    files = files_of(model)
    try:
        sums = {file.name: sha256(file, stop) for file in files}
        size = sum(file.stat().st_size for file in files if file.name != "config.json")
    except OSError as error:
        raise ServerError(f"The model {model} cannot be read: {error.strerror}.") from error
    if files == [model]:
        return Weights(size, sums[model.name])
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(sums.items()))
    return Weights(size, hashlib.sha256(lines.encode()).hexdigest())


def sha256(file: Path, stop: threading.Event | None = None) -> str:
    """Return the SHA-256 of a file, from the cache when path, size and time of change are as they were."""
    real = file.resolve()
    state = real.stat()
    known = _read_cache().get(str(real))
    if known is not None and known[:2] == (state.st_size, state.st_mtime_ns):
        return known[2]
    digest = sha256_of(real, stop)
    _write_cache({**_read_cache(), str(real): (state.st_size, state.st_mtime_ns, digest)})
    return digest


def sha256_of(file: Path, stop: threading.Event | None = None) -> str:
    """Return the SHA-256 of a file, in hexadecimal, read anew.

    Args:
        file: It may be large: tens of gigabytes take a minute.
        stop: Set from another thread to end the work early.

    Raises:
        OSError: It cannot be read; `InterruptedError` where `stop` was set.
    """
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            if stop is not None and stop.is_set():
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR), str(file))
            digest.update(block)
    return digest.hexdigest()


def template_sha256(text: str | None) -> str | None:
    """Return the SHA-256 of a chat template without white space at its ends: llama.cpp drops it and MLX keeps it."""
    return hashlib.sha256(text.strip().encode()).hexdigest() if text and text.strip() else None


def cache_file() -> Path:
    """Return where digests are kept."""
    return user_cache() / "sha256.json"


def files_of(model: Path) -> list[Path]:
    """Return the files that a model consists of: itself, the parts of a split GGUF, or those of a directory."""
    if model.is_dir():
        return sorted([*model.glob("*.safetensors"), *model.glob("config.json")])
    return [model.with_name(part) for part in gguf_parts(model.name)]


def _read_cache() -> _Cache:
    try:
        return msgspec.json.decode(cache_file().read_bytes(), type=_Cache)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return {}


def _write_cache(cache: _Cache) -> None:
    """Replace the cache in one step; a cache that cannot be written costs time, not the run."""
    target = cache_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=target.parent)
    except OSError:
        return
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - pathlib opens no descriptors
            file.write(msgspec.json.encode(cache))
        Path(draft).replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
