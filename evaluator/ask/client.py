"""Ask one question once, over HTTP: an Answer or a Failure comes back, never an exception."""

import time
from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec
from msgspec.structs import replace

from evaluator.ask.events import events
from evaluator.ask.reply import OnToken, Partial, decode, finish, refusal, take
from evaluator.ask.retry_after import retry_after
from evaluator.records import Answer, Failure, FailureKind
from servers.http import tls, trusts_environment
from servers.secrets import hide, reveal


def connect(
    base_url: str, *, concurrency: int, silence: float, headers: Mapping[str, str] | None = None
) -> httpx2.AsyncClient:
    """Open a client for one server: `silence` is how many seconds may pass without a byte."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(silence, connect=10.0, pool=None),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        headers=headers,
        trust_env=trusts_environment(base_url),
        verify=tls(),
    )


async def ask_once(
    http: httpx2.AsyncClient, url: str, body: dict[str, Any], on_token: OnToken = lambda: None
) -> Answer | Failure:
    """Send one request and read its reply, streamed if the body asks for a stream; the key is hidden in it."""
    outcome = await _asked(http, url, reveal(body, http.headers), on_token)
    return hide(outcome, http.headers, cut=isinstance(outcome, Failure))


async def _asked(http: httpx2.AsyncClient, url: str, body: dict[str, Any], on_token: OnToken) -> Answer | Failure:
    partial = Partial(started=time.perf_counter(), streams=bool(body.get("stream")), on_token=on_token)
    try:
        async with http.stream("POST", url, json=body) as response:
            if response.status_code != httpx2.codes.OK:
                refused = refusal(response.status_code, await response.aread())
                return replace(refused, retry_after=retry_after(response.headers, time.time()))
            if not partial.streams:
                failure = _take_whole(partial, await response.aread())
            else:
                failure = await _take_stream(partial, response)
    except httpx2.HTTPError as error:
        return failure_of(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Failure(kind="garbled", message=f"the reply is not the expected JSON: {error}")
    return failure or finish(partial)


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


def _take_whole(partial: Partial, content: bytes) -> Failure | None:
    # oMLX sends blanks while it works and has said 200 by then: when generation fails, nothing more comes.
    if not content.strip():
        return Failure(kind="dropped", message="the reply ended before it was complete")
    partial.ended = True
    return take(partial, decode(content))


async def _take_stream(partial: Partial, response: httpx2.Response) -> Failure | None:
    async for data in events(response.aiter_bytes()):
        if data == b"[DONE]":
            partial.ended = True
            return None
        if failure := take(partial, decode(data)):
            return failure
    partial.ended = partial.finish_reason is not None
    return None
