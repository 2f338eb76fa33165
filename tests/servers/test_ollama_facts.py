"""What an Ollama says of itself and of its model is read, and nothing else is believed."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.fake import Answer, FakeModel, FakeServer, Reply
from servers.fake.dialects import OLLAMA
from servers.launch import launch
from servers.probe import probe
from servers.runtime import ollama
from servers.runtime.table import request
from servers.spec import Sampling, ServerFacts
from tests.support.ollama_server import CACHE, CHAT, MODEL, NAME, OURS, RUNNING, START, server

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"


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
            {"quantization": "Q4_K_M (Q4_K × 3, Q6_K × 1)"},
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


COMMAND = "/usr/lib/ollama/llama-server --model /b/sha256-1 --port 1 -c 32768 -np {} --log-verbosity 4"


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
