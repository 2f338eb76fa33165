"""A server that runs already is taken for what it is, with the model that is meant, or refused with the reason."""

from collections.abc import Sequence
from typing import Any

import pytest

from servers.attach import attach
from servers.errors import ServerError
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import DIALECTS
from servers.fake.mlx_lm import NO_HUB
from servers.shapes import NAMES
from servers.spec import RuntimeName, Server, ServerSpec

RUNTIMES: dict[str, RuntimeName] = {
    "openai": "openai",
    "llama_server": "llama_server",
    "llama_router": "llama_server",
    "mlx_lm": "mlx_lm",
    "omlx": "omlx",
    "ollama": "ollama",
    "lm_studio": "lm_studio",
    "vllm": "vllm",
}
"""Dialect -> what it is to be recognised as."""
KNOWN = [name for name in RUNTIMES if name != "openai"]
LISTS_ALL = ["llama_router", "omlx", "ollama", "lm_studio", "vllm"]


async def attached(fake: FakeServer, **more: Any) -> Server:
    return await attach(ServerSpec(**{"runtime": "openai", "model": "", "base_url": fake.base_url, **more}))


async def taken(dialect: str, models: Sequence[str | FakeModel] = ("fake",), **more: Any) -> Server:
    async with FakeServer(Reply(), dialect=DIALECTS[dialect], models=models) as fake:
        return await attached(fake, **more)


def test_every_dialect_is_tried() -> None:
    assert RUNTIMES.keys() == DIALECTS.keys()


@pytest.mark.parametrize("dialect", RUNTIMES)
async def test_the_runtime_is_recognised_where_the_study_names_none(dialect: str) -> None:
    async with FakeServer(Reply(), dialect=DIALECTS[dialect]) as fake:
        server = await attached(fake, base_url=f"http://127.0.0.1:{fake.port}/")

    assert server.spec.runtime == RUNTIMES[dialect]
    assert server.base_url == server.spec.base_url == fake.base_url
    assert server.engine == f"{NAMES[RUNTIMES[dialect]]} running already at {fake.base_url}"
    assert (server.command, server.pid, server.log) == ((), None, None)


@pytest.mark.parametrize("dialect", KNOWN)
async def test_the_runtime_may_be_named_rightly(dialect: str) -> None:
    assert (await taken(dialect, runtime=RUNTIMES[dialect])).spec.runtime == RUNTIMES[dialect]


@pytest.mark.parametrize("dialect", RUNTIMES)
async def test_a_contradiction_is_refused(dialect: str) -> None:
    named: RuntimeName = "ollama" if dialect != "ollama" else "vllm"
    sentence = f"is {NAMES[RUNTIMES[dialect]]}, not {NAMES[named]}: change the runtime, or leave it out"
    with pytest.raises(ServerError, match=sentence):
        await taken(dialect, runtime=named)


@pytest.mark.parametrize("dialect", LISTS_ALL)
async def test_a_model_that_is_not_there_is_refused_with_those_that_are(dialect: str) -> None:
    with pytest.raises(ServerError, match=r'has no model "gemma"; it has qwen, smol\.'):
        await taken(dialect, ["qwen", "smol"], model="gemma")


@pytest.mark.parametrize("dialect", ["openai", "llama_server", "mlx_lm"])
async def test_a_server_that_takes_any_name_may_be_asked_by_any(dialect: str) -> None:
    assert (await taken(dialect, ["smol"], model="gemma")).spec.model == "gemma"


async def test_of_a_long_list_the_beginning_is_shown() -> None:
    with pytest.raises(ServerError, match=r"it has m0, m1, .*, m11 and 3 more\.$"):
        await taken("vllm", [f"m{number}" for number in range(15)], model="gemma")


AWAY = FakeModel(id="away", loaded=False)


@pytest.mark.parametrize(
    ("dialect", "models", "settings", "model"),
    [
        *(pytest.param(name, ["only"], {}, "only", id=f"{name}-only") for name in RUNTIMES),
        *(pytest.param(name, ["a", "b"], {"model": "b"}, "b", id=f"{name}-named") for name in LISTS_ALL),
        *(
            pytest.param(name, ["here", AWAY], {}, "here", id=f"{name}-only-one-loaded")
            for name in ("llama_router", "omlx", "ollama", "lm_studio")
        ),
    ],
)
async def test_the_model_that_is_meant_is_found(
    dialect: str, *, models: list[str | FakeModel], settings: dict[str, Any], model: str
) -> None:
    server = await taken(dialect, models, **settings)

    assert server.spec.model == model
    assert server.model == ("default_model" if dialect == "mlx_lm" else model)


@pytest.mark.parametrize("dialect", ["openai", "mlx_lm", "omlx", "ollama", "lm_studio", "vllm", "llama_router"])
async def test_of_several_models_one_is_to_be_named(dialect: str) -> None:
    with pytest.raises(ServerError, match=r"has several models, name one \(eval: --model\): qwen, smol\."):
        await taken(dialect, ["qwen", "smol"])


@pytest.mark.parametrize("dialect", ["openai", "omlx", "lm_studio", "llama_router"])
async def test_a_server_without_a_model_is_refused(dialect: str) -> None:
    with pytest.raises(ServerError, match="has no model: load one there"):
        await taken(dialect, [])


@pytest.mark.parametrize(("model", "meant"), [("", "default_model"), ("mlx-community/x", "mlx-community/x")])
async def test_mlx_lm_is_taken_with_nothing_in_its_list_and_called_by_its_only_safe_name(
    model: str, meant: str
) -> None:
    async with FakeServer(Reply(), dialect=DIALECTS["mlx_lm"], pages={"/v1/models": NO_HUB}) as fake:
        server = await attached(fake, model=model)

    assert (server.spec.runtime, server.spec.model, server.model) == ("mlx_lm", meant, "default_model")


async def test_an_empty_body_of_anything_else_is_refused() -> None:
    async with FakeServer(Reply(), pages={"/v1/models": NO_HUB, "/health": {"status": "fine"}}) as fake:
        with pytest.raises(ServerError, match="is base_url right, up to and including /v1"):
            await attached(fake)


async def test_a_server_that_still_loads_is_told_from_one_that_is_not_there() -> None:
    async with FakeServer(Reply(), dialect=DIALECTS["llama_server"], loading=1) as fake:
        with pytest.raises(ServerError, match="still loading, or overloaded; try again soon"):
            await attached(fake)


@pytest.mark.parametrize("dialect", RUNTIMES)
async def test_with_its_key_each_is_recognised(monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    monkeypatch.setenv("A_KEY", "right")
    async with FakeServer(Reply(), dialect=DIALECTS[dialect], api_key="right") as fake:
        server = await attached(fake, api_key_env="A_KEY")

    assert (server.spec.runtime, server.spec.model) == (RUNTIMES[dialect], "fake")


@pytest.mark.parametrize(
    ("models", "meant"),
    [
        pytest.param(["bge-m3", "qwen"], "qwen", id="one-answers"),
        pytest.param(["bge-m3"], "bge-m3", id="the-only-one-whatever-its-name"),
        pytest.param(["nomic-embed-text", "whisper-1", "qwen", "Qwen3-Reranker-0.6B"], "qwen", id="one-of-four"),
    ],
)
async def test_without_a_name_the_only_model_that_answers_is_meant(models: list[str], meant: str) -> None:
    async with FakeServer(Reply(), models=models) as fake:
        assert (await attached(fake, model="")).model == meant


async def test_an_embedding_model_is_asked_where_it_is_named() -> None:
    async with FakeServer(Reply(), models=["bge-m3", "qwen"]) as fake:
        assert (await attached(fake, model="bge-m3")).model == "bge-m3"
