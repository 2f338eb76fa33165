"""Put the questions: a server for each variant, workers, one writer, and grading beside them."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import httpx2

from evaluator import client, journal
from evaluator.facts import keep_facts
from evaluator.grade import Grader
from evaluator.plan import Ask
from evaluator.records import Answer, Grade, Record
from evaluator.study import Study, StudyError
from servers.launch import alive, launch
from servers.probe import probe
from servers.request import headers, request
from servers.spec import Server, ServerError, ServerSpec


class Watch(Protocol):
    """Who wants to see the run as it goes."""

    def says(self, variant: str, text: str) -> None:
        """Hear what happens to a variant's server."""

    def graded(self, record: Record, grade: Grade) -> None:
        """Hear of one record that is on disk and graded."""


_HOPELESS = 12


class Gone(Exception):  # noqa: N818 - it says what happened to the server
    """A server stopped answering in the middle; what was answered is on disk."""


async def run(
    study: Study, specs: Mapping[str, ServerSpec], asks: tuple[Ask, ...], folder: Path, *, grader: Grader, watch: Watch
) -> dict[str, str]:
    """Ask every variant what it has not answered yet.

    Returns, for the variants that could not be finished, why, in words for the user.

    Raises:
        StudyError: a variant's model is another one than the records on disk came from.
        OSError: records cannot be written.
    """
    problems: dict[str, str] = {}

    async def one(name: str) -> None:
        try:
            await _variant(_Desk(study=study, variant=name, asks=asks, grader=grader, watch=watch), specs[name], folder)
        except (ServerError, Gone) as error:
            problems[name] = str(error)
            watch.says(name, str(error).partition("\n")[0])

    names = [variant.name for variant in study.variants]
    for together in [names] if study.parallel else [[name] for name in names]:
        try:
            async with asyncio.TaskGroup() as group:
                for name in together:
                    group.create_task(one(name))
        except* (StudyError, OSError) as errors:
            raise errors.exceptions[0] from None
    return problems


async def _variant(desk: "_Desk", spec: ServerSpec, folder: Path) -> None:
    name, watch = desk.variant, desk.watch
    path = folder / "records" / f"{name}.jsonl"
    earlier = [record for key, record in journal.read(path).items() if record.answer and key in desk.questions]
    finished = {record.key for record in earlier}
    pending = [ask for ask in desk.asks if ask.key not in finished]
    if not pending:
        watch.says(name, "every question was answered before")
        await desk.grade(earlier)
        return
    watch.says(name, f"asking {spec.base_url}" if spec.base_url else "starting its server")
    async with launch(spec, log=folder / "logs" / f"{name}.log") as server:
        keep_facts(folder, name, await probe(server), known=bool(earlier))
        watch.says(name, server.engine)
        with journal.Journal(path) as book:
            await desk.serve(server, book, pending, earlier)


class _Desk:
    """Where one variant's answers come in: workers ask, one writer writes, graders grade what is written."""

    def __init__(self, *, study: Study, variant: str, asks: tuple[Ask, ...], grader: Grader, watch: Watch) -> None:
        self.study, self.variant, self.asks, self.grader, self.watch = study, variant, asks, grader, watch
        self.questions = {ask.key: ask.question for ask in asks}
        self.answered: asyncio.Queue[Record | None] = asyncio.Queue()
        self.written: asyncio.Queue[Record | None] = asyncio.Queue()
        self.unreached = 0
        """Questions in a row that did not reach the server."""
        self.hopeless = 0
        """Failures before the first answer; -1 once there is one."""

    async def grade(self, earlier: list[Record]) -> None:
        """Grade records that are on disk already."""
        for record in earlier:
            self.watch.graded(record, await asyncio.to_thread(self.grader.grade, record, self.questions[record.key]))

    async def serve(self, server: Server, book: journal.Journal, asks: list[Ask], earlier: list[Record]) -> None:
        """Ask, write and grade until all is done, or the server is gone.

        Raises:
            Gone: the server does not answer any more.
            OSError: a record cannot be written.
        """
        gone: list[Gone] = []
        try:
            async with asyncio.TaskGroup() as clerks:
                clerks.create_task(self._write(book))
                clerks.create_task(self._grade_written(earlier))
                try:
                    await self._ask_all(server, asks)
                except* Gone as group:
                    gone.extend(error for error in group.exceptions if isinstance(error, Gone))
                self.answered.put_nowait(None)
        except* OSError as group:
            raise group.exceptions[0] from None
        if gone:
            raise gone[0]

    async def _ask_all(self, server: Server, asks: list[Ask]) -> None:
        todo = iter(asks)
        crew = self.study.concurrency
        http = client.connect(
            server.base_url, concurrency=crew, silence=self.study.silence, headers=headers(server.spec)
        )
        async with http, asyncio.TaskGroup() as workers:
            for _ in range(min(crew, len(asks))):
                workers.create_task(self._work(http, server, todo))

    async def _work(self, http: httpx2.AsyncClient, server: Server, todo: Iterator[Ask]) -> None:
        for ask in todo:
            record = await self._put(http, server, ask)
            lost = record.failure is not None and record.failure.kind in {"unreachable", "dropped"}
            self.unreached = self.unreached + 1 if lost else 0
            if lost and server.pid is not None and not alive(server):
                raise Gone(_epitaph(server, record))
            if self.unreached > self.study.concurrency:
                raise Gone(_epitaph(server, record))
            self.hopeless = -1 if record.answer else self.hopeless + 1 if self.hopeless >= 0 else -1
            self.answered.put_nowait(record)
            if self.hopeless >= _HOPELESS:
                why = record.failure.message if record.failure else ""
                raise Gone(f"the first {_HOPELESS} questions all failed, the last with: {why}")

    async def _put(self, http: httpx2.AsyncClient, server: Server, ask: Ask) -> Record:
        path, body = request(server, ask.question.prompt, ask.sampling, stream=self.study.stream)
        started = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        outcome, attempts = await client.ask(http, server.base_url + path, body)
        answer = outcome if isinstance(outcome, Answer) else None
        failure = None if isinstance(outcome, Answer) else outcome
        return Record(
            key=ask.key,
            variant=self.variant,
            started=started,
            request=body,
            answer=answer,
            failure=failure,
            attempts=attempts,
        )

    async def _write(self, book: journal.Journal) -> None:
        ended = False
        try:
            while not ended:
                batch = [await self.answered.get()]
                while not self.answered.empty():
                    batch.append(self.answered.get_nowait())
                ended = None in batch
                records = [record for record in batch if record is not None]
                book.append(records)
                for record in records:
                    self.written.put_nowait(record)
        except asyncio.CancelledError:
            late = [self.answered.get_nowait() for _ in range(self.answered.qsize())]
            book.append(record for record in late if record is not None)
            raise
        self.written.put_nowait(None)

    async def _grade_written(self, earlier: list[Record]) -> None:
        await self.grade(earlier)
        while (record := await self.written.get()) is not None:
            await self.grade([record])


def _epitaph(server: Server, record: Record) -> str:
    why = record.failure.message if record.failure else ""
    where = f"its log is {server.log}" if server.log else f"is {server.base_url} still running?"
    return f"the server stopped answering in the middle of the run ({why}): {where}; run the same command to go on"
