"""Whatever ends a run while records are being written, each that has come is on disk, once."""

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from evaluator.ask.traffic import Traffic
from evaluator.ask.worker import VariantWorker
from evaluator.records import Answer, Key, Record
from evaluator.store.journal import Journal, read
from evaluator.study.file import parse

STUDY = """\
study: s
baseline: a
variants: [{name: a, model: m, base_url: "http://127.0.0.1:1/v1"}]
benchmarks: {mmlu_pro: {questions: 5}}
"""


class SlowJournal(Journal):
    """Begins to write, and goes on when it is let."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.batches: list[int] = []

    def append(self, records: Iterable[Record]) -> None:
        self.begun.set()
        assert self.goes_on.wait(30)
        records = list(records)
        self.batches.append(len(records))
        super().append(records)


class Handed:
    """A schedule that only notes what it was handed."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.keys = journal, list[Key]()

    def on_written(self, _variant: str, records: list[Record]) -> None:
        assert all(record.key in self.journal.places for record in records), "only what is on disk"
        self.keys += [record.key for record in records]


def record(number: int) -> Record:
    answer = Answer(text="A", finish_reason="stop", duration_s=1)
    return Record(key=Key("mmlu_pro", str(number)), variant="a", started="now", request={}, answer=answer)


@pytest.mark.parametrize("more", [0, 3], ids=["none-waits", "others-wait"])
async def test_what_is_being_written_is_written_and_what_waits_too(tmp_path: Path, more: int) -> None:
    journal = SlowJournal(tmp_path / "a.jsonl")
    schedule: Any = Handed(journal)
    worker = VariantWorker(parse(STUDY, "s"), "a", journal, schedule, Traffic(4, silence=5))
    worker._arrived.put_nowait(record(0))
    writing = asyncio.create_task(worker._write())
    await asyncio.to_thread(journal.begun.wait, 30)
    for number in range(1, more + 1):
        worker._arrived.put_nowait(record(number))

    writing.cancel()
    await asyncio.sleep(0)
    journal.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert [key.question_id for key in read(journal.path)] == [str(number) for number in range(more + 1)]
    assert sum(journal.batches) == more + 1
    journal.close()


async def test_what_comes_while_the_disk_is_busy_is_written_together(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path / "a.jsonl")
    schedule: Any = Handed(journal)
    worker = VariantWorker(parse(STUDY, "s"), "a", journal, schedule, Traffic(4, silence=5))
    worker._arrived.put_nowait(record(0))
    writing = asyncio.create_task(worker._write())
    await asyncio.to_thread(journal.begun.wait, 30)
    for number in range(1, 5):
        worker._arrived.put_nowait(record(number))
    worker._arrived.put_nowait(None)
    journal.goes_on.set()
    await writing

    assert journal.batches == [1, 4]
    assert [key.question_id for key in schedule.keys] == ["0", "1", "2", "3", "4"]
    journal.close()
