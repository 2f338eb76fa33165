"""Who answers is told from the shape of the replies, never from their status alone."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.discover import ListedModel, Running
from servers.http import NO_REPLY, HttpReply
from servers.shapes import MODELS, PAGES, identify

BASE = "http://127.0.0.1:1/v1"
LOST = HttpReply(404, {"error": {"message": "no such page", "type": "not_found_error", "code": 404}})
EXPRESS = HttpReply(200, {"error": "Unexpected endpoint or method. (GET /props)"}, {"x-powered-by": "Express"})
PYTHON = {"server": "BaseHTTP/0.6 Python/3.11.7"}
N_CTX: dict[str, Any] = {"default_generation_settings": {"n_ctx": 4096}}
UNAUTHORIZED = HttpReply(401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}})


def listing(*models: Any, **common: Any) -> dict[str, Any]:
    made = [{"id": model, "object": "model", **common} if isinstance(model, str) else model for model in models]
    return {"object": "list", "data": made}


def said(pages: dict[str, Any], *, other: HttpReply = LOST) -> Running | None:
    """Let a server say this on these pages, and something else on the others."""
    replies = {page: body if isinstance(body, HttpReply) else HttpReply(200, body) for page, body in pages.items()}
    return identify(BASE, {page: replies.get(page, other) for page in (MODELS, *PAGES)})


def model(name: str, loaded: bool | None = None, context: int | None = None) -> ListedModel:
    return ListedModel(id=name, loaded=loaded, context=context)


LLAMA: dict[str, Any] = {
    MODELS: listing({"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}),
    "/props": {"build_info": "b11434-unknown", "total_slots": 1, **N_CTX},
    "/health": {"status": "ok"},
}
KOBOLD: dict[str, Any] = {"chat_template": "", "build_info": "x", **N_CTX}
ROUTER: dict[str, Any] = {
    MODELS: listing(
        {"id": "a", "owned_by": "llamacpp", "status": {"value": "unloaded", "args": ["--ctx-size", "1024"]}},
        {"id": "b", "owned_by": "llamacpp", "status": {"value": "loaded"}, "meta": {"n_ctx": 512}},
    ),
    "/props": {"role": "router", "build_info": "b1", "default_generation_settings": {"params": None, "n_ctx": 0}},
}
OMLX: dict[str, Any] = {
    MODELS: listing("alias", "b", "bge", owned_by="omlx", max_model_len=32768),
    "/health": {"status": "healthy", "default_model": "a", "engine_pool": {"model_count": 2}},
    "/api/status": {"status": "ok", "version": "0.4.1", "models_discovered": 2, "loaded_models": ["a"]},
    "/v1/models/status": {
        "models": [
            {"id": "a", "model_alias": "alias", "loaded": True, "model_type": "vlm", "max_context_window": 40960},
            {"id": "b", "loaded": False, "model_type": "llm", "max_context_window": 8192},
            {"id": "bge", "loaded": False, "model_type": "embedding"},
        ]
    },
}
OLLAMA: dict[str, Any] = {
    MODELS: listing("gemma4:26b", "qwen3:8b", owned_by="library"),
    "/": HttpReply(200, None, {}, "Ollama is running"),
    "/api/version": {"version": "0.33.0"},
    "/api/ps": {"models": [{"name": "gemma4:26b", "model": "gemma4:26b", "context_length": 4096}]},
    "/api/status": {"cloud": {"disabled": False}},
}
NATIVE: dict[str, Any] = {
    "models": [
        {"type": "llm", "key": "google/gemma", "loaded_instances": [{"id": "g8k", "config": {"context_length": 8192}}]},
        {"type": "llm", "key": "qwen", "loaded_instances": [], "max_context_length": 32768},
        {"type": "embedding", "key": "nomic", "loaded_instances": []},
    ]
}
OLDER = listing(
    {"id": "gemma", "type": "vlm", "compatibility_type": "mlx", "state": "loaded", "loaded_context_length": 4096},
    {"id": "qwen", "type": "llm", "compatibility_type": "gguf", "state": "not-loaded", "max_context_length": 32768},
    {"id": "nomic", "type": "embeddings", "compatibility_type": "gguf", "state": "not-loaded"},
)
MLX: dict[str, Any] = {
    MODELS: listing("/models/gemma-4bit"),
    "/health": HttpReply(200, {"status": "ok"}, PYTHON),
}
NOT_FOUND = HttpReply(404, None, PYTHON, "Not Found")
CYLLAMA: dict[str, Any] = {MODELS: listing("gpt-3.5-turbo", owned_by="cyllama"), "/health": MLX["/health"]}
OTHERS_LOST = HttpReply(404, {"error": {"type": "invalid_request_error", "message": "Not Found"}}, PYTHON, '{"error": ')
VLLM: dict[str, Any] = {MODELS: listing("meta", owned_by="vllm", max_model_len=8192), "/version": {"version": "0.11.0"}}


@pytest.mark.parametrize(
    ("pages", "other", "runtime", "version", "models"),
    [
        pytest.param(LLAMA, LOST, "llama_server", "b11434-unknown", [model("smol", True, 4096)], id="llama-server"),
        pytest.param(ROUTER, LOST, "llama_server", "b1", [model("a", False), model("b", True, 512)], id="router"),
        pytest.param(
            {**LLAMA, MODELS: HttpReply(200, None)},
            LOST,
            "llama_server",
            "b11434-unknown",
            [],
            id="llama-server-no-list",
        ),
        pytest.param(OMLX, LOST, "omlx", "0.4.1", [model("alias", True, 40960), model("b", False, 8192)], id="omlx"),
        pytest.param(
            {"/health": OMLX["/health"], MODELS: OMLX[MODELS]},
            LOST,
            "omlx",
            None,
            [model("alias", None, 32768), model("b", None, 32768), model("bge", None, 32768)],
            id="omlx-of-few-words",
        ),
        pytest.param(
            OLLAMA, LOST, "ollama", "0.33.0", [model("gemma4:26b", True, 4096), model("qwen3:8b", False)], id="ollama"
        ),
        pytest.param(
            {**OLLAMA, "/api/ps": LOST},
            LOST,
            "ollama",
            "0.33.0",
            [model("gemma4:26b"), model("qwen3:8b")],
            id="ollama-without-ps",
        ),
        pytest.param(
            {MODELS: listing("g8k", "qwen", "nomic"), "/api/v1/models": NATIVE, "/api/v0/models": OLDER},
            EXPRESS,
            "lm_studio",
            None,
            [model("g8k", True, 8192), model("qwen", False)],
            id="lm-studio",
        ),
        pytest.param(
            {MODELS: listing("gemma", "qwen", "nomic"), "/api/v0/models": OLDER},
            EXPRESS,
            "lm_studio",
            None,
            [model("gemma", True, 4096), model("qwen", False)],
            id="lm-studio-before-0.4",
        ),
        pytest.param({MODELS: listing("a")}, EXPRESS, "lm_studio", None, [model("a")], id="lm-studio-before-0.3.6"),
        pytest.param(VLLM, LOST, "vllm", "0.11.0", [model("meta", True, 8192)], id="vllm"),
        pytest.param(MLX, NOT_FOUND, "mlx_lm", None, [model("/models/gemma-4bit")], id="mlx_lm"),
        pytest.param(
            {**MLX, MODELS: HttpReply(200, None, PYTHON)}, NOT_FOUND, "mlx_lm", None, [], id="mlx_lm-empty-body"
        ),
        pytest.param({**MLX, MODELS: NO_REPLY}, NOT_FOUND, "mlx_lm", None, [], id="mlx_lm-slow-list"),
        pytest.param(
            {**MLX, "/health": HttpReply(503, {"status": "unavailable"}, PYTHON)},
            NOT_FOUND,
            "mlx_lm",
            None,
            [model("/models/gemma-4bit")],
            id="mlx_lm-wedged",
        ),
        pytest.param(CYLLAMA, OTHERS_LOST, "openai", None, [model("gpt-3.5-turbo")], id="cyllama-python"),
        pytest.param(
            {**CYLLAMA, "/health": {"status": "ok"}},
            LOST,
            "openai",
            None,
            [model("gpt-3.5-turbo")],
            id="cyllama-embedded",
        ),
        pytest.param(CYLLAMA, NOT_FOUND, "openai", None, [model("gpt-3.5-turbo")], id="python-that-says-who-owns"),
        pytest.param(MLX, OTHERS_LOST, "openai", None, [model("/models/gemma-4bit")], id="python-that-says-json"),
        pytest.param(MLX, NO_REPLY, "openai", None, [model("/models/gemma-4bit")], id="python-that-says-nothing-else"),
        pytest.param(
            {MODELS: HttpReply(200, listing(), {"server": "uvicorn"}), "/health": {"status": "ok"}},
            HttpReply(404, {"detail": "Not Found"}, {"server": "uvicorn"}),
            "openai",
            None,
            [],
            id="transformers-serve",
        ),
        pytest.param(
            {MODELS: listing("bge", type="embedding")}, LOST, "openai", None, [], id="unknown-with-an-embedder-alone"
        ),
        pytest.param(
            {
                MODELS: listing(
                    {"id": "a", "type": "chat"},
                    {"id": "b", "type": "embeddings"},
                    {"id": "c", "capabilities": ["embed"]},
                    {"id": "d", "capabilities": ["completion", "embed"]},
                    {"id": "e", "capabilities": {"completion_chat": False}},
                    {"id": "f", "capabilities": {"completion_chat": True}},
                    {"id": "g", "task": "automatic-speech-recognition"},
                    {"id": "h", "type": None, "capabilities": []},
                )
            },
            LOST,
            "openai",
            None,
            [model("a"), model("d"), model("f"), model("h")],
            id="types-and-capabilities",
        ),
        pytest.param({MODELS: listing("gpt", owned_by="me")}, LOST, "openai", None, [model("gpt")], id="unknown"),
        pytest.param({MODELS: listing()}, LOST, "openai", None, [], id="unknown-empty"),
        pytest.param(
            # KoboldCpp has the pages of both Ollama and llama-server.
            {
                MODELS: listing("kobold", owned_by="koboldcpp"),
                "/props": KOBOLD,
                "/api/version": {"version": "0.7.0"},
                "/api/ps": {"models": []},
                "/": HttpReply(200, None, {}, "<!doctype html>"),
            },
            LOST,
            "openai",
            None,
            [model("kobold")],
            id="koboldcpp",
        ),
        pytest.param(
            {MODELS: listing("a", owned_by="vllm")}, LOST, "openai", None, [model("a", True)], id="vllm-in-name-only"
        ),
    ],
)
def test_each_runtime_is_known_by_what_its_pages_hold(
    pages: dict[str, Any], other: HttpReply, runtime: str, version: str | None, models: list[ListedModel]
) -> None:
    running = said(pages, other=other)

    assert running
    assert (running.runtime, running.version, list(running.models)) == (runtime, version, models)
    assert not running.wants_key


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        pytest.param({"details": {"family": "gemma3", "families": ["gemma3"]}}, True, id="gemma"),
        pytest.param({"details": {"family": "bert", "families": ["bert"]}}, False, id="bert"),
        pytest.param({"details": {"family": "nomic-bert", "families": None}}, False, id="nomic"),
        pytest.param({"details": {"family": "bert"}, "capabilities": []}, False, id="no-capabilities-listed"),
        pytest.param({"details": {"family": "qwen3"}, "capabilities": ["embedding"]}, False, id="embedding"),
        pytest.param({"details": {"family": "qwen3"}, "capabilities": ["completion", "tools"]}, True, id="completion"),
        pytest.param({"details": 7, "capabilities": 7}, True, id="odd"),
        pytest.param({}, True, id="silent"),
    ],
)
def test_ollamas_embedding_models_cannot_be_asked(told: dict[str, Any], asked: bool) -> None:
    running = said({**OLLAMA, "/api/tags": {"models": [{"name": "gemma4:26b", **told}]}})

    assert running
    assert ("gemma4:26b" in [model.id for model in running.models]) == asked


@pytest.mark.parametrize(
    ("pages", "other", "runtime", "version"),
    [
        pytest.param({}, UNAUTHORIZED, "openai", None, id="everything-shut"),
        pytest.param({MODELS: HttpReply(403, {"detail": "no"})}, LOST, "openai", None, id="fastapi"),
        pytest.param({MODELS: LLAMA[MODELS]}, UNAUTHORIZED, "llama_server", None, id="llama-server"),
        pytest.param({"/health": OMLX["/health"]}, UNAUTHORIZED, "omlx", None, id="omlx"),
        pytest.param(
            {MODELS: HttpReply(401, {"error": "Unauthorized"}), "/version": {"version": "0.11.0"}},
            LOST,
            "vllm",
            "0.11.0",
            id="vllm",
        ),
    ],
)
def test_a_server_that_wants_a_key_is_listed_as_such(
    pages: dict[str, Any], other: HttpReply, runtime: str, version: str | None
) -> None:
    running = said(pages, other=other)

    assert running
    assert (running.runtime, running.version, running.wants_key) == (runtime, version, True)


def test_a_server_that_still_loads_is_known() -> None:
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}

    running = said({}, other=HttpReply(503, loading, {"server": "llama.cpp"}))

    assert running
    assert (running.runtime, running.loading, running.models) == ("llama_server", True, ())


HTML = HttpReply(200, None, {"content-type": "text/html"}, "<!doctype html>")


@pytest.mark.parametrize(
    ("pages", "other"),
    [
        pytest.param({}, NO_REPLY, id="nobody"),
        pytest.param({}, LOST, id="no-such-page"),
        pytest.param({}, HTML, id="a-page-for-every-path"),
        pytest.param({"/api/version": {"version": "0.6.5"}}, HTML, id="open-webui"),
        pytest.param({}, HttpReply(302, None, {"location": "/login"}), id="redirect"),
        pytest.param({}, HttpReply(403, None, {"server": "AirTunes/1.0"}), id="airplay"),
        pytest.param({}, HttpReply(401, None, {"www-authenticate": "Basic"}, "<html>"), id="a-password"),
        pytest.param({}, HttpReply(200, {"status": "ok"}), id="the-same-json-for-every-path"),
        pytest.param({"/health": {"status": "ok"}, "/version": {"version": "1.0"}}, LOST, id="a-service"),
        pytest.param({"/health": HttpReply(200, {"status": "ok", "db": "up"}, PYTHON)}, LOST, id="a-python-service"),
        pytest.param({}, HttpReply(200, [1, 2]), id="a-list-for-every-path"),
        pytest.param({MODELS: {"data": {"id": "x"}}}, LOST, id="object-for-list"),
        pytest.param({MODELS: {"data": [1, "x", None, {}, {"id": 7}]}}, LOST, id="models-without-names"),
        pytest.param({MODELS: [{"id": "x"}]}, LOST, id="list-for-object"),
        pytest.param({MODELS: HttpReply(500, listing("x"))}, LOST, id="list-in-an-error"),
        pytest.param({}, HttpReply(503, None, {"server": "nginx"}), id="busy-gateway"),
    ],
)
def test_what_is_no_model_server_is_left_out(pages: dict[str, Any], other: HttpReply) -> None:
    assert said(pages, other=other) is None


WORDS = ["data", "models", "id", "key", "owned_by", "status", "version", "error", "loaded_instances", "config"]
WORDS += ["meta", "n_ctx", "type", "engine_pool", "model_type", "default_generation_settings", "name"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


# The first text of a fresh clone takes seconds on a busy machine: Hypothesis makes its table of all characters then.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([MODELS, *PAGES]), JSON), st.sampled_from([200, 401, 404, 503]))
def test_no_reply_is_odd_enough_to_break_it(pages: dict[str, Any], status: int) -> None:
    running = said({page: HttpReply(status, body) for page, body in pages.items()})

    assert running is None or all(isinstance(listed.id, str) for listed in running.models)


def test_a_name_that_is_listed_twice_is_one_model() -> None:
    running = said({MODELS: listing("a", "a", "b")})

    assert running
    assert [listed.id for listed in running.models] == ["a", "b"]
