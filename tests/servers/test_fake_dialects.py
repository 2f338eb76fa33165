"""Each dialect of the fake server says what the real one says, in the fields and with the switches of the real one."""

import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx2
import pytest

from servers.fake import FakeModel, Reply
from servers.fake.dialects import DIALECTS, LLAMA_ROUTER, LLAMA_SERVER, LM_STUDIO, MLX_LM, OLLAMA, OMLX, VLLM, Dialect
from tests.support.official_client import official_client
from tests.support.plain_http import CHAT, CUT, HI, TEMPLATE_OFF, THOUGHT, fake, get, joined, post, reply_json, streamed

RUNTIMES = [LLAMA_SERVER, MLX_LM, OMLX, OLLAMA, LM_STUDIO, VLLM]


@pytest.mark.parametrize(
    ("dialect", "path", "expected"),
    [
        (LLAMA_SERVER, "/health", {"status": "ok"}),
        (MLX_LM, "/health", {"status": "ok"}),
        (OMLX, "/health", {"status": "healthy", "default_model": "m"}),
        (OMLX, "/api/status", {"version": "0.4.1", "models_discovered": 1, "loaded_models": ["m"]}),
        (OLLAMA, "/api/version", {"version": "0.33.0"}),
        (VLLM, "/version", {"version": "0.26.0"}),
        (LLAMA_SERVER, "/props", {"build_info": "b11434-fake", "total_slots": 1, "model_path": "/models/fake.gguf"}),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_pages_by_which_it_is_recognised(dialect: Dialect, path: str, expected: Any) -> None:
    async with fake(dialect) as server:
        body = (await get(server, path)).json()

    assert expected.items() <= body.items()


@pytest.mark.parametrize(
    ("dialect", "owner", "length"),
    [
        (LLAMA_SERVER, "llamacpp", None),
        (MLX_LM, None, None),
        (OMLX, "omlx", 32768),
        (OLLAMA, "library", None),
        (VLLM, "vllm", 32768),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_whose_the_models_are(dialect: Dialect, owner: str | None, length: int | None) -> None:
    async with fake(dialect) as server:
        [model] = (await get(server, "/v1/models")).json()["data"]

    assert (model["id"], model.get("owned_by"), model.get("max_model_len")) == ("m", owner, length)


@pytest.mark.parametrize(
    ("dialect", "name", "value"),
    [
        (LLAMA_SERVER, "server", "llama.cpp"),
        (MLX_LM, "server", "BaseHTTP/0.6 Python/3.11"),
        (OMLX, "server", "uvicorn"),
        (LM_STUDIO, "x-powered-by", "Express"),
        (VLLM, "server", "uvicorn"),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_every_answer_carries_the_programs_name(dialect: Dialect, name: str, value: str) -> None:
    async with fake(dialect) as server:
        answers = [await get(server, "/v1/models"), await get(server, "/no"), await post(server, CHAT, model="m")]

    assert [answer.headers[name] for answer in answers] == [value] * 3


@pytest.mark.parametrize(
    ("dialect", "status", "text"),
    [
        (LLAMA_SERVER, 404, "File Not Found"),
        (MLX_LM, 404, "Not Found"),
        (OMLX, 404, "Not Found"),
        (OLLAMA, 404, "404 page not found"),
        (LM_STUDIO, 200, "Unexpected endpoint or method. (GET /x)"),
        (VLLM, 404, "Not Found"),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_a_path_that_is_not_there(dialect: Dialect, status: int, text: str) -> None:
    async with fake(dialect) as server:
        answer = await get(server, "/x")

    assert answer.status_code == status
    assert text in answer.text


@pytest.mark.parametrize("dialect", RUNTIMES, ids=lambda dialect: dialect.name)
async def test_the_official_client_hears_text_and_usage(dialect: Dialect) -> None:
    async with fake(dialect) as server, official_client(server.base_url) as ai:
        asked: dict[str, Any] = {"model": "m", "messages": HI}
        whole = await ai.chat.completions.create(**asked)
        stream = await ai.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        parts = [part async for part in stream]

    assert whole.choices[0].message.content == "It is (B)."
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "It is (B)."
    assert [said.usage and said.usage.completion_tokens for said in (whole, parts[-1])] == [8, 8]


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        (LLAMA_SERVER, "reasoning_content"),
        (MLX_LM, "reasoning"),
        (OMLX, "reasoning_content"),
        (OLLAMA, "reasoning"),
        (LM_STUDIO, "reasoning_content"),
        (VLLM, "reasoning"),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_where_the_thoughts_stand(dialect: Dialect, field: str) -> None:
    async with fake(dialect) as server:
        message = (await reply_json(server))["choices"][0]["message"]
        parts = await streamed(server)

    assert {key for key in message if key.startswith("reasoning")} == {field}
    assert joined(parts, field) == THOUGHT.reasoning


EFFORT_OFF = {"reasoning_effort": "none"}


@pytest.mark.parametrize(
    ("dialect", "switch", "thinks"),
    [
        (LLAMA_SERVER, TEMPLATE_OFF, False),
        (LLAMA_SERVER, EFFORT_OFF, False),
        (MLX_LM, TEMPLATE_OFF, False),
        (MLX_LM, EFFORT_OFF, True),
        (OMLX, TEMPLATE_OFF, False),
        (OMLX, EFFORT_OFF, True),
        (OMLX, {**TEMPLATE_OFF, "thinking_budget": 100}, True),
        (OLLAMA, TEMPLATE_OFF, True),
        (OLLAMA, {"think": False}, True),
        (OLLAMA, EFFORT_OFF, False),
        (OLLAMA, {"reasoning": {"effort": "none"}}, False),
        (LM_STUDIO, TEMPLATE_OFF, True),
        (LM_STUDIO, {"enable_thinking": False}, True),
        (LM_STUDIO, {"reasoning_effort": "off"}, True),
        (LM_STUDIO, EFFORT_OFF, False),
        (VLLM, TEMPLATE_OFF, False),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_which_switch_turns_thinking_off(dialect: Dialect, switch: Any, *, thinks: bool) -> None:
    async with fake(dialect) as server:
        message = (await reply_json(server, **switch))["choices"][0]["message"]

    assert any(key.startswith("reasoning") for key in message) == thinks
    assert message["content"] == THOUGHT.text


@pytest.mark.parametrize("dialect", [LLAMA_SERVER, OMLX, MLX_LM, VLLM], ids=lambda dialect: dialect.name)
async def test_a_template_may_be_deaf_to_the_switch(dialect: Dialect) -> None:
    async with fake(dialect, model=FakeModel(id="m", obeys=False)) as server:
        message = (await reply_json(server, **TEMPLATE_OFF))["choices"][0]["message"]

    assert any(key.startswith("reasoning") for key in message)


@pytest.mark.parametrize(
    ("dialect", "content", "field"),
    [
        (LLAMA_SERVER, None, "reasoning_content"),
        (MLX_LM, None, "reasoning"),
        (OLLAMA, "", "reasoning"),
        (VLLM, None, "reasoning"),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_cut_thinking_stays_where_thoughts_stand(dialect: Dialect, content: Any, field: str) -> None:
    async with fake(dialect, CUT) as server:
        [choice] = (await reply_json(server))["choices"]

    assert choice["finish_reason"] == "length"
    assert (choice["message"]["content"], choice["message"][field]) == (content, CUT.reasoning)


@pytest.mark.parametrize(
    ("dialect", "path", "body", "kept"),
    [
        (OMLX, CHAT, {"max_tokens": 2}, 2),
        (OMLX, CHAT, {"max_completion_tokens": 2}, 600),
        (OLLAMA, CHAT, {"max_tokens": 2}, 2),
        (OLLAMA, CHAT, {"max_completion_tokens": 2}, 600),
        (MLX_LM, CHAT, {"max_completion_tokens": 2}, 2),
        (MLX_LM, CHAT, {}, 512),
        (LLAMA_SERVER, CHAT, {"max_tokens": -1}, 600),
        (LM_STUDIO, CHAT, {"max_tokens": 2}, 2),
        (VLLM, CHAT, {"max_completion_tokens": 2}, 2),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_how_many_tokens_a_reply_may_have(dialect: Dialect, path: str, body: Any, kept: int) -> None:
    async with fake(dialect, Reply(text="word " * 600)) as server:
        heard = await reply_json(server, path, **body)

    assert heard["usage"]["completion_tokens"] == kept
    assert heard["choices"][0]["finish_reason"] == ("stop" if kept == 600 else "length")


@pytest.mark.parametrize(
    ("dialect", "status", "words"),
    [
        (LLAMA_SERVER, 200, None),
        (LLAMA_ROUTER, 400, "model 'nope' not found"),
        (MLX_LM, 404, "nope"),
        (OMLX, 404, "Model 'nope' not found"),
        (OLLAMA, 404, "model 'nope' not found"),
        (LM_STUDIO, 400, "Invalid model identifier"),
        (VLLM, 404, "The model `nope` does not exist."),
    ],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_a_model_that_is_not_there(dialect: Dialect, status: int, words: str | None) -> None:
    async with fake(dialect) as server:
        answer = await post(server, CHAT, model="nope", messages=HI)

    assert answer.status_code == status
    assert answer.json()["model"] == "m" if words is None else words in answer.json()["error"].__str__()


@pytest.mark.parametrize(
    ("dialect", "free", "guarded"),
    [(LLAMA_SERVER, "/health", "/props"), (OMLX, "/health", "/api/status"), (VLLM, "/version", "/v1/models")],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_which_pages_need_the_key(dialect: Dialect, free: str, guarded: str) -> None:
    async with fake(dialect, api_key="k") as server:
        statuses = [(await get(server, path)).status_code for path in (free, guarded)]

    assert statuses == [200, 401]


@pytest.mark.parametrize("dialect", RUNTIMES, ids=lambda dialect: dialect.name)
async def test_an_error_may_come_in_mid_stream(dialect: Dialect) -> None:
    async with fake(dialect, Reply(text="half of it", fault="error", error="boom")) as server:
        parts = await streamed(server)

    assert parts[0].get("choices")
    assert "boom" in str(parts[-1]["error"])


async def test_a_script_is_read_prompt_by_prompt() -> None:
    async with fake(OLLAMA, [Reply(text="first"), Reply(text="second")]) as server:
        await post(server, "/api/show", model="m")
        texts = [(await reply_json(server, "/api/chat"))["message"]["content"] for _ in range(2)]

    assert texts == ["first", "second"]
    assert (len(server.requests), len(server.prompts)) == (3, 2)


def test_every_dialect_has_a_name_of_its_own() -> None:
    assert all(DIALECTS[dialect.name] is dialect for dialect in RUNTIMES)


def test_it_stands_in_for_a_program() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["serve", "--dialect", "omlx", "--port", str(port), "--base-path", "x", "--model", "m"]
    process = subprocess.Popen([sys.executable, "-m", "servers.fake", *flags], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        listening = process.stdout.readline()
        health = httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()
        os.kill(process.pid, signal.SIGTERM)
        began = time.monotonic()
        process.wait(10)

    assert str(port) in listening
    assert health["default_model"] == "m"
    assert (process.returncode, time.monotonic() - began < 5) == (0, True)
