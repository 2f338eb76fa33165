"""Ollama, which does not run here: its words as its source (0.33.0-rc2) has them, its replies as the fake has them."""

import asyncio
import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from servers import ollama
from servers.ask import ask, root
from servers.fake import Answer, FakeModel, FakeServer, Reply
from servers.fake.dialects import OLLAMA
from servers.launch import launch
from servers.probe import probe
from servers.runtimes import request
from servers.spec import KvType, Prompt, Sampling, Server, ServerError, ServerFacts, ServerSpec

LAB = Path(__file__).parents[1] / "evaluator" / "demo" / "lab-full-f16.gguf"
NAME = "gemma3:4b"
CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
OURS = ServerSpec(runtime="ollama", model=NAME, context=8192)
RUNNING = replace(OURS, base_url="http://127.0.0.1:11434/v1")
NEUTRAL = {
    "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "typical_p": 1.0,
    "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
}  # fmt: skip


def server(spec: ServerSpec, base_url: str = "http://127.0.0.1:11434/v1", **more: Any) -> Server:
    return Server(spec=spec, base_url=base_url, model=spec.model, engine="e", **more)


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


MODEL = FakeModel(id=NAME, served_context=4096, context=131072)


def shown(**more: Any) -> dict[str, Any]:
    """What POST /api/show says, the paths of files as Ollama's store has them."""
    return {
        "modelfile": f'# FROM {NAME}\n\nFROM /store/blobs/sha256-{"a" * 64}\nTEMPLATE "{{{{ .Prompt }}}}"\n',
        "template": "{{ .Prompt }}",
        "details": {"format": "gguf", "quantization_level": "Q4_K_M"},
        "model_info": {"general.architecture": "gemma3", "general.parameter_count": 4_000_000_000},
        "capabilities": ["completion", "thinking"],
        **more,
    }


async def facts_of(pages: dict[str, Any], log: Path, *, model: FakeModel = MODEL, **spec: Any) -> ServerFacts:
    async with FakeServer(Reply(), dialect=OLLAMA, models=[model], pages=pages) as fake:
        asked = replace(OURS, base_url=fake.base_url, **spec)
        async with launch(asked, log=log) as attached:
            return await ollama.facts(attached)


async def test_facts_of_one_that_runs(tmp_path: Path) -> None:
    facts = await facts_of({"POST /api/show": shown()}, tmp_path / "log")

    assert facts == ServerFacts(
        runtime="ollama",
        engine=facts.engine,
        version="0.33.0",
        model_id=NAME,
        model_path=f"/store/blobs/sha256-{'a' * 64}",
        model_bytes=2_500_000_000,
        model_sha256="a" * 64,
        parameters=4_000_000_000,
        quantization="Q4_K_M",
        context=8192,
        thinking_default=True,
        chat_template_sha256=hashlib.sha256(b"{{ .Prompt }}").hexdigest(),
    )


async def test_it_is_loaded_as_the_questions_will_ask_for_it(tmp_path: Path) -> None:
    """Another context, or context shift, would make Ollama load the model anew at the first question."""
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL]) as fake:
        async with launch(replace(OURS, base_url=fake.base_url), log=tmp_path / "log") as attached:
            facts = await ollama.facts(attached)
            question = request(attached, CHAT, Sampling(), stream=False).body
        load = next(call.body for call in fake.calls if call.path == "/api/generate")

    assert "prompt" not in load
    assert all(load[name] == question[name] for name in ("model", "shift", "keep_alive"))
    assert load["options"]["num_ctx"] == question["options"]["num_ctx"] == facts.context == 8192


@pytest.mark.parametrize(
    ("show", "known"),
    [
        pytest.param({"capabilities": ["completion"]}, {"thinking_default": None}, id="no-thinking"),
        pytest.param(
            {"tensors": [{"type": "Q4_K", "shape": [9, 9]}, {"type": "Q6_K", "shape": [9, 9]}] + 2 * [
                {"type": "Q4_K", "shape": [9, 9]}, {"type": "F32", "shape": [9]}]},
            {"quantization": "Q4_K_M (Q4_K 3, Q6_K 1)"},
            id="types-of-matrices",
        ),
        pytest.param(
            {"modelfile": f"FROM /s/blobs/sha256-{'b' * 64}\nFROM /s/blobs/sha256-{'c' * 64}\n"},
            {"model_sha256": "b" * 64, "model_bytes": None, "bits_per_weight": None},
            id="size-includes-a-projector",
        ),
        pytest.param(
            {"modelfile": "FROM gemma3:4b-mlx\n", "details": {"format": "safetensors"}},
            {"model_path": None, "model_sha256": None, "model_bytes": 2_500_000_000, "bits_per_weight": None},
            id="no-single-file",
        ),
        pytest.param(
            {"modelfile": f"FROM /s/blobs/sha256-{'b' * 64}\nRENDERER gemma4\nPARSER gemma4\n"},
            {"chat_template_sha256": None},
            id="template-is-not-used",
        ),
    ],
)  # fmt: skip
async def test_what_is_known(show: dict[str, Any], known: dict[str, Any], tmp_path: Path) -> None:
    facts = await facts_of({"POST /api/show": shown(**show)}, tmp_path / "log")

    assert {name: getattr(facts, name) for name in known} == known


async def test_a_file_of_that_sum_on_this_machine_gives_the_exact_size(tmp_path: Path) -> None:
    blob = tmp_path / f"sha256-{'d' * 64}"
    blob.write_bytes(b"x" * 1000)
    show = shown(modelfile=f"FROM {blob}\nFROM /s/sha256-{'e' * 64}\n", model_info={"general.parameter_count": 2000})

    facts = await facts_of({"POST /api/show": show}, tmp_path / "log")

    assert (facts.model_bytes, facts.bits_per_weight) == (1000, None)


async def test_a_file_that_is_named_by_its_sum_is_read_and_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = tmp_path / f"sha256-{'d' * 64}"
    blob.symlink_to(LAB)
    show = shown(modelfile=f"FROM {blob}\n", model_info={})
    monkeypatch.setattr("servers.probe.weights", None)
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL], pages={"POST /api/show": show}) as fake:
        facts = await probe(server(replace(OURS, base_url=fake.base_url), fake.base_url), chat=False)

    assert (facts.model_bytes, facts.model_sha256) == (LAB.stat().st_size, "d" * 64)
    assert (facts.parameters, facts.bits_per_weight) == (8660224, 8 * 17339392 / 8660224)
    assert facts.machine, "the file proves that it is this machine"


@pytest.mark.parametrize(
    ("spec", "show", "model", "sentences"),
    [
        pytest.param({"thinking": True}, {}, MODEL, [], id="all-is-met"),
        pytest.param({}, {}, replace(MODEL, context=2048), ["2048 tokens of context, not 8192"], id="context"),
        pytest.param({"thinking": True}, {"capabilities": ["completion"]}, MODEL, ["error 400"], id="cannot-think"),
        pytest.param({"thinking": False}, {"capabilities": ["completion"]}, MODEL, [], id="need-not-think"),
        pytest.param({"thinking": True}, {"capabilities": None}, MODEL, [], id="nothing-known-of-thinking"),
        pytest.param({}, {"system": "Be brief."}, MODEL, ["puts a system prompt"], id="system"),
        pytest.param(
            {}, {"messages": [{"role": "user", "content": "x"}]}, MODEL, ["messages of its own"], id="messages"
        ),
        pytest.param(
            {"slots": 4, "kv_cache": "q8_0"},
            {"details": {"format": "safetensors"}},
            MODEL,
            ["MLX engine works on 1 question(s) at once, not on 4", "MLX engine has no KV cache of type q8_0"],
            id="mlx",
        ),
        pytest.param({"kv_cache": "f16"}, {"details": {"format": "safetensors"}}, MODEL, [], id="mlx-plain-cache"),
        pytest.param(
            {},
            {"remote_host": "https://ollama.com:443"},
            replace(MODEL, loaded=False),
            ["does not run on this server but at https://ollama.com"],
            id="cloud",
        ),
    ],
)
async def test_unmet(
    spec: dict[str, Any], show: dict[str, Any], model: FakeModel, sentences: list[str], tmp_path: Path
) -> None:
    facts = await facts_of({"POST /api/show": shown(**show)}, tmp_path / "log", model=model, **spec)

    assert len(facts.unmet) == len(sentences)
    assert all(part in one for one, part in zip(facts.unmet, sentences, strict=True))


async def test_what_runs_elsewhere_is_not_loaded(tmp_path: Path) -> None:
    pages = {"POST /api/show": shown(remote_host="https://ollama.com:443"), "POST /api/generate": Answer(500, {})}
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL], pages=pages) as fake:
        async with launch(replace(OURS, base_url=fake.base_url), log=tmp_path / "log") as attached:
            await ollama.facts(attached)

        assert "/api/generate" not in [call.path for call in fake.calls]


START = 'time=2026-11-22T08:00:00Z level=INFO source=llama_server.go:433 msg="starting llama-server" cmd="{}"\n'
COMMAND = "/usr/lib/ollama/llama-server --model /b/sha256-1 --port 1 -c 32768 -np {} --log-verbosity 4"
CACHE = "llama_kv_cache: size =  136.00 MiB ( 8192 cells,  32 layers,  4/1 seqs), K ({}):   68.00 MiB, V ({}): 68 MiB\n"


@pytest.mark.parametrize(
    ("log", "slots", "kv_cache", "unmet"),
    [
        pytest.param("nothing", None, None, 0, id="unsaid"),
        pytest.param(START.format(COMMAND.format(4)) + CACHE.format("q8_0", "q8_0"), 4, "q8_0", 0, id="as-asked"),
        pytest.param(START.format(COMMAND.format(1)) + CACHE.format("f16", "f16"), 1, "f16", 1, id="one-slot-only"),
        pytest.param(START.format(COMMAND.format(4)) + CACHE.format("q8_0", "f16"), 4, "q8_0/f16", 0, id="two-types"),
        pytest.param(
            START.format(COMMAND.format(4))
            + CACHE.format("q8_0", "q8_0")
            + "llama_context: of a draft model\n"
            + CACHE.format("f16", "f16"),
            4,
            "q8_0",
            0,
            id="a-draft-models-cache-is-another",
        ),
        pytest.param(
            START.format(COMMAND.format(4)) + CACHE.format("f16", "f16") + START.format(COMMAND.format(4)),
            4,
            None,
            0,
            id="an-earlier-start-says-nothing",
        ),
        pytest.param(CACHE.format("f16", "f16"), None, None, 0, id="no-start"),
    ],
)
async def test_the_log_of_our_own_tells_slots_and_cache(
    log: str, slots: int | None, kv_cache: str | None, unmet: int, tmp_path: Path
) -> None:
    file, before = tmp_path / "log", START.format(COMMAND.format(9)) + CACHE.format("q4_0", "q4_0")
    file.write_text(before + log, encoding="utf-8")
    async with FakeServer(Reply(), dialect=OLLAMA, models=[MODEL]) as fake:
        spec = replace(OURS, slots=4, kv_cache="q8_0")
        ours = server(spec, fake.base_url, command=("ollama",), log=file, log_start=len(before.encode()))
        facts = await ollama.facts(ours)

    assert (facts.slots, facts.kv_cache, len(facts.unmet)) == (slots, kv_cache, unmet)


@pytest.mark.parametrize("odd", [None, [], [7], {}, 7, "x", {"models": 7}, {"models": [7, None]}], ids=repr)
async def test_pages_of_any_shape_say_nothing(odd: Any) -> None:
    paths = ("POST /api/show", "POST /api/generate", "/api/version", "/api/tags", "/api/ps")
    async with FakeServer(Reply(), pages=dict.fromkeys(paths, odd)) as fake:
        facts = await ollama.facts(server(RUNNING, fake.base_url))

    assert facts == ServerFacts(runtime="ollama", engine="e")


async def test_odd_things_inside_pages_say_nothing() -> None:
    show = {"modelfile": 7, "template": [], "details": 7, "model_info": [], "capabilities": "thinking", "tensors": 7}
    tags = {"models": [{"name": NAME, "size": "big"}]}
    pages = {"POST /api/show": show, "/api/tags": tags, "/api/ps": {"models": [{"name": NAME, "context_length": -1}]}}
    async with FakeServer(Reply(), pages=pages) as fake:
        facts = await ollama.facts(server(RUNNING, fake.base_url))

    assert facts == ServerFacts(runtime="ollama", engine="e", model_id=NAME)


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
        heard = await ask(url, post=body)

    assert heard.get("message", "content") == "Paris"
    assert (facts.context, facts.slots, facts.kv_cache, facts.thinking) == (8192, 2, "q8_0", False)
    assert (facts.version, facts.model_id, facts.unmet) == ("0.33.0", NAME, ())
    assert launched.command == (stand_in.binary, "serve")
    assert (await ask(f"{root(launched.base_url)}/api/version", seconds=1)).status == 0


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
