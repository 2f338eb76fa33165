"""A server that answers every question at once with the same reply, as a process of its own, to measure clients with.

python -m tests.bench.instant_server [--chunks N] [--frames one|each|apart] [--http10] [--port PORT]

Prints its address, `http://127.0.0.1:PORT/v1`, and serves until it is ended. `POST` of anything gets a chat completion,
streamed where the request asks for a stream; `GET /v1/models` gets a list of one model, `instant`.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ANSWER = "The answer is (A)."
_WORD = "word "
_PAUSE_S = 0.004
"""Between two events that come apart."""
_TIMINGS = {"prompt_n": 1500, "prompt_ms": 1.0, "predicted_n": 300, "predicted_ms": 1.0, "predicted_per_second": 1.0}


def text_of(chunks: int) -> str:
    """Give the text of the reply; the answer comes in the last of the chunks."""
    return _WORD * (chunks - 1) + ANSWER


def _usage(chunks: int) -> dict[str, Any]:
    return {"prompt_tokens": 1500, "completion_tokens": chunks, "total_tokens": 1500 + chunks}


def _head(kind: str, more: str, *, http10: bool) -> bytes:
    version = "1.0" if http10 else "1.1"
    return f"HTTP/{version} 200 OK\r\nContent-Type: {kind}\r\nServer: instant\r\n{more}\r\n\r\n".encode()


def whole(chunks: int, *, http10: bool = False) -> bytes:
    """Write a reply that is not streamed, with its head."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text_of(chunks)}, "finish_reason": "stop"}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "instant", "choices": [choice]}
    sent = json.dumps({**body, "usage": _usage(chunks), "timings": _TIMINGS}).encode()
    return _head("application/json", f"Content-Length: {len(sent)}", http10=http10) + sent


def events(chunks: int) -> list[bytes]:
    """Write the events of a streamed reply, as llama-server does."""
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "instant"}
    texts = [*[_WORD] * (chunks - 1), ANSWER]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}, *({"content": text} for text in texts), {}]
    reasons = [*[None] * (len(deltas) - 1), "stop"]
    sent: list[dict[str, Any]] = [
        {"choices": [{"finish_reason": reason, "index": 0, "delta": delta}], **about}
        for delta, reason in zip(deltas, reasons, strict=True)
    ]
    sent.append({"choices": [], **about, "usage": _usage(chunks), "timings": _TIMINGS})
    return [b"data: " + json.dumps(one, separators=(",", ":")).encode() + b"\n\n" for one in sent] + [
        b"data: [DONE]\n\n"
    ]


def stream(chunks: int, frames: str = "one", *, http10: bool = False) -> bytes:
    """Write a streamed reply, with its head: all events in one frame of the transfer, or a frame for each."""
    if http10:
        return _head("text/event-stream", "Connection: close", http10=True) + b"".join(events(chunks))
    framed = [b"".join(events(chunks))] if frames == "one" else events(chunks)
    body = b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in framed)
    return _head("text/event-stream", "Transfer-Encoding: chunked", http10=False) + body + b"0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self, whole: bytes, stream: bytes, *, closes: bool, apart: bool) -> None:
        self._whole, self._stream, self._closes, self._apart = whole, stream, closes, apart
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            head = self._got[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self._got) < end + 4 + size:
                return
            body, self._got = self._got[end + 4 : end + 4 + size], self._got[end + 4 + size :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            listed = json.dumps({"object": "list", "data": [{"id": "instant", "object": "model"}]}).encode()
            found = listed if b"/models " in head else b"{}"
            self._transport.write(_head("application/json", f"Content-Length: {len(found)}", http10=False) + found)
            return
        streams = b'"stream":true' in body or b'"stream": true' in body
        if streams and self._apart:
            self._send_apart(self._stream.split(b"\n\n"), 0)
            return
        self._transport.write(self._stream if streams else self._whole)
        if self._closes:
            self._transport.close()

    def _send_apart(self, parts: list[bytes], at: int) -> None:
        """Send one event, and a few milliseconds later the next, as a model does that works at several replies."""
        end = b"\n\n" if at + 1 < len(parts) else b""
        self._transport.write(parts[at] + end)
        if end:
            asyncio.get_running_loop().call_later(_PAUSE_S, self._send_apart, parts, at + 1)


async def serve(port: int, chunks: int, frames: str, *, http10: bool) -> None:
    """Serve for ever; the address is printed once requests can be sent."""
    sent = whole(chunks, http10=http10), stream(chunks, frames, http10=http10)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(*sent, closes=http10, apart=frames == "apart"), "127.0.0.1", port, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Run it with these options, as typed; give its address."""
    command = [sys.executable, "-m", "tests.bench.instant_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=1, help="pieces of text in a streamed reply")
    parser.add_argument("--frames", choices=("one", "each", "apart"), default="one", help="how a streamed reply is cut")
    parser.add_argument("--http10", action="store_true", help="close after each reply, as mlx_lm.server does")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.port, options.chunks, options.frames, http10=options.http10))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
