"""The fake server: no framework, asyncio alone."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Self

from servers.fake.reply import Reply, settled
from servers.fake.spec import PLAIN, Answer, Call, Dialect, FakeModel, Page, Turn, state_of
from servers.fake.wire import read, send_answer, send_stream, send_whole

Script = Reply | Sequence[Reply] | Callable[[Any, int], Reply]
"""One reply for all; one after the other, the last for ever (a fault that heals); or made from body and number."""


class FakeServer:
    """A server on 127.0.0.1 that answers by a script and records what it was asked.

    Args:
        reply: The script.
        dialect: How it speaks; without one it is any server of OpenAI's protocol.
        models: What it has, by id or in full.
        pages: Bodies by path, `{"/props": {...}}`, or `"POST /api/show"`; they replace the dialect's. JSON with
            status 200, or an `Answer`, which has a status of its own and may be plain text.
        api_key: When set, requests without it get 401.
        port: 0 chooses a free one.
        loading: How many requests are answered first with the error that the model is still loading.
    """

    def __init__(
        self,
        reply: Script,
        *,
        dialect: Dialect = PLAIN,
        models: Sequence[str | FakeModel] = ("fake",),
        pages: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        port: int = 0,
        loading: int = 0,
    ) -> None:
        self.calls: list[Call] = []
        self.prompts: list[Any] = []
        """The bodies of the prompts alone, in order."""
        self.port = port
        self.state = state_of(tuple(FakeModel(id=m) if isinstance(m, str) else m for m in models))
        self._reply, self._dialect, self._api_key, self._loading = reply, dialect, api_key, loading
        self._pages = {key if " " in key else f"GET {key}": body for key, body in (pages or {}).items()}
        self._open: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._finish: Callable[[], object] | None = None

    @property
    def base_url(self) -> str:
        """Up to and including `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[Any]:
        """The bodies that were posted, in order."""
        return [call.body for call in self.calls if call.method == "POST"]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._until_finished(started)), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._finish is not None:
            self._finish()
        if self._thread is not None:
            self._thread.join()

    async def _until_finished(self, started: threading.Event) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._finish = lambda: loop.call_soon_threadsafe(stop.set)
        try:
            async with self:
                started.set()
                await stop.wait()
        finally:
            started.set()  # also when the port was taken: the other thread must not wait for ever

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            await self._answer(await read(reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # the client went away, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.calls.append(call)
        if len(self.calls) <= self._loading:
            await send_answer(writer, self._dialect, self._dialect.loading(call))
        elif not self._admitted(call):
            body = self._dialect.error(call.path, "Invalid API Key", 401)
            await send_answer(writer, self._dialect, Answer(401, body))
        elif (page := self._page(call)) is not None:
            await send_answer(writer, self._dialect, page)
        elif call.method == "POST" and call.path in self._dialect.routes:
            await self._reply_to(call, writer)
        else:
            await send_answer(writer, self._dialect, self._dialect.missing(call))

    def _admitted(self, call: Call) -> bool:
        if self._api_key is None or call.path.startswith(self._dialect.open_paths):
            return True
        return call.headers.get("authorization") == f"Bearer {self._api_key}"

    def _page(self, call: Call) -> Answer | None:
        """Return what stands at a path that takes no prompts; None where nothing does."""
        asked = f"{call.method} {call.path}"
        if asked in self._pages:
            content = self._pages[asked]
        else:
            page: Page | None = next((p for key, p in self._dialect.pages.items() if fnmatchcase(asked, key)), None)
            if page is None:
                return None
            content = page(self.state, call)
        return content if isinstance(content, Answer) else Answer(200, json.dumps(content), "application/json")

    async def _reply_to(self, call: Call, writer: asyncio.StreamWriter) -> None:
        """Send the next reply of the script, as this dialect answers the request."""
        self.prompts.append(call.body)
        dialect, route = self._dialect, self._dialect.routes[call.path]
        scripted = settled(self._next(call.body))
        await asyncio.sleep(scripted.delay)
        reply = dialect.respond(self.state, call, scripted)
        if isinstance(reply, Answer):
            await send_answer(writer, dialect, reply)
            return
        if reply.fault == "refuse":
            writer.transport.abort()
            return
        error = dialect.error(call.path, reply.error, reply.status if reply.status != 200 else 500)
        turn = Turn(reply, call.body, call.path, self.state)
        if reply.status != 200:
            await send_whole(writer, dialect, error, reply, status=reply.status)
        elif call.body.get("stream", route.streams):
            parts = route.parts(turn)
            if reply.fault == "error":
                parts = [*parts[: len(parts) // 2], error]
            await send_stream(writer, dialect, parts, reply, lines=route.lines)
        else:
            await send_whole(writer, dialect, error if reply.fault == "error" else route.whole(turn), reply)

    def _next(self, body: Any) -> Reply:  # noqa: ANN401 - JSON
        number = len(self.prompts) - 1
        if isinstance(self._reply, Reply):
            return self._reply
        if isinstance(self._reply, Sequence):
            return self._reply[min(number, len(self._reply) - 1)]
        return self._reply(body, number)
