"""Servers are found quickly and quietly, whatever else listens on this machine."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from servers.discover import PORTS, discover, recognise, usual_addresses
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import BROKEN, DIALECTS, NO_HUB


def listing(*models: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": model, "object": "model"} for model in models]}


Page = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


@asynccontextmanager
async def raw(answer: Page, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve what no HTTP library would send."""

    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        # A mere knock at the door brings no request.
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            await answer(writer, head.split()[1])
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield f"http://{'[::1]' if host == '::1' else host}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _mute(_: asyncio.StreamWriter, _path: bytes) -> None:
    await asyncio.sleep(30)


async def _drip(writer: asyncio.StreamWriter, _path: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


def _sends(content: bytes) -> Page:
    async def answer(writer: asyncio.StreamWriter, _path: bytes) -> None:
        writer.write(content)
        await writer.drain()

    return answer


def _ok(body: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (head, len(body), body)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_mute, id="never-answers"),
        pytest.param(_drip, id="never-ends"),
        pytest.param(_sends(bytes(range(256)) * 20), id="binary"),
        pytest.param(_sends(b""), id="hangs-up"),
        pytest.param(_sends(b"SSH-2.0-OpenSSH_9.6\r\n"), id="ssh"),
        pytest.param(_sends(_ok(b"\xff\xfe" * 500)), id="binary-body"),
        pytest.param(_sends(_ok(b"x", b"Content-Encoding: gzip\r\n")), id="no-gzip"),
        pytest.param(_sends(_ok(b"x", b"Content-Type: text/html; charset=hex\r\n")), id="no-charset"),
        pytest.param(_sends(_ok(b"[" * 100_000)), id="deep"),
        pytest.param(_sends(b"HTTP/1.1 302 Found\r\nLocation: /v1/models\r\nContent-Length: 0\r\n\r\n"), id="circle"),
    ],
)
async def test_a_stranger_is_passed_by_in_time(answer: Page) -> None:
    async with raw(answer) as place:
        begun = time.monotonic()
        found = await discover([place], seconds=0.5)

    assert found == ()
    assert time.monotonic() - begun < 1.5


async def test_a_redirect_is_not_followed() -> None:
    async with FakeServer(Reply()) as fake:
        there = b"HTTP/1.1 307 Moved\r\nLocation: %b/models\r\nContent-Length: 0\r\n\r\n" % fake.base_url.encode()
        async with raw(_sends(there)) as place:
            assert await discover([place]) == ()

    assert fake.calls == []


FULL, IDLE = FakeModel(id="full", context=16384, served_context=8192), FakeModel(id="idle", loaded=False)


@pytest.mark.parametrize(
    ("dialect", "runtime", "version", "states"),
    [
        ("llama_server", "llama_server", True, {"full": (True, 8192)}),
        ("llama_router", "llama_server", True, {"full": (True, 8192), "idle": (False, None)}),
        ("mlx_lm", "mlx_lm", False, {"full": (None, None), "idle": (None, None)}),
        ("omlx", "omlx", True, {"full": (True, 16384), "idle": (False, 32768)}),
        ("ollama", "ollama", True, {"full": (True, 8192), "idle": (False, None)}),
        ("lm_studio", "lm_studio", False, {"full": (True, 8192), "idle": (False, None)}),
        ("vllm", "vllm", True, {"full": (True, 16384), "idle": (True, 32768)}),
        ("openai", "openai", False, {"full": (None, None), "idle": (None, None)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_dialect_is_recognised_over_the_wire(
    dialect: str, runtime: str, version: bool, states: dict[str, tuple[bool | None, int | None]]
) -> None:
    models = (FULL, IDLE) if len(states) == 2 else (FULL,)
    async with FakeServer(Reply(), dialect=DIALECTS[dialect], models=models) as fake:
        running = await recognise(fake.base_url)

    assert running
    assert (running.runtime, running.version is not None) == (runtime, version)
    assert {listed.id: (listed.loaded, listed.context) for listed in running.models} == states
    assert not any(call.method == "POST" for call in fake.calls)


@pytest.mark.parametrize("pages", [{"/v1/models": NO_HUB}, {"/health": BROKEN}], ids=["no-hub", "broken"])
async def test_mlx_lm_is_recognised_in_its_bad_moments(pages: dict[str, Any]) -> None:
    async with FakeServer(Reply(), dialect=DIALECTS["mlx_lm"], pages=pages) as fake:
        running = await recognise(fake.base_url)

    assert running
    assert running.runtime == "mlx_lm"


@pytest.mark.parametrize("dialect", ["llama_server", "omlx", "vllm", "openai"])
async def test_with_its_key_a_server_tells_all(dialect: str) -> None:
    async with FakeServer(Reply(), dialect=DIALECTS[dialect], models=(FULL,), api_key="sesame") as fake:
        (shut,) = await discover([fake.base_url], seconds=10)
        (told,) = await discover([fake.base_url], seconds=10, headers={"Authorization": "Bearer sesame"})

    assert shut.wants_key
    assert told.wants_key
    assert not told.key_refused
    assert [listed.id for listed in told.models] == ["full"]


async def test_a_huge_list_is_read() -> None:
    body = json.dumps(listing(*(f"m{i}" for i in range(20_000)))).encode()
    async with raw(_sends(_ok(body))) as place:
        running = await recognise(place)

    assert running
    assert len(running.models) == 20_000


async def test_one_slow_page_hides_no_server() -> None:
    async def answer(writer: asyncio.StreamWriter, path: bytes) -> None:
        if path == b"/v1/models":  # mlx_lm.server looks through the hub's cache for it
            await asyncio.sleep(30)
        body = b'{"status": "ok"}' if path == b"/health" else b"Not Found"
        writer.write(b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.7\r\n\r\n" + body)

    async with raw(answer) as place:
        running = await recognise(place, seconds=0.5)

    assert running
    assert running.runtime == "mlx_lm"


@pytest.fixture
def blackhole() -> Any:
    """A port that drops what is sent to it, as a firewall does: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


async def test_ports_that_swallow_what_is_sent_cost_one_wait_together(blackhole: int) -> None:
    begun = time.monotonic()
    found = await discover([f"http://127.0.0.1:{blackhole}/v1", f"http://localhost:{blackhole}/v1"])

    assert found == ()
    assert time.monotonic() - begun < 1.6


async def test_nothing_there_is_known_at_once() -> None:
    begun = time.monotonic()
    found = await discover(["http://127.0.0.1:1/v1", "http://[::1]:1/v1", "http://no-such-host.invalid:1/v1"])

    assert found == ()
    assert time.monotonic() - begun < 1.6


async def test_a_server_under_two_names_is_listed_once() -> None:
    async with FakeServer(Reply()) as fake, FakeServer(Reply()) as twin:
        other = fake.base_url.replace("127.0.0.1", "localhost")
        found = await discover([fake.base_url, other, fake.base_url, twin.base_url], seconds=10)

    assert [running.base_url for running in found] == [fake.base_url, twin.base_url]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
async def test_a_server_on_the_other_loopback_is_found() -> None:
    try:
        async with raw(_sends(_ok(json.dumps(listing("six")).encode())), "::1") as place:
            found = await discover([place], seconds=10)
    except OSError:
        pytest.skip("no IPv6 here")

    assert [(running.base_url, running.models[0].id) for running in found] == [(place, "six")]


async def test_a_key_goes_only_to_servers_that_want_one() -> None:
    async with FakeServer(Reply(), api_key="sesame") as shut, FakeServer(Reply()) as open_:
        found = await discover([shut.base_url, open_.base_url], seconds=10, headers={"Authorization": "Bearer sesame"})

    assert [(running.wants_key, running.key_refused, len(running.models)) for running in found] == [
        (True, False, 1),
        (False, False, 1),
    ]
    assert not any("authorization" in call.headers for call in open_.calls)


@pytest.mark.parametrize(("key", "refused"), [({"Authorization": "Bearer wrong"}, True), (None, False)])
async def test_a_wrong_key_is_told_from_none(key: dict[str, str] | None, refused: bool) -> None:
    async with FakeServer(Reply(), api_key="sesame") as shut:
        (running,) = await discover([shut.base_url], seconds=10, headers=key)

    assert (running.wants_key, running.key_refused, running.models) == (True, refused, ())


async def test_no_proxy_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer(Reply()) as fake, FakeServer(Reply()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        (running,) = await discover([fake.base_url], seconds=10)

    assert running.base_url == fake.base_url
    assert proxy.calls == []


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("", None),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:12000", "http://127.0.0.1:12000/v1"),
        (":12000", "http://127.0.0.1:12000/v1"),
        ("[::1]:12000", "http://[::1]:12000/v1"),
        ("mac.local", "http://mac.local:11434/v1"),
        ("http://mac.local", "http://mac.local:80/v1"),
        ("https://mac.local/ollama/", "https://mac.local:443/ollama/v1"),
        ("http://u:p@mac.local:1", "http://mac.local:1/v1"),
        ("mac.local:99999", None),
        ("ftp://mac.local", None),
    ],
)
def test_the_setting_of_ollama_is_read_as_ollama_reads_it(
    monkeypatch: pytest.MonkeyPatch, value: str, place: str | None
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    known = usual_addresses()
    monkeypatch.setenv("OLLAMA_HOST", value)

    assert set(usual_addresses()) - set(known) == ({place} - set(known) - {None})
    assert place is None or place in usual_addresses()


def test_the_usual_ports_are_those_of_the_runtimes() -> None:
    assert {8080, 8000, 1234, 11434} <= set(PORTS)
    assert usual_addresses()[0].startswith("http://127.0.0.1:")
