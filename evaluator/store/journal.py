"""The raw records of one variant: append-only JSON lines that survive `kill -9`."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import msgspec

from evaluator.errors import StudyError
from evaluator.records import Key, Record

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode
_BLOCK = 1 << 16
"""Bytes read at a time from the end, where the last whole line is looked for."""


class Place(NamedTuple):
    """Where a record stands in its file."""

    start: int
    """Bytes before it."""
    size: int
    """Bytes of its line, the line end included."""
    answered: bool
    """Whether it holds an answer; else it holds a failure."""


class Journal:
    """One variant's records on disk, with an index of where each question's current record stands.

    The file is read once, when the journal is made. `with` closes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places = _index(path)
        """By question, in the order of first asking."""
        self._file: BinaryIO | None = None

    def answered(self) -> set[Key]:
        """Name the questions that have an answer."""
        return {key for key, place in self.places.items() if place.answered}

    def records(self, keys: Iterable[Key]) -> Iterator[Record]:
        """Read the current records of these questions, one at a time; a question without one is skipped.

        Raises:
            StudyError: somebody else changed the file.
        """
        places = [(key, self.places[key]) for key in keys if key in self.places]
        if places:
            with self.path.open("rb") as file:
                for key, place in places:
                    file.seek(place.start)
                    yield self._read(file, key, place)

    def append(self, records: Iterable[Record]) -> None:
        """Write records and wait until they are on disk.

        Raises:
            OSError: the disk is full or gone. What was written before stays whole.
        """
        lines = [(record, _encode(record) + b"\n") for record in records]
        if not lines:
            return
        file = self._opened()
        end = os.fstat(file.fileno()).st_size
        rest = b"".join(line for _, line in lines)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError as error:
            os.ftruncate(file.fileno(), end)
            error.filename = error.filename or str(self.path)
            raise
        for record, line in lines:
            if _counts(record, self.places.get(record.key)):
                self.places[record.key] = Place(end, len(line), record.answer is not None)
            end += len(line)

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, file: BinaryIO, key: Key, place: Place) -> Record:
        try:
            record = _decode(file.read(place.size))
        except (msgspec.DecodeError, UnicodeDecodeError):
            record = None
        if record is None or record.key != key:
            raise StudyError(
                "somebody changed it while it was in use", source=self.path, remedy="run the same command again"
            )
        return record

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(self.path)
            self._file = self.path.open("ab", buffering=0)
        return self._file


def read(path: Path, trim: Callable[[Record], Record] = lambda record: record) -> dict[Key, Record]:
    """Read a journal: each question's current record, in the order of first asking.

    Records are large: `trim` is given each and may return it without what is not needed.

    A question that was asked again has several records; the last one counts, but a failure does not replace an
    answer. A last line without a line end was left by a killed process and is not a record.

    Raises:
        StudyError: a line is not a record, with file and line.
    """
    records: dict[Key, Record] = {}
    places: dict[Key, Place] = {}
    for place, record in _lines(path):
        if _counts(record, places.get(record.key)):
            places[record.key], records[record.key] = place, trim(record)
    return records


def last_record(path: Path) -> Record | None:
    """Read the record that was written last; None where there is none, or it is damaged."""
    try:
        with path.open("rb") as file:
            end = _end_of_last_line(file, file.seek(0, os.SEEK_END))
            begin = _end_of_last_line(file, end - 1)
            file.seek(begin)
            return _decode(file.read(end - begin))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _index(path: Path) -> dict[Key, Place]:
    places: dict[Key, Place] = {}
    for place, record in _lines(path):
        if _counts(record, places.get(record.key)):
            places[record.key] = place
    return places


def _counts(record: Record, before: Place | None) -> bool:
    """Whether a record replaces the one before it: a failure does not replace an answer."""
    return record.answer is not None or before is None or not before.answered


def _lines(path: Path) -> Iterator[tuple[Place, Record]]:
    if not path.exists():
        return
    start = 0
    with path.open("rb") as lines:  # one at a time: the file may be larger than memory
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                record = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StudyError(
                    f"not a record ({error})",
                    source=path,
                    line=number,
                    remedy="remove the line, and its question is asked again",
                ) from None
            yield Place(start, len(line), record.answer is not None), record
            start += len(line)


def _cut_torn_line(path: Path) -> None:
    """Remove what a killed process wrote of its last line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        whole = _end_of_last_line(file, end)
        if whole < end:
            file.truncate(whole)


def _end_of_last_line(file: BinaryIO, end: int) -> int:
    """Search backwards for the last line end; give the number of bytes up to and including it."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        if (place := file.read(end - begin).rfind(b"\n")) >= 0:
            return begin + place + 1
        end = begin
    return 0
