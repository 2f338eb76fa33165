"""Ollama, which does not run here: its words as its source (0.33.0-rc2) has them, its replies as the fake has them."""

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.fake import Answer, FakeServer, Reply
from servers.fake.dialects import OLLAMA
from servers.http import fetch, root
from servers.launch import launch
from servers.runtime import ollama
from servers.runtime.table import request
from servers.spec import KvType, Prompt, Sampling, ServerSpec
from tests.support.ollama_server import CACHE, CHAT, MODEL, NAME, OURS, RUNNING, START, server

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
NEUTRAL = {
    "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "typical_p": 1.0,
    "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, {"OLLAMA_HOST": "127.0.0.1:81", "OLLAMA_NUM_PARALLEL": "1"}, id="address"),
        pytest.param({}, {"OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_MAX_LOADED_MODELS": "1"}, id="one-model-that-stays"),
        pytest.param({}, {"OLLAMA_NOPRUNE": "1", "OLLAMA_NO_CLOUD": "1"}, id="the-users-models-and-no-others"),
        pytest.param(
            {"slots": 4, "context": 1000},
            {"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_CONTEXT_LENGTH": "1000"},
            id="context-is-for-each-slot-already",
        ),
        pytest.param(
            {"kv_cache": "q8_0"}, {"OLLAMA_KV_CACHE_TYPE": "q8_0", "OLLAMA_FLASH_ATTENTION": "1"}, id="quantized-cache"
        ),
        pytest.param({"kv_cache": "f16"}, {"OLLAMA_KV_CACHE_TYPE": "f16"}, id="plain-cache"),
    ],
)
def test_environment(asked: dict[str, Any], expected: dict[str, str]) -> None:
    assert expected.items() <= ollama.environment(replace(OURS, **asked), 81).items()


@pytest.mark.parametrize(
    ("asked", "absent"),
    [
        pytest.param({"context": None}, "OLLAMA_CONTEXT_LENGTH", id="context"),
        pytest.param({}, "OLLAMA_KV_CACHE_TYPE", id="cache"),
        pytest.param({"kv_cache": "f16"}, "OLLAMA_FLASH_ATTENTION", id="flash-attention"),
        pytest.param({}, "OLLAMA_MODELS", id="where-models-lie"),
    ],
)
def test_what_was_not_asked_is_left_to_the_user(asked: dict[str, Any], absent: str) -> None:
    assert absent not in ollama.environment(replace(OURS, **asked), 81)


@pytest.mark.parametrize("kv_type", sorted(set(get_args(KvType)) - {"f16", "q8_0", "q4_0"}))
def test_other_types_of_cache_are_refused(kv_type: KvType) -> None:
    with pytest.raises(ServerError, match=f"no KV cache of type {kv_type}: it takes f16, q8_0, q4_0"):
        ollama.environment(replace(OURS, kv_cache=kv_type), 81)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        pytest.param({"model": "/models/x.gguf"}, "/models/x.gguf is a path.*`ollama create`.*llama_server", id="file"),
        pytest.param({"model": "models/X.GGUF"}, "is a path", id="file-without-a-root"),
        pytest.param({"model": "~/models/x"}, "is a path", id="home"),
        pytest.param({"model": "./x"}, "is a path", id="here"),
        pytest.param({"args": ("--verbose",)}, "takes no arguments, so --verbose .* remove args", id="arguments"),
    ],
)
def test_it_refuses_before_starting(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence):
        ollama.command(replace(OURS, **asked), 81, Path())


@pytest.mark.parametrize("model", ["gemma3", NAME, "me/tuned:v2", "hf.co/bartowski/x-GGUF:Q4_K_M"])
def test_names_are_taken_as_they_are(model: str, tmp_path: Path) -> None:
    (tmp_path / "ollama").touch(mode=0o755)
    spec = replace(OURS, model=model, binary=str(tmp_path / "ollama"))

    assert ollama.command(spec, 81, tmp_path) == (str(tmp_path / "ollama"), "serve")
    assert ollama.model_name(spec) == model


def test_it_is_looked_for_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"brew install ollama\n  curl -fsSL https://ollama.com/install.sh \| sh"):
        ollama.find(OURS)
    (tmp_path / "ollama").touch(mode=0o755)

    assert ollama.find(OURS) == (f"ollama on PATH ({tmp_path}/ollama)", (f"{tmp_path}/ollama",))


def test_a_chat_goes_to_the_native_api_with_every_value_said() -> None:
    url, body = request(server(RUNNING), CHAT, Sampling(max_tokens=100), stream=True)

    assert url == "http://127.0.0.1:11434/api/chat"
    assert body == {
        "model": NAME,
        "messages": list(CHAT.messages),
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": "30m",
        "options": {**NEUTRAL, "num_ctx": 8192, "num_predict": 100},
    }


def test_text_is_sent_raw_and_never_searched_for_thinking() -> None:
    url, body = request(server(replace(RUNNING, thinking=True)), Prompt(text="def f"), Sampling(), stream=False)

    assert url == "http://127.0.0.1:11434/api/generate"
    assert (body["prompt"], body["raw"], body["think"], body["stream"]) == ("def f", True, False, False)
    assert "messages" not in body


@pytest.mark.parametrize("thinking", [True, False, None])
def test_thinking_is_said_whenever_the_study_does(thinking: bool | None) -> None:
    _, body = request(server(replace(RUNNING, thinking=thinking)), CHAT, Sampling(), stream=False)

    assert body.get("think", "unsaid") == ("unsaid" if thinking is None else thinking)


@pytest.mark.parametrize(
    ("spec", "prompt", "sampling", "expected"),
    [
        pytest.param(
            {},
            CHAT,
            Sampling(temperature=0.7, top_p=0.9, top_k=20, min_p=0.1, seed=0),
            {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "min_p": 0.1, "seed": 0},
            id="sampling",
        ),
        pytest.param({}, Prompt(text="x", stop=("\n",)), Sampling(), {"stop": ["\n"]}, id="stop"),
        pytest.param({}, CHAT, Sampling(), {"seed": None, "stop": None}, id="no-seed-no-stop"),
        pytest.param({"context": None}, CHAT, Sampling(), {"num_ctx": None}, id="no-context"),
    ],
)
def test_options(spec: dict[str, Any], prompt: Prompt, sampling: Sampling, expected: dict[str, Any]) -> None:
    options = request(server(replace(RUNNING, **spec)), prompt, sampling, stream=False).body["options"]

    assert {name: options.get(name) for name in expected} == expected


def test_our_own_keeps_its_model_for_ever() -> None:
    assert request(server(OURS, command=("ollama", "serve")), CHAT, Sampling(), stream=False).body["keep_alive"] == -1


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        pytest.param(replace(OURS, kv_cache="q8_0", slots=4, thinking=True), [], id="ours-is-told-all"),
        pytest.param(replace(RUNNING, thinking=False), [], id="running"),
        pytest.param(replace(RUNNING, slots=4), ["concurrency 4 is not sent"], id="running-slots"),
    ],
)
def test_unsent(spec: ServerSpec, sentences: list[str]) -> None:
    said = ollama.unsent(spec, Sampling(seed=1, top_k=3))

    assert len(said) == len(sentences)
    assert all(one.startswith(begin) for one, begin in zip(said, sentences, strict=True))


@pytest.mark.parametrize(
    ("pages", "answers"),
    [
        pytest.param({}, True, id="loaded"),
        pytest.param({"/api/version": Answer(503, "")}, False, id="not-up-yet"),
        pytest.param({"/api/tags": Answer(500, {"error": "x"})}, False, id="no-list-yet"),
        pytest.param({"POST /api/generate": Answer(503, "")}, False, id="not-loaded-and-no-reason"),
    ],
)
async def test_ready(pages: dict[str, Any], answers: bool) -> None:
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL], pages=pages) as fake:
        assert await ollama.ready(server(OURS, fake.base_url)) == answers


@pytest.mark.parametrize("named", ["gemma3", "gemma3:latest"])
async def test_a_name_without_a_tag_is_the_latest(named: str) -> None:
    async with FakeServer(Reply(), dialect=OLLAMA, models=["gemma3:latest", "gemma3:12b"]) as fake:
        assert await ollama.ready(server(replace(OURS, model=named), fake.base_url))


@pytest.mark.parametrize(
    ("models", "listed"),
    [
        pytest.param(["a:1", "b:2"], "it has a:1, b:2.", id="some"),
        pytest.param([], "it has none.", id="none"),
        pytest.param([f"m{n}" for n in range(14)], "m11 and 2 more.", id="many"),
        pytest.param(["gemma3:latest"], "it has gemma3:latest.", id="another-tag"),
    ],
)
async def test_a_model_that_is_missing_is_named_with_those_that_are_there(models: list[str], listed: str) -> None:
    async with FakeServer(Reply(), dialect=OLLAMA, models=models) as fake:
        with pytest.raises(ServerError, match=f'has no model "{NAME}"; .*{listed} Fetch it: ollama pull {NAME}'):
            await ollama.ready(server(OURS, fake.base_url))


@pytest.mark.parametrize("asked", [ollama.ready, ollama.facts], ids=["ready", "facts"])
async def test_a_model_that_cannot_be_loaded_says_why(asked: Any) -> None:
    pages = {"POST /api/generate": Answer(500, {"error": "model requires more system memory (9 GiB) than is free"})}
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL], pages=pages) as fake:
        with pytest.raises(ServerError, match=f"cannot load {NAME}: model requires more system memory"):
            await asked(server(OURS, fake.base_url))


@pytest.fixture
def stand_in(tmp_path: Path) -> ServerSpec:
    """A program that takes its orders from the environment as `ollama serve` does, and logs as it does."""
    script = tmp_path / "ollama"
    started = START.format("llama-server -np $OLLAMA_NUM_PARALLEL --x").strip()
    cache = CACHE.format("$OLLAMA_KV_CACHE_TYPE", "$OLLAMA_KV_CACHE_TYPE").strip()
    script.write_text(
        f'#!/bin/sh\n[ "$*" = serve ] || exit 2\ncat <<END\n{started}\n{cache}\nEND\n'
        f"exec {shlex.quote(sys.executable)} -P -m servers.fake --dialect ollama "
        f'--port "${{OLLAMA_HOST##*:}}" --model {NAME} --text Paris\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return replace(OURS, binary=str(script), slots=2, kv_cache="q8_0", thinking=False)


async def test_launch_ask_and_stop(stand_in: ServerSpec, tmp_path: Path) -> None:
    async with launch(stand_in, log=tmp_path / "log") as launched:
        facts = await ollama.facts(launched)
        url, body = request(launched, CHAT, Sampling(), stream=False)
        reply = await fetch(url, post=body)

    assert reply.get("message", "content") == "Paris"
    assert (facts.context, facts.slots, facts.kv_cache, facts.thinking) == (8192, 2, "q8_0", False)
    assert (facts.version, facts.model_id, facts.unmet) == ("0.33.0", NAME, ())
    assert launched.command == (stand_in.binary, "serve")
    assert (await fetch(f"{root(launched.base_url)}/api/version", seconds=1)).status == 0


async def test_a_missing_model_ends_the_launch_at_once(stand_in: ServerSpec, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match='has no model "llama4"; it has gemma3:4b'):
        async with launch(replace(stand_in, model="llama4"), log=tmp_path / "log"):
            raise AssertionError


async def test_a_stream_is_one_json_object_a_line(stand_in: ServerSpec, tmp_path: Path) -> None:
    async with launch(stand_in, log=tmp_path / "log") as launched:
        url, body = request(launched, Prompt(text="The capital of France is"), Sampling(), stream=True)
        port = int(url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        raw = json.dumps(body).encode()
        writer.write(b"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(raw), raw))
        said = (await asyncio.wait_for(reader.read(), 5)).decode()
        writer.close()

    assert "application/x-ndjson" in said
    assert '"done_reason": "stop"' in said
