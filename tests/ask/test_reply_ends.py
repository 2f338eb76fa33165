"""Only a natural end is an end: what says otherwise, or nothing, is a reply that was broken off."""

import json
from typing import Any

import pytest

from evaluator.records import Answer
from tests.support.sent_bytes import DONE, answer_of, chunk, event, failure_of, outcome_of, stream

HALF = "Option A looks right at first: the answer is (A). But wait"


def whole(reason: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"content": HALF}, "finish_reason": reason}]}).encode()


WAYS = pytest.mark.parametrize("whole_reply", [False, True], ids=["streamed", "whole"])


def outcome(reason: Any, *, whole_reply: bool) -> Any:
    return outcome_of(whole(reason), stream=False) if whole_reply else outcome_of(stream(HALF, reason=reason))


@WAYS
@pytest.mark.parametrize(
    "reason",
    [
        *("cancelled", "canceled", "abort", "aborted", "capacity", "timeout", "insufficient_system_resource", "error"),
        *(
            "Error",
            "model_error",
            "unload",
            "load",
            "because",
            "shutdown",
            "out of memory",
            "OOM",
            "preempted",
            "false",
        ),
        *(
            {"type": "abort"},
            {"type": "abort", "message": ""},
            {"matched": 5},
            {"type": 3},
            [],
            ["stop"],
            3,
            0,
            True,
            False,
            {},
        ),
    ],
    ids=str,
)
def test_any_other_word_is_a_reply_broken_off(reason: Any, whole_reply: bool) -> None:
    failure = outcome(reason, whole_reply=whole_reply)

    assert (failure.kind, failure.text) == ("broken_off", HALF)
    word = reason.get("type", reason) if isinstance(reason, dict) else reason
    said = word if isinstance(word, str) else json.dumps(word, separators=(",", ":"))
    assert failure.message.endswith(f"finish reason: {said}")


@WAYS
@pytest.mark.parametrize(
    ("beside", "words"),
    [
        pytest.param({"message": "Abort in waiting queue"}, "Abort in waiting queue", id="message"),
        pytest.param({"message": "out of memory", "status_code": 500}, "out of memory", id="message and status"),
        pytest.param({"error": {"message": "the engine died"}}, "the engine died", id="error"),
        pytest.param({"detail": "preempted"}, "preempted", id="detail"),
        pytest.param({"msg": "KV cache\nfull"}, "KV cache full", id="over two lines"),
    ],
)
def test_what_a_reason_says_beside_its_word_is_told(beside: dict[str, Any], words: str, whole_reply: bool) -> None:
    failure = outcome({"type": "abort", **beside}, whole_reply=whole_reply)

    assert failure.message.endswith(f"finish reason: abort: {words}")


@pytest.mark.parametrize(
    "sent",
    [
        {"id": "x", "choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        {"choices": [], "note": "no worker took it"},
        {"choices": [{"index": 1, "delta": {"content": HALF}, "finish_reason": "stop"}]},
        {"result": {"text": HALF}},
        {"queue": 7},
    ],
    ids=str,
)
def test_what_came_in_place_of_a_reply_is_shown(sent: dict[str, Any]) -> None:
    for failure in (failure_of(event(sent), DONE), failure_of(json.dumps(sent).encode(), stream=False)):
        assert failure.kind == "broken_off"
        assert failure.message.endswith(f"it sent {json.dumps(sent)}")


def test_chunks_without_a_choice_beside_a_reply_are_not_shown() -> None:
    failure = failure_of(event({"queue": 7}), event(chunk(HALF)), event({"queue": 0}), DONE)

    assert failure.message == "the server ended its reply without a finish reason"


@WAYS
@pytest.mark.parametrize("reason", [None, "", "null", "None"], ids=repr)
def test_no_reason_at_all_is_a_reply_broken_off(reason: Any, whole_reply: bool) -> None:
    failure = outcome(reason, whole_reply=whole_reply)

    assert (failure.kind, failure.text) == ("broken_off", HALF)
    assert "without a finish reason" in failure.message


@WAYS
@pytest.mark.parametrize(
    ("reason", "word"),
    [
        *((word, word) for word in ("stop", "length", "eos", "STOP", "end_turn", "stop_sequence", "max_tokens")),
        *((word, word) for word in ("content_filter", "tool_calls", "eosFound", "FINISH_REASON_STOP")),
        ({"type": "stop", "matched": 106}, "stop"),
        ({"type": "length", "length": 5}, "length"),
    ],
    ids=str,
)
def test_a_natural_end_is_an_answer_with_a_plain_word(reason: Any, word: str, whole_reply: bool) -> None:
    answer = outcome(reason, whole_reply=whole_reply)

    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish_reason) == (HALF, word)


@pytest.mark.parametrize(
    ("chunks", "text", "reason"),
    [
        pytest.param([chunk(HALF, "stop"), chunk({}, "length")], HALF, "stop", id="two reasons"),
        pytest.param([chunk(HALF), chunk({}, "length"), chunk({}, "stop")], HALF, "length", id="the other way round"),
        pytest.param([chunk(HALF), chunk({}, "stop"), chunk(" (J).")], HALF, "stop", id="text after the end"),
        pytest.param([chunk(HALF), chunk({}, "stop"), chunk(" (J).", "stop")], HALF, "stop", id="text, another end"),
        pytest.param([chunk(HALF), chunk({}, "stop"), chunk({"reasoning": "x"})], HALF, "stop", id="thought after it"),
        pytest.param([chunk(HALF, ""), chunk("!", "null"), chunk({}, "stop")], f"{HALF}!", "stop", id="not yet"),
        pytest.param(
            [chunk("a", "stop"), chunk("b", "stop"), chunk("c", "stop")], "abc", "stop", id="every piece ends"
        ),
        pytest.param(
            [chunk("a", "stop"), chunk("b", "stop"), chunk({}, "length")], "ab", "length", id="the last rules"
        ),
        pytest.param([chunk("a", index=0), chunk("J", index=1), chunk({}, "stop")], "a", "stop", id="another choice"),
        pytest.param([chunk("a"), chunk("J", "length", index=1), chunk({}, "stop")], "a", "stop", id="its end"),
        pytest.param([chunk("a", index=None), chunk("b", "stop", index="0")], "ab", "stop", id="index in other forms"),
    ],
)
def test_the_first_end_of_the_first_choice_rules(chunks: list[Any], text: str, reason: str) -> None:
    answer = answer_of(*map(event, chunks), DONE)

    assert (answer.text, answer.reasoning, answer.finish_reason) == (text, "", reason)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([chunk(HALF, "stop"), chunk({}, "error")], id="broken after the end"),
        pytest.param([chunk(HALF, "error"), chunk({}, "stop")], id="an end after it was broken"),
        pytest.param([chunk(HALF, "stop"), chunk(HALF, "abort"), chunk(HALF, "stop")], id="broken in the middle"),
        pytest.param([chunk(HALF, "stop", index=1)], id="only another choice"),
    ],
)
def test_what_was_broken_off_stays_so(chunks: list[Any]) -> None:
    assert failure_of(*map(event, chunks), DONE).kind == "broken_off"


def test_two_choices_in_one_chunk() -> None:
    choices = [{"index": 1, "message": {"content": "(J)"}, "finish_reason": "stop"}]
    choices.append({"index": 0, "message": {"content": "(A)"}, "finish_reason": "length"})

    answer = answer_of(json.dumps({"choices": choices}).encode(), stream=False)

    assert (answer.text, answer.finish_reason) == ("(A)", "length")


def test_done_in_the_middle_is_no_end() -> None:
    assert failure_of(event(chunk(HALF)), DONE, event(chunk("!", "stop"))).kind == "broken_off"


def test_a_stream_that_just_stops_was_dropped() -> None:
    assert failure_of(event(chunk(HALF))).kind == "dropped"
    assert failure_of(b"").kind == failure_of(b" \n ", stream=False).kind == "dropped"


@pytest.mark.parametrize(
    ("last", "reason"), [({"done": True}, "stop"), ({"done": True, "done_reason": "length"}, "length")]
)
@pytest.mark.parametrize("shape", [{"response": "(A)"}, {"message": {"role": "assistant", "content": "(A)"}}])
def test_ollamas_end(shape: dict[str, Any], last: dict[str, Any], reason: str) -> None:
    lines = [{"model": "m", **shape, "done": False}, {"model": "m", **last, "eval_count": 3, "prompt_eval_count": "x"}]

    answer = answer_of(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    assert (answer.text, answer.finish_reason, answer.completion_tokens) == ("(A)", reason, 3)
    assert answer.prompt_tokens is None


def test_ollamas_unloading_in_the_middle_is_no_end() -> None:
    lines = [{"response": HALF, "done": False}, {"response": "", "done": True, "done_reason": "unload"}]
    assert failure_of(b"".join(json.dumps(line).encode() + b"\n" for line in lines)).kind == "broken_off"
