"""oMLX is told what the study asks for, in folders of its own, and what it does instead is noticed."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.fake import FakeServer, Reply
from servers.fake.dialects import OMLX
from servers.fake.spec import Answer, FakeModel
from servers.runtime import omlx
from servers.spec import Prompt, Sampling, Server, ServerSpec

CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
TEXT = Prompt(text="def add(a, b):", stop=("\ndef",))
LOADED = "omlx.engine.batched - INFO - TurboQuant KV cache enabled: 8.0 bits\n"


@pytest.fixture
def spec(tmp_path: Path) -> ServerSpec:
    model, program = tmp_path / "gemma-4-4bit", tmp_path / "omlx"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "gemma4", "text_config": {"max_position_embeddings": 8192}}')
    program.touch(mode=0o755)
    return ServerSpec(runtime="omlx", model=str(model), binary=str(program), startup_seconds=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def settings(spec: ServerSpec, folder: Path) -> Any:
    omlx.prepare(spec, folder)
    return json.loads((folder / "omlx" / "model_settings.json").read_text())


def launched(spec: ServerSpec, fake: FakeServer, folder: Path) -> Server:
    command = omlx.command(spec, fake.port, folder)
    name = omlx.model_name(spec)
    return Server(spec=spec, base_url=fake.base_url, model=name, engine="omlx", command=command, log=folder / "log")


def attached(fake: FakeServer, model: str = "fake", **more: Any) -> Server:
    spec = ServerSpec(runtime="omlx", model=model, base_url=fake.base_url, startup_seconds=5, **more)
    return Server(spec=spec, base_url=fake.base_url, model=model, engine="oMLX")


def switch(on: bool) -> dict[str, Any]:
    return {"chat_template_kwargs": {"enable_thinking": on}}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, ["serve", "--host", "127.0.0.1", "--port", "81"], id="where"),
        pytest.param({}, ["--no-hf-cache", "--no-cache"], id="no-caches"),
        pytest.param({}, ["--sse-keepalive-mode", "comment"], id="no-made-up-chunks"),
        pytest.param({"slots": 4}, ["--max-concurrent-requests", "4"], id="slots"),
        pytest.param({"args": ("--memory-guard", "safe")}, ["comment", "--memory-guard", "safe"], id="arguments-last"),
    ],
)
def test_flags(spec: ServerSpec, asked: dict[str, Any], expected: list[str]) -> None:
    command = " ".join(omlx.command(replace(spec, **asked), 81, Path("/run")))

    assert " ".join(expected) in command


def test_its_folders_are_not_the_users(spec: ServerSpec, folder: Path) -> None:
    command = omlx.command(spec, 81, folder)
    given = dict(pairwise(command))
    omlx.prepare(spec, folder)

    assert (Path(given["--base-path"]) / "model_settings.json").is_file()
    assert [link.resolve() for link in Path(given["--model-dir"]).iterdir()] == [Path(spec.model).resolve()]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, {"force_sampling": False, "forced_ct_kwargs": []}, id="requests-are-obeyed"),
        pytest.param({}, {"thinking_budget_enabled": False, "turboquant_kv_enabled": False}, id="nothing-else"),
        pytest.param({"thinking": True}, {"enable_thinking": True}, id="thinking"),
        pytest.param({"thinking": False}, {"enable_thinking": False}, id="no-thinking"),
        pytest.param({"kv_cache": "f16"}, {"turboquant_kv_enabled": False}, id="plain-cache"),
        pytest.param({"kv_cache": "q8_0"}, {"turboquant_kv_enabled": True, "turboquant_kv_bits": 8}, id="8-bit-cache"),
        pytest.param({"kv_cache": "q4_0"}, {"turboquant_kv_enabled": True, "turboquant_kv_bits": 4}, id="4-bit-cache"),
        pytest.param({"context": 900}, {"max_context_window": 900}, id="context"),
        pytest.param({"context": 9000}, {"max_context_window": 8192}, id="no-more-than-the-model-has"),
    ],
)
def test_settings(spec: ServerSpec, folder: Path, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    written = settings(replace(spec, **asked), folder)

    assert list(written["models"]) == ["gemma-4-4bit"]
    assert expected.items() <= written["models"]["gemma-4-4bit"].items()


@pytest.mark.parametrize("key", ["enable_thinking", "max_context_window", "turboquant_kv_bits", "temperature"])
def test_what_was_not_asked_is_left_to_it(spec: ServerSpec, folder: Path, key: str) -> None:
    assert key not in settings(spec, folder)["models"]["gemma-4-4bit"]


def test_preparing_again_changes_nothing(spec: ServerSpec, folder: Path) -> None:
    """A start is tried anew in the same folder when its port was taken."""
    assert settings(spec, folder) == settings(spec, folder)


@pytest.mark.parametrize("config", ["", "[]", '{"max_position_embeddings": "many"}'])
def test_a_model_that_does_not_tell_its_length_gets_the_studys(spec: ServerSpec, folder: Path, config: str) -> None:
    (Path(spec.model) / "config.json").write_text(config)
    written = settings(replace(spec, context=900), folder)

    assert written["models"]["gemma-4-4bit"]["max_context_window"] == 900


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param("/a/gemma-4-4bit", "gemma-4-4bit", id="directory"),
        pytest.param("/a/gemma-4-4bit/", "gemma-4-4bit", id="slash"),
        pytest.param("/hub/models--mlx--gemma-4-4bit/snapshots/0a1b2c", "gemma-4-4bit", id="hub-cache"),
        pytest.param("/hub/models--mlx--a--b/snapshots/0a1b2c", "a--b", id="hub-cache-dashes"),
        pytest.param("/a/.hidden", "hidden", id="hidden"),
        pytest.param("/", "model", id="nameless"),
    ],
)
def test_the_model_keeps_its_name(model: str, name: str) -> None:
    assert omlx.model_name(ServerSpec(runtime="omlx", model=model)) == name


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        pytest.param({"model": "/nowhere/x"}, "There is no MLX model in /nowhere/x", id="no-directory"),
        pytest.param({"model": "/"}, "There is no MLX model in /: oMLX needs", id="no-model"),
        pytest.param({"model": "x" * 300}, "There is no MLX model in xxx", id="too-long"),
        pytest.param({"kv_cache": "q5_1"}, "oMLX has no KV cache of type q5_1: it takes f16", id="5-bit-cache"),
        pytest.param({"kv_cache": "bf16"}, "oMLX has no KV cache of type bf16: it takes f16", id="bf16-cache"),
    ],
)
def test_it_refuses_before_starting(spec: ServerSpec, folder: Path, asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence):
        omlx.prepare(replace(spec, **asked), folder)


def test_where_it_is_missing_the_way_to_it_is_said(spec: ServerSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(spec.model).parent))
    assert omlx.find(replace(spec, binary=None))[0].startswith("omlx on PATH")

    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerError, match=r"(?s)macOS on Apple silicon.*brew tap jundot/omlx .* && brew install omlx"):
        omlx.find(replace(spec, binary=None))


def test_variables_for_the_users_own_do_not_reach_it(spec: ServerSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMLX_API_KEY", "secret")
    monkeypatch.setenv("OMLX_MCP_CONFIG", "tools.json")
    environment = omlx.environment(spec, 81)

    assert (environment["OMLX_API_KEY"], environment["OMLX_MCP_CONFIG"]) == ("", "")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("asked", "prompt", "expected"),
    [
        pytest.param({"thinking": True}, CHAT, {"seed": 7, **switch(True)}, id="thinking"),
        pytest.param({"thinking": False}, CHAT, {"seed": 7, **switch(False)}, id="no-thinking"),
        pytest.param({"slots": 4}, CHAT, {}, id="concurrent"),
        pytest.param({"thinking": True}, TEXT, {"seed": 7, "stop": ["\ndef"]}, id="text"),
    ],
)
def test_a_request_says_everything(
    spec: ServerSpec, asked: dict[str, Any], prompt: Prompt, expected: dict[str, Any], stream: bool
) -> None:
    server = Server(spec=replace(spec, **asked), base_url="http://127.0.0.1:1/v1", model="gemma", engine="omlx")
    url, body = omlx.request(server, prompt, Sampling(seed=7, max_tokens=50), stream=stream)

    shown = {"messages": [{"role": "user", "content": "hi"}]} if prompt.chat else {"prompt": "def add(a, b):"}
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    assert url == "http://127.0.0.1:1/v1" + ("/chat/completions" if prompt.chat else "/completions")
    assert body == {
        "model": "gemma",
        **shown,
        "temperature": 0.0,
        "max_tokens": 50,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        **expected,
        "stream": stream,
        **usage,
    }


@pytest.mark.parametrize(
    ("slots", "seed", "said"),
    [
        pytest.param(1, 7, False, id="one-at-a-time"),
        pytest.param(4, None, False, id="no-seed"),
        pytest.param(4, 7, True, id="concurrent-and-seeded"),
    ],
)
def test_a_seed_that_is_not_sent_is_named(spec: ServerSpec, slots: int, seed: int | None, said: bool) -> None:
    unsent = omlx.unsent(replace(spec, slots=slots), Sampling(seed=seed))

    assert ["the seed is not sent" in sentence for sentence in unsent] == [True] * said


async def test_it_is_ready_once_the_model_is_loaded(spec: ServerSpec, folder: Path) -> None:
    model = FakeModel(id="gemma-4-4bit", path=str(folder / "models" / "gemma-4-4bit"), loaded=False)
    async with FakeServer(Reply(text="ok"), dialect=OMLX, models=(model,)) as fake:
        assert await omlx.ready(launched(spec, fake, folder))

    assert [call.path for call in fake.calls if call.method == "POST"] == ["/v1/models/gemma-4-4bit/load"]


async def test_a_folder_for_temporary_files_may_lie_behind_a_link(spec: ServerSpec, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "var").symlink_to(tmp_path / "private")
    model = FakeModel(id="gemma-4-4bit", path=str(tmp_path / "private" / "models" / "gemma-4-4bit"))
    async with FakeServer(Reply(text="ok"), dialect=OMLX, models=(model,)) as fake:
        assert await omlx.ready(launched(spec, fake, tmp_path / "var"))


async def test_another_omlx_on_its_port_is_not_taken_for_it(spec: ServerSpec, folder: Path) -> None:
    theirs = FakeModel(id="gemma-4-4bit", path="/Users/me/.omlx/models/gemma-4-4bit")
    async with FakeServer(Reply(), dialect=OMLX, models=(theirs,)) as fake:
        with pytest.raises(ServerError, match="another oMLX runs on this port"):
            await omlx.ready(launched(spec, fake, folder))

    assert not fake.requests


async def test_it_is_not_ready_while_nothing_answers(spec: ServerSpec, folder: Path) -> None:
    async with FakeServer(Reply(), dialect=OMLX) as fake:
        server = launched(spec, fake, folder)

    assert not await omlx.ready(server)


async def test_a_load_that_fails_is_told_in_the_servers_words(spec: ServerSpec, folder: Path) -> None:
    model = FakeModel(id="gemma-4-4bit", path=str(folder / "models" / "gemma-4-4bit"), loaded=False)
    words = {"error": {"message": "the file is only 5000 bytes", "type": "server_error", "param": None, "code": None}}
    pages = {"POST /v1/models/gemma-4-4bit/load": Answer(500, words)}
    async with FakeServer(Reply(), dialect=OMLX, models=(model,), pages=pages) as fake:
        with pytest.raises(ServerError, match="oMLX could not load gemma-4-4bit: the file is only 5000 bytes"):
            await omlx.ready(launched(spec, fake, folder))


async def test_facts_of_one_that_we_launched(spec: ServerSpec, folder: Path) -> None:
    asked = replace(spec, slots=3, kv_cache="f16")
    async with FakeServer(Reply(), dialect=OMLX, models=(FakeModel(id="gemma-4-4bit", thinking=False),)) as fake:
        server = launched(asked, fake, folder)
        facts = await omlx.facts(server)

    assert (facts.version, facts.model_id, facts.model_path) == ("0.4.1", "gemma-4-4bit", spec.model)
    assert (facts.context, facts.slots, facts.kv_cache) == (32768, 3, "f16")
    assert (facts.thinking, facts.thinking_default, facts.unmet) == (None, False, ())
    assert not fake.requests, "nothing is asked that costs"


@pytest.mark.parametrize(
    ("log", "version", "expected"),
    [
        pytest.param(LOADED, "0.4.1", ("f16", "leaves the KV cache at f16"), id="silently-not"),
        pytest.param(LOADED, "0.7.0", (None, None), id="a-version-nobody-knows"),
        pytest.param("", "0.4.1", (None, None), id="a-log-that-does-not-tell"),
        pytest.param(f"{LOADED}TurboQuant: converted 30/30 cache layers to 8.0-bit", "0.4.1", ("q8_0", None), id="all"),
        pytest.param(
            f"{LOADED}TurboQuant: converted 5/30 cache layers to 8.0-bit, skipped last KVCache layer",
            "0.4.5.dev1",
            ("q8_0", "of 5 of 30 layers only"),
            id="some",
        ),
        pytest.param(
            f"{LOADED}TurboQuant: 29/30 cache layers set to 8.0-bit", "0.4.1", ("q8_0", "of 29 of 30"), id="empty"
        ),
    ],
)
async def test_the_log_tells_what_became_of_the_cache(
    spec: ServerSpec, folder: Path, log: str, version: str, expected: tuple[str | None, str | None]
) -> None:
    earlier = "TurboQuant: converted 1/2 cache layers of an earlier server\n"
    (folder / "log").write_text(earlier + log)
    models = (FakeModel(id="gemma-4-4bit"),)
    async with FakeServer(
        Reply(text="a"), dialect=OMLX, models=models, pages={"/api/status": {"version": version}}
    ) as fake:
        server = launched(replace(spec, kv_cache="q8_0"), fake, folder)
        facts = await omlx.facts(replace(server, log_start=len(earlier)))

    kv_cache, unmet = expected
    assert facts.kv_cache == kv_cache
    assert [unmet in sentence for sentence in facts.unmet if unmet] == ([True] if unmet else [])
    assert len(facts.unmet) == bool(unmet)
    assert [body["max_tokens"] for body in fake.requests] == [1], "a cache is made for the first request"


async def test_a_running_one_is_read_and_its_model_loaded() -> None:
    model = FakeModel(id="gemma", loaded=False, path="/Users/me/models/gemma", context=4096)
    async with FakeServer(Reply(text="ok"), dialect=OMLX, models=(model, FakeModel(id="other"))) as fake:
        facts = await omlx.facts(attached(fake, "gemma", thinking=True))

    assert (facts.model_id, facts.model_path, facts.context) == ("gemma", "/Users/me/models/gemma", 4096)
    assert (facts.slots, facts.thinking, facts.thinking_default, facts.kv_cache) == (None, None, None, None)
    assert [call.path for call in fake.calls if call.method == "POST"] == ["/v1/models/gemma/load", "/v1/completions"]


async def test_a_model_may_go_by_an_alias() -> None:
    listed = {"models": [{"id": "gemma-4-4bit", "model_alias": "fake", "loaded": True, "max_context_window": 8192}]}
    async with FakeServer(Reply(text="ok"), dialect=OMLX, pages={"/v1/models/status": listed}) as fake:
        facts = await omlx.facts(attached(fake))

    assert (facts.model_id, facts.context) == ("gemma-4-4bit", 8192)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        pytest.param(Reply(text="7, 8, 9", completion_tokens=3), "does not obey the study's sampling", id="goes-on"),
        pytest.param(Reply(delay=3600), "did not end a reply of one token within 0.5 s", id="goes-on-for-long"),
    ],
)
async def test_settings_that_overrule_the_study_are_noticed(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, sentence: str
) -> None:
    monkeypatch.setattr(omlx, "_ONE_TOKEN_SECONDS", 0.5)
    async with FakeServer(reply) as fake:
        facts = await omlx.facts(attached(fake))

    assert [("force_sampling" in said, sentence in said) for said in facts.unmet] == [(True, True)]


async def test_a_key_is_sent_to_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "secret")
    async with FakeServer(Reply(text="ok"), dialect=OMLX, api_key="secret", models=(FakeModel(id="fake"),)) as fake:
        facts = await omlx.facts(attached(fake, api_key_env="KEY"))

    assert (facts.version, facts.model_id) == ("0.4.1", "fake")
