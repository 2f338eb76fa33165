"""A reply has bounds: a server that never stops, or sends gigabytes, costs neither the evening nor the memory."""

import asyncio
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask import client
from evaluator.ask.bounds import bounds_of
from evaluator.ask.retry import TRANSIENT
from evaluator.records import Answer, Failure
from servers.http import HttpReply, connect, fetch, fetch_with
from tests.support.sent_bytes import DONE, answer_of, chunk, event, failure_of, outcome_of, transport

END = (event(chunk({}, "stop")), DONE)
MB = 1 << 20


class Endless:
    """The same piece, for as long as anybody reads."""

    def __init__(self, piece: bytes) -> None:
        self.piece, self.read = piece, 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.read += len(self.piece)
            yield self.piece


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning", "thinking"])
def test_a_server_that_does_not_stop_is_stopped(field: str) -> None:
    endless = Endless(event(chunk({field: "hmm " * 5})))

    failure = failure_of(endless)

    assert (failure.kind, failure.message[:49]) == ("too_long", "the server did not stop at max_tokens (512): 6,14")
    assert failure.text.startswith("hmm hmm")
    assert len(failure.text) <= 2000
    assert endless.read < 2 * MB
    assert failure.kind not in TRANSIENT  # it would do the same again


@pytest.mark.parametrize(
    ("piece", "says"),
    [
        pytest.param(event(chunk("a" * 65_000)), "more than 16 MB", id="large events"),
        pytest.param(b"data: " + b"a" * 65_000, "more than 16 MB", id="one event"),
        pytest.param(
            b"data: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12\n" * 2000, "more than 18 MB", id="one event of many lines"
        ),
        pytest.param(b": busy\n\n" + b":" * 8000 + b"\n", "more than 18 MB", id="comments"),
        pytest.param(b"x" * 65_000, "more than 16 MB", id="no event at all"),
        pytest.param(b"<p>" * 10_000 + b"\n", "more than 16 MB", id="a page"),
        pytest.param(event({"choices": [], "x": "y" * 2000}) * 30, "more than 18 MB", id="chunks without text"),
        pytest.param(event(chunk({"refusal": "no" * 1000})) * 30, "more than 18 MB", id="refusals"),
        pytest.param(event(chunk("a", "stop")) + event(chunk("a")) * 2000, "max_tokens", id="text after the end"),
    ],
)
def test_a_stream_without_an_end_is_cut_off(piece: bytes, says: str) -> None:
    endless = Endless(piece)

    failure = failure_of(endless)

    assert failure.kind == "too_long"
    assert says in failure.message
    assert endless.read < 20 * MB


@pytest.mark.parametrize("piece", [b"a" * 65_536, b" " * 65_536, b"[" * 65_536], ids=["letters", "blanks", "lists"])
def test_a_whole_reply_without_an_end_is_cut_off(piece: bytes) -> None:
    endless = Endless(piece)

    assert failure_of(endless, stream=False).kind == "too_long"
    assert endless.read < 18 * MB


@pytest.mark.parametrize("status", [400, 429, 500])
def test_of_an_errors_body_only_the_beginning_is_read(status: int) -> None:
    endless = Endless(b"out of memory " * 1000)

    failure = failure_of(endless, status=status)

    assert failure.status == status
    assert failure.message.startswith(f"HTTP {status}: out of memory out of")
    assert endless.read < MB


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("streamed", [True, False])
def test_what_is_packed_counts_unpacked(status: int, streamed: bool) -> None:
    packed = zlib.compress(b"data: " + b"a" * (64 * MB))

    failure = failure_of(packed, status=status, stream=streamed, headers={"Content-Encoding": "deflate"})

    assert failure.kind == ("too_long" if status == 200 else "server_error")


@pytest.mark.parametrize(
    ("texts", "limit"),
    [
        pytest.param(["word"] * 3000, 512, id="a limit that is not kept"),
        pytest.param(["w"] * 9000, 512, id="letter by letter"),
        pytest.param(["word" * 1000] * 250, 9, id="many tokens in a piece"),
        pytest.param(["word" * 250_000], 9, id="all in one piece"),
        pytest.param([" " * 128] * 4096, 4096, id="the longest tokens"),
        pytest.param(["word"] * 20_000, -1, id="no limit"),
        pytest.param(["word"] * 20_000, None, id="none named"),
    ],
)
def test_the_bounds_are_generous(texts: list[str], limit: int | None) -> None:
    answer = answer_of(*(event(chunk(text)) for text in texts), *END, limit=limit)

    assert answer.text == "".join(texts)


@given(limit=st.none() | st.integers(-1, 1 << 20))
def test_no_reply_within_its_limit_is_beyond_its_bounds(limit: int | None) -> None:
    """A token a chunk, a chunk of 1 KB, sixteen characters a token, twice the tokens that were allowed."""
    bounds, tokens = bounds_of(limit), 2 * max(limit or 0, 0)

    assert bounds.sent > 1000 * tokens
    assert bounds.held > 16 * tokens
    assert bounds.pieces > tokens


async def sent_raw(sent: bytes, ask: Any) -> Any:
    """Ask a server that sends these bytes, whatever it is asked, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")


async def asked(url: str) -> Answer | Failure:
    async with client.connect(url, concurrency=1, silence=5) as http:
        return await client.ask_once(http, url, {"messages": [], "stream": True, "max_tokens": 9})


RAW = st.binary(max_size=80) | st.builds(
    lambda status, names, body: b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, b"".join(names), body),
    status=st.sampled_from([100, 101, 200, 200, 200, 204, 301, 302, 307, 429, 500, 999]),
    names=st.lists(
        st.sampled_from(
            [
                *(
                    b"Content-Length: 5\r\n",
                    b"Content-Length: x\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"A: \xff\r\n",
                ),
                *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: br, x\r\n", b"Content-Type: a; charset=x\r\n"),
                *(b"Location: http://[\r\n", b"Location: //\xff\r\n", b"Set-Cookie: =;\r\n", b"Retry-After: \xff\r\n"),
            ]
        ),
        max_size=4,
    ),
    body=st.binary(max_size=40) | st.just(b"5\r\nhello\r\n0\r\n\r\n"),
)


@given(sent=RAW)
@settings(deadline=None, max_examples=60)
def test_whatever_stands_on_the_wire_becomes_an_answer_or_a_failure(sent: bytes) -> None:
    outcome = asyncio.run(sent_raw(sent, asked))

    assert isinstance(outcome, Failure)
    assert outcome.message


@given(sent=RAW)
@settings(deadline=None, max_examples=40)
def test_whatever_stands_on_the_wire_a_page_is_a_reply(sent: bytes) -> None:
    assert isinstance(asyncio.run(sent_raw(sent, fetch)), HttpReply)


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        *((b"{}", {}), (b"\xff", None), (b"[" * 100_000, None), (b"NaN", None), (b"9" * 9000, None), (b"", None)),
        *((b'{"a": "\\ud83d"}', None), (json.dumps({"a": "b"}).encode(), {"a": "b"})),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_page_of_any_bytes(body: bytes, decoded: Any) -> None:
    async def page() -> HttpReply:
        async with connect("http://server.test") as http:
            http._transport = transport(body)
            return await fetch_with(http, "http://server.test/props", seconds=5)

    assert asyncio.run(page()).body == decoded


def test_an_answer_may_come_as_one_that_was_packed() -> None:
    packed = zlib.compress(event(chunk("(C)")) + b"".join(END))
    assert isinstance(outcome_of(packed, headers={"Content-Encoding": "deflate"}), Answer)
