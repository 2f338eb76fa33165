"""The fake server speaks the protocol, as the official client hears it, and fails in the scripted ways."""

import json
from typing import Any

import httpx2
import pytest

from servers.fake import Answer, FakeServer, Reply
from tests.support.official_client import official_client

CHAT: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "hi"}]}
TEXT = "Grüße, 世界 🙂! The answer is (B)."
WIRES = [
    pytest.param(Reply(text=TEXT), id="plain"),
    pytest.param(Reply(text=TEXT, crlf=True), id="crlf"),
    pytest.param(Reply(text=TEXT, keepalive="keepalive 1/2"), id="keepalive"),
    pytest.param(Reply(text=TEXT, split_bytes=True, crlf=True), id="torn-characters"),
    pytest.param(Reply(text=TEXT, piece=1000), id="one-piece"),
]


async def post(fake: FakeServer, *, stream: bool = False, seconds: float = 5) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=seconds, trust_env=False) as http:
        return await http.post(f"{fake.base_url}/chat/completions", json={**CHAT, "stream": stream})


async def test_whole_chat() -> None:
    reply = Reply(text=TEXT, reasoning="B it is", finish_reason="length", prompt_tokens=11)
    async with FakeServer(reply) as fake, official_client(fake.base_url, timeout=5) as ai:
        said = await ai.chat.completions.create(**CHAT)

    assert said.choices[0].message.content == TEXT
    assert said.choices[0].finish_reason == "length"
    assert said.choices[0].message.model_extra == {"reasoning_content": "B it is"}
    assert said.usage
    assert said.usage.prompt_tokens == 11
    assert fake.requests == [CHAT]


@pytest.mark.parametrize("reply", WIRES)
async def test_streamed_chat(reply: Reply) -> None:
    async with FakeServer(reply) as fake, official_client(fake.base_url, timeout=5) as ai:
        stream = await ai.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})
        parts = [part async for part in stream]

    assert parts[0].choices[0].delta.role == "assistant"
    assert "".join(part.choices[0].delta.content or "" for part in parts[:-1]) == TEXT
    assert parts[-2].choices[0].finish_reason == "stop"
    assert parts[-1].choices == []
    assert parts[-1].usage
    assert len({part.id for part in parts}) == 1


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_streamed_reasoning_comes_first_in_its_field(field: Any) -> None:
    reply = Reply(text=None, reasoning="I wonder", reasoning_field=field, finish_reason="length")
    async with FakeServer(reply) as fake, official_client(fake.base_url, timeout=5) as ai:
        parts = [part async for part in await ai.chat.completions.create(**CHAT, stream=True)]

    assert "".join((part.choices[0].delta.model_extra or {}).get(field, "") for part in parts) == "I wonder"
    assert not any(part.choices[0].delta.content for part in parts)
    assert not any(part.usage for part in parts)


async def test_completions_whole_and_streamed() -> None:
    async with FakeServer(Reply(text=TEXT)) as fake, official_client(fake.base_url, timeout=5) as ai:
        whole = await ai.completions.create(model="fake", prompt="def f")
        stream = await ai.completions.create(model="fake", prompt="def f", stream=True)
        parts = [part async for part in stream]

    assert whole.choices[0].text == TEXT
    assert "".join(part.choices[0].text for part in parts) == TEXT
    assert parts[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
    ],
)
async def test_http_errors(status: int, error: str) -> None:
    import openai  # noqa: PLC0415 - slow to import

    reply = Reply(status=status, error="no", headers={"Retry-After": "7"})
    async with FakeServer(reply) as fake, official_client(fake.base_url, timeout=5) as ai:
        with pytest.raises(getattr(openai, error)) as caught:
            await ai.chat.completions.create(**CHAT)

    assert caught.value.body == {"message": "no", "type": "fake_error", "code": status}
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [("refuse", httpx2.RemoteProtocolError), ("drop", httpx2.RemoteProtocolError), ("stall", httpx2.ReadTimeout)],
)
async def test_broken_connections(fault: Any, error: type[Exception], *, stream: bool) -> None:
    async with FakeServer(Reply(text=TEXT, fault=fault)) as fake:
        with pytest.raises((error, httpx2.ReadError) if fault == "refuse" else error):
            await post(fake, stream=stream, seconds=0.3)


async def test_delay_comes_before_the_headers() -> None:
    async with FakeServer(Reply(delay=30)) as fake:
        with pytest.raises(httpx2.ReadTimeout):
            await post(fake, seconds=0.2)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_garbage(*, stream: bool) -> None:
    async with FakeServer(Reply(text=TEXT, fault="garbage")) as fake:
        response = await post(fake, stream=stream)

    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    with pytest.raises(json.JSONDecodeError):
        [json.loads(event) for event in events or [response.text]]


async def test_a_cut_stream_ends_without_its_end() -> None:
    async with FakeServer(Reply(text=TEXT, fault="cut")) as fake:
        body = (await post(fake, stream=True)).text

    assert "[DONE]" not in body
    assert '"finish_reason": "stop"' not in body


async def test_a_script_goes_on_with_its_last_reply() -> None:
    async with FakeServer([Reply(status=503), Reply(fault="refuse"), Reply(text="healed")]) as fake:
        assert (await post(fake)).status_code == 503
        with pytest.raises(httpx2.TransportError):
            await post(fake)
        healed = [(await post(fake)).json()["choices"][0]["message"]["content"] for _ in range(2)]

    assert healed == ["healed", "healed"]
    assert len(fake.requests) == 4


async def test_a_reply_can_be_made_from_the_request() -> None:
    def echo(body: Any, number: int) -> Reply:
        return Reply(text=f"{number}: {body['messages'][0]['content']}", extra={"timings": {"prompt_n": 1}})

    async with FakeServer(echo) as fake:
        said = [(await post(fake)).json() for _ in range(2)]

    assert [body["choices"][0]["message"]["content"] for body in said] == ["0: hi", "1: hi"]
    assert said[0]["timings"] == {"prompt_n": 1}


async def test_pages_models_and_key() -> None:
    async with FakeServer(Reply(), models=["a", "b"], pages={"/props": {"total_slots": 4}}, api_key="k") as fake:
        async with official_client(fake.base_url, timeout=5) as ai:
            assert [model.id async for model in ai.models.list()] == ["a", "b"]
        async with httpx2.AsyncClient(trust_env=False) as http:
            root = fake.base_url.removesuffix("/v1")
            authorized = {"Authorization": "Bearer k"}
            assert (await http.get(f"{root}/props", headers=authorized)).json() == {"total_slots": 4}
            assert (await http.get(f"{root}/nothing", headers=authorized)).status_code == 404
            assert (await http.get(f"{root}/health")).status_code == 401


def test_it_serves_from_a_thread() -> None:
    with FakeServer(Reply(text="from a thread")) as fake, httpx2.Client(trust_env=False) as http:
        body = http.post(f"{fake.base_url}/chat/completions", json=CHAT).json()

    assert body["choices"][0]["message"]["content"] == "from a thread"


def test_it_leaves_while_a_client_waits() -> None:
    with (
        httpx2.Client(trust_env=False, timeout=0.2) as http,
        FakeServer(Reply(fault="stall")) as fake,
        pytest.raises(httpx2.ReadTimeout),
    ):
        http.post(f"{fake.base_url}/chat/completions", json=CHAT)


async def test_a_page_may_be_plain_text_with_a_status_of_its_own() -> None:
    pages = {"/props": Answer(418, "a teapot"), "POST /load": {"done": True}}
    async with FakeServer(Reply(), pages=pages) as fake, httpx2.AsyncClient(trust_env=False) as http:
        root = fake.base_url.removesuffix("/v1")
        props = await http.get(f"{root}/props")
        load = await http.post(f"{root}/load", json={})

    assert (props.status_code, props.text) == (418, "a teapot")
    assert load.json() == {"done": True}


async def test_it_may_be_loading_for_a_while() -> None:
    async with FakeServer(Reply(text="up"), loading=2) as fake:
        statuses = [(await post(fake)).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_error_after_the_200(*, stream: bool) -> None:
    async with FakeServer(Reply(text=TEXT, fault="error", error="boom")) as fake:
        response = await post(fake, stream=stream)

    assert response.status_code == 200
    assert "boom" in response.text
    assert '"finish_reason": "stop"' not in response.text


async def test_cut_thinking_leaves_no_text() -> None:
    async with FakeServer(Reply(text="never said", reasoning="I wonder", thinking_cut=True)) as fake:
        [choice] = (await post(fake)).json()["choices"]

    assert choice["message"] == {"role": "assistant", "content": None, "reasoning_content": "I wonder"}
    assert choice["finish_reason"] == "length"
