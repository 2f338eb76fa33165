"""Put the questions: a server for each variant, one after the other or all at once."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from evaluator.ask.at_once import AtOnce, Pace
from evaluator.ask.lengths import ReplyLengths
from evaluator.ask.loaded import LoadedServers
from evaluator.ask.schedule import Pending, Schedule
from evaluator.ask.servers import (
    check_ahead,
    describe_server,
    note_changes,
    open_servers,
    stays_loaded,
    with_flags,
)
from evaluator.ask.traffic import OnWait, Traffic
from evaluator.ask.worker import AS_PLANNED, VariantWorker
from evaluator.errors import ServerLost, StudyError
from evaluator.store.facts import keep_facts
from evaluator.store.folder import logs_path
from evaluator.store.journal import Journal
from evaluator.store.live import Trouble
from evaluator.store.resources import Measured, keep_measured
from evaluator.store.serving import Serving, read_serving
from evaluator.study.study import Study
from servers.errors import ServerError
from servers.spec import RuntimeName, Server, ServerFacts, ServerSpec, Usage
from servers.usage.meter import Meter

_STARTS = 3
"""Of one variant's server in one turn: it is started again when it dies or hangs, but not for ever."""
_LOSES_BURSTS: frozenset[RuntimeName] = frozenset({"mlx_lm"})
"""Runtimes that take one request a connection, and few connections that come together: mlx_lm.server 5 of them."""
_APART_S = 0.02


class OnStatus(Protocol):
    """Called with a variant and what happens to its server, in words; of a wait with its seconds."""

    def __call__(self, variant: str, text: str, seconds: float = 0.0, *, trouble: Trouble = "") -> None:
        """Take it in."""


async def ask_variants(
    study: Study,
    specs: Mapping[str, ServerSpec],
    folder: Path,
    journals: Mapping[str, Journal],
    *,
    wanted: Collection[str],
    schedule: Schedule,
    on_status: OnStatus,
) -> dict[str, str]:
    """Ask every variant what the schedule still wants of it.

    Args:
        study: How is asked.
        specs: By variant what to start; a variant that is not there is not asked.
        folder: The run's.
        journals: By variant where its records go.
        wanted: Variants that have something to be asked.
        schedule: What is asked of whom, and who takes in what came.
        on_status: Called as servers start, answer and are lost.

    Returns:
        For the variants that could not be finished, why, in words for the user.

    Raises:
        StudyError: a variant's model is another one than the records on disk came from.
        ServerError: a server cannot be started, as is found before any is.
        OSError: records cannot be written.
    """
    if not wanted:
        return _nothing_to_ask(specs, schedule, on_status)
    caches = (read_serving(folder) or Serving()).cache
    specs = {name: with_flags(spec, caches[name].flags) if name in caches else spec for name, spec in specs.items()}
    check_ahead(study, {name: spec for name, spec in specs.items() if name in wanted})
    lengths = ReplyLengths()
    traffic = {name: _traffic(study, spec, partial(on_status, name, trouble="busy")) for name, spec in specs.items()}
    workers = {
        name: VariantWorker(
            study,
            name,
            journals[name],
            schedule,
            traffic[name],
            cache=caches.get(name, AS_PLANNED),
            lengths=lengths,
        )
        for name in specs
    }
    at_once = AtOnce(study, folder, on_status)
    stay = {name for name, spec in specs.items() if stays_loaded(study, spec)}
    async with (
        open_servers(study, specs, logs_path(folder)) as open_server,
        schedule.grading(),
        LoadedServers(
            lambda name: open_server(name, slots=at_once.spec(name, specs[name]).slots),
            specs,
            folder,
            may_stay=stay,
            says=on_status,
        ) as loaded,
    ):
        for journal in journals.values() if study.decide.mode == "fixed" else ():
            await asyncio.to_thread(lengths.read, journal)
        session = _Session(workers, specs, folder, schedule, loaded=loaded, at_once=at_once, on_status=on_status)
        await session.take_turns()
    return session.problems


def _nothing_to_ask(variants: Iterable[str], schedule: Schedule, on_status: OnStatus) -> dict[str, str]:
    """Say so of each variant; no server is opened, and its answers are read and graded for the report alone."""
    _, everything = schedule.turns()[-1]
    for name in variants:
        on_status(name, schedule.nothing_left(name, schedule.pending(name, everything), first=True))
    return {}


class _Turn(NamedTuple):
    """Who is asked together, and up to which question of each benchmark."""

    together: Sequence[str]
    upto: Mapping[str, int]


class _Session:
    """The turns of a run."""

    def __init__(
        self,
        workers: Mapping[str, VariantWorker],
        specs: Mapping[str, ServerSpec],
        folder: Path,
        schedule: Schedule,
        *,
        loaded: LoadedServers,
        at_once: AtOnce,
        on_status: OnStatus,
    ) -> None:
        self._workers, self._specs, self._folder = workers, specs, folder
        self._schedule, self._loaded, self._at_once, self._on_status = schedule, loaded, at_once, on_status
        self.problems: dict[str, str] = {}
        self._left: list[_Turn] = [_Turn(*turn) for turn in schedule.turns()]
        """Turns that have not begun."""
        self._facts: dict[str, tuple[int | None, ServerFacts]] = {}
        """By variant which process its server was, and what it said of itself."""

    async def take_turns(self) -> None:
        """Take all turns; a variant without questions has one all the same, and says so."""
        had_a_turn: set[str] = set()
        while self._left:
            turn = self._left.pop(0)
            async with asyncio.TaskGroup() as group:
                for name in self._asked_of(turn.together):
                    await self._schedule.catch_up(name)
                    if name not in had_a_turn or self._schedule.pending(name, turn.upto).asks:
                        group.create_task(self._take_turn(name, turn.upto))
            had_a_turn.update(turn.together)
            await self._loaded.stop_unwanted(self._upcoming())

    async def _take_turn(self, name: str, upto: Mapping[str, int]) -> None:
        try:
            await self._ask_variant(name, upto)
        except (ServerError, ServerLost) as error:
            self.problems[name] = str(error)
            self._on_status(name, str(error).partition("\n")[0], trouble="lost")

    async def _ask_variant(self, name: str, upto: Mapping[str, int]) -> None:
        worker, schedule, spec, losses, again = self._workers[name], self._schedule, self._specs[name], 0, False
        while True:
            await schedule.catch_up(name)
            pending = schedule.pending(name, upto, worker.given_up)
            schedule.on_earlier(name, pending.answered)
            if not pending.asks:
                self._on_status(name, schedule.nothing_left(name, pending, first=not losses))
                return
            try:
                async with self._loaded.use(name, self._upcoming) as server:
                    facts = await self._described(name, server, known=bool(pending.answered), again=again)
                    self._on_status(name, server.engine)
                    slots = facts.slots or 0 if spec.runtime == "llama_server" else 0
                    pace = self._at_once.begin(
                        name, spec, server, facts, traffic=worker.traffic, asks=len(pending.asks)
                    )
                    await self._ask_measured(worker, server, pending, pace, slots)
                    with suppress(ServerError):  # all is answered: that it is gone now takes nothing away
                        await note_changes(self._folder, name, server, facts)
            except ServerLost as lost:
                self._at_once.end(name, lost=True)
                if spec.base_url is not None or not lost.restartable:
                    raise
                losses, again = losses + 1, True
                if losses == _STARTS:
                    raise ServerLost(f"{lost} (it was started {_STARTS} times)", restartable=False) from None
                self._on_status(name, f"{lost}; starting it again", trouble="restarted")
            else:
                self._at_once.end(name, lost=False)
                if not self._at_once.has_other_slots(server, spec):
                    return
                await schedule.catch_up(name)
                if not schedule.pending(name, upto, worker.given_up).asks:
                    return
                again = False
                await self._loaded.stop(name)
                self._on_status(name, f"starting its server again, with {self._at_once.spec(name, spec).slots} slots")

    async def _described(self, name: str, server: Server, *, known: bool, again: bool) -> ServerFacts:
        """Ask a server who it is, once for each time that it was started."""
        pid, facts = self._facts.get(name, (None, None))
        if facts is None or server.pid is None or server.pid != pid:
            facts = await describe_server(server, self._workers[name].study.sampling)
            keep_facts(self._folder, name, facts, known=known, again=again)
            self._facts[name] = server.pid, facts
        return facts

    async def _ask_measured(
        self, worker: VariantWorker, server: Server, pending: Pending, pace: Pace, slots: int
    ) -> None:
        """Ask, and write down what the server took of its machine meanwhile, however that ended.

        Of one that is to be started again with other slots only the time that it took to load counts.
        """
        meter = Meter(server, by_itself=not worker.study.parallel)

        def is_over() -> bool:
            return self._at_once.has_other_slots(server, self._specs[worker.variant])

        async def load_next() -> None:
            await worker.places_are_free.wait()
            if (following := self._following()) and await self._loaded.load_early(following):
                meter.others_change()

        early = asyncio.create_task(load_next())
        try:
            async with meter:
                await worker.ask(server, pending, pace=pace, is_over=is_over, slots=slots)
        finally:
            early.cancel()
            measured = Measured(usage=meter.usage, asked_s=meter.seconds)
            if is_over():
                measured = Measured(usage=Usage(load_s=meter.usage.load_s))
            with suppress(OSError, StudyError):  # the answers are what counts
                keep_measured(self._folder, worker.variant, measured)

    def _following(self) -> str | None:
        """Name the variant that is asked next, by itself, as far as is known before the last grades are."""
        for together, upto in self._left:
            names = [name for name in self._asked_of(together) if self._schedule.pending(name, upto).asks]
            if names:
                return names[0] if len(names) == 1 else None
        return None

    def _upcoming(self) -> list[str]:
        """Name the variants that have questions in later turns, as far as is known now, in the order of the turns."""
        if not self._left:
            return []
        everything = self._left[-1].upto
        wanted = {
            name
            for name in {name for turn in self._left for name in self._asked_of(turn.together)}
            if self._schedule.pending(name, everything).asks
        }
        return [name for turn in self._left for name in turn.together if name in wanted]

    def _asked_of(self, together: Sequence[str]) -> list[str]:
        """Leave out the variants that have no server, or whose server was lost."""
        return [name for name in together if name in self._specs and name not in self.problems]


def _traffic(study: Study, spec: ServerSpec, on_wait: OnWait) -> Traffic:
    most = study.concurrency if isinstance(study.concurrency, int) else 1
    apart = _APART_S if spec.runtime in _LOSES_BURSTS else 0.0
    return Traffic(most, silence=study.silence, startup=spec.startup_seconds, apart=apart, on_wait=on_wait)
