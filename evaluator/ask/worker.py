"""Ask one variant: several requests in flight, and one task that writes what came and hands on what is on disk."""

import asyncio
import datetime as dt
from collections.abc import Callable, Collection, Sequence

from evaluator.ask import client
from evaluator.ask.at_once import STEADY, Pace
from evaluator.ask.lengths import LongOnes, ReplyLengths
from evaluator.ask.lines import InOrder, Line, line_of
from evaluator.ask.patience import Patience
from evaluator.ask.retry import ask as ask_again
from evaluator.ask.schedule import Pending, Schedule
from evaluator.ask.traffic import Traffic
from evaluator.errors import ServerLost
from evaluator.records import Answer, Failure, Key, Record
from evaluator.store.journal import Journal
from evaluator.store.serving import Cache
from evaluator.study.requests import Ask
from evaluator.study.study import Study
from servers.request import headers
from servers.runtime.table import request
from servers.slots import MOST
from servers.spec import ANY, Request, Reuse, Server

_LOOK_EVERY_S = 0.5
AS_PLANNED = Cache(on=None, order="plan")
"""How a server is asked of which nothing else was found out."""


class VariantWorker:
    """Asks one variant; lives as long as the run, whatever happens to its server."""

    def __init__(
        self,
        study: Study,
        variant: str,
        journal: Journal,
        schedule: Schedule,
        traffic: Traffic,
        *,
        cache: Cache = AS_PLANNED,
        lengths: ReplyLengths | None = None,
    ) -> None:
        """`lengths` are those of all variants' replies."""
        self.study, self.variant, self.journal, self.schedule = study, variant, journal, schedule
        self.given_up: set[Key] = set()
        """Questions that took the server along twice."""
        self._cache = cache
        """In which order it is asked, and whether it uses its cache."""
        self.traffic, self._patience = traffic, Patience(study, traffic)
        self._lengths = lengths or ReplyLengths()
        self._pace: Pace = STEADY
        self._is_over: Callable[[], bool] = lambda: False
        self._suspects: set[Key] = set()
        """Questions that were in flight when the server was lost: one of them may be why."""
        self._in_flight: dict[Key, Ask] = {}
        self._arrived: asyncio.Queue[Record | None] = asyncio.Queue()
        """Records to be written; None is the end."""
        self.places_are_free = asyncio.Event()
        """Set when the last replies of a turn are awaited, and no question is left to be put."""

    async def ask(
        self,
        server: Server,
        pending: Pending,
        *,
        pace: Pace = STEADY,
        is_over: Callable[[], bool] = lambda: False,
        slots: int = 0,
    ) -> None:
        """Ask and write until all is done, or the server is lost.

        Args:
            server: It answers.
            pending: What it is asked.
            pace: Takes in how fast the replies come.
            is_over: Whether no more is to be put, though there may be questions left.
            slots: Of a llama-server, which may be named; 0 where there are none.

        Raises:
            ServerLost: the server does not answer any more.
            OSError: a record cannot be written.
        """
        lost: list[ServerLost] = []
        self.places_are_free.clear()
        self._pace, self._is_over = pace, is_over
        calm = [ask for ask in pending.asks if ask.key not in self._suspects]
        on = False if self._cache.on is False else None
        line = self._line(calm, pending.failed_before, slots, cache=on)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                try:
                    await self._ask_all(server, line, len(calm), pending.failed_before)
                    self._pace = STEADY
                    # One at a time, so that the one that takes the server along again stands out.
                    suspects = [ask for ask in pending.asks if ask.key in self._suspects]
                    alone = InOrder(suspects, self._is_wanted, Reuse(cache=on))
                    await self._ask_all(server, alone, min(1, len(suspects)), pending.failed_before)
                except* ServerLost as errors:
                    lost.extend(error for error in errors.exceptions if isinstance(error, ServerLost))
                    self._suspect(server)
                self._arrived.put_nowait(None)
        except* OSError as errors:
            raise errors.exceptions[0] from None
        if lost:
            raise lost[0]

    def _is_wanted(self, ask: Ask) -> bool:
        return self.schedule.is_wanted(self.variant, ask.key)

    async def _ask_all(self, server: Server, line: Line, most: int, failed_before: Collection[Key]) -> None:
        if not most or self._is_over():
            return
        self._patience.begin()
        self._in_flight.clear()
        # Longer than the server's own silence: one that hangs is lost as a whole, not question by question.
        silence = self.study.silence + 2 * _LOOK_EVERY_S
        http = client.connect(server.base_url, concurrency=MOST, silence=silence, headers=headers(server.spec))
        async with http, asyncio.TaskGroup() as group:
            places: dict[int, asyncio.Task[None]] = {}

            def open_places() -> None:
                for place in range(min(self.traffic.most, most)):
                    if place not in places or places[place].done():
                        places[place] = group.create_task(self._send(http, server, line, place, failed_before))

            self.traffic.on_allowed = open_places
            open_places()
            watching = group.create_task(self._watch(server))
            try:
                while sending := [task for task in places.values() if not task.done()]:
                    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.traffic.on_allowed = lambda: None
            watching.cancel()

    def _line(self, asks: Sequence[Ask], last: Collection[Key], slots: int, *, cache: bool | None) -> Line:
        """Put questions in a line; those that are expected to be long begin in time."""
        order = self._cache.order
        # Where it is looked on the way, questions are answered in their order: a look needs all of the first ones.
        lengths = self._lengths.expected(asks) if self.study.decide.mode == "fixed" else {}
        expected = {key: tokens for key, tokens in lengths.items() if key not in last}
        return line_of(
            order,
            asks,
            self._is_wanted,
            last=last,
            slots=slots,
            cache=cache,
            length=(lambda ask: expected.get(ask.key, 0.0)) if order == "pinned" and expected else None,
            long=LongOnes(asks, expected, lambda: self.traffic.most),
        )

    async def _send(
        self, http: client.Http, server: Server, line: Line, place: int, failed_before: Collection[Key]
    ) -> None:
        while place < self.traffic.most and not self._is_over():
            async with self.traffic:
                if (taken := line.take(place)) is None:
                    self.places_are_free.set()
                    return
                ask, reuse = taken
                self._in_flight[ask.key] = ask
                record = await self._put(http, server, ask, reuse)
            self._patience.saw(server, record)
            del self._in_flight[ask.key]
            self._arrived.put_nowait(record)
            self._lengths.saw(record)
            self._patience.judge(record, failed_before=ask.key in failed_before)

    async def _watch(self, server: Server) -> None:
        """Look after the server while it is asked: one that died or hangs would only be noticed much later."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._patience.check(server)

    def _suspect(self, server: Server) -> None:
        """Remember what was in flight when the server was lost; what was so alone, and before, is given up."""
        alone = next(iter(self._in_flight.values())) if len(self._in_flight) == 1 else None
        if alone is not None and alone.key in self._suspects:
            failure = Failure(kind="dropped", message="the server was lost twice while it worked on this question")
            body = self._request(server, alone).body
            self._arrived.put_nowait(
                Record(key=alone.key, variant=self.variant, started=_now(), request=body, failure=failure)
            )
            self.given_up.add(alone.key)
        self._suspects |= self._in_flight.keys()

    async def _put(self, http: client.Http, server: Server, ask: Ask, reuse: Reuse) -> Record:
        url, body = self._request(server, ask, reuse)
        started, fewer, reply = _now(), self.traffic.fewer, self._pace.reply()
        outcome, attempts = await ask_again(
            http, url, body, self.traffic, on_token=reply.piece, stop=ask.question.prompt.stop
        )
        reply.ended(outcome)
        return Record(
            key=ask.key,
            variant=self.variant,
            started=started,
            request=body,
            answer=outcome if isinstance(outcome, Answer) else None,
            failure=None if isinstance(outcome, Answer) else outcome,
            attempts=attempts,
            at_once=fewer or self.traffic.fewer,
        )

    def _request(self, server: Server, ask: Ask, reuse: Reuse = ANY) -> Request:
        return request(server, ask.question.prompt, ask.sampling, stream=self.study.stream, reuse=reuse)

    async def _write(self) -> None:
        """Write what came, all that is ready together at once."""
        ended = False
        try:
            while not ended:
                batch = [await self._arrived.get()]
                while not self._arrived.empty():
                    batch.append(self._arrived.get_nowait())
                ended = None in batch
                await self._append([record for record in batch if record is not None])
        except asyncio.CancelledError:
            late = [self._arrived.get_nowait() for _ in range(self._arrived.qsize())]
            self.journal.append(record for record in late if record is not None)
            raise

    async def _append(self, records: Sequence[Record]) -> None:
        """Write beside what else goes on, as disks are slow; what is being written is written, whatever ends this."""
        writing = asyncio.ensure_future(asyncio.to_thread(self.journal.append, records))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        self.schedule.on_written(self.variant, records)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
