"""What goes on between us and one server: how many requests may be in flight, and how long it is waited for."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Self

from evaluator.ask.waits import Wait
from servers.slots import MOST

OnWait = Callable[[str, float], None]
"""Called with what is waited for, in words, and for how many seconds; 0 where something changed for good."""
Sleep = Callable[[float], Awaitable[None]]


class Traffic:
    """The requests to one server. `async with` takes a place among those in flight, first come, first served.

    A server that says that it is busy gets fewer places. One that only ever asks to wait is waited for as long as the
    study allows silence, a model that loads as long as a start may take.
    """

    def __init__(
        self,
        most: int,
        *,
        silence: float,
        startup: float = 900.0,
        apart: float = 0.0,
        on_wait: OnWait = lambda _text, _seconds: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Begin with `most` places; `silence`, `startup` and `apart` are seconds.

        Requests are sent at least `apart` from each other: some servers lose those that come together.
        """
        self.most = self.at_once = most
        self.number: int | None = most
        """Places of the run; None while that is being found."""
        self.on_refused: Callable[[int], None] = lambda _takes: None
        """Called with how many the server takes, where it has refused one."""
        self.on_allowed: Callable[[], None] = lambda: None
        """Called when the number of places has changed."""
        self.silence, self._startup, self._apart = silence, startup, apart
        self.on_wait, self.clock, self.sleep = on_wait, clock, sleep
        self.last_refusal = ""
        """What the server said when it last refused a request."""
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._announced = most
        self._takes = MOST
        """Places that the server takes, as far as it has refused one."""
        self._next_at = clock()
        """When the next request may be sent."""
        self._sent = 0
        self._active_at = self._ended_at = clock()
        """When the server last sent anything, and when the last request that was out ended."""
        self._since: dict[Wait, float] = {}

    async def __aenter__(self) -> Self:
        await self._take()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._free()

    @property
    def others(self) -> int:
        """How many places are taken, but for the caller's own."""
        return self._taken - 1

    @property
    def fewer(self) -> int | None:
        """How many are in flight at most; None where it is the number of the run."""
        return None if self.at_once == self.number else self.at_once

    def allow(self, most: int, *, number: int | None) -> None:
        """Have so many places from now on; `number` is that of the run, None while it is being found."""
        self.most, self.number = most, number
        self.at_once = min(most, self._takes)
        self._announced = self.at_once
        self._wake()
        self.on_allowed()

    async def spaced(self) -> None:
        """Wait until the next request may be sent."""
        if self._apart:
            now = self.clock()
            self._next_at = max(now, self._next_at + self._apart)
            if self._next_at > now:
                await self.sleep(self._next_at - now)

    async def step_aside(self, seconds: float) -> None:
        """Give the caller's place up for as long as others work, and at least for so many seconds.

        There will be fewer places: as many as the others take now.
        """
        self.at_once = self._takes = max(1, min(self.at_once, self.others))
        self.on_refused(self.at_once)
        self._free()
        try:
            if seconds:
                await self.sleep(seconds)
            await self._take()
        except BaseException:
            self._taken += 1  # the caller frees it once more
            raise

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Note that a request is out: only then can a server be silent."""
        if not self._sent:
            self._active_at += self.clock() - self._ended_at
        self._sent += 1
        try:
            yield
        finally:
            self._sent -= 1
            self._ended_at = self.clock()

    def begin(self) -> None:
        """Start anew with a server that was just started."""
        self._since.clear()
        self.last_refusal = ""
        self._active_at = self._ended_at = self.clock()

    def saw_activity(self) -> None:
        """Note that the server has sent something."""
        self._active_at = self.clock()

    def worked(self) -> None:
        """Note that the server has sent what it was asked for, or a part of it."""
        self.saw_activity()
        self._since.clear()
        if self.at_once < self._announced:
            self._announced = self.at_once
            self.on_wait(f"the server is busy: asked {self.at_once} at a time, not {self.most}", 0.0)

    def silent_s(self) -> float:
        """Return for how many seconds it has sent nothing while it was asked something."""
        return (self.clock() if self._sent else self._ended_at) - self._active_at

    def bound(self, why: Wait) -> float:
        """Return for how many seconds it is waited for where nothing else comes from the server."""
        return self._startup if why == "loading" else self.silence

    def left(self, why: Wait) -> float:
        """Return for how many seconds more; they count from the first call since the server last worked."""
        return self.bound(why) - (self.clock() - self._since.setdefault(why, self.clock()))

    async def _take(self) -> None:
        if self._taken < self.at_once and not self._queue:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._queue:
                self._queue.remove(turn)
            elif not turn.cancelled():
                self._free()
            raise

    def _free(self) -> None:
        self._taken -= 1
        self._wake()

    def _wake(self) -> None:
        while self._queue and self._taken < self.at_once:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._taken += 1
