"""One question, one reply: whatever a server does becomes an Answer or a Failure."""

import asyncio
import inspect
import time
from typing import Any

import httpx2
import pytest

from evaluator.ask import client
from evaluator.ask.retry import ATTEMPTS
from evaluator.ask.retry import ask as ask_again
from evaluator.ask.traffic import Traffic
from evaluator.records import Answer, Failure
from servers.fake import FakeServer, Reply, Script

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}


async def no_sleep(_seconds: float) -> None:
    """Retry at once."""


async def ask(script: Script, *, stream: bool = True, silence: float = 5.0, retry: bool = False) -> Any:
    async with FakeServer(script) as fake, client.connect(fake.base_url, concurrency=2, silence=silence) as http:
        body = {**CHAT, "stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})}
        url = f"{fake.base_url}/chat/completions"
        if retry:
            traffic = Traffic(1, silence=silence, sleep=no_sleep)
            return (*await ask_again(http, url, body, traffic), fake.requests)
        return await client.ask_once(http, url, body)


STREAMS = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
HARD_TEXT = "naïve 漢字 🙂\n\ndata: [DONE]\r\n```python\nx\n```"


@STREAMS
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_text_and_thoughts_arrive_apart_and_whole(stream: bool, field: Any) -> None:
    reply = Reply(
        text=HARD_TEXT, reasoning="let me 🤔 see", reasoning_field=field, prompt_tokens=11, completion_tokens=5
    )

    answer = await ask(reply, stream=stream)

    assert isinstance(answer, Answer)
    assert (answer.text, answer.reasoning, answer.finish_reason) == (HARD_TEXT, "let me 🤔 see", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens, answer.model) == (11, 5, "fake")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(text=HARD_TEXT, split_bytes=True), id="byte-by-byte"),
        pytest.param(Reply(text=HARD_TEXT, crlf=True), id="crlf"),
        pytest.param(Reply(text=HARD_TEXT, keepalive="keepalive 5/6"), id="comments"),
        pytest.param(Reply(text=HARD_TEXT, usage=False), id="no-usage"),
    ],
)
async def test_a_stream_is_read_however_it_is_cut_into_pieces(reply: Reply) -> None:
    answer = await ask(reply)

    assert isinstance(answer, Answer)
    assert answer.text == HARD_TEXT


@STREAMS
async def test_an_empty_reply_is_an_answer_for_the_grader_to_judge(stream: bool) -> None:
    answer = await ask(Reply(text=None, reasoning="so long", finish_reason="length"), stream=stream)

    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish_reason) == ("", "length")


async def test_time_to_first_token_is_not_the_time_to_the_headers() -> None:
    answer = await ask(Reply(text="abcdefgh", pause=0.1, piece=4))

    assert isinstance(answer, Answer)
    assert answer.first_token_s is not None
    assert 0.1 <= answer.first_token_s < answer.duration_s
    assert answer.duration_s >= 0.3


async def test_server_timings_and_fingerprint_are_kept() -> None:
    extra = {"timings": {"predicted_n": 3, "predicted_ms": 12.5}, "system_fingerprint": "b1"}

    answer = await ask(Reply(text="x", extra=extra))

    assert isinstance(answer, Answer)
    assert answer.timings == extra["timings"]


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        pytest.param(Reply(status=400, error="too long"), "bad_request", "HTTP 400: too long", id="400"),
        pytest.param(Reply(status=401), "unauthorized", "HTTP 401", id="401"),
        pytest.param(Reply(status=404), "not_found", "HTTP 404", id="404"),
        pytest.param(Reply(status=429), "overloaded", "HTTP 429", id="429"),
        pytest.param(Reply(status=500), "server_error", "HTTP 500", id="500"),
        pytest.param(Reply(status=503), "overloaded", "HTTP 503", id="503"),
        pytest.param(Reply(fault="refuse"), "dropped", "", id="closed-before-headers"),
        pytest.param(Reply(text="half of it", fault="drop"), "dropped", "", id="broken-in-the-middle"),
        pytest.param(Reply(text="half of it", fault="cut"), "dropped", "before it was complete", id="ended-too-early"),
        pytest.param(Reply(text="x", fault="garbage"), "garbled", "not the expected JSON", id="garbage"),
        pytest.param(Reply(text="x", fault="stall"), "timeout", "", id="silence"),
        pytest.param(
            Reply(text="x", finish_reason="error"), "broken_off", "finish reason: error", id="error-after-200"
        ),
    ],
)
async def test_every_fault_is_a_failure_of_its_own_kind(reply: Reply, kind: str, says: str) -> None:
    failure = await ask(reply, silence=0.5)

    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert says in failure.message


@STREAMS
async def test_odd_metadata_does_not_spoil_a_good_reply(stream: bool) -> None:
    extra = {"usage": {"prompt_tokens": 12.0, "completion_tokens": "9"}, "system_fingerprint": 7, "timings": [1]}

    answer = await ask(Reply(text="fine", extra=extra), stream=stream)

    assert isinstance(answer, Answer)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens, answer.timings) == ("fine", 12, 9, None)


async def test_an_error_object_inside_a_stream_is_a_failure() -> None:
    failure = await ask(Reply(text="x", extra={"error": {"message": "out of memory"}}))

    assert failure == Failure(kind="server_error", message="out of memory", status=200, text="x")


async def test_nobody_there_is_unreachable(nobody: int) -> None:
    url = f"http://127.0.0.1:{nobody}/v1"
    async with client.connect(url, concurrency=1, silence=1) as http:
        failure = await client.ask_once(http, f"{url}/chat/completions", CHAT)

    assert isinstance(failure, Failure)
    assert failure.kind == "unreachable"


async def test_a_fault_that_heals_is_retried_and_remembered() -> None:
    outcome, before, requests = await ask([Reply(status=503), Reply(fault="drop"), Reply(text="yes")], retry=True)

    assert isinstance(outcome, Answer)
    assert outcome.text == "yes"
    assert [failure.kind for failure in before] == ["overloaded", "dropped"]
    assert len(requests) == 3


async def test_retries_end_and_the_last_failure_counts() -> None:
    outcome, before, requests = await ask(Reply(status=500), retry=True)

    assert isinstance(outcome, Failure)
    assert len(before) == ATTEMPTS - 1
    assert len(requests) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_what_asking_again_cannot_heal_is_not_asked_again(status: int) -> None:
    outcome, before, requests = await ask(Reply(status=status), retry=True)

    assert isinstance(outcome, Failure)
    assert before == ()
    assert len(requests) == 1


def test_every_exception_of_the_http_library_has_a_kind() -> None:
    errors = [e for _, e in inspect.getmembers(httpx2, inspect.isclass) if issubclass(e, httpx2.TransportError)]
    known = {"unreachable", "dropped", "timeout", "garbled"}

    kinds = {error.__name__: client.failure_of(error("x")).kind for error in errors}

    assert set(kinds.values()) <= known
    assert kinds["ConnectError"] == "unreachable"
    assert kinds["ReadTimeout"] == "timeout"
    assert kinds["ReadError"] == kinds["RemoteProtocolError"] == "dropped"


async def test_a_key_is_sent_but_never_part_of_the_request_that_is_stored() -> None:
    async with (
        FakeServer(Reply(text="x"), api_key="secret") as fake,
        client.connect(fake.base_url, concurrency=1, silence=5, headers={"Authorization": "Bearer secret"}) as http,
    ):
        answer = await client.ask_once(http, f"{fake.base_url}/chat/completions", CHAT)

    assert isinstance(answer, Answer)
    assert "secret" not in str(fake.requests)


async def test_a_megabyte_of_reply_takes_no_time() -> None:
    started = time.process_time()

    answer = await ask(Reply(text="word " * 200_000, piece=4096))

    assert isinstance(answer, Answer)
    assert len(answer.text) == 1_000_000
    assert time.process_time() - started < 5
    await asyncio.sleep(0)
