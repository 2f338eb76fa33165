"""Each dialect of the fake server has the real one's faults, and remembers what the real one remembers."""

import json
import re
from typing import Any

import httpx2
import pytest

from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import (
    BROKEN,
    LLAMA_ROUTER,
    LLAMA_SERVER,
    LM_STUDIO,
    MLX_LM,
    NO_HUB,
    OLLAMA,
    OMLX,
    VLLM,
    Dialect,
)
from tests.support.plain_http import CHAT, CUT, HI, TEMPLATE_OFF, THOUGHT, fake, get, joined, post, reply_json, streamed

NATIVE, V0 = "/api/chat", "/api/v0/chat/completions"
CANNOT = FakeModel(id="m", thinking=None)


@pytest.mark.parametrize("path", [CHAT, V0])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_only_lm_studios_own_path_measures(path: str, *, stream: bool) -> None:
    async with fake(LM_STUDIO) as server:
        body = (await streamed(server, path))[-1] if stream else await reply_json(server, path)

    assert (body.get("stats", {}).get("stop_reason") == "eosFound") == (path == V0)
    assert (body.get("model_info", {}).get("context_length") == 4096) == (path == V0)


async def test_omlx_takes_cut_thinking_for_the_answer() -> None:
    async with fake(OMLX, CUT, model=FakeModel(id="m", architecture="qwen3")) as server:
        [choice] = (await reply_json(server))["choices"]
        parts = await streamed(server)

    assert choice["message"] == {"role": "assistant", "content": CUT.reasoning}
    assert choice["finish_reason"] == "length"
    assert joined(parts, "reasoning_content") == CUT.reasoning
    assert [d for p in parts[1:-1] if (d := p["choices"][0]["delta"].get("content"))] == [CUT.reasoning]


@pytest.mark.parametrize(
    "model", [FakeModel(id="m"), FakeModel(id="My-Gemma-4-4bit", architecture="qwen3")], ids=["by-config", "by-name"]
)
async def test_omlx_knows_the_cut_thinking_of_a_gemma_4(model: FakeModel) -> None:
    async with fake(OMLX, CUT, model=model) as server:
        [choice] = (await reply_json(server, model=model.id))["choices"]

    assert choice["message"] == {"role": "assistant", "reasoning_content": CUT.reasoning}


async def test_omlx_reads_a_name_with_a_slash_in_a_path() -> None:
    async with fake(OMLX, model=FakeModel(id="mlx/qwen 3", loaded=False)) as server:
        loaded = (await post(server, "/v1/models/mlx%2Fqwen%203/load")).json()
        [model] = (await get(server, "/v1/models/status")).json()["models"]

    assert (loaded["model_id"], model["loaded"]) == ("mlx/qwen 3", True)


@pytest.mark.parametrize(("form", "told"), [("gguf", "gguf"), ("mlx", "safetensors")])
async def test_ollama_names_files_by_their_sums_and_mlx_by_its_files(form: Any, told: str) -> None:
    async with fake(OLLAMA, model=FakeModel(id="m", format=form)) as server:
        show = (await post(server, "/api/show", model="m")).json()

    assert show["details"]["format"] == told
    assert re.fullmatch(r"FROM /\S+/blobs/sha256-[0-9a-f]{64}\n", show["modelfile"])


async def test_omlx_streams_a_chunk_of_another_model_first() -> None:
    async with fake(OMLX) as server:
        first, second, *_ = await streamed(server)

    assert (first["model"], first["created"], first["choices"][0]["delta"]) == ("keepalive", 0, {"content": ""})
    assert second["model"] == "m"


async def test_omlx_pads_a_reply_that_is_not_streamed() -> None:
    async with fake(OMLX) as server:
        answer = await post(server, CHAT, model="m", messages=HI)

    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.text.startswith("  {")


async def test_omlx_fails_after_the_200() -> None:
    async with fake(OMLX, Reply(status=500, error="out of memory")) as server:
        with pytest.raises(httpx2.RemoteProtocolError):
            await post(server, CHAT, model="m", messages=HI)
        parts = await streamed(server)

    assert parts[-1]["error"]["message"] == "out of memory"


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/props", "/nonsense"])
async def test_llama_server_loads_before_it_answers_anything(path: str) -> None:
    async with fake(LLAMA_SERVER, loading=2) as server:
        answers = [await get(server, path) for _ in range(3)]

    assert [answer.status_code for answer in answers][:2] == [503, 503]
    assert answers[0].json() == {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    assert answers[2].status_code != 503


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_llama_server_measures(*, stream: bool) -> None:
    async with fake(LLAMA_SERVER, Reply(text="a b c", prompt_tokens=9)) as server:
        body = (await streamed(server))[-1] if stream else await reply_json(server)

    assert (body["timings"]["prompt_n"], body["timings"]["predicted_n"]) == (9, 3)


async def test_llama_server_shows_what_the_switch_does_to_the_prompt() -> None:
    async with fake(LLAMA_SERVER) as server:
        on = (await post(server, "/apply-template", messages=HI)).json()["prompt"]
        off = (await post(server, "/apply-template", messages=HI, **TEMPLATE_OFF)).json()["prompt"]

    assert on.endswith("assistant\n")
    assert off == on + "<think>\n\n</think>\n\n"


async def test_llama_server_refuses_a_prompt_that_is_too_long() -> None:
    async with fake(LLAMA_SERVER, Reply(prompt_tokens=4096)) as server:
        answer = await post(server, CHAT, model="m", messages=HI)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "exceed_context_size_error"
    assert answer.json()["error"]["n_ctx"] == 4096


async def test_a_router_has_one_model_in_memory_at_a_time() -> None:
    models = (FakeModel(id="a"), FakeModel(id="b", loaded=False))
    async with FakeServer(Reply(text="yes"), dialect=LLAMA_ROUTER, models=models) as server:
        first = (await get(server, "/v1/models")).json()["data"]
        await post(server, "/models/load", model="b")
        loaded = (await get(server, "/v1/models")).json()["data"]
        await reply_json(server, model="a")
        asked = (await get(server, "/v1/models")).json()["data"]

    values = [[model["status"]["value"] for model in listed] for listed in (first, loaded, asked)]
    assert values == [["loaded", "unloaded"], ["unloaded", "loaded"], ["loaded", "unloaded"]]
    assert "meta" not in first[1]


@pytest.mark.parametrize(
    ("pages", "path", "status", "text"),
    [
        ({"/health": BROKEN}, "/health", 503, '{"status": "unavailable"}'),
        ({"/v1/models": NO_HUB}, "/v1/models", 200, ""),
        ({}, "/props", 404, "Not Found"),
    ],
    ids=["dead-thread", "no-hub", "no-props"],
)
async def test_mlx_lm_pages(pages: Any, path: str, status: int, text: str) -> None:
    async with fake(MLX_LM, pages=pages) as server:
        answer = await get(server, path)

    assert (answer.status_code, answer.text, answer.http_version) == (status, text, "HTTP/1.0")


async def test_mlx_lm_calls_every_failure_not_found() -> None:
    async with fake(MLX_LM, Reply(status=500, error="bad template")) as server:
        answer = await post(server, CHAT, model="m", messages=HI)

    assert (answer.status_code, answer.json()) == (404, {"error": "bad template"})


async def test_mlx_lm_streams_comments_first() -> None:
    async with fake(MLX_LM) as server:
        answer = await post(server, CHAT, model="default_model", messages=HI, stream=True)

    assert answer.text.startswith(": keepalive 5/6\n\n")
    assert '"system_fingerprint": "0.32.2-0.32.4-Linux-x86_64"' in answer.text


@pytest.mark.parametrize(
    ("dialect", "most", "chosen"),
    [(LLAMA_SERVER, 2, "A"), (MLX_LM, 0, "A"), (MLX_LM, 2, "What")],
    ids=["llama_server", "mlx_lm-chosen-alone", "mlx_lm"],
)
async def test_mlx_lm_names_the_wrong_token_beside_candidates(dialect: Dialect, most: int, chosen: str) -> None:
    async with fake(dialect, Reply(text="A", logprobs=[{"A": -2.25, "What": -2.625}])) as server:
        [choice] = (await reply_json(server, logprobs=True, top_logprobs=most))["choices"]

    assert choice["message"]["content"] == "A"
    assert choice["logprobs"]["content"][0]["token"] == chosen


@pytest.mark.parametrize(("verb", "loaded"), [("load", True), ("unload", False)])
async def test_omlx_remembers_what_it_loads(verb: str, *, loaded: bool) -> None:
    async with fake(OMLX, model=FakeModel(id="m", loaded=not loaded)) as server:
        answer = await post(server, f"/v1/models/m/{verb}")
        [model] = (await get(server, "/v1/models/status")).json()["models"]

    assert answer.json()["status"] == "ok"
    assert model["loaded"] is loaded


async def test_ollama_streams_lines_when_it_is_not_told() -> None:
    async with fake(OLLAMA) as server:
        answer = await post(server, NATIVE, model="m", messages=HI)

    *parts, last = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "".join(part["message"].get("thinking", "") for part in parts) == THOUGHT.reasoning
    assert "".join(part["message"]["content"] for part in parts) == THOUGHT.text
    assert (last["done"], last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == (True, "stop", 7, 8)
    assert last["eval_duration"] == 160_000_000


async def test_ollama_says_that_it_runs_in_plain_text() -> None:
    async with fake(OLLAMA) as server:
        answer = await get(server, "/")

    assert answer.text == "Ollama is running"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_ollama_generates_from_raw_text() -> None:
    async with fake(OLLAMA, Reply(text="x + 1")) as server:
        body = (await post(server, "/api/generate", model="m", prompt="def f", stream=False)).json()

    assert (body["response"], body["done"]) == ("x + 1", True)


@pytest.mark.parametrize(
    ("path", "body"), [(NATIVE, {"think": True}), (CHAT, {"reasoning_effort": "high"})], ids=["native", "openai"]
)
async def test_ollama_refuses_to_let_a_model_think_that_cannot(path: str, body: Any) -> None:
    async with fake(OLLAMA, model=CANNOT) as server:
        answer = await post(server, path, model="m", messages=HI, **body)

    assert answer.status_code == 400
    assert "does not support thinking" in answer.text


@pytest.mark.parametrize(
    ("more", "status", "reason", "counts"),
    [
        ({}, 200, "stop", (10, 90)),
        ({"shift": False}, 200, "length", (10, 90)),
        ({"options": {"num_ctx": 1000}}, 200, "stop", (10, 200)),
        ({"options": {"num_ctx": 8}}, 200, "stop", (7, 1)),
        ({"options": {"num_ctx": 8}, "truncate": False}, 400, None, None),
        ({"options": {"num_ctx": 8}, "shift": False}, 400, None, None),
    ],
    ids=["shifts", "stops", "fits", "prompt-cut", "prompt-refused", "prompt-refused-without-shift"],
)
async def test_ollama_beyond_its_context(more: Any, status: int, reason: Any, counts: Any) -> None:
    body = {"model": "m", "messages": HI, "stream": False, "options": {"num_ctx": 100}, **more}
    async with fake(OLLAMA, Reply(text="word " * 200, prompt_tokens=10)) as server:
        answer = await post(server, NATIVE, **body)

    heard = answer.json()
    assert (answer.status_code, heard.get("done_reason")) == (status, reason)
    if counts:
        assert (heard["prompt_eval_count"], heard["eval_count"]) == counts


@pytest.mark.parametrize(
    ("path", "body", "context"),
    [(NATIVE, {}, 4096), (NATIVE, {"options": {"num_ctx": 9000}}, 9000), (CHAT, {"num_ctx": 9000}, 4096)],
    ids=["default", "asked", "not-heard-on-v1"],
)
async def test_ollama_tells_the_context_it_was_asked_for(path: str, body: Any, context: int) -> None:
    async with fake(OLLAMA, model=FakeModel(id="m", loaded=False)) as server:
        await reply_json(server, path, **body)
        [running] = (await get(server, "/api/ps")).json()["models"]

    assert running["context_length"] == context


@pytest.mark.parametrize(("keep", "reason", "running"), [(-1, "load", 1), (0, "unload", 0)])
async def test_ollama_loads_and_drops_a_model_without_a_prompt(keep: int, reason: str, running: int) -> None:
    async with fake(OLLAMA) as server:
        body = (await post(server, NATIVE, model="m", keep_alive=keep)).json()
        listed = (await get(server, "/api/ps")).json()["models"]

    assert (body["done_reason"], len(listed)) == (reason, running)


@pytest.mark.parametrize(("model", "capable"), [(FakeModel(id="m"), True), (CANNOT, False)], ids=["thinks", "cannot"])
async def test_ollama_shows_whether_a_model_can_think(model: FakeModel, *, capable: bool) -> None:
    async with fake(OLLAMA, model=model) as server:
        shown = (await post(server, "/api/show", model="m")).json()

    assert ("thinking" in shown["capabilities"]) is capable


async def test_lm_studio_loads_as_it_is_told() -> None:
    async with fake(LM_STUDIO, model=FakeModel(id="m", loaded=False)) as server:
        [before] = (await get(server, "/api/v1/models")).json()["models"]
        await post(server, "/api/v1/models/load", model="m", context_length=9000)
        [after] = (await get(server, "/api/v1/models")).json()["models"]
        [older] = (await get(server, "/api/v0/models")).json()["data"]
        await post(server, "/api/v1/models/unload", instance_id="m")
        [unloaded] = (await get(server, "/api/v0/models")).json()["data"]

    assert before["loaded_instances"] == []
    assert after["loaded_instances"][0]["config"]["context_length"] == 9000
    assert (older["state"], older["loaded_context_length"]) == ("loaded", 9000)
    assert (unloaded["state"], "loaded_context_length" in unloaded) == ("not-loaded", False)


async def test_lm_studio_loads_with_its_default_whatever_is_asked() -> None:
    async with fake(LM_STUDIO, model=FakeModel(id="m", loaded=False)) as server:
        await reply_json(server)
        [model] = (await get(server, "/api/v0/models")).json()["data"]

    assert model["loaded_context_length"] == 4096


async def test_vllm_is_healthy_without_a_word() -> None:
    async with fake(VLLM) as server:
        answer = await get(server, "/health")

    assert (answer.status_code, answer.text) == (200, "")
