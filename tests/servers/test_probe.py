"""A running server is found or its absence explained, says who it is, and is never guessed about."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from servers.errors import ServerError
from servers.fake import FakeServer, Reply
from servers.http import fetch, trusts_environment
from servers.launch import alive, launch
from servers.probe import probe
from servers.request import normal_url
from servers.spec import RuntimeName, Server, ServerFacts, ServerSpec

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


def server_of(fake: FakeServer, **more: Any) -> Server:
    """Return a server that runs already, of the runtime that it is said to be."""
    spec = spec_of(fake, **more)
    return Server(spec=spec, base_url=fake.base_url, model=spec.model, engine="e")


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
    assert normal_url(written) == read


@pytest.mark.parametrize(
    "written",
    [
        *("localhost:1234", "", "ftp://x/v1", "/v1", "http://[::1", "http://x:99999999", "http://x:0", "http://x:a/v1"),
        *("http://a b/v1", "http://a\tb/v1", "http://x/a b", "http://x\n.y/v1"),
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ServerError, match="is no address: write it like http://"):
        normal_url(written)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("http://me:secret@x:1/v1", "put the key into an environment variable and name it in api_key_env"),
        ("https://secret@x/v1", "put the key into an environment variable and name it in api_key_env"),
        ("http://me:secret@[::1", "is no address"),
        ("http://me:se/secret@x", "is no address"),
        ("me:secret@x:1", "is no address"),
        ("http://me:se?secret@x", "is no address"),
        ("http://x:1/v1?key=secret", "leave that out, put the key into an environment variable .* api_key_env"),
        ("http://x:1/v1#secret", "leave that out, put the key into an environment variable .* api_key_env"),
        ("http://x:1/v1?", "leave that out"),
        ("x:1?key=secret", "is no address"),
        ("x:1?key=me@secret", "is no address"),
    ],
)
def test_a_password_in_base_url_is_refused_without_saying_it(written: str, sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence) as caught:
        normal_url(written)

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
    async with FakeServer(Reply(), pages={"http://far.invalid/v1/models": ["through"]}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")

        assert (await fetch("http://far.invalid/v1/models")).body == ["through"]
        assert (await fetch(f"{proxy.base_url}/models")).get("object") == "list"  # asked directly: a path, no address


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("proxy", ["ftp://x:1", "http://[::1", "http://me:secret\t@x:1"])
async def test_an_unusable_proxy_is_explained_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ServerError, match=r"The proxy for far.invalid .* cannot be used") as caught:
        await fetch("http://far.invalid/v1/models")

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
        reply = await fetch(f"http://127.0.0.1:{port}/props")

    assert (reply.status, reply.body) == (200, None)


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
        facts = await probe(server_of(fake, runtime=runtime), chat=False)

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
        facts = await probe(server_of(fake, runtime=runtime), chat=False)

    assert (facts.version, facts.model_id, facts.model_path, facts.context, facts.slots) == (None,) * 5


@pytest.mark.parametrize("model", ["~nosuchuser/x", "x" * 300])
@pytest.mark.parametrize("runtime", get_args(RuntimeName))
async def test_any_model_id_may_be_asked_of_a_running_server(tmp_path: Path, runtime: str, model: str) -> None:
    async with FakeServer(Reply()) as fake:
        assert (await probe(server_of(fake, runtime=runtime, model=model), chat=False)).model_path is None


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
        facts = await probe(server_of(fake, runtime="llama_server", thinking=True))

    assert (facts.context, facts.slots, facts.model_path) == (4096, 2, "/models/x.gguf")
    assert facts.chat_template_sha256 == hashlib.sha256(b"{{ x }}").hexdigest()
    assert facts.thinking is None
