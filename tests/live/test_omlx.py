"""The real oMLX, with the lab model, does what was asked of it, or is caught not doing it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.http import fetch, root
from servers.launch import launch
from servers.probe import probe
from servers.runtime import omlx
from servers.spec import Prompt, Sampling, Server, ServerSpec

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("omlx") is None, reason="no program called omlx on PATH"),
]

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
CHAT = Prompt(messages=({"role": "user", "content": "Write a function that adds two numbers."},))
TEXT = Prompt(text="def add(a, b):")
FEW = Sampling(max_tokens=8)
Make = Callable[..., ServerSpec]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlx")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    out = tmp_path_factory.mktemp("mlx") / "lab 8bit"  # a name that an address cannot hold as it is
    convert(LAB, out, bits=8)
    return out


@pytest.fixture
def make(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a maker of specs, for the lab model under any name, with other tags around its thoughts."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))

    def made(name: str | None = None, tags: tuple[str, str] | None = None, **more: Any) -> ServerSpec:
        model = lab if name is None else shutil.copytree(lab, tmp_path / name)
        for file in ("tokenizer.json", "chat_template.jinja") if tags else ():
            text = (model / file).read_text()
            for old, new in zip(("<|channel>", "<channel|>"), tags or (), strict=True):
                text = text.replace(old, new)
            (model / file).write_text(text)
        return ServerSpec(runtime="omlx", model=str(model), startup_seconds=120, **more)

    return made


async def post(server: Server, prompt: Prompt, sampling: Sampling = FEW, *, stream: bool = False) -> str:
    url, body = omlx.request(server, prompt, sampling, stream=stream)
    async with httpx2.AsyncClient(timeout=120, trust_env=False) as http:
        response = await http.post(url, json=body)
    assert response.status_code == 200, response.text
    return response.text


def message(whole: str) -> dict[str, Any]:
    choice = msgspec.json.decode(whole)["choices"][0]
    assert choice["finish_reason"] == "length"
    found: dict[str, Any] = choice["message"]
    return found


def streamed(text: str, field: str) -> str:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    choices = [choice for line in lines for choice in msgspec.json.decode(line)["choices"]]
    return "".join(choice.get("delta", {}).get(field) or "" for choice in choices)


def group(pid: int) -> list[str]:
    """Return the process ids of a group, as `ps` knows them."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.split()[1] == str(pid)]


async def test_it_serves_as_asked_and_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    spec = make(thinking=True, kv_cache="q8_0", context=900, slots=2)
    async with launch(spec, log=tmp_path / "log") as server:
        facts = await probe(server)
        listed = await fetch(f"{server.base_url}/models")
        folder = Path(server.command[server.command.index("--base-path") + 1]).parent
        assert server.pid is not None
        assert group(server.pid)

    assert [model["id"] for model in listed.get("data")] == ["lab 8bit"]
    assert (facts.model_id, facts.model_path) == ("lab 8bit", spec.model)
    assert facts.version
    assert facts.version[:1].isdigit()
    assert (facts.context, facts.slots, facts.thinking) == (900, 2, True)
    assert (facts.thinking_heard, facts.thinking_default) == (True, True)
    assert not group(server.pid)
    assert not folder.exists()
    assert not (Path(os.environ["HOME"]) / ".omlx").exists()
    assert (await fetch(f"{root(server.base_url)}/health", seconds=2)).status == 0


async def test_a_cache_with_sliding_windows_is_found_not_to_be_quantized(make: Make, tmp_path: Path) -> None:
    async with launch(make(kv_cache="q8_0"), log=tmp_path / "log") as server:
        facts = await omlx.facts(server)

    assert "TurboQuant KV cache enabled: 8.0 bits" in (tmp_path / "log").read_text()
    assert (facts.kv_cache, len(facts.unmet)) == ("f16", 1)
    assert "leaves the KV cache at f16 in spite of kv_cache: q8_0" in facts.unmet[0]
    assert facts.thinking_default is False


async def test_requests_are_answered_in_both_ways(make: Make, tmp_path: Path) -> None:
    async with launch(make(thinking=False), log=tmp_path / "log") as server:
        chats = [await post(server, CHAT, stream=stream) for stream in (False, True)]
        texts = [await post(server, TEXT, stream=stream) for stream in (False, True)]

    assert chats[0].startswith(" {"), "a space keeps the connection alive"
    assert message(chats[0])["content"] == streamed(chats[1], "content")
    for said in (chats[1], texts[1]):
        assert said.startswith(": keep-alive")
        assert "keepalive" not in said
        assert '"completion_tokens":8' in said.replace(" ", "")
        assert said.rstrip().endswith("data: [DONE]")
    assert msgspec.json.decode(texts[0])["usage"]["completion_tokens"] == 8


async def test_thinking_changes_the_prompt(make: Make, tmp_path: Path) -> None:
    """The log shows no prompt, at no level, but the number of its tokens."""
    async with launch(make(thinking=False, args=("--log-level", "trace")), log=tmp_path / "log") as server:
        counts = {}
        for thinking in (True, False, None):
            asked = replace(server, spec=replace(server.spec, thinking=thinking))
            counts[thinking] = msgspec.json.decode(await post(asked, CHAT))["usage"]["prompt_tokens"]

    assert counts[True] == counts[False] + 2  # `<|turn>system\n<|think|><turn|>\n` for `<|channel>thought\n<channel|>`
    assert counts[None] == counts[False]
    assert f"with {counts[True]} prompt tokens" in (tmp_path / "log").read_text()


async def test_a_prompt_beyond_the_context_is_refused(make: Make, tmp_path: Path) -> None:
    long = Prompt(messages=({"role": "user", "content": "add two numbers " * 40},))
    async with launch(make(context=64), log=tmp_path / "log") as server:
        url, body = omlx.request(server, long, FEW, stream=False)
        heard = await fetch(url, post=body, seconds=60)

    assert heard.status == 400
    assert "exceeds max context window of 64 tokens" in str(heard.text("error", "message"))


async def test_thinking_that_is_cut_leaks_into_the_answer(make: Make, tmp_path: Path) -> None:
    spec = make("thinker", ("<think>", "</think>"), thinking=True)
    async with launch(spec, log=tmp_path / "log") as server:
        whole, stream = message(await post(server, CHAT)), await post(server, CHAT, stream=True)

    assert whole["content"]
    assert "reasoning_content" not in whole
    assert streamed(stream, "content") == streamed(stream, "reasoning_content").strip() == whole["content"]


async def test_thinking_of_gemma_4_that_is_cut_stays_apart(make: Make, tmp_path: Path) -> None:
    async with launch(make("gemma-4-lab", thinking=True), log=tmp_path / "log") as server:
        whole, stream = message(await post(server, CHAT)), await post(server, CHAT, stream=True)

    assert whole["reasoning_content"]
    assert not whole.get("content")
    assert streamed(stream, "reasoning_content").strip() == whole["reasoning_content"]
    assert not streamed(stream, "content").strip()


async def test_one_that_runs_already_loads_what_it_had_unloaded(make: Make, tmp_path: Path) -> None:
    async with launch(make(), log=tmp_path / "log") as server:
        address = f"{server.base_url}/models/lab%208bit/unload"
        unloaded = [(await fetch(address, post={}, seconds=60)).status for _ in range(2)]
        running = ServerSpec(runtime="omlx", model="", base_url=server.base_url, startup_seconds=120)
        async with launch(running, log=tmp_path / "other") as found:
            facts = await omlx.facts(found)
            loaded = (await fetch(f"{root(server.base_url)}/api/status")).get("loaded_models")
        port = int(root(server.base_url).rpartition(":")[2])
        with pytest.raises(ServerError, match="is taken by another program"):
            async with launch(make(), log=tmp_path / "third", port=port):
                pytest.fail("two servers on one port")

    assert unloaded == [200, 400]
    assert (found.model, facts.model_id, loaded) == ("lab 8bit", "lab 8bit", ["lab 8bit"])
    assert (facts.slots, facts.thinking, facts.unmet) == (None, None, ())


async def test_weights_that_cannot_be_read_are_told_in_its_words(make: Make, tmp_path: Path) -> None:
    spec = make("broken")
    os.truncate(Path(spec.model) / "model.safetensors", 5000)
    with pytest.raises(ServerError, match=r"oMLX could not load broken: .*5000 bytes"):
        async with launch(spec, log=tmp_path / "log"):
            pytest.fail("it serves broken weights")
