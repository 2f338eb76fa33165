"""Measure what a server takes while it is asked: look at it about once a second, and once more at the end."""

import asyncio
import contextlib
import time
from types import TracebackType
from typing import NamedTuple, Self

from msgspec.structs import replace

from servers.spec import Server, Usage
from servers.usage import energy, graphics, memory
from servers.usage.reported import kv_cache_bytes, self_reported

_EVERY_S = 1.0
_SHARE = 50
"""Looking may take one part in so many of the time: with much memory in small pages it takes long."""
_USED = 64 << 20
"""Bytes on a graphics card below which a server does not compute there: a driver that is opened takes some itself."""
_LONGEST_S = 60.0
"""Between two looks: counters of energy begin anew within the hour."""


class _Look(NamedTuple):
    """What one look found."""

    here: bool
    """Whether the server runs on this machine, as far as is known: else counters of energy say nothing of it."""
    memory: int | None
    graphics: graphics.Held
    energy: dict[str, energy.Counter]


class Meter:
    """Measures a server for as long as its context lasts; whatever cannot be measured is unknown, never an error."""

    def __init__(self, server: Server, *, by_itself: bool = True) -> None:
        """Prepare to measure.

        Args:
            server: Who is asked.
            by_itself: Whether no other server of the study is started or asked meanwhile.
        """
        self._server, self._by_itself = server, by_itself
        self._memory: int | None = None
        self._memory_how = ""
        self._here = False
        self._kv_cache: int | None = None
        self._graphics = graphics.Held()
        self._energy = energy.EnergyMeter({})
        self._looking: asyncio.Task[None] | None = None
        self._began = self._ended = 0.0

    @property
    def usage(self) -> Usage:
        """What was found so far."""
        return Usage(
            load_s=self._server.load_s,
            memory_bytes=self._memory,
            memory_how=self._memory_how,
            gpu_bytes=self._graphics.bytes,
            gpu_how=self._graphics.how,
            kv_cache_bytes=self._kv_cache,
            energy_j=self._energy.joules if self._is_its_own else None,
            energy_of=self._energy.of if self._is_its_own else "",
        )

    def others_change(self) -> None:
        """Note that another server is started or stopped meanwhile: no rise of the memory in use is this one's."""
        self._server = replace(self._server, gpu_in_use_before=())

    @property
    def _is_its_own(self) -> bool:
        """Whether the counters of energy say something of this server: it runs here, and no other of the study does."""
        return self._here and self._by_itself

    @property
    def seconds(self) -> float:
        """How long the energy was measured; 0 where none was."""
        return 0.0 if self.usage.energy_j is None else self._ended - self._began

    async def __aenter__(self) -> Self:
        with contextlib.suppress(Exception):
            self._kv_cache = await asyncio.to_thread(kv_cache_bytes, self._server)
            self._energy = energy.EnergyMeter(await asyncio.to_thread(energy.counters))
        self._began = self._ended = time.monotonic()
        self._looking = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if kind is None or issubclass(kind, Exception):  # an interrupt does not wait for it
            await self._look()
            if self._memory is None:
                await self._ask_itself()
        if (self._graphics.bytes or 0) < _USED:
            self._energy.leave_out_cards()

    async def _keep_looking(self) -> None:
        while True:
            began = time.monotonic()
            await self._look()
            took = time.monotonic() - began
            await asyncio.sleep(min(max(_EVERY_S, _SHARE * took), _LONGEST_S))

    async def _look(self) -> None:
        with contextlib.suppress(Exception):  # a measurement is never a run's error
            found = await asyncio.to_thread(self._found)
            self._take(found)

    async def _ask_itself(self) -> None:
        """Take what a server whose processes are not known says itself of its memory, where it does."""
        with contextlib.suppress(Exception):
            if (says := await self_reported(self._server)) is not None:
                self._memory, self._graphics = says.memory, graphics.Held(says.graphics or None, says.how)
                self._memory_how = says.how

    def _found(self) -> _Look:
        processes = memory.processes(self._server)
        held = graphics.held_by({process.pid for process in processes}, self._before)
        here = bool(processes or self._server.command)
        return _Look(here, memory.memory_of(processes), held, energy.counters())

    @property
    def _before(self) -> tuple[int, ...]:
        return self._server.gpu_in_use_before if self._by_itself else ()

    def _take(self, found: _Look) -> None:
        self._here = self._here or found.here
        if found.memory is not None:
            self._memory, self._memory_how = max(self._memory or 0, found.memory), memory.HOW
        if (found.graphics.bytes or 0) > (self._graphics.bytes or 0):
            self._graphics = found.graphics
        self._energy.add(found.energy)
        self._ended = time.monotonic()


async def taken_now(server: Server, *, by_itself: bool) -> Usage:
    """Look once what a server takes; `by_itself`: no other server of the study runs."""
    meter = Meter(server, by_itself=by_itself)
    await meter._look()  # noqa: SLF001 - its own module's
    return meter.usage
