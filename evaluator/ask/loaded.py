"""The servers of a run, started when a turn needs them; some stay loaded, where memory is known to suffice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from msgspec.structs import replace

from evaluator.errors import StudyError
from evaluator.store.resources import read_measured
from servers.errors import ServerError
from servers.launch import alive
from servers.spec import Server, ServerSpec, Usage
from servers.usage.room import Room, room, too_much
from servers.wording import listed

_LOOK_EVERY_S = 5.0


Upcoming = Callable[[], Sequence[str]]
"""Names the variants that still have questions, in the order of their turns; a name may come several times."""


class Says(Protocol):
    """Called with a variant and what is done with its server, in words."""

    def __call__(self, variant: str, text: str, /) -> object:
        """Take it in."""


class _Loaded(NamedTuple):
    server: Server
    stack: AsyncExitStack
    """Stops it."""


class LoadedServers:
    """Opens each variant's server for a turn. At the end of the run all are stopped.

    One that is wanted again stays loaded until another needs its memory, and one may load before its turn begins: both
    only where the memory that each takes was measured, and suffices for all of them together.
    """

    def __init__(
        self,
        open_server: Callable[[str], AbstractAsyncContextManager[Server]],
        specs: Mapping[str, ServerSpec],
        folder: Path,
        *,
        may_stay: Collection[str],
        says: Says,
    ) -> None:
        """`may_stay` names the variants whose servers are processes of their own that we start."""
        self._open_server, self._specs, self._folder = open_server, specs, folder
        self._may_stay, self._says = may_stay, says
        self._loaded: dict[str, _Loaded] = {}
        self._in_use: set[str] = set()
        self._early: dict[str, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()
        self._empty: Room | None = None
        """What was free before any was started."""

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look_after_room())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._early.values():
            task.cancel()
        await asyncio.gather(*self._early.values(), return_exceptions=True)
        async with self._changing:
            self._looking.cancel()
            for name in tuple(self._loaded):
                await self._stop(name)

    @asynccontextmanager
    async def use(self, name: str, upcoming: Upcoming) -> AsyncIterator[Server]:
        """Give a variant's server, and stop it afterwards unless it is upcoming again.

        Raises:
            ServerError: It cannot be started or reached.
        """
        if name not in self._may_stay:
            base_url = self._specs[name].base_url
            self._says(name, f"asking {base_url}" if base_url else "starting its server")
            if base_url is None:
                await self.stop_unwanted(())
            async with self._open_server(name) as server:
                yield server
            return
        server = await self._take(name, upcoming)
        stays = False
        try:
            yield server
            stays = name in upcoming()
        finally:
            self._in_use.discard(name)
            if not stays:
                async with self._changing:
                    await self._stop(name)

    async def stop_unwanted(self, upcoming: Collection[str]) -> None:
        """Stop servers that stayed loaded and have no questions any more."""
        async with self._changing:
            for name in [name for name in self._waiting() if name not in upcoming]:
                await self._stop(name)

    async def stop(self, name: str) -> None:
        """Stop a variant's server, so that it is started anew when it is used again."""
        async with self._changing:
            await self._stop(name)

    async def load_early(self, name: str) -> bool:
        """Begin to load a variant's server beside the one that is asked; whether that is done."""
        if name not in self._may_stay or not self._loaded or name in self._loaded or name in self._early:
            return False
        if why := await self._too_much(name):
            self._says(name, f"its server is started when the one before it has ended: {why}")
            return False
        self._says(
            name, f"its server loads while {listed(sorted(self._in_use))} gives its last replies: memory suffices"
        )
        self._early[name] = asyncio.create_task(self._start(name))
        return True

    async def _take(self, name: str, upcoming: Upcoming) -> Server:
        if (early := self._early.pop(name, None)) is not None:
            with suppress(ServerError):  # it is tried again, now that others have ended
                await early
        async with self._changing:
            before = self._loaded.get(name)
            if before is not None and alive(before.server):
                self._says(name, "its server is still loaded" if early is None else "its server has loaded")
                self._in_use.add(name)
                # Others came or went since it was started: how much the memory in use rose says nothing any more.
                return replace(before.server, gpu_in_use_before=())
            await self._stop(name)
            await self._make_room(name, upcoming)
            beside = ", ".join(f"{other}'s" for other in self._loaded)
            self._says(name, f"starting its server{f' beside {beside}: memory suffices' if beside else ''}")
            await self._start(name)
            self._in_use.add(name)
            return self._loaded[name].server

    async def _start(self, name: str) -> None:
        if self._empty is None:
            self._empty = await asyncio.to_thread(room)
        stack = AsyncExitStack()
        server = await stack.enter_async_context(self._open_server(name))
        self._loaded[name] = _Loaded(server, stack)

    async def _stop(self, name: str) -> None:
        if (loaded := self._loaded.pop(name, None)) is not None:
            await loaded.stack.aclose()

    def _waiting(self) -> list[str]:
        return [name for name in self._loaded if name not in self._in_use]

    async def _make_room(self, name: str, upcoming: Upcoming) -> None:
        """Stop servers that wait, the one that is upcoming last of all first, until memory suffices for one more."""
        while (waiting := self._waiting()) and (why := await self._too_much(name)):
            order = [*upcoming(), *waiting]
            last = max(waiting, key=order.index)
            self._says(last, f"its server is stopped before {name}'s is started: {why}")
            await self._stop(last)

    async def _too_much(self, name: str) -> str:
        if self._empty is None or not self._loaded:
            return ""
        measured: Mapping[str, Usage] = {}
        with suppress(StudyError, OSError):
            measured = {variant: found.usage for variant, found in read_measured(self._folder).items()}
        others = [measured.get(other, Usage()) for other in self._loaded]
        return too_much(others, measured.get(name, Usage()), self._empty, await asyncio.to_thread(room))

    async def _look_after_room(self) -> None:
        """Stop servers that wait where little memory is left while another is asked."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            async with self._changing:
                waiting = self._waiting()
                now = await asyncio.to_thread(room) if waiting else None
                if now is not None and now.memory < now.left_alone / 2:
                    self._says(waiting[0], "its server is stopped: little memory is left")
                    await self._stop(waiting[0])
