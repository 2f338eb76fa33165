"""The raw records of one variant: append-only JSON lines that survive `kill -9`."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from evaluator.records import Key, Record
from evaluator.study.study import StudyError

_encoder = msgspec.json.Encoder()


class Journal:
    """Appends records to one file; each call to `append` is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, records: Iterable[Record]) -> None:
        """Write records and wait until they are on disk.

        Raises:
            OSError: the disk is full or gone. What was written before stays whole.
        """
        end = os.fstat(self._file.fileno()).st_size
        rest = b"".join(_encoder.encode(record) + b"\n" for record in records)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), end)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read(path: Path, trim: Callable[[Record], Record] = lambda record: record) -> dict[Key, Record]:
    """Read a journal: for each question the record that counts, in the order of first asking.

    Records are large: `trim` may look at each and leave out what is not needed any more.

    A question that was put again later has several records; the last one counts, but a failure takes no answer's
    place. A last line without an end is what a killed process left behind: it is not a record.

    Raises:
        StudyError: a line is not a record, with file and line.
    """
    if not path.exists():
        return {}
    decoder = msgspec.json.Decoder(Record)
    records: dict[Key, Record] = {}
    with path.open("rb") as lines:  # one at a time: the whole file may not fit into memory twice
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                record = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StudyError(
                    f"{path}:{number}: not a record ({error}): remove the line, and its question is asked again"
                ) from None
            before = records.get(record.key)
            if record.answer or before is None or before.answer is None:
                records[record.key] = trim(record)
    return records


def _cut_torn_line(path: Path) -> None:
    """Remove what a killed process wrote of its last line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
