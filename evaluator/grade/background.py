"""Grade records while others are still awaited: replies at sight, programs on the spare cores."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import NamedTuple

from evaluator.grade.grader import Begin, Grader, cores
from evaluator.records import Grade, Key, Question, Record

_AHEAD = 64
"""Records of a variant that are held in memory; of those behind them only where they stand on disk."""

Read = Callable[[str, Sequence[Key]], Iterator[Record]]
"""Reads a variant's current records from disk."""
Take = Callable[[Record, Grade, bool], None]
"""Called with each record, its grade, and whether it was there before this run asked anything."""


class _Waiting(NamedTuple):
    record: Record | Key
    earlier: bool


class _Begun(NamedTuple):
    record: Record
    grade: Grade | Future[Grade]
    earlier: bool


_Mark = asyncio.Future[None]
"""Stands in a line, and is done when all before it is graded."""


class BackgroundGrading:
    """Grades what it is given, of each variant in the order in which it was given.

    Nobody who gives waits, and memory does not grow with what has to wait.
    """

    def __init__(self, grader: Grader, read: Read, questions: Callable[[Record], Question], take: Take) -> None:
        """Prepare to grade; `questions` finds a record's question."""
        self._grader, self._read, self._question, self._take = grader, read, questions, take
        self._lines: dict[str, asyncio.Queue[_Waiting | _Mark]] = {}

    @asynccontextmanager
    async def running(self, variants: Iterable[str]) -> AsyncIterator[None]:
        """Grade for as long as this lasts, and at its end whatever was given."""
        with self._grader.beginning(max(1, cores() - 1)) as begin:
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[None]] = []
                for variant in variants:
                    line = self._lines[variant] = asyncio.Queue()
                    begun: asyncio.Queue[_Begun | _Mark] = asyncio.Queue(_AHEAD)
                    tasks += [group.create_task(self._begin(variant, line, begun, begin))]
                    tasks += [group.create_task(self._finish(begun))]
                yield
                await self.caught_up()
                for task in tasks:
                    task.cancel()

    def add(self, variant: str, records: Iterable[Record | Key], *, earlier: bool = False) -> None:
        """Take records that are on disk, or only say which."""
        line = self._lines[variant]
        for record in records:
            is_far = line.qsize() >= _AHEAD
            line.put_nowait(_Waiting(record.key if is_far and isinstance(record, Record) else record, earlier))

    async def caught_up(self) -> None:
        """Wait until all that was given so far is graded."""
        marks: list[_Mark] = []
        for line in self._lines.values():
            mark = asyncio.get_running_loop().create_future()
            line.put_nowait(mark)
            marks.append(mark)
        await asyncio.gather(*marks)

    async def _begin(
        self,
        variant: str,
        line: asyncio.Queue[_Waiting | _Mark],
        begun: asyncio.Queue[_Begun | _Mark],
        begin: Begin,
    ) -> None:
        while True:
            batch = [await line.get()]
            while len(batch) < _AHEAD and not line.empty():
                batch.append(line.get_nowait())
            waiting = [one for one in batch if isinstance(one, _Waiting)]
            found = iter(await asyncio.to_thread(self._grade, variant, waiting, begin) if waiting else ())
            for one in batch:
                if not isinstance(one, _Waiting):
                    await begun.put(one)
                elif (graded := next(found)) is not None:
                    await begun.put(graded)

    def _grade(self, variant: str, batch: Sequence[_Waiting], begin: Begin) -> list[_Begun | None]:
        """Grade at sight, or begin to; in a thread. None where there is no record any more."""
        keys = [one.record for one in batch if isinstance(one.record, Key)]
        read = {record.key: record for record in self._read(variant, keys)} if keys else {}
        found: list[_Begun | None] = []
        for one in batch:
            record = read.get(one.record) if isinstance(one.record, Key) else one.record
            found.append(None if record is None else _Begun(record, begin(record, self._question(record)), one.earlier))
        return found

    async def _finish(self, begun: asyncio.Queue[_Begun | _Mark]) -> None:
        while True:
            one = await begun.get()
            if not isinstance(one, _Begun):
                if not one.done():
                    one.set_result(None)
                continue
            grade = one.grade if isinstance(one.grade, Grade) else await asyncio.wrap_future(one.grade)
            self._take(one.record, grade, one.earlier)
