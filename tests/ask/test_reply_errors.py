"""Errors after a status of 200, and errors' bodies, in every shape: the server's own words reach the user."""

import json
from typing import Any

import pytest

from evaluator.ask.retry import TRANSIENT
from tests.support.sent_bytes import DONE, answer_of, chunk, event, failure_of, stream

HALF = "The answer is (A). But wait"
WORDS = "KV cache is full"
LONG = "the request exceeds the available context size"
SHAPES: dict[str, object] = {
    "error, object": {"error": {"message": WORDS, "code": 500}},
    "error, text": {"error": WORDS},
    "error, list": {"error": [{"message": WORDS}]},
    "error in error": {"error": {"error": {"message": WORDS}}},
    "error in error in error": {"error": {"error": {"error": WORDS}}},
    "error with detail": {"error": {"code": 500, "detail": WORDS}},
    "errors": {"errors": [{"msg": WORDS}]},
    "true, and a message": {"error": True, "message": WORDS},
    "object error": {"object": "error", "message": WORDS, "type": "InternalServerError", "code": 500},
    "type error": {"type": "error", "error": {"type": "overloaded_error", "message": WORDS}},
    "detail": {"detail": WORDS},
    "detail, list": {"detail": [{"msg": WORDS, "type": "value_error"}]},
    "detail, object": {"detail": {"error": WORDS}},
    "msg": {"msg": WORDS},
    "code and msg": {"code": 50001, "msg": WORDS},
    "message": {"message": WORDS},
    "status error": {"status": "error", "reason": WORDS},
    "status failed": {"status": "failed", "description": WORDS},
    "status number": {"status": 503, "title": WORDS},
    "code number": {"code": "500", "message": WORDS},
    "no success": {"success": False, "message": WORDS},
    "in the choice": {"choices": [{"index": 0, "delta": {}, "finish_reason": None, "error": {"message": WORDS}}]},
    "in the delta": {"choices": [{"index": 0, "delta": {"error": WORDS}, "finish_reason": None}]},
    "in the message": {"choices": [{"index": 0, "message": {"content": "x", "error": {"detail": WORDS}}}]},
    "beside a choice": {"choices": [{"index": 0, "delta": {"content": "x"}}], "error": {"message": WORDS}},
    "status beside a choice": {"choices": [{"index": 0, "delta": {"content": "x"}}], "status": "error", "msg": WORDS},
    "beside no choices": {"choices": [], "detail": WORDS},
    "not a number": {"error": {"message": WORDS, "load": float("nan")}},
    "Ollama": {"model": "m", "error": WORDS},
}
EACH_SHAPE = pytest.mark.parametrize("error", [pytest.param(error, id=name) for name, error in SHAPES.items()])


@EACH_SHAPE
@pytest.mark.parametrize(
    "before", [[], [chunk(HALF)], [chunk(HALF, "stop")]], ids=["at once", "in it", "after its end"]
)
def test_an_error_in_a_stream_is_a_failure_in_the_servers_words(error: object, before: list[Any]) -> None:
    """After a natural end, too: a server that contradicts itself is asked again, which loses nothing."""
    failure = failure_of(*map(event, before), event(error), event(chunk({}, "stop")), DONE)

    assert (failure.kind, failure.message, failure.status) == ("server_error", WORDS, 200)
    assert failure.text == (HALF if before else "")
    assert failure.kind in TRANSIENT


@EACH_SHAPE
def test_an_error_in_place_of_a_whole_reply(error: object) -> None:
    assert failure_of(json.dumps(error).encode(), stream=False).message == WORDS
    assert failure_of(json.dumps(error, indent=2).encode()).message == WORDS


@EACH_SHAPE
@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_errors_body(error: object, status: int) -> None:
    failure = failure_of(json.dumps(error).encode(), status=status)

    assert (failure.status, failure.message) == (status, f"HTTP {status}: {WORDS}")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        pytest.param(b'event: error\ndata: {"detail": "KV cache is full"}\n\n', WORDS, id="event, detail"),
        pytest.param(b'event: error\ndata: {"code": 500, "msg": "KV cache is full"}\n\n', WORDS, id="event, msg"),
        pytest.param(b"event: error\ndata: KV cache is full\n\n", WORDS, id="event, text"),
        pytest.param(b'event: error\ndata: "KV cache is full"\n\n', WORDS, id="event, quoted"),
        pytest.param(b"event: error\ndata: KV cache\ndata: is full\n\n", WORDS, id="event, two lines"),
        pytest.param(b"data: KV cache is full\nevent: error\n\n", WORDS, id="event, behind"),
        pytest.param(b'event: server_exception\ndata: {"x": 1}\n\n', '{"x": 1}', id="event, unknown words"),
        pytest.param(b"event:Error\ndata: 500\n\n", "500", id="event, number"),
        pytest.param(b"event: error\r\ndata: KV cache is full\r\n\r\n", WORDS, id="event, CR LF"),
        pytest.param(b'error: {"code":400,"message":"KV cache is full"}\n\n', WORDS, id="a bare line"),
        pytest.param(b'error: {"code":400,"message":"KV cache is full"}', WORDS, id="a bare line without an end"),
        pytest.param(b"Error: KV cache is full\n", WORDS, id="plain text"),
        pytest.param(b'{"error": "KV cache is full"}\n', WORDS, id="a line of JSON"),
        pytest.param(b'{\n "error": "KV cache is full"\n}\n', WORDS, id="lines of JSON"),
    ],
)
def test_an_error_outside_of_the_chunks(sent: bytes, says: str) -> None:
    failure = failure_of(event(chunk(HALF)), sent)

    assert (failure.kind, failure.message, failure.text) == ("server_error", says, HALF)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        pytest.param(b"Internal Server Error", "Internal Server Error", id="text"),
        pytest.param(
            b"<html><body><h1>502 Bad Gateway</h1>\n<p>nginx</p></body></html>", "502 Bad Gateway nginx", id="page"
        ),
        pytest.param(b"<!DOCTYPE html>\n<html>\n<title>Sign in</title>\n</html>", "Sign in", id="page in lines"),
        pytest.param(b"<script>alert(1)</script><b>no</b>", "no", id="script"),
        pytest.param(b"data: upstream connect error\n\n", "upstream connect error", id="event"),
        pytest.param(b'data: "upstream connect error"\n\n', "upstream connect error", id="quoted event"),
        pytest.param(b"[1, 2]", "[1, 2]", id="list"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_what_is_no_json_is_told_as_it_is(sent: bytes, says: str, streamed: bool) -> None:
    failure = failure_of(sent, stream=streamed)

    assert failure.kind == "garbled"
    assert says in failure.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b'{"error":"\xff\xfe"}', "\ufffd\ufffd", id="no UTF-8 in JSON"),
        pytest.param(b"caf\xe9 is closed", "caf\ufffd is closed", id="no UTF-8"),
        pytest.param(b"", "no reason given", id="nothing"),
        pytest.param(b"{}", "{}", id="empty"),
        pytest.param(b"null", "null", id="null"),
        pytest.param(b"\x00\x01\x02", "no reason given", id="control characters"),
        pytest.param(b'{"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}", '{"error":[[[…', id="nested deeply"),
        pytest.param(b'{"error":' + b"[" * 900 + b"]" * 900 + b"}", '{"error":[[[…', id="nested 900 deep"),
        pytest.param(b'{"error": NaN, "detail": "full"}', "full", id="not a number"),
        pytest.param(b'{"error": "half \\ud83d"}', "half ?", id="half a character"),
        pytest.param(b'{"error": ' + b"9" * 9000 + b"}", '{"error": 999…', id="thousands of digits"),
        pytest.param(json.dumps({"message": LONG, "n_ctx": 256}).encode(), LONG, id="more than words"),
        pytest.param(b'{"detail": [{"loc": ["body", "top_k"], "msg": "no"}]}', "no (body.top_k)", id="where"),
        pytest.param(b"x" * 3_000_000, "xxx…", id="3 MB"),
        pytest.param(b"\xef\xbb\xbf" + b'{"error": "full"}', "full", id="byte order mark"),
        pytest.param(json.dumps({"error": "a\nb\x1b[31m\tc"}).encode(), "a b[31m c", id="several lines"),
    ],
)
@pytest.mark.parametrize(("status", "kind"), [(500, "server_error"), (503, "overloaded"), (400, "bad_request")])
def test_an_errors_body_keeps_its_status_whatever_it_holds(body: bytes, says: str, status: int, kind: str) -> None:
    failure = failure_of(body, status=status)

    assert (failure.kind, failure.status) == (kind, status)
    assert f"HTTP {status}: {says}" in failure.message
    assert len(failure.message) <= 520


@pytest.mark.parametrize(
    "more",
    [
        *({"error": None}, {"error": ""}, {"error": False}, {"error": {}}, {"error": {"message": None, "code": 0}}),
        *({"detail": "draft"}, {"message": "ok"}, {"msg": "ok"}, {"status": "ok"}, {"status": 200}, {"code": 0}),
        *({"errors": []}, {"type": "text"}, {"success": True}, {"object": "chat.completion.chunk"}, {"status": None}),
    ],
    ids=str,
)
def test_a_chunk_with_a_choice_may_carry_such_fields(more: dict[str, Any]) -> None:
    sent = event({**chunk("The answer is (C)."), **more}) + event({**chunk({}, "stop"), **more}) + DONE
    assert answer_of(sent).text == "The answer is (C)."


def test_a_choice_that_is_not_ours_may_fail() -> None:
    other = {"choices": [{"index": 1, "delta": {}, "finish_reason": None, "error": {"message": WORDS}}]}
    assert answer_of(event(chunk("(C)")), event(other), event(chunk({}, "stop")), DONE).text == "(C)"


def test_the_text_of_a_model_is_no_error() -> None:
    text = 'error: {"code": 400}\nevent: error\ndata: {"error": "x"}\n\n{"detail": "y"}'
    assert answer_of(stream(text)).text == text
