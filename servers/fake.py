"""A scripted OpenAI-compatible server, for tests, dry runs and fault injection.

`async with FakeServer(Reply(text="The answer is (B).")) as fake:` and then `fake.base_url`, `fake.requests`.
From code that is not async, `with FakeServer(...) as fake:` runs it in a thread. No framework: asyncio alone.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from servers.fake_reply import Fault, Reply, chunks, error_body, whole

__all__ = ["Call", "FakeServer", "Fault", "Reply", "Script"]


class Call(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """Decoded JSON; None of a GET."""


Script = Reply | Sequence[Reply] | Callable[[Any, int], Reply]
"""One reply for all; one after the other, the last for ever (a fault that heals); or made from body and number."""

_POSTS = {"/v1/chat/completions": True, "/v1/completions": False}
"""Path -> whether it is chat."""


class FakeServer:
    """A server on 127.0.0.1 that says what its script says and remembers what it was asked.

    Args:
        reply: The script.
        models: Ids that /v1/models lists.
        pages: Further GET pages, body by path: `{"/props": {...}}`; they replace /v1/models and /health too.
        api_key: When set, requests without it get 401.
        port: 0 chooses a free one.
    """

    def __init__(
        self,
        reply: Script,
        *,
        models: Sequence[str] = ("fake",),
        pages: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        self.calls: list[Call] = []
        self.port = port
        self._reply = reply
        self._api_key = api_key
        listing = {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "fake"} for name in models]}
        self._pages: dict[str, Any] = {"/v1/models": listing, "/health": {"status": "ok"}, **(pages or {})}
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
            await self._answer(await _read(reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # the client went away, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.calls.append(call)
        if self._api_key is not None and call.headers.get("authorization") != f"Bearer {self._api_key}":
            await _send_json(writer, 401, error_body("Invalid API Key", 401))
        elif call.method == "GET" and call.path in self._pages:
            await _send_json(writer, 200, self._pages[call.path])
        elif call.method == "POST" and call.path in _POSTS:
            await _send_reply(writer, self._next(call.body), call.body, chat=_POSTS[call.path])
        else:
            await _send_json(writer, 404, error_body(f"no such page: {call.method} {call.path}", 404))

    def _next(self, body: Any) -> Reply:  # noqa: ANN401 - JSON
        number = len(self.requests) - 1
        if isinstance(self._reply, Reply):
            return self._reply
        if isinstance(self._reply, Sequence):
            return self._reply[min(number, len(self._reply) - 1)]
        return self._reply(body, number)


async def _read(reader: asyncio.StreamReader) -> Call:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path.partition("?")[0], headers, json.loads(raw) if raw else None)


async def _send_reply(writer: asyncio.StreamWriter, reply: Reply, body: Any, *, chat: bool) -> None:  # noqa: ANN401
    await asyncio.sleep(reply.delay)
    model = str(body.get("model", "fake"))
    if reply.fault == "refuse":
        writer.transport.abort()
    elif reply.status != 200:
        await _send_json(writer, reply.status, error_body(reply.error, reply.status), reply)
    elif body.get("stream"):
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        await _send_stream(writer, reply, list(chunks(reply, model=model, chat=chat, usage=usage)))
    else:
        await _send_json(writer, 200, whole(reply, model=model, chat=chat), reply)


async def _send_json(writer: asyncio.StreamWriter, status: int, body: Any, reply: Reply | None = None) -> None:  # noqa: ANN401
    reply = reply or Reply()
    content = b"<html>Bad gateway</html>" if reply.fault == "garbage" else json.dumps(body).encode()
    middle = len(content) // 2
    writer.write(_head(status, "application/json", f"Content-Length: {len(content)}", reply))
    writer.write(content[:middle])
    await writer.drain()
    if reply.fault == "drop":
        writer.close()  # the rest that Content-Length promises never comes
        return
    if reply.fault == "stall":
        await asyncio.sleep(reply.stall)
    writer.write(content[middle:])
    await writer.drain()


async def _send_stream(writer: asyncio.StreamWriter, reply: Reply, parts: list[dict[str, Any]]) -> None:
    writer.write(_head(200, "text/event-stream", "Transfer-Encoding: chunked", reply))
    async for event in _events(reply, parts):
        # Each write becomes a chunk of its own, flushed before the next: the reader sees the seams.
        for raw in [event[i : i + 1] for i in range(len(event))] if reply.split_bytes else [event]:
            writer.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            await writer.drain()
    if reply.fault != "drop":  # without the last chunk the reader knows that the stream was broken
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _events(reply: Reply, parts: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    end = b"\r\n" if reply.crlf else b"\n"
    middle = (len(parts) + 1) // 2
    for number, part in enumerate(parts):
        if number == middle and reply.fault == "drop":
            return
        if number == middle and reply.fault == "stall":
            await asyncio.sleep(reply.stall)
        if reply.keepalive is not None:
            yield b": " + reply.keepalive.encode() + end * 2
        broken = number == middle and reply.fault == "garbage"
        data = b"{not json" if broken else json.dumps(part, ensure_ascii=False).encode()
        yield b"data: " + data + end * 2
        await asyncio.sleep(reply.pause)
    if reply.fault != "cut":
        yield b"data: [DONE]" + end * 2


def _head(status: int, content_type: str, length: str, reply: Reply) -> bytes:
    phrase = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {phrase}", f"Content-Type: {content_type}", length, "Connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
