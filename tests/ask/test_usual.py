"""Usual chunks are read many at once, and everything comes out as if each were read by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.ask import usual
from evaluator.records import Answer, Failure
from tests.support.sent_bytes import DONE, event, outcome_of

BASE: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(delta: dict[str, Any], reason: Any = None, **more: Any) -> bytes:
    return event({**BASE, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more})


TEXTS = st.text(max_size=8) | st.sampled_from(["}\n\ndata: {", "[DONE]", '"usage":{', "\u2028", "é"])
DELTAS = st.fixed_dictionaries(
    {}, optional={"content": st.none() | TEXTS, "reasoning_content": st.none() | TEXTS, "reasoning": TEXTS}
)
ODD = st.sampled_from(
    [
        *(chunk({"content": "x"}, model="other"), chunk({"content": "x"}, model="keepalive")),
        *(chunk({"content": [{"type": "text", "text": "part"}]}), chunk({"content": "x"}, error={"message": "no"})),
        *(chunk({"content": "x"}, "stop"), chunk({}, "length"), chunk({}, "error"), chunk({"refusal": "no"})),
        *(b": comment\n\n", b"event: error\n", b"data: {\n\n", b"data: \n\n", b"\n", b"junk\n", b"data: [1]\n\n"),
        b'data: {"id":"x"\n\ndata: "model":"m"}\n\n',
        chunk({"content": "x"})[:-1],
        event({**BASE, "choices": []}),
        event({**BASE, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        b'data: {"choices":[{"index":0,"delta":{"content":"a"}}\n\ndata: {"index":0,"delta":{"content":"b"}}]}\n\n',
        chunk({"content": "x"}).replace(b"\n", b"\r\n"),
        *(
            b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}],"object":"chat.completion.chunk"}\n\n',
            b"\xef\xbb\xbf",
        ),
    ]
)
STREAMS = st.lists(DELTAS.map(chunk) | DELTAS.map(chunk) | ODD, max_size=12)


def untimed(outcome: Answer | Failure) -> Any:
    if isinstance(outcome, Failure):
        return outcome
    return replace(outcome, duration_s=0.0, first_token_s=None if outcome.first_token_s is None else 0.0)


def both_ways(pieces: list[bytes], limit: int = 512) -> tuple[Any, Any]:
    quick = untimed(outcome_of(*pieces, limit=limit))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usual, "_MISSES", 0)
        return quick, untimed(outcome_of(*pieces, limit=limit))


@given(events=STREAMS, ends=st.booleans(), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_a_stream_is_read_as_if_each_chunk_were_read_by_itself(
    events: list[bytes], ends: bool, cuts: list[int]
) -> None:
    whole = b"".join([*events, *([chunk({}, "stop"), DONE] if ends else [])])
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})

    quick, careful = both_ways([whole[a:b] for a, b in pairwise(places)])

    assert quick == careful


@contextmanager
def decoded() -> Iterator[list[bytes]]:
    """Note what is decoded at once."""
    seen: list[bytes] = []
    decode = usual._decode

    def noted(data: bytes) -> Any:
        seen.append(data)
        return decode(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usual, "_decode", noted)
        yield seen


def test_many_chunks_are_decoded_at_once() -> None:
    with decoded() as seen:
        outcome = outcome_of(b"".join([chunk({"content": "word "})] * 300 + [chunk({}, "stop"), DONE]))

    assert isinstance(outcome, Answer)
    assert outcome.text == "word " * 300
    assert [len(json.loads(data)) for data in seen] == [300]


def test_a_text_beyond_its_bounds_is_refused_here_too() -> None:
    pieces = [b"".join([chunk({"content": "word word word word "})] * 1000)] * 5 + [chunk({}, "stop") + DONE]

    quick, careful = both_ways(pieces, limit=9)

    assert quick.kind == careful.kind == "too_long"


def test_a_server_of_another_form_is_soon_read_carefully_only() -> None:
    with decoded() as tries:
        outcome = outcome_of(*[chunk({"content": "word "}, own=1)] * 300, chunk({}, "stop"), DONE)

    assert isinstance(outcome, Answer)
    assert outcome.text == "word " * 300
    assert len(tries) == usual._MISSES
