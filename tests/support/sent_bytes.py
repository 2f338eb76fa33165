"""Ask a server that sends exactly these bytes, in exactly these pieces."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx2

from evaluator.ask import client
from evaluator.records import Answer, Failure

ADDRESS = "http://server.test/v1"


class _Pieces(httpx2.AsyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def transport(
    *pieces: bytes | Iterable[bytes], status: int = 200, headers: Mapping[str, str] = {}
) -> httpx2.MockTransport:
    """Make a network of one server that sends these pieces, whatever it is asked; or one endless row of them."""
    sent = pieces if all(isinstance(piece, bytes) for piece in pieces) else pieces[0]
    return httpx2.MockTransport(lambda _: httpx2.Response(status, headers=headers, stream=_Pieces(sent)))  # type: ignore[arg-type]


def outcome_of(
    *pieces: bytes | Iterable[bytes],
    status: int = 200,
    stream: bool = True,
    limit: int | None = 512,
    headers: Mapping[str, str] = {},
) -> Answer | Failure:
    """Ask once, and be sent these pieces."""
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    body |= {} if limit is None else {"max_tokens": limit}

    async def ask() -> Answer | Failure:
        async with httpx2.AsyncClient(transport=transport(*pieces, status=status, headers=headers)) as http:
            return await client.ask_once(http, f"{ADDRESS}/chat/completions", body)

    return asyncio.run(ask())


def answer_of(*pieces: bytes | Iterable[bytes], **options: Any) -> Answer:
    """Ask once, and get an answer."""
    outcome = outcome_of(*pieces, **options)
    assert isinstance(outcome, Answer), outcome
    return outcome


def failure_of(*pieces: bytes | Iterable[bytes], **options: Any) -> Failure:
    """Ask once, and get none."""
    outcome = outcome_of(*pieces, **options)
    assert isinstance(outcome, Failure), outcome
    return outcome


def event(body: object) -> bytes:
    """Write one event."""
    return b"data: " + (body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n\n"


def chunk(delta: Any = None, reason: Any = None, /, **more: Any) -> dict[str, Any]:
    """Make one chunk of a stream; a text in place of the delta is its content."""
    delta = {"content": delta} if isinstance(delta, str) else delta or {}
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason, **more}]}


def stream(*texts: str, reason: Any = "stop") -> bytes:
    """Write a whole stream of texts."""
    return b"".join(event(chunk(text)) for text in texts) + event(chunk({}, reason)) + DONE


DONE = b"data: [DONE]\n\n"
