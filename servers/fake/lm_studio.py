"""The fake server as LM Studio (0.4)."""

from typing import Any

from servers.fake.reply import Reply, openai_error, tokens, usage_of, within
from servers.fake.spec import (
    Answer,
    Call,
    Dialect,
    FakeModel,
    Route,
    State,
    Turn,
    listing,
    openai_parts,
    openai_whole,
    spoken,
)

RUNTIME = {"name": "llama.cpp-mac-arm64-apple-metal-advsimd", "version": "2.14.0", "supported_formats": ["gguf"]}
_PARALLEL = 4
_STOPPED = {"stop": "eosFound", "length": "maxPredictedTokensReached"}


def _error(_path: str, message: str, status: int) -> dict[str, Any]:
    return openai_error(message, "invalid_request_error" if status < 500 else "server_error")


def _missing(call: Call) -> Answer:
    return Answer(200, {"error": f"Unexpected endpoint or method. ({call.method} {call.path})"})


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Answer; a model that is not in memory is loaded with its default context, whatever the study wants."""
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        known = ", ".join(state.models)
        message = (
            f'Invalid model identifier "{call.body.get("model")}". Please specify a valid downloaded model ({known}).'
        )
        return Answer(400, openai_error(message, "invalid_request_error", param="model", code="model_not_found"))
    state.loaded.setdefault(model.id, {"context": model.served_context})
    unlimited = spoken(reply, thinks=_thinks(call.body, model))
    return within(unlimited, call.body.get("max_tokens"))


def _thinks(body: dict[str, Any], model: FakeModel) -> bool:
    """Whether it thinks: `reasoning_effort` alone counts, `chat_template_kwargs` and `enable_thinking` do not."""
    effort = body.get("reasoning_effort")
    if model.thinking is None or not model.obeys or effort not in ("none", "low", "medium", "high"):
        return bool(model.thinking)
    return bool(effort != "none")


def _whole(turn: Turn) -> dict[str, Any]:
    body = {**openai_whole(turn), **_measured(turn)}
    if "usage" in body:
        body["usage"] = _usage(turn.reply)
    return body


def _parts(turn: Turn) -> list[dict[str, Any]]:
    parts = openai_parts(turn)
    if turn.reply.fault == "cut":
        return parts
    parts[-1].update(_measured(turn))
    if "usage" in parts[-1]:
        parts[-1]["usage"] = _usage(turn.reply)
    return parts


def _usage(reply: Reply) -> dict[str, Any]:
    length = len(reply.reasoning) + len(reply.text or "")
    thought = tokens(reply) * len(reply.reasoning) // length if length else 0
    return {**usage_of(reply), "completion_tokens_details": {"reasoning_tokens": thought}}


def _measured(turn: Turn) -> dict[str, Any]:
    """Return what the REST API of LM Studio adds to OpenAI's body."""
    if not turn.path.startswith("/api/v0/"):
        return {}
    model = turn.state.models[turn.name]
    info = {
        "arch": model.architecture,
        "quant": model.quantization,
        "format": model.format,
        "context_length": turn.state.loaded[model.id]["context"],
    }
    stats = {
        "tokens_per_second": 50.0,
        "time_to_first_token": 0.1,
        "generation_time": tokens(turn.reply) / 50,
        "stop_reason": _STOPPED.get(turn.reply.finish_reason or "", "failed"),
    }
    return {"stats": stats, "model_info": info, "runtime": RUNTIME, **turn.reply.extra}


def _models(state: State, _call: Call) -> dict[str, Any]:
    return listing(state, owned_by="organization_owner")


def _models_v0(state: State, _call: Call) -> dict[str, Any]:
    return {"object": "list", "data": [_described_v0(state, model) for model in state.models.values()]}


def _described_v0(state: State, model: FakeModel) -> dict[str, Any]:
    loaded = state.loaded.get(model.id)
    entry = {
        "id": model.id,
        "object": "model",
        "type": "llm",
        "publisher": "fake",
        "arch": model.architecture,
        "compatibility_type": model.format,
        "quantization": model.quantization,
        "state": "not-loaded" if loaded is None else "loaded",
        "max_context_length": model.context,
    }
    return entry if loaded is None else {**entry, "loaded_context_length": loaded["context"]}


def _models_v1(state: State, _call: Call) -> dict[str, Any]:
    return {"models": [_described_v1(state, model) for model in state.models.values()]}


def _described_v1(state: State, model: FakeModel) -> dict[str, Any]:
    reasoning = {"allowed_options": ["off", "on"], "default": "on" if model.thinking else "off"}
    capabilities: dict[str, Any] = {"vision": False, "trained_for_tool_use": False}
    if model.thinking is not None:
        capabilities["reasoning"] = reasoning
    loaded = state.loaded.get(model.id)
    return {
        "type": "llm",
        "publisher": "fake",
        "key": model.id,
        "display_name": model.id,
        "architecture": model.architecture,
        "quantization": {"name": model.quantization, "bits_per_weight": 4},
        "size_bytes": model.bytes,
        "params_string": f"{model.parameters // 10**9}B",
        "loaded_instances": [] if loaded is None else [{"id": model.id, "config": _config(loaded)}],
        "max_context_length": model.context,
        "format": model.format,
        "capabilities": capabilities,
        "description": None,
    }


def _config(loaded: dict[str, Any]) -> dict[str, Any]:
    return {
        "context_length": loaded["context"],
        "eval_batch_size": 512,
        "parallel": loaded.get("parallel", _PARALLEL),
        "flash_attention": loaded.get("flash_attention", True),
        "offload_kv_cache_to_gpu": loaded.get("offload_kv_cache_to_gpu", True),
    }


def _load(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        return Answer(404, _error(call.path, f"Model {call.body.get('model')} not found", 404))
    flags = {key: call.body[key] for key in ("flash_attention", "offload_kv_cache_to_gpu") if key in call.body}
    loaded = {"context": call.body.get("context_length", model.served_context), **flags}
    state.loaded[model.id] = loaded
    echo = {"load_config": _config(loaded)} if call.body.get("echo_load_config") else {}
    return {"type": "llm", "instance_id": model.id, "load_time_seconds": 0.1, "status": "loaded", **echo}


def _unload(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    name = str(call.body.get("instance_id"))
    if state.loaded.pop(name, None) is None:
        return Answer(404, _error(call.path, f"No loaded instance {name}", 404))
    return {"instance_id": name}


_ROUTE = Route(whole=_whole, parts=_parts)
LM_STUDIO = Dialect(
    name="lm_studio",
    routes={
        "/v1/chat/completions": _ROUTE,
        "/v1/completions": _ROUTE,
        "/api/v0/chat/completions": _ROUTE,
        "/api/v0/completions": _ROUTE,
    },
    pages={
        "GET /v1/models": _models,
        "GET /api/v0/models": _models_v0,
        "GET /api/v1/models": _models_v1,
        "POST /api/v1/models/load": _load,
        "POST /api/v1/models/unload": _unload,
    },
    respond=_respond,
    error=_error,
    missing=_missing,
    headers={"X-Powered-By": "Express"},
)
