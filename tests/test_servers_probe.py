"""A running server is found or its absence explained, says who it is, and is never guessed about."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from servers import hashing, llama_server
from servers.ask import ask, trusts_environment
from servers.fake import FakeServer, Reply
from servers.hashing import weights
from servers.launch import alive, launch
from servers.openai import normal
from servers.probe import probe
from servers.spec import RuntimeName, Server, ServerError, ServerFacts, ServerSpec

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


@pytest.mark.parametrize(
    "written",
    ["localhost:1234", "", "ftp://x/v1", "/v1", "http://[::1", "http://x:99999999", "http://x:0", "http://x:a/v1"],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ServerError, match="is no address: write it like http://"):
        normal(written)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("http://me:secret@x:1/v1", "put the key into an environment variable and name it in api_key_env"),
        ("https://secret@x/v1", "put the key into an environment variable and name it in api_key_env"),
        ("http://me:secret@[::1", "is no address"),
        ("http://me:se/secret@x", "is no address"),
        ("me:secret@x:1", "is no address"),
    ],
)
def test_a_password_in_base_url_is_refused_without_saying_it(written: str, sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence) as caught:
        normal(written)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "trusts"),
    [
        ("http://localhost:1234/v1", False),
        ("http://LOCALHOST./v1", False),
        ("http://llm.localhost/v1", False),
        ("http://127.0.0.1:8080/v1", False),
        ("http://127.8.8.8/v1", False),
        ("http://[::1]:8080/v1", False),
        ("http://0.0.0.0:8000/v1", False),
        ("http://192.168.1.2:8080/v1", True),
        ("https://localhost.example/v1", True),
        ("https://api.example/v1", True),
    ],
)
def test_a_proxy_stands_only_before_other_machines(url: str, trusts: bool) -> None:
    assert trusts_environment(url) == trusts


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.usefixtures("no_proxy")
async def test_what_is_away_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer(Reply(), pages={"http://far.invalid/v1/models": "through"}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")

        assert (await ask("http://far.invalid/v1/models")).body == "through"
        assert (await ask(f"{proxy.base_url}/models")).get("object") == "list"  # asked directly: a path, no address


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("proxy", ["ftp://x:1", "http://[::1", "http://me:secret\t@x:1"])
async def test_an_unusable_proxy_is_explained_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ServerError, match=r"The proxy for far.invalid .* cannot be used") as caught:
        await ask("http://far.invalid/v1/models")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"{", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"[" * 99999], ids=lambda body: body[:12]
)
async def test_what_is_no_json_is_heard_as_nothing(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await ask(f"http://127.0.0.1:{port}/props") == (200, None)


ODD: list[Any] = [1234, "4", "", -1, 0, 0.5, True, None, {}, [], [1], {"a": "b"}, 10**30]


@pytest.mark.parametrize("runtime", get_args(RuntimeName))
@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_facts_are_of_their_types_whatever_a_server_says(tmp_path: Path, runtime: str, odd: Any) -> None:
    props = dict.fromkeys(("build_info", "total_slots", "model_path", "chat_template"), odd)
    mine = {"id": "fake", "owned_by": odd, "max_model_len": odd}
    pages = {
        "/props": {**props, "default_generation_settings": {"n_ctx": odd}},
        "/api/version": {"version": odd},
        "/v1/models": {"data": [odd, {"id": odd}, mine]},
    }
    async with FakeServer(Reply(), pages=pages) as fake:
        facts = await facts_of(fake, tmp_path / "log", runtime=runtime)

    assert msgspec.json.decode(msgspec.json.encode(facts), type=ServerFacts) == facts
    assert facts.version in (None, "4")
    assert facts.slots in (None, 1234)
    assert facts.context in (None, 1234)


@pytest.mark.parametrize("runtime", get_args(RuntimeName))
@pytest.mark.parametrize("page", ODD, ids=repr)
async def test_facts_survive_pages_of_any_shape(tmp_path: Path, runtime: str, page: Any) -> None:
    pages = {
        "/props": page,
        "/api/version": page,
        "/v1/models": {"data": page},
    }
    async with FakeServer(Reply(), pages=pages) as fake:
        facts = await facts_of(fake, tmp_path / "log", runtime=runtime)

    assert (facts.version, facts.model_id, facts.model_path, facts.context, facts.slots) == (None,) * 5


@pytest.mark.parametrize("model", ["~nosuchuser/x", "x" * 300])
@pytest.mark.parametrize("runtime", get_args(RuntimeName))
async def test_any_model_id_may_be_asked_of_a_running_server(tmp_path: Path, runtime: str, model: str) -> None:
    async with FakeServer(Reply()) as fake:
        assert (await facts_of(fake, tmp_path / "log", runtime=runtime, model=model)).model_path is None


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


@pytest.mark.parametrize(
    "content", [b"", b"{broken", b"[]", b'{"\xff": []}'], ids=["empty", "broken", "other", "no-text"]
)
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


def test_a_template_is_the_same_with_and_without_white_space_at_its_ends() -> None:
    assert hashing.template_sha256("{{ x }}\n") == hashing.template_sha256("{{ x }}")
    assert hashing.template_sha256(" \n") is None
    assert hashing.template_sha256(None) is None
