"""Server-sent events by their rules, in any cut, and what servers send beside them."""

import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask.events import Events
from tests.support.sent_bytes import DONE, answer_of, chunk, event, failure_of, stream

WORDS = ("Let us see 🤔.", " A\r\nB\u2028C\x85D ", 'data: [DONE]\n\n{"error": 1}', " The answer is (C).")
GOOD = stream(*WORDS)


def read(*pieces: bytes) -> list[bytes]:
    events = Events()
    found = [event for piece in pieces for event in events.feed(piece)]
    return [data for data, _ in [*found, *events.end()]]


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        pytest.param(b'data: {"a":1}\n\n', [b'{"a":1}'], id="one line"),
        pytest.param(b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}'], id="two lines"),
        pytest.param(b'data: {\ndata: "a":\ndata: 1\ndata: }\n\n', [b'{\n"a":\n1\n}'], id="four lines"),
        pytest.param(b'data: {"a":1}\r\rdata: {"a":2}\r\r', [b'{"a":1}', b'{"a":2}'], id="CR"),
        pytest.param(b'data: {"a":1}\r\n\r\ndata: {"a":2}\r\n\r\n', [b'{"a":1}', b'{"a":2}'], id="CR LF"),
        pytest.param(b'data: {"a":\r\ndata:1}\r\n\r\n', [b'{"a":\n1}'], id="CR LF in an event"),
        pytest.param(b'\xef\xbb\xbfdata: {"a":1}\n\n', [b'{"a":1}'], id="byte order mark"),
        pytest.param(b'data:{"a":1}\n\n', [b'{"a":1}'], id="no blank"),
        pytest.param(b'data:   {"a":1}  \n\n', [b'{"a":1}'], id="blanks"),
        pytest.param(b': hi\n\n:\n\ndata: {"a":1}\n: hi\n\n', [b'{"a":1}'], id="comments"),
        pytest.param(b'id: 1\nevent: message\nretry: 9\ndata: {"a":1}\n\n', [b'{"a":1}'], id="other fields"),
        pytest.param(b'data:\n\ndata: \n\ndata: {"a":1}\n\n', [b'{"a":1}'], id="empty"),
        pytest.param(b'data:\ndata: {"a":1}\ndata:\n\n', [b'{"a":1}'], id="empty lines in an event"),
        pytest.param(b'data: {"a":1}', [b'{"a":1}'], id="the stream ends the line"),
        pytest.param(b'data: {"a":1}\n', [b'{"a":1}'], id="the stream ends the event"),
        pytest.param(b'data: {"a":1}\ndata: {"a":2}\ndata: [DONE]\n', [b'{"a":1}', b'{"a":2}', b"[DONE]"], id="one LF"),
        pytest.param(b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}'], id="Ollama"),
        pytest.param(b'{"a":1}\r\n{"a":2}', [b'{"a":1}', b'{"a":2}'], id="Ollama, CR LF and no end"),
    ],
)
def test_a_stream_is_read_by_the_rules(sent: bytes, events: list[bytes]) -> None:
    assert read(sent) == events
    assert read(*(sent[i : i + 1] for i in range(len(sent)))) == events


def test_the_end_is_seen_without_a_blank_line_after_it() -> None:
    assert Events().feed(b"data: [DONE]\n") == [(b"[DONE]", False)]


@given(
    cuts=st.lists(st.integers(0, 2 * len(GOOD)), max_size=30),
    line_end=st.sampled_from([b"\n", b"\r", b"\r\n"]),
    mark=st.booleans(),
    lines=st.integers(1, 4),
    comment=st.sampled_from([b"", b": busy\n\n", b"event: message\nid: 7\n", b"data:\n\n", b"data: null\n\n"]),
)
@settings(deadline=None)
def test_a_good_reply_is_the_same_in_any_cut_line_ends_and_legal_form(
    cuts: list[int], line_end: bytes, mark: bool, lines: int, comment: bytes
) -> None:
    """Events may take several lines, cut where JSON may hold white space; lines may end in three ways."""
    events = []
    for data in read(GOOD):
        parts = data.decode().split(", ", lines - 1) if data.startswith(b"{") else [data.decode()]
        ends = [*(f"{part}," for part in parts[:-1]), parts[-1]]
        events.append(comment + b"".join(b"data: " + part.encode() + b"\n" for part in ends) + b"\n")
    sent = b"\xef\xbb\xbf" * mark + b"".join(events).replace(b"\n", line_end)
    places = sorted({cut % len(sent) for cut in cuts} | {0, len(sent)})

    answer = answer_of(*(sent[a:b] for a, b in itertools.pairwise(places)))

    assert (answer.text, answer.finish_reason) == ("".join(WORDS), "stop")


@pytest.mark.parametrize("size", [1 << 16, 1 << 12], ids=["64 KB", "4 KB"])
def test_a_large_event_in_small_pieces_takes_linear_time(size: int) -> None:
    sent = event(chunk("x" * (40 << 20)))
    events, started = Events(), time.process_time()

    found = [one for i in range(0, len(sent), size) for one in events.feed(sent[i : i + size])]

    assert len(found) == 1
    assert events.held == 0
    assert time.process_time() - started < 5


def test_many_lines_of_one_event_take_linear_time() -> None:
    piece, started = b"data: 1\n" * 8000, time.process_time()
    events = Events()
    for _ in range(60):
        events.feed(piece)
    assert time.process_time() - started < 10


WHOLE = {**chunk(), "choices": [{"index": 0, "message": {"content": "The answer is (C)."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(json.dumps(WHOLE).encode(), id="in one line"),
        pytest.param(json.dumps(WHOLE, indent=2).encode(), id="in several lines"),
        pytest.param(json.dumps(WHOLE, indent=0).encode(), id="not indented"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(WHOLE, indent=2).encode(), id="byte order mark"),
        pytest.param(b"data: " + json.dumps(WHOLE).encode(), id="as an event"),
    ],
)
def test_a_whole_reply_in_place_of_a_stream_is_read(sent: bytes) -> None:
    assert answer_of(sent).text == "The answer is (C)."


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param(b"data: null\n\n", id="null"),
        pytest.param(b"data: 5\n\n", id="number"),
        pytest.param(b"data: NaN\n\n", id="not a number"),
        pytest.param(b"data: true\n\n", id="true"),
        pytest.param(b"data: {}\n\n", id="empty object"),
        pytest.param(b"data:\n\n", id="nothing"),
        pytest.param(b"event: ping\ndata: {}\n\n", id="ping"),
        pytest.param(b": OPENROUTER PROCESSING\n\n", id="comment"),
        pytest.param(event({"choices": []}), id="no choices"),
        pytest.param(event({"choices": None, "message": None}), id="null fields"),
        pytest.param(event({"status": "ok", "detail": None, "error": None, "msg": ""}), id="no error"),
        pytest.param(event({"code": 200, "msg": "success"}), id="success"),
        pytest.param(event({"choices": [{"delta": None, "finish_reason": None}]}), id="null delta"),
    ],
)
def test_an_event_that_says_nothing_costs_nothing(middle: bytes) -> None:
    sent = event(chunk("The answer")) + middle + event(chunk(" is (C).", "stop")) + middle + DONE
    assert answer_of(sent).text == "The answer is (C)."


@pytest.mark.parametrize("reason", [None, "stop"], ids=["cut before the end", "cut after it"])
@pytest.mark.parametrize("rest", [b'data: {"id": "x", "usa', b'{"id": "x", "usa', b"Traceback (most", b"id"])
def test_a_stream_that_is_cut_within_an_event_is_whole_only_if_its_end_had_come(
    reason: str | None, rest: bytes
) -> None:
    sent = event(chunk("The answer is (C).", reason)) + rest
    if reason:
        assert answer_of(sent).text == "The answer is (C)."
    else:
        failure = failure_of(sent)
        assert (failure.kind, failure.text) == ("dropped", "The answer is (C).")
