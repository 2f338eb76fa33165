"""Put the questions: a server for each variant, workers, one writer, and grading beside them."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx2
from msgspec.structs import replace

from evaluator import client, journal
from evaluator.facts import keep_facts
from evaluator.grade import Grader
from evaluator.plan import Ask
from evaluator.records import Answer, Grade, Key, Record
from evaluator.study import Study, StudyError
from servers.causes import cause
from servers.launch import alive, launch
from servers.probe import probe
from servers.request import headers
from servers.router import Router, router
from servers.runtimes import request, unsent
from servers.spec import Server, ServerError, ServerSpec


class Watch(Protocol):
    """Who wants to see the run as it goes."""

    def says(self, variant: str, text: str) -> None:
        """Hear what happens to a variant's server."""

    def graded(self, record: Record, grade: Grade) -> None:
        """Hear of one record that is on disk and graded."""


Opened = Callable[[str], AbstractAsyncContextManager[Server]]
"""Opens a variant's server by the variant's name, for as long as the context lasts."""
_HOPELESS = 12
_STARTS = 3
"""Of one variant's server in one run: it is started again when it dies or hangs, but not for ever."""
_LOOK_EVERY_S = 0.5


class Gone(Exception):  # noqa: N818 - it says what happened to the server
    """A server stopped answering in the middle; what was answered is on disk."""

    def __init__(self, why: str, *, curable: bool) -> None:
        super().__init__(why)
        self.curable = curable
        """Whether starting the server again may help."""


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

    async def one(name: str, opened: Opened) -> None:
        desk = _Desk(study=study, variant=name, asks=asks, grader=grader, watch=watch)
        try:
            await _variant(desk, specs[name], opened, folder)
        except (ServerError, Gone) as error:
            problems[name] = str(error)
            watch.says(name, str(error).partition("\n")[0])

    names = [variant.name for variant in study.variants]
    async with _doors(study, specs, folder / "logs") as opened:
        for together in [names] if study.parallel else [[name] for name in names]:
            try:
                async with asyncio.TaskGroup() as group:
                    for name in together:
                        group.create_task(one(name, opened))
            except* (StudyError, OSError) as errors:
                raise errors.exceptions[0] from None
    return problems


@asynccontextmanager
async def _doors(study: Study, specs: Mapping[str, ServerSpec], logs: Path) -> AsyncIterator[Opened]:
    """Give the way to each variant's server: one of its own, or llama-server's router for all that it can serve."""
    routed = {name: spec for name, spec in specs.items() if spec.runtime == "llama_server" and spec.base_url is None}
    starting = asyncio.Lock()
    async with AsyncExitStack() as stack:
        shared: list[Router] = []

        @asynccontextmanager
        async def opened(name: str) -> AsyncIterator[Server]:
            if not study.router or name not in routed:
                async with launch(specs[name], log=logs / f"{name}.log") as server:
                    yield server
                return
            async with starting:
                if not shared:
                    at_once = len(routed) if study.parallel else 1
                    shared.append(
                        await stack.enter_async_context(router(routed, log=logs / "router.log", at_once=at_once))
                    )
            yield await shared[0].server(name)

        yield opened


async def _variant(desk: "_Desk", spec: ServerSpec, opened: Opened, folder: Path) -> None:
    name, watch = desk.variant, desk.watch
    path = folder / "records" / f"{name}.jsonl"
    for start in range(1, _STARTS + 1):
        earlier = [record for key, record in journal.read(path).items() if record.answer and key in desk.questions]
        finished = {record.key for record in earlier}
        pending = [ask for ask in desk.asks if ask.key not in finished]
        if not pending:
            watch.says(name, "every question was answered before")
            await desk.grade(earlier)
            return
        watch.says(name, f"asking {spec.base_url}" if spec.base_url else "starting its server")
        try:
            async with opened(name) as server:
                facts = replace(await probe(server), unsent=unsent(server, desk.study.sampling))
                keep_facts(folder, name, facts, known=bool(earlier))
                watch.says(name, server.engine)
                with journal.Journal(path) as book:
                    await desk.serve(server, book, pending, earlier)
        except Gone as gone:
            if spec.base_url is not None or not gone.curable:
                raise
            if start == _STARTS:
                raise Gone(f"{gone} (it was started {_STARTS} times)", curable=False) from None
            watch.says(name, f"{gone}; starting it again")
        else:
            return


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
        self.heard_at = 0.0
        """When the server last said anything, by the event loop's clock."""
        self.graded: set[Key] = set()

    async def grade(self, records: list[Record]) -> None:
        """Grade records that are on disk, each answer once."""
        for record in records:
            if record.key not in self.graded:
                grade = await asyncio.to_thread(self.grader.grade, record, self.questions[record.key])
                self.watch.graded(record, grade)
            if record.answer:
                self.graded.add(record.key)

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
        self.unreached = 0
        self.hear()
        http = client.connect(
            server.base_url, concurrency=crew, silence=self.study.silence, headers=headers(server.spec)
        )
        async with http, asyncio.TaskGroup() as group:
            crew_at_work = [group.create_task(self._work(http, server, todo)) for _ in range(min(crew, len(asks)))]
            guard = group.create_task(self._guard(server))
            await asyncio.wait(crew_at_work)
            guard.cancel()

    def hear(self) -> None:
        """Note that the server has said something."""
        self.heard_at = asyncio.get_running_loop().time()

    async def _guard(self, server: Server) -> None:
        """Look after the server while it is asked: one that died or hangs would only be noticed much later."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._check_on(server)

    def _check_on(self, server: Server) -> None:
        if not alive(server):
            raise Gone(f"the server died in the middle of the run: its log is {server.log}", curable=True)
        # Without a stream nothing is heard before a reply is whole.
        silent = asyncio.get_running_loop().time() - self.heard_at
        if self.study.stream and silent >= self.study.silence:
            where = f"its log is {server.log}" if server.log else "restart it and run the same command"
            raise Gone(
                f"the server hangs: no token on any of its requests for {silent:.0f} s ({where};"
                " a server that is merely slow needs a larger silence in the study)",
                curable=True,
            )

    async def _work(self, http: httpx2.AsyncClient, server: Server, todo: Iterator[Ask]) -> None:
        for ask in todo:
            record = await self._put(http, server, ask)
            if record.failure is None or record.failure.kind != "timeout":
                self.hear()
            if record.failure:
                self._check_on(server)
            lost = record.failure is not None and record.failure.kind in {"unreachable", "dropped"}
            self.unreached = self.unreached + 1 if lost else 0
            if self.unreached > self.study.concurrency:
                raise Gone(_epitaph(server, record), curable=True)
            self.hopeless = -1 if record.answer else self.hopeless + 1 if self.hopeless >= 0 else -1
            self.answered.put_nowait(record)
            if self.hopeless >= _HOPELESS:
                why = record.failure.message if record.failure else ""
                told = f"the first {_HOPELESS} questions all failed, the last with: {why}"
                raise Gone(". ".join(part for part in (told, cause(why)) if part), curable=False)

    async def _put(self, http: httpx2.AsyncClient, server: Server, ask: Ask) -> Record:
        url, body = request(server, ask.question.prompt, ask.sampling, stream=self.study.stream)
        started = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        outcome, attempts = await client.ask(http, url, body, on_token=self.hear)
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
