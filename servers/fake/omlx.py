"""The fake server as oMLX (0.4.1)."""

from typing import Any
from urllib.parse import unquote

from msgspec.structs import replace

from servers.fake.reply import Reply, openai_error, usage_of, within
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
    template_switch,
)

VERSION = "0.4.1"
_MAX_TOKENS = 32768
_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


def _error(path: str, message: str, status: int) -> dict[str, Any]:
    if not path.startswith("/v1/"):
        return {"detail": message}
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return openai_error(message, kind)


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Answer; an error during generation comes after status 200, and `max_completion_tokens` is not known."""
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        known = ", ".join(state.models) or "(none)"
        message = f"Model '{call.body.get('model')}' not found. Available models: {known}"
        return Answer(404, _error(call.path, message, 404))
    if reply.prompt_tokens > model.context:
        message = f"Prompt too long: {reply.prompt_tokens} tokens exceeds max context window of {model.context} tokens"
        return Answer(400, _error(call.path, message, 400))
    state.loaded.setdefault(model.id, {})
    if reply.status >= 500 and reply.status != 503:
        return replace(reply, status=200, fault="error")
    budgeted = call.body.get("thinking_budget") is not None and model.thinking is not None
    unlimited = spoken(reply, "reasoning_content", thinks=budgeted or template_switch(call.body, model))
    return within(unlimited, call.body.get("max_tokens", _MAX_TOKENS))


def _leaks(turn: Turn) -> bool:
    """Whether thinking that was cut off passes for the answer: where <think> is not closed, so not with a Gemma 4.

    It goes by the type in a model's config or else by the name (adapter/output_parser.py, api/thinking.py).
    """
    model = turn.state.models.get(turn.name)
    gemma = model is not None and model.architecture == "gemma4"
    named = any(part in turn.name.lower() for part in ("gemma-4", "gemma4"))
    return turn.chat and turn.reply.thinking_cut and not (gemma or named)


def _whole(turn: Turn) -> dict[str, Any]:
    """Return the body; where thinking leaks, the thoughts as if they were the answer."""
    reply = turn.reply
    leaked = replace(reply, text=reply.reasoning, reasoning="") if _leaks(turn) else reply
    body = openai_whole(turn._replace(reply=leaked))
    if "usage" in body:
        body["usage"] = {**_usage(reply), "total_time": 0.5}
    if turn.chat and leaked.text is None:
        del body["choices"][0]["message"]["content"]  # it leaves out what is null
    return body


def _parts(turn: Turn) -> list[dict[str, Any]]:
    """Return the chunks, an empty one of another model first; thinking that leaks comes again, as content."""
    parts = openai_parts(turn)
    if _leaks(turn) and turn.reply.fault != "cut":
        end = next(i for i, part in enumerate(parts) if part["choices"] and part["choices"][0]["finish_reason"])
        again = {"index": 0, "finish_reason": None, "delta": {"content": turn.reply.reasoning}}
        parts.insert(end, {**parts[0], "choices": [again]})
    if "usage" in parts[-1]:
        parts[-1]["usage"] = {**_usage(turn.reply), "total_time": 0.5, "time_to_first_token": 0.1}
    empty = {"delta": {"content": ""}} if turn.chat else {"text": ""}
    kept_alive = {"index": 0, "finish_reason": None, **empty}
    return [{**parts[0], "created": 0, "model": "keepalive", "choices": [kept_alive]}, *map(_without_null, parts)]


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    for choice in part["choices"]:
        if choice["finish_reason"] is None:
            del choice["finish_reason"]
        if choice.get("delta", {}).get("content", "") is None:
            del choice["delta"]["content"]
    return part


def _usage(reply: Reply) -> dict[str, Any]:
    usage = usage_of(reply)
    doubled = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    return {**usage, **doubled, "prompt_tokens_details": {"cached_tokens": 0}}


def _health(state: State, _call: Call) -> dict[str, Any]:
    pool = {"model_count": len(state.models), "loaded_count": len(state.loaded), "current_model_memory": 0}
    return {"status": "healthy", "default_model": next(iter(state.models), None), "engine_pool": pool, "mcp": None}


def _status(state: State, _call: Call) -> dict[str, Any]:
    return {
        "status": "ok",
        "version": VERSION,
        "uptime_seconds": 1.0,
        "models_discovered": len(state.models),
        "models_loaded": len(state.loaded),
        "models_loading": 0,
        "default_model": next(iter(state.models), None),
        "loaded_models": list(state.loaded),
        "active_requests": 0,
        "waiting_requests": 0,
        "total_cached_tokens": 0,
    }


def _models(state: State, _call: Call) -> dict[str, Any]:
    body = listing(state, owned_by="omlx", created=1_700_000_000)
    for entry in body["data"]:
        entry["max_model_len"] = state.models[entry["id"]].context
    return body


def _models_status(state: State, _call: Call) -> dict[str, Any]:
    models = [_described(state, model) for model in state.models.values()]
    return {"model_count": len(models), "loaded_count": len(state.loaded), "models": models}


def _described(state: State, model: FakeModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "model_path": model.path,
        "loaded": model.id in state.loaded,
        "is_loading": False,
        "estimated_size": model.bytes,
        "actual_size": model.bytes if model.id in state.loaded else None,
        "engine_type": "batched",
        "model_type": "llm",
        "config_model_type": model.architecture,
        "thinking_default": model.thinking,
        "max_context_window": model.context,
        "max_tokens": _MAX_TOKENS,
    }


def _load(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    name = _named(call)
    if name not in state.models:
        return Answer(404, _error(call.path, f"Model not found: {name}", 404))
    known = name in state.loaded
    state.loaded.setdefault(name, {})
    return {"status": "ok", "model_id": name, "message": f"Already loaded: {name}" if known else f"Loaded {name}"}


def _unload(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    name = _named(call)
    if name not in state.models:
        return Answer(404, _error(call.path, f"Model not found: {name}", 404))
    if state.loaded.pop(name, None) is None:
        return Answer(400, _error(call.path, f"Model not loaded: {name}", 400))
    return {"status": "ok", "model_id": name}


def _named(call: Call) -> str:
    return unquote(call.path.removeprefix("/v1/models/").rpartition("/")[0])


_ROUTE = Route(whole=_whole, parts=_parts)
OMLX = Dialect(
    name="omlx",
    routes={"/v1/chat/completions": _ROUTE, "/v1/completions": _ROUTE},
    pages={
        "GET /health": _health,
        "GET /api/status": _status,
        "GET /v1/models": _models,
        "GET /v1/models/status": _models_status,
        "GET /openapi.json": lambda _state, _call: {"openapi": "3.1.0", "info": {"title": "oMLX API"}},
        "POST /v1/models/*/load": _load,
        "POST /v1/models/*/unload": _unload,
    },
    respond=_respond,
    error=_error,
    missing=lambda call: Answer(404, _error(call.path, "Not Found", 404)),
    open_paths=("/health", "/openapi.json"),
    headers={"server": "uvicorn"},
    padded=True,
)
