"""Where one variant's answers come in: workers ask, one writer writes, graders grade what is written."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Protocol

import httpx2

from evaluator.ask import client
from evaluator.ask.servers import ServerLost
from evaluator.decide.stopping import StoppingRule
from evaluator.grade.grader import Grader
from evaluator.records import Answer, Failure, Grade, Key, Record
from evaluator.store import journal
from evaluator.study.requests import Ask
from evaluator.study.study import Study
from servers import process
from servers.launch import alive
from servers.request import headers
from servers.runtime.table import request
from servers.spec import Request, Server
from servers.start_errors import cause


class Watch(Protocol):
    """Who wants to see the run as it goes."""

    def says(self, variant: str, text: str) -> None:
        """Hear what happens to a variant's server."""

    def graded(self, record: Record, grade: Grade) -> None:
        """Hear of one record that is on disk and graded."""


_HOPELESS = 12
_LOOK_EVERY_S = 0.5


class Desk:
    """One variant, being asked."""

    def __init__(
        self,
        *,
        study: Study,
        variant: str,
        asks: tuple[Ask, ...],
        grader: Grader,
        watch: Watch,
        referee: StoppingRule,
        more_tokens: int | None = None,
    ) -> None:
        self.study, self.variant, self.asks, self.grader, self.watch = study, variant, asks, grader, watch
        self.referee = referee
        self.more_tokens = more_tokens
        """Only what was cut off is asked again, with this limit; None asks what was not answered."""
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
        self.in_flight: dict[Key, Ask] = {}
        self.suspects: set[Key] = set()
        """Questions that were in flight when the server was lost: one of them may be why."""
        self.failed_before: set[Key] = set()
        """Questions that failed in an earlier run in which others were answered: that they fail again says little."""
        self.given_up: set[Key] = set()
        """Questions that took the server along twice."""

    async def grade(self, records: list[Record]) -> None:
        """Grade records that are on disk, each answer once."""
        for record in records:
            if record.key not in self.graded:
                grade = await asyncio.to_thread(self.grader.grade, record, self.questions[record.key])
                self.referee.heard(grade)
                self.watch.graded(record, grade)
            if record.answer:
                self.graded.add(record.key)

    async def serve(self, server: Server, book: journal.Journal, asks: list[Ask], earlier: list[Record]) -> None:
        """Ask, write and grade until all is done, or the server is gone.

        Raises:
            ServerLost: the server does not answer any more.
            OSError: a record cannot be written.
        """
        gone: list[ServerLost] = []
        calm = [ask for ask in asks if ask.key not in self.suspects]
        try:
            async with asyncio.TaskGroup() as clerks:
                clerks.create_task(self._write(book))
                clerks.create_task(self._grade_written(earlier))
                try:
                    await self._ask_all(server, calm, self.study.concurrency)
                    # One at a time, so that the one that takes the server along again stands out.
                    await self._ask_all(server, [ask for ask in asks if ask.key in self.suspects], 1)
                except* ServerLost as group:
                    gone.extend(error for error in group.exceptions if isinstance(error, ServerLost))
                    self._suspect(server)
                self.answered.put_nowait(None)
        except* OSError as group:
            raise group.exceptions[0] from None
        if gone:
            raise gone[0]

    async def _ask_all(self, server: Server, asks: list[Ask], crew: int) -> None:
        if not asks:
            return
        todo = (ask for ask in asks if self.more_tokens or self.referee.matters(self.variant, ask.key))
        self.unreached = 0
        self.in_flight.clear()
        self.hear()
        http = client.connect(
            server.base_url, concurrency=crew, silence=self.study.silence, headers=headers(server.spec)
        )
        async with http, asyncio.TaskGroup() as group:
            crew_at_work = [group.create_task(self._work(http, server, todo)) for _ in range(min(crew, len(asks)))]
            guard = group.create_task(self._guard(server))
            await asyncio.wait(crew_at_work)
            guard.cancel()

    def _suspect(self, server: Server) -> None:
        """Remember what was in flight when the server was lost; what was so alone, and before, is given up."""
        alone = next(iter(self.in_flight.values())) if len(self.in_flight) == 1 else None
        if alone is not None and alone.key in self.suspects:
            why = Failure(kind="dropped", message="the server was lost twice while it worked on this question")
            body = self._request(server, alone).body
            self.answered.put_nowait(
                Record(key=alone.key, variant=self.variant, started=_now(), request=body, failure=why)
            )
            self.given_up.add(alone.key)
        self.suspects |= self.in_flight.keys()

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
            left = process.epitaph(server.pid or 0, server.log, server.log_start) if server.log else ""
            raise ServerLost(f"the server died in the middle of the run{left}", restartable=True)
        # Without a stream nothing is heard before a reply is whole.
        silent = asyncio.get_running_loop().time() - self.heard_at
        if self.study.stream and silent >= self.study.silence:
            where = f"its log is {server.log}" if server.log else "restart it and run the same command"
            raise ServerLost(
                f"the server hangs: no token on any of its requests for {silent:.0f} s ({where};"
                " a server that is merely slow needs a larger silence in the study)",
                restartable=True,
            )

    async def _work(self, http: httpx2.AsyncClient, server: Server, todo: Iterator[Ask]) -> None:
        for ask in todo:
            self.in_flight[ask.key] = ask
            record = await self._put(http, server, ask)
            if record.failure is None or record.failure.kind != "timeout":
                self.hear()
            if record.failure:
                self._check_on(server)
            lost = record.failure is not None and record.failure.kind in {"unreachable", "dropped", "timeout"}
            self.unreached = self.unreached + 1 if lost else 0
            if self.unreached > self.study.concurrency:
                raise ServerLost(_epitaph(server, record), restartable=True)
            if record.answer:
                self.hopeless = -1
            elif self.hopeless >= 0 and ask.key not in self.failed_before:
                self.hopeless += 1
            del self.in_flight[ask.key]
            self.answered.put_nowait(record)
            if self.hopeless >= _HOPELESS:
                why = record.failure.message if record.failure else ""
                told = f"the first {_HOPELESS} questions all failed, the last with: {why}"
                raise ServerLost(". ".join(part for part in (told, cause(why)) if part), restartable=False)

    async def _put(self, http: httpx2.AsyncClient, server: Server, ask: Ask) -> Record:
        url, body = self._request(server, ask)
        started = _now()
        outcome, attempts = await client.ask(http, url, body, on_token=self.hear)
        return Record(
            key=ask.key,
            variant=self.variant,
            started=started,
            request=body,
            answer=outcome if isinstance(outcome, Answer) else None,
            failure=None if isinstance(outcome, Answer) else outcome,
            attempts=attempts,
        )

    def _request(self, server: Server, ask: Ask) -> Request:
        return request(server, ask.question.prompt, ask.sampling, stream=self.study.stream)

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


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def _epitaph(server: Server, record: Record) -> str:
    why = record.failure.message if record.failure else ""
    where = f"its log is {server.log}" if server.log else f"see whether {server.base_url} is still running"
    return f"the server stopped answering in the middle of the run ({why}): {where}; the same command goes on"
