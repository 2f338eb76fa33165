"""Requests to one server over connections that are kept: what httpx2 does, for a fraction of the processor's time.

httpx2 looks through all its connections twice a request, and wakes up for every frame of a stream. Here a sender takes
the connection that was used last, and what has come is read at once, however many frames it is. Heads are written by
httpx2 and read by h11, as httpx2 does; what goes wrong is raised as httpx2's own exceptions.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, cast

import h11
import httpx2

from evaluator.ask.frames import Frames, frames_of

_CONNECT_S = 10.0
_IDLE_S = 5.0
"""A connection that was idle for longer is not used again: servers close theirs about then."""
_LATE_S = 0.05
"""How long is waited for the end of a transfer whose reply is complete, so that its connection can be used again."""
_OFTEN_LATE = 3
"""After so many replies in a row whose transfer did not end in that time, it is not waited for any more."""
_HEAD_BYTES = 100 << 10
_UNREAD_BYTES = 1 << 20
"""What has come and was not read yet; at more, the server is left waiting."""


class Reply(Protocol):
    """A reply whose head has come."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, found by names in lower case."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Give the body in pieces as they come, unpacked."""


@asynccontextmanager
async def through_httpx2(http: httpx2.AsyncClient, url: str, content: bytes) -> AsyncIterator[Reply]:
    """Send JSON with httpx2 itself, which knows all kinds of proxies."""
    async with http.stream("POST", url, content=content, headers={"Content-Type": "application/json"}) as response:
        yield _OfHttpx2(response)


class _OfHttpx2:
    def __init__(self, response: httpx2.Response) -> None:
        self.status_code, self.headers, self.pieces = response.status_code, response.headers, response.aiter_bytes


class Connections:
    """Sends requests to one server; `async with` closes what is still open."""

    def __init__(self, *, silence: float, headers: Mapping[str, str], tls: ssl.SSLContext) -> None:
        """Take how many seconds may pass without a byte, and headers for every request."""
        self.headers = headers
        self._silence, self._tls = silence, tls
        self._idle: list[_Connection] = []
        self.keeps = True
        """Whether connections are kept: a server may close each of them after its reply without a word."""
        self._open: set[_Connection] = set()
        self._targets: dict[str, _Target] = {}
        self._addresses: dict[tuple[str, int], str] = {}
        """By host and port the address that answered: a name is looked up once."""
        self.late = 0
        """Replies in a row that were complete long before the server ended their transfer."""

    def post(self, url: str, content: bytes) -> "Exchange":
        """Send JSON; `async with` gives the reply as soon as its head is there."""
        return Exchange(self, url, content)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()
        self._open.clear()
        await asyncio.sleep(0)  # they are closed in the loop's next turn

    def target(self, url: str) -> "_Target":
        """Say where a request to this address goes, and what stands above its body."""
        if url not in self._targets:
            self._targets[url] = _target(url, self.headers, self._tls)
        return self._targets[url]

    async def taken(self, target: "_Target") -> "_Connection":
        """Return a connection that nobody uses."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if self.keeps and connection.origin == target.origin and connection.is_usable(now):
                return connection
            self.dropped(connection)
        connection = await self._opened(target)
        self._open.add(connection)
        return connection

    def given_back(self, connection: "_Connection") -> None:
        """Keep a connection for the next request."""
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def dropped(self, connection: "_Connection") -> None:
        """Close a connection that cannot be used again."""
        connection.close()
        self._open.discard(connection)

    async def _opened(self, target: "_Target") -> "_Connection":
        scheme, host, port = target.origin
        loop = asyncio.get_running_loop()
        known = self._addresses.get((host, port))
        tries_both = known is None and isinstance(loop, asyncio.BaseEventLoop)  # uvloop has no such thing
        both_families: Any = {"happy_eyeballs_delay": 0.25} if tries_both else {}
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, connection = await loop.create_connection(
                    lambda: _Connection(target.origin, loop, self._silence),
                    known or host,
                    port,
                    ssl=self._tls if scheme == "https" else None,
                    server_hostname=host if scheme == "https" else None,
                    **both_families,
                )
        except TimeoutError:
            self._addresses.pop((host, port), None)
            raise httpx2.ConnectTimeout(f"no connection within {_CONNECT_S:.0f} s") from None
        except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
            self._addresses.pop((host, port), None)
            raise httpx2.ConnectError(str(error)) from error
        self._addresses[host, port] = connection.address
        return connection


class _Target(NamedTuple):
    origin: tuple[str, str, int]
    """Scheme, host, port."""
    head: bytes
    """Of a request, up to the number of the body's bytes."""


def _target(url: str, headers: Mapping[str, str], tls: ssl.SSLContext) -> _Target:
    """Let httpx2 say where a request goes and what stands above it.

    Raises:
        httpx2.HTTPError: There is no such address, or a header cannot be sent.
    """
    usual = httpx2.AsyncClient(headers=headers, trust_env=False, verify=tls)
    request = usual.build_request("POST", url, headers={"Content-Type": "application/json"})
    address = request.url
    if address.scheme not in ("http", "https") or not address.host:
        raise httpx2.UnsupportedProtocol("it is no http:// or https:// address")
    named = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
    try:
        sent = h11.Connection(h11.CLIENT).send(h11.Request(method="POST", target=address.raw_path, headers=named))
    except h11.LocalProtocolError as error:
        raise httpx2.LocalProtocolError(str(error)) from error
    port = address.port or (443 if address.scheme == "https" else 80)
    origin = (address.scheme, address.raw_host.decode("ascii"), port)
    return _Target(origin, bytes(sent or b"").removesuffix(b"\r\n") + b"Content-Length: ")


class Exchange:
    """One request and its reply."""

    def __init__(self, connections: Connections, url: str, content: bytes) -> None:
        self._connections, self._url, self._content = connections, url, content
        self._connection: _Connection
        self._frames: Frames
        self._came = b""
        """Of the body, what came together with its head."""
        self._head: h11.Response
        self._names: dict[bytes, bytes] = {}
        """Of its headers, those that stand there once."""
        self.status_code = 0

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the reply, by name in lower case."""
        return {name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers}

    async def __aenter__(self) -> Self:
        target = self._connections.target(self._url)
        try:
            await self._send(target)
        except (httpx2.RemoteProtocolError, httpx2.ReadError) as error:
            if not self._connection.is_kept or self._connection.has_come:
                raise
            # The server closed a kept connection before it read this: llama-server does so after every stream, and
            # says the contrary. So it is sent once more, and from now on no connection is kept.
            self._connections.keeps = False
            try:
                await self._send(target)
            except httpx2.ConnectError:
                raise httpx2.RemoteProtocolError(str(error)) from error
        return self

    async def _send(self, target: _Target) -> None:
        self._connection = await self._connections.taken(target)
        try:
            self._connection.send(b"%b%d\r\n\r\n%b" % (target.head, len(self._content), self._content))
            await self._read_head()
        except BaseException:
            self._connections.dropped(self._connection)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reusable = False
        try:
            if error is None:
                reusable = await self._reaches_its_end()
        finally:
            (self._connections.given_back if reusable else self._connections.dropped)(self._connection)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body in pieces as they come, unpacked."""
        if self._names.get(b"content-encoding", b"identity") != b"identity":
            unpacked = httpx2.Response(self.status_code, headers=self._head.headers, stream=_Packed(self))
            async for piece in unpacked.aiter_bytes():
                yield piece
            return
        while piece := await self.read():
            yield piece

    async def read(self) -> bytes:
        """Return the next piece of the body as it was sent; nothing at its end."""
        while not self._frames.ended:
            data, self._came = self._came or await self._connection.read(), b""
            if not data:
                self._frames.close()
            elif piece := self._frames.feed(data):
                return piece
        return b""

    async def _read_head(self) -> None:
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        parser.send(_ASKED)
        parser.send(_NO_MORE)
        try:
            event: object = h11.NEED_DATA
            while event is h11.NEED_DATA or isinstance(event, h11.InformationalResponse):
                if event is h11.NEED_DATA:
                    if not (data := await self._connection.read()):
                        raise httpx2.RemoteProtocolError("the server closed the connection without a reply")
                    parser.receive_data(data)
                event = parser.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error
        assert isinstance(event, h11.Response)  # noqa: S101 - nothing else begins a reply
        self._head, self.status_code, self._names = event, event.status_code, dict(event.headers)
        self._frames = frames_of(self.status_code, self._names)
        self._came, _ = parser.trailing_data

    async def _reaches_its_end(self) -> bool:
        """Whether the connection can be used again: the transfer has ended, or does so at once."""
        if not self._connections.keeps or not self._stays_open():
            return False
        if not self._frames.ended and self._connections.late < _OFTEN_LATE:
            try:
                async with asyncio.timeout(_LATE_S):
                    more = await self.read()
            except (TimeoutError, httpx2.HTTPError):
                more = b""
            self._connections.late = 0 if more or self._frames.ended else self._connections.late + 1
        return self._frames.ended and not self._frames.spare and not self._came

    def _stays_open(self) -> bool:
        said = self._names.get(b"connection", b"").lower()
        return self._head.http_version == b"1.1" and b"close" not in said


_ASKED = h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Content-Length", "0")])
_NO_MORE = h11.EndOfMessage()
"""What h11 wants to have seen before it reads a head."""


class _Packed(httpx2.AsyncByteStream):
    """A body that httpx2 is to unpack."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._exchange.read():
            yield piece


class _Connection(asyncio.Protocol):
    """One connection: what has come of it, and for how long nothing has."""

    def __init__(self, origin: tuple[str, str, int], loop: asyncio.AbstractEventLoop, silence: float) -> None:
        self.origin, self.idle_since = origin, 0.0
        self.has_come = False
        """Whether anything has come since the last request."""
        self._loop, self._silence = loop, silence
        self._unread = b""
        self._ended = self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._waits_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    @property
    def address(self) -> str:
        """Return the address at the other end."""
        return str(self._transport.get_extra_info("peername")[0])

    @property
    def is_kept(self) -> bool:
        """Whether a request was answered on it before."""
        return self.idle_since > 0

    def is_usable(self, now: float) -> bool:
        """Whether another request can be sent on it."""
        return not self._ended and not self._unread and now - self.idle_since < _IDLE_S

    def send(self, data: bytes) -> None:
        """Send, as fast as the server takes it."""
        self.has_come = False
        self._transport.write(data)

    async def read(self) -> bytes:
        """Return what has come, or comes next; nothing once the server has closed.

        Raises:
            httpx2.ReadTimeout: Nothing has come for too long.
            httpx2.ReadError: The connection broke.
        """
        if not self._unread and not self._ended:
            self._waiter, self._waits_since = self._loop.create_future(), self._loop.time()
            if self._timer is None:
                self._timer = self._loop.call_later(self._silence, self._look)
            try:
                await self._waiter
            finally:
                self._waiter = None
        data, self._unread = self._unread, b""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if not data and self._error is not None:
            raise httpx2.ReadError(str(self._error)) from self._error
        return data

    def close(self) -> None:
        """Close it at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take in that it is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self.has_come = True
        self._unread = self._unread + data if self._unread else data
        if len(self._unread) > _UNREAD_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Take in that nothing more comes."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take in that it is closed."""
        self._ended, self._error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        """See for how long nothing has come: one timer does for all the pieces of a reply."""
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        left = self._waits_since + self._silence - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._waiter.set_exception(httpx2.ReadTimeout(f"nothing came for {self._silence:g} s"))
