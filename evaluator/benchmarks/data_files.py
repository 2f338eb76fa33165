"""Read the files of questions in `data/`: one JSON object a line, the larger ones compressed."""

import gzip
import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
_FOLDER = Path(__file__).parent / "data"


def rows(name: str, row: type[T]) -> list[T]:
    """Read a file's rows, in its order."""
    decoder = msgspec.json.Decoder(row)
    return [decoder.decode(line) for line in _content(name).splitlines()]


def sha256(*names: str) -> str:
    """Hash files one behind the other, uncompressed."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(_content(name))
    return digest.hexdigest()


def _content(name: str) -> bytes:
    content = (_FOLDER / name).read_bytes()
    return gzip.decompress(content) if name.endswith(".gz") else content
