"""Read the files of questions in `data/`: one JSON object a line, the larger ones compressed."""

import gzip
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
_FOLDER = Path(__file__).parent / "data"


def rows(name: str, row: type[T], places: Iterable[int] | None = None) -> list[T]:
    """Read a file's rows, in its order, or those at some places, in theirs; what `row` does not name is left out."""
    decoder, lines = msgspec.json.Decoder(row), _lines(name)
    return [decoder.decode(line) for line in (lines if places is None else map(lines.__getitem__, places))]


def names(name: str) -> dict[str, str]:
    """Read a file that names something else for each name."""
    return msgspec.json.decode(_content(name), type=dict[str, str])


def sha256(*names: str) -> str:
    """Hash files one behind the other, uncompressed."""
    digest = hashlib.sha256()
    for name in names:
        for line in _lines(name):
            digest.update(line)
            digest.update(b"\n")
    return digest.hexdigest()


@cache  # a run looks into it several times: for the order, the questions asked, and what they share
def _lines(name: str) -> list[bytes]:
    return _content(name).splitlines()


def _content(name: str) -> bytes:
    content = (_FOLDER / name).read_bytes()
    return gzip.decompress(content) if name.endswith(".gz") else content
