"""Ask one question once, over HTTP: an Answer or a Failure comes back, never an exception."""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import getproxies

import httpx2
import msgspec
from msgspec.structs import replace

from evaluator.ask.bounds import bounds_of
from evaluator.ask.connections import Connections, Reply, through_httpx2
from evaluator.ask.events import DONE, Event, Events
from evaluator.ask.partial import Partial, beginning, finish, take, too_long, too_much
from evaluator.ask.reply import OnToken
from evaluator.ask.retry_after import retry_after
from evaluator.ask.server_errors import after_200, excerpt, refusal
from evaluator.ask.usual import take_usual
from evaluator.records import Answer, Failure, FailureKind, limit_of
from servers.http import tls, trusts_environment
from servers.secrets import hide, reveal

Http = Connections | httpx2.AsyncClient
"""What requests go through: httpx2 itself where the environment names a proxy."""
ERROR_BYTES = 256 << 10
"""Of an error's body: what it says stands at its beginning."""


def connect(base_url: str, *, concurrency: int, silence: float, headers: Mapping[str, str] | None = None) -> Http:
    """Open a client for one server: `silence` is how many seconds may pass without a byte."""
    if not (trusts_environment(base_url) and getproxies()):
        return Connections(silence=silence, headers=headers or {}, tls=tls())
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(silence, connect=10.0, pool=None),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        headers=headers,
        trust_env=True,
        verify=tls(),
    )


async def ask_once(
    http: Http,
    url: str,
    body: dict[str, Any],
    on_token: OnToken = lambda: None,
    *,
    stop: tuple[str, ...] = (),
) -> Answer | Failure:
    """Send one request and read its reply, streamed if the body asks for a stream; the key is hidden in it.

    The reply is ended at the first of the texts `stop`, where the body does not hold such texts for the server.
    """
    outcome = await _asked(http, url, reveal(body, http.headers), on_token, () if sent_stop(body) else stop)
    return hide(outcome, http.headers, cut=isinstance(outcome, Failure))


async def _asked(
    http: Http, url: str, body: dict[str, Any], on_token: OnToken, stop: tuple[str, ...]
) -> Answer | Failure:
    limit = limit_of(body)
    partial = Partial(
        started=time.perf_counter(),
        streams=bool(body.get("stream")),
        on_token=on_token,
        bounds=bounds_of(limit),
        limit=limit,
        stop=stop,
    )
    content = msgspec.json.encode(body)
    sending = http.post(url, content) if isinstance(http, Connections) else through_httpx2(http, url, content)
    try:
        async with sending as reply:
            if reply.status_code != httpx2.codes.OK:
                refused = refusal(reply.status_code, (await read_beginning(reply, ERROR_BYTES))[:ERROR_BYTES])
                return replace(refused, retry_after=retry_after(reply.headers, time.time()))
            failure = await (_take_stream if partial.streams else _take_whole)(partial, reply)
            outcome = failure or finish(partial)
    except httpx2.HTTPError as error:
        outcome = failure_of(error)
    return outcome if isinstance(outcome, Answer) else replace(outcome, text=beginning(partial))


def sent_stop(body: dict[str, Any]) -> bool:
    """Whether a request tells the server at which texts to end its reply; Ollama has its own place for them."""
    options = body.get("options")
    return "stop" in body or (isinstance(options, dict) and "stop" in options)


def failure_of(error: httpx2.HTTPError) -> Failure:
    """Translate the HTTP library's exceptions into the closed set of failure kinds."""
    kinds: list[tuple[type[httpx2.HTTPError], FailureKind]] = [
        (httpx2.ConnectError, "unreachable"),
        (httpx2.ConnectTimeout, "unreachable"),
        (httpx2.TimeoutException, "timeout"),
        (httpx2.NetworkError, "dropped"),
        (httpx2.RemoteProtocolError, "dropped"),
    ]
    kind: FailureKind = next((kind for error_type, kind in kinds if isinstance(error, error_type)), "garbled")
    return Failure(kind=kind, message=f"{type(error).__name__}: {error}".removesuffix(": "))


async def _take_whole(partial: Partial, reply: Reply) -> Failure | None:
    content = await read_beginning(reply, partial.bounds.held)
    if len(content) > partial.bounds.held:
        return too_much(partial.bounds.held)
    # oMLX sends blanks while it works and has said 200 by then: when generation fails, nothing more comes.
    if not content.strip():
        return None
    partial.ended = True
    return take(partial, content)


async def read_beginning(reply: Reply, enough: int) -> bytes:
    """Read a body; of one that is larger than so many bytes not much more."""
    pieces, size = [], 0
    async for piece in reply.pieces():
        pieces.append(piece)
        size += len(piece)
        if size > enough:
            break
    return b"".join(pieces)


async def _take_stream(partial: Partial, reply: Reply) -> Failure | None:
    events, size, bounds = Events(), 0, partial.bounds
    async for piece in reply.pieces():
        size += len(piece)
        if size > bounds.sent or events.held > bounds.held:
            return too_much(bounds.sent if size > bounds.sent else bounds.held)
        unread = take_usual(partial, piece) if events.is_between else piece
        if len(unread) < len(piece):
            events.has_begun = True
            if failure := too_long(partial):
                return failure
        if unread and (failure := _take_events(partial, events.feed(unread))):
            return failure
        if partial.ended:
            return None
    for rest in (*events.end(), (events.loose, False)):
        if failure := _take_rest(partial, rest):
            return failure
    return None


def _take_events(partial: Partial, events: Iterable[Event]) -> Failure | None:
    for data, is_failure in events:
        if data == DONE:
            partial.ended = True
            break
        if failure := after_200(data) if is_failure else take(partial, data):
            return failure
    return None


def _take_rest(partial: Partial, event: Event) -> Failure | None:
    """Take what stands at a stream's end: a last event, perhaps cut; a whole reply; a page; a program's last words."""
    something_came = partial.pieces > 0 or partial.reason is not None
    failure = _take_events(partial, [event]) if event[0] else None
    if failure is None or failure.kind != "garbled" or not something_came:
        return failure
    if partial.reason is not None:
        return None
    return Failure(kind="dropped", message=f"the reply ended before it was complete, with: {excerpt(event[0])}")
