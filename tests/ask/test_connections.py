"""Connections are kept where they can be, and every fault of one is told apart."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from evaluator.ask import client, connections
from evaluator.ask.connections import Connections
from evaluator.records import Answer, Failure
from tests.support.sent_bytes import stream as streamed

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
WHOLE = json.dumps({"model": "m", "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}).encode()
STREAM = streamed("yes")
Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers every request in the same way, and counts its connections."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.connections = self.requests = 0
        self.url = ""
        self.gone = self.once = False
        """Whether it closes whatever is opened, and answers nothing any more; or answers once on each connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answered = False
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if self.gone or (self.once and answered):
                    break
                await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                self.requests += 1
                await self._answer(writer)
                answered = True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answering | bytes) -> AsyncIterator[Server]:
    async def sends(writer: asyncio.StreamWriter) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)

    mine = Server(sends if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(mine.serve, "127.0.0.1", 0)
    async with server:
        mine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield mine


async def asked(
    url: str, times: int = 1, *, streams: bool = True, silence: float = 5, pause: float = 0
) -> list[Answer | Failure]:
    outcomes = []
    async with client.connect(url, concurrency=1, silence=silence) as http:
        assert isinstance(http, Connections)
        for _ in range(times):
            outcomes.append(await client.ask_once(http, f"{url}/chat/completions", {**BODY, "stream": streams}))
            await asyncio.sleep(pause)
    return outcomes


def length(body: bytes, *more: bytes) -> bytes:
    return b"".join([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body), *more, b"\r\n", body])


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n%b" % (len(body), body, end)


def texts(outcomes: list[Answer | Failure]) -> list[str]:
    return [outcome.text if isinstance(outcome, Answer) else outcome.kind for outcome in outcomes]


@pytest.mark.parametrize(
    ("sent", "streams", "opened"),
    [
        pytest.param(length(WHOLE), False, 1, id="so many bytes"),
        pytest.param(chunked(STREAM), True, 1, id="a stream"),
        pytest.param(length(WHOLE, b"Connection: close\r\n"), False, 3, id="the server says that it closes"),
        pytest.param(length(WHOLE) + b"more", False, 3, id="more than it says"),
        pytest.param(length(WHOLE).replace(b"HTTP/1.1", b"HTTP/1.0"), False, 3, id="HTTP/1.0"),
        pytest.param(chunked(STREAM, b""), True, 3, id="a stream whose transfer never ends"),
    ],
)
async def test_a_connection_is_used_again_where_it_can_be(sent: bytes, streams: bool, opened: int) -> None:
    async with serving(sent) as server:
        outcomes = await asked(server.url, 3, streams=streams)

    assert texts(outcomes) == ["yes"] * 3
    assert server.connections == opened


async def test_the_end_of_a_stream_may_come_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LATE_S", 20)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(chunked(STREAM, b""))
        await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")

    async with serving(answer) as server:
        assert texts(await asked(server.url, 3)) == ["yes"] * 3

    assert server.connections == 1


async def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(length(WHOLE))
        await writer.drain()
        writer.close()

    async with serving(answer) as server:
        assert texts(await asked(server.url, 3, streams=False, pause=0.05)) == ["yes"] * 3

    assert server.connections == 3


async def test_a_server_that_closes_after_each_reply_without_a_word_loses_no_question() -> None:
    async with serving(chunked(STREAM)) as server:
        server.once = True
        outcomes = await asked(server.url, 4)

    assert texts(outcomes) == ["yes"] * 4
    assert server.requests == 4


async def test_of_several_connections_that_it_has_closed_none_is_tried_after_the_first() -> None:
    async with serving(chunked(STREAM)) as server, client.connect(server.url, concurrency=4, silence=5) as http:
        server.once = True
        body = {**BODY, "stream": True}
        first = await asyncio.gather(*(client.ask_once(http, server.url, body) for _ in range(4)))

        assert texts([*first, await client.ask_once(http, server.url, body)]) == ["yes"] * 5

    assert (server.connections, server.requests) == (5, 5)


async def test_a_server_that_is_gone_is_no_kept_connection_that_was_closed() -> None:
    async with serving(chunked(STREAM)) as server, client.connect(server.url, concurrency=1, silence=5) as http:
        assert isinstance(http, Connections)
        url = f"{server.url}/chat/completions"
        first = await client.ask_once(http, url, {**BODY, "stream": True})
        server.gone = True
        second = await client.ask_once(http, url, {**BODY, "stream": True})

    assert isinstance(first, Answer)
    assert isinstance(second, Failure)
    assert (second.kind, server.requests) == ("dropped", 1)


async def test_several_at_once_have_a_connection_each_and_keep_them() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(length(WHOLE))

    async with serving(answer) as server, client.connect(server.url, concurrency=4, silence=5) as http:
        for _ in range(3):
            await asyncio.gather(*(client.ask_once(http, server.url, {**BODY, "stream": False}) for _ in range(4)))

    assert (server.connections, server.requests) == (4, 12)


async def test_silence_counts_anew_with_every_piece() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        sent = chunked(STREAM)
        for at in range(0, len(sent), 40):
            writer.write(sent[at : at + 40])
            await asyncio.sleep(0.1)

    async with serving(answer) as server:
        assert len(STREAM) > 5 * 40
        assert texts(await asked(server.url, silence=0.4)) == ["yes"]


@pytest.mark.parametrize(
    ("sent", "closes", "kind"),
    [
        pytest.param(b"", True, "dropped", id="no reply"),
        pytest.param(b"HTTP/1.1 200", True, "dropped", id="half a head"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", False, "dropped", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", True, "dropped", id="less than it says"),
        pytest.param(chunked(STREAM[:40], b""), True, "dropped", id="a stream without its end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, "dropped", id="no chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, False, "dropped", id="a head without end"),
        pytest.param(b"", False, "timeout", id="silence"),
        pytest.param(chunked(STREAM[:40], b""), False, "timeout", id="silence in the middle"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", False, "timeout", id="nothing after a promise"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", False, "dropped", id="another protocol"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", False, "bad_request", id="moved"
        ),
    ],
)
async def test_every_fault_of_a_connection_has_its_kind(sent: bytes, closes: bool, kind: str) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        if closes:
            writer.close()

    async with serving(answer) as server:
        (failure,) = await asked(server.url, silence=0.3)

    assert isinstance(failure, Failure)
    assert failure.kind == kind


async def test_a_reset_is_a_dropped_connection() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(chunked(STREAM[:40], b""))
        await writer.drain()
        writer.transport.abort()

    async with serving(answer) as server:
        assert texts(await asked(server.url)) == ["dropped"]


async def test_a_name_that_nobody_has_is_unreachable() -> None:
    assert texts(await asked("http://nobody.invalid:9/v1")) == ["unreachable"]


async def test_a_server_without_tls_is_unreachable_by_https() -> None:
    async with serving(length(WHOLE)) as server:
        assert texts(await asked(server.url.replace("http:", "https:"))) == ["unreachable"]


async def test_a_reply_that_is_packed_is_unpacked() -> None:
    sent = length(gzip.compress(WHOLE), b"Content-Encoding: gzip\r\n")
    async with serving(sent) as server:
        assert texts(await asked(server.url, 2, streams=False)) == ["yes"] * 2

    assert server.connections == 1


async def test_the_head_of_a_request_is_the_one_that_httpx2_writes() -> None:
    heads: list[set[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(set((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")))
        writer.write(length(WHOLE, b"Connection: close\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    headers = {"Authorization": "Bearer abcdefgh-1"}
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"
        async with client.connect(url, concurrency=1, silence=5, headers=headers) as http:
            await client.ask_once(http, url, BODY)
        async with httpx2.AsyncClient(trust_env=False, headers=headers) as plain:
            await client.ask_once(plain, url, BODY)

    assert heads[0] == heads[1]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        pytest.param("http://server.example/v1", httpx2.AsyncClient, id="elsewhere"),
        pytest.param("http://127.0.0.1:8080/v1", Connections, id="this machine"),
    ],
)
def test_where_the_environment_names_a_proxy_httpx2_goes_through_it(
    url: str, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")

    assert isinstance(client.connect(url, concurrency=1, silence=5), kind)
