"""The wire of the fake server: HTTP read and written with asyncio alone, whole or in pieces, sound or broken."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from servers.fake.reply import Reply
from servers.fake.spec import Answer, Call, Dialect


async def read(reader: asyncio.StreamReader) -> Call:
    """Read one request."""
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = target.partition("?")
    return Call(method, path, headers, json.loads(raw) if raw else None, query)


async def send_answer(writer: asyncio.StreamWriter, dialect: Dialect, answer: Answer) -> None:
    """Send a page."""
    text = isinstance(answer.body, str)
    content = answer.body.encode() if text else json.dumps(answer.body).encode()
    content_type = answer.content_type or ("text/plain; charset=utf-8" if text else "application/json")
    # Python's http.server sends a length with replies only, and ends a page by closing the connection.
    length = [f"Content-Length: {len(content)}"] if dialect.http == "1.1" else []
    writer.write(_head(dialect, answer.status, content_type, length) + content)
    await writer.drain()


async def send_whole(
    writer: asyncio.StreamWriter,
    dialect: Dialect,
    body: Any,  # noqa: ANN401 - JSON
    reply: Reply,
    *,
    status: int = 200,
) -> None:
    """Send a reply, or an error in its place, with the faults it is scripted with."""
    content = b"<html>Bad gateway</html>" if reply.fault == "garbage" else json.dumps(body).encode()
    if dialect.padded and status == 200:
        await _send_padded(writer, dialect, content, reply)
        return
    middle = len(content) // 2
    length = [f"Content-Length: {len(content)}"]
    writer.write(_head(dialect, status, "application/json", length, reply.headers))
    writer.write(content[:middle])
    await writer.drain()
    if reply.fault == "drop":
        writer.close()  # the rest that Content-Length promises never comes
        return
    if reply.fault == "stall":
        await asyncio.sleep(reply.stall)
    writer.write(content[middle:])
    await writer.drain()


async def _send_padded(writer: asyncio.StreamWriter, dialect: Dialect, content: bytes, reply: Reply) -> None:
    chunked = ["Transfer-Encoding: chunked"]
    writer.write(_head(dialect, 200, "application/json", chunked, reply.headers) + _chunk(b" "))
    await writer.drain()
    if reply.fault in ("drop", "error"):
        return  # nothing but the space, and no last chunk
    if reply.fault == "stall":
        await asyncio.sleep(reply.stall)
    writer.write(_chunk(b" ") + _chunk(content) + b"0\r\n\r\n")
    await writer.drain()


async def send_stream(
    writer: asyncio.StreamWriter, dialect: Dialect, parts: list[Any], reply: Reply, *, lines: bool
) -> None:
    """Send a stream, each write a chunk of its own and flushed before the next, so that the reader sees the seams."""
    content_type = "application/x-ndjson" if lines else "text/event-stream"
    chunked = dialect.http == "1.1"
    framing = ["Transfer-Encoding: chunked"] if chunked else []
    writer.write(_head(dialect, 200, content_type, framing, reply.headers))
    async for event in _events(dialect.opening, parts, reply, lines=lines):
        for raw in [event[i : i + 1] for i in range(len(event))] if reply.split_bytes else [event]:
            writer.write(_chunk(raw) if chunked else raw)
            await writer.drain()
    if chunked and reply.fault != "drop":  # without the last chunk the reader knows that the stream was broken
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _events(opening: str, parts: list[Any], reply: Reply, *, lines: bool) -> AsyncIterator[bytes]:
    end = b"\r\n" if reply.crlf else b"\n"
    before, after = (b"", end) if lines else (b"data: ", end * 2)
    middle = (len(parts) + 1) // 2
    if opening:
        yield opening.encode()
    for number, part in enumerate(parts):
        if number == middle and reply.fault == "drop":
            return
        if number == middle and reply.fault == "stall":
            await asyncio.sleep(reply.stall)
        if reply.keepalive is not None and not lines:
            yield b": " + reply.keepalive.encode() + end * 2
        broken = number == middle and reply.fault == "garbage"
        yield before + (b"{not json" if broken else json.dumps(part, ensure_ascii=False).encode()) + after
        await asyncio.sleep(reply.pause)
    if reply.fault != "cut" and not lines:
        yield b"data: [DONE]" + after


def _chunk(raw: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(raw), raw)


def _head(
    dialect: Dialect, status: int, content_type: str, framing: list[str], further: Mapping[str, str] | None = None
) -> bytes:
    lines = [f"HTTP/{dialect.http} {status} {HTTPStatus(status).phrase}", f"Content-Type: {content_type}", *framing]
    if dialect.http == "1.1":
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in {**dialect.headers, **(further or {})}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
