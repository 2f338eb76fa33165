"""The raw records of one variant: append-only JSON lines that survive `kill -9`."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct

from evaluator.errors import StudyError
from evaluator.records import Key, Record
from evaluator.store.keys import Numbers, Place, Places

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode
_BLOCK = 1 << 16
"""Bytes read at a time from the end, where the last whole line is looked for."""


class Journal:
    """One variant's records on disk, with an index of where each question's current record stands.

    The file is read once, when the journal is made. `with` closes it.
    """

    def __init__(self, path: Path, numbers: Numbers | None = None) -> None:
        """Read a journal's index; `numbers` is shared by the journals of a run, which hold the same questions."""
        self.path = path
        self.places = _index(path, Places(numbers or Numbers()))
        self._file: BinaryIO | None = None

    def answered(self) -> set[Key]:
        """Name the questions that have an answer."""
        return {key for key in self.places if self.places.is_answered(key)}

    def records(self, keys: Iterable[Key]) -> Iterator[Record]:
        """Read the current records of these questions, one at a time; a question without one is skipped.

        Raises:
            StudyError: somebody else changed the file.
        """
        places = [(key, place) for key in keys if (place := self.places.find(key))]
        if places:
            with self.path.open("rb") as file:
                for key, place in places:
                    file.seek(place.start)
                    yield self._read(file, key, place)

    @contextmanager
    def reading(self) -> Iterator[Callable[[Key], Record | None]]:
        """Give what reads the current record of a question; None where there is none. The file stays open meanwhile."""
        with self.path.open("rb") if self.places else nullcontext() as file:

            def get(key: Key) -> Record | None:
                place = self.places.find(key)
                if file is None or place is None:
                    return None
                file.seek(place.start)
                return self._read(file, key, place)

            yield get

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
            if record.answer is not None or not self.places.is_answered(record.key):
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
        line = file.read(place.size)
        try:
            record = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if _is_of(line, key):
                raise _not_a_record(self.path, _lines_before(self.path, place.start) + 1, error) from None
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
    return {record.key: trim(record) for record in current(path)}


def current(path: Path, wanted: Callable[[Key], bool] = lambda _: True) -> Iterator[Record]:
    """Yield each question's current record, one at a time, in the order of first asking; see `read`.

    Args:
        path: The journal.
        wanted: Whether a question's record is wanted; others are not decoded.
    """
    journal = Journal(path)
    return journal.records([key for key in journal.places if wanted(key)])


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


class _Bare(Struct):
    duration_s: float


class _Head(Struct):
    """As much of a record as an index needs; the rest is only looked at as far as it must be JSON."""

    key: Key
    answer: _Bare | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def _is_of(line: bytes, key: Key) -> bool:
    try:
        return _decode_head(line).key == key
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _index(path: Path, places: Places) -> Places:
    for place, head in _lines(path):
        if place.answered or not places.is_answered(head.key):  # a failure does not replace an answer
            places[head.key] = place
    return places


def _lines(path: Path) -> Iterator[tuple[Place, _Head]]:
    if not path.exists():
        return
    start = 0
    with path.open("rb") as lines:  # one at a time: the file may be larger than memory
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                head = _decode_head(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise _not_a_record(path, number, error) from None
            yield Place(start, len(line), head.answer is not None), head
            start += len(line)


def _not_a_record(path: Path, line: int, error: Exception) -> StudyError:
    remedy = "remove the line, and its question is asked again"
    return StudyError(f"not a record ({error})", source=path, line=line, remedy=remedy)


def _lines_before(path: Path, size: int) -> int:
    with path.open("rb") as file:
        return file.read(size).count(b"\n")


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
