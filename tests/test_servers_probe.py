"""A running server is found or its absence explained, says who it is, and is never guessed about."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from servers import hashing, llama_server
from servers.fake import FakeServer, Reply
from servers.hashing import weights
from servers.launch import alive, launch
from servers.openai import normal
from servers.probe import probe
from servers.spec import Server, ServerError, ServerFacts, ServerSpec

PROPS = {
    "build_info": "b11434-abc",
    "total_slots": 2,
    "model_path": "/models/x.gguf",
    "chat_template": "{{ x }}",
    "default_generation_settings": {"n_ctx": 4096},
}
NOT_FOUND = {"error": "Unexpected endpoint or method. (GET /props)"}


def spec_of(fake: FakeServer, **more: Any) -> ServerSpec:
    return ServerSpec(**{"runtime": "openai", "model": "fake", "base_url": fake.base_url, **more})


async def facts_of(fake: FakeServer, log: Path, **more: Any) -> ServerFacts:
    async with launch(spec_of(fake, **more), log=log) as server:
        assert alive(server)
        return await probe(server)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://localhost:1234", "http://localhost:1234/v1"),
        ("http://localhost:1234/", "http://localhost:1234/v1"),
        ("http://localhost:1234/v1/", "http://localhost:1234/v1"),
        ("https://x.example/api/v3", "https://x.example/api/v3"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
    ],
)
def test_base_url_is_completed(written: str, read: str) -> None:
    assert normal(written) == read


@pytest.mark.parametrize("written", ["localhost:1234", "", "ftp://x/v1", "/v1"])
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ServerError, match="is no address: write it like http://"):
        normal(written)


@pytest.mark.parametrize(
    ("key", "env", "sentence"),
    [
        pytest.param(None, None, "401: it wants a key; .* name that in api_key_env", id="no-variable-named"),
        pytest.param(None, "A_KEY", "401: it wants a key; set the environment variable A_KEY", id="variable-empty"),
        pytest.param("wrong", "A_KEY", "does not take the key in the environment variable A_KEY", id="wrong-key"),
    ],
)
async def test_a_locked_server_says_which_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, env: str | None, sentence: str
) -> None:
    if key:
        monkeypatch.setenv("A_KEY", key)
    async with FakeServer(Reply(), api_key="right") as fake:
        with pytest.raises(ServerError, match=sentence):
            await facts_of(fake, tmp_path / "log", api_key_env=env)


async def test_the_right_key_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "right")
    async with FakeServer(Reply(), api_key="right") as fake:
        assert (await facts_of(fake, tmp_path / "log", api_key_env="A_KEY")).model_id == "fake"


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async with FakeServer(Reply()) as fake:
        pass
    with pytest.raises(ServerError, match=r"Nothing answers at http://127.0.0.1:.*: is the server running"):
        await facts_of(fake, tmp_path / "log")


@pytest.mark.parametrize("path", ["", "/v1/v1", "/api"])
async def test_a_wrong_path_is_explained(tmp_path: Path, path: str) -> None:
    async with FakeServer(Reply(), pages={"/v1/models": "no list"}) as fake:
        url = fake.base_url.removesuffix("/v1") + path
        with pytest.raises(ServerError, match="is base_url right, up to and including /v1"):
            await facts_of(fake, tmp_path / "log", base_url=url)


@pytest.mark.parametrize(
    ("pages", "known"),
    [
        pytest.param({}, {"version": None, "context": None, "slots": None}, id="unknown-server"),
        pytest.param({"/props": PROPS}, {"version": "b11434-abc", "context": 4096, "slots": 2}, id="llama-server"),
        pytest.param({"/api/version": {"version": "0.33"}}, {"version": "0.33", "context": None}, id="ollama"),
        pytest.param(
            {"/v1/models": {"data": [{"id": "fake", "owned_by": "vllm", "max_model_len": 99}]}},
            {"context": 99},
            id="vllm",
        ),
        pytest.param({"/props": NOT_FOUND, "/api/version": NOT_FOUND}, {"version": None}, id="200-to-everything"),
    ],
)
async def test_facts_of_a_running_server(tmp_path: Path, pages: dict[str, Any], known: dict[str, Any]) -> None:
    async with FakeServer(Reply(), pages=pages) as fake:
        facts = await facts_of(fake, tmp_path / "log")

    assert {name: getattr(facts, name) for name in known} == known
    assert (facts.thinking, facts.kv_cache, facts.model_sha256, facts.command) == (None, None, None, ())


async def test_a_model_that_is_not_listed_is_not_known(tmp_path: Path) -> None:
    async with FakeServer(Reply(), models=["other"]) as fake:
        assert (await facts_of(fake, tmp_path / "log")).model_id is None


async def test_a_running_llama_server_can_be_named_as_such(tmp_path: Path) -> None:
    async with FakeServer(Reply(), pages={"/props": PROPS}) as fake:
        facts = await facts_of(fake, tmp_path / "log", runtime="llama_server", thinking=True)

    assert (facts.context, facts.slots, facts.model_path) == (4096, 2, "/models/x.gguf")
    assert facts.chat_template_sha256 == hashlib.sha256(b"{{ x }}").hexdigest()
    assert facts.thinking is None


@pytest.mark.parametrize(
    ("lines", "kv_cache"),
    [
        pytest.param("nothing", None, id="unsaid"),
        pytest.param("llama_kv_cache: size = 1 MiB (1 cells), K (q4_0): 1 MiB, V (q4_0): 1 MiB", "q4_0", id="one"),
        pytest.param("llama_kv_cache: size = 1 MiB, K (q8_0): 1 MiB, V (f16): 1 MiB", "q8_0/f16", id="two-types"),
    ],
)
async def test_the_log_tells_the_type_of_the_cache(tmp_path: Path, lines: str, kv_cache: str | None) -> None:
    log = tmp_path / "log"
    log.write_text(f"0.01 I {lines}\n", encoding="utf-8")
    async with FakeServer(Reply(), pages={"/props": PROPS}) as fake:
        spec = spec_of(fake, runtime="llama_server")
        server = Server(spec=spec, base_url=fake.base_url, model="fake", engine="e", log=log)

        assert (await llama_server.facts(server)).kv_cache == kv_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sha256.json"


def test_a_file_has_its_own_sum(tmp_path: Path, cache: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")

    assert weights(model) == (7, hashlib.sha256(b"weights").hexdigest())


def test_a_directory_has_the_sum_of_its_sums(tmp_path: Path, cache: Path) -> None:
    for name, content in {"b.safetensors": b"bb", "a.safetensors": b"a", "config.json": b"{}", "x.txt": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    lines = "".join(
        f"{name} {hashlib.sha256(content).hexdigest()}\n"
        for name, content in [("a.safetensors", b"a"), ("b.safetensors", b"bb"), ("config.json", b"{}")]
    )

    assert weights(tmp_path) == (3, hashlib.sha256(lines.encode()).hexdigest())


def test_a_split_model_counts_all_its_parts(tmp_path: Path, cache: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(b"x" * number)

    assert weights(tmp_path / "m-00001-of-00002.gguf").bytes == 3


def test_a_sum_is_reckoned_once_until_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"one")
    first = weights(model)
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", None)
        assert weights(model) == first
    model.write_bytes(b"other")

    assert weights(model) != first


@pytest.mark.parametrize("content", [b"", b"{broken", b"[]"], ids=["empty", "broken", "other"])
def test_a_damaged_cache_only_costs_time(tmp_path: Path, cache: Path, content: bytes) -> None:
    cache.parent.mkdir()
    cache.write_bytes(content)
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")

    assert weights(model).bytes == 7
    assert hashing.cache_file() == cache
    assert list(cache.parent.iterdir()) == [cache]


def test_an_unreadable_model_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ServerError, match=r"none.gguf cannot be read: No such file"):
        weights(tmp_path / "none.gguf")
