"""The fake server as llama.cpp's server (b11434), with one model or as a router."""

from typing import Any, Literal
from urllib.parse import parse_qs

from msgspec.structs import replace

from servers.fake.reply import Reply, candidates, tokens, within
from servers.fake.spec import (
    Answer,
    Call,
    Dialect,
    FakeModel,
    Page,
    Route,
    State,
    Turn,
    openai_parts,
    openai_whole,
    spoken,
    template_switch,
)

_BUILD = "b11434-fake"
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 503: "unavailable_error"}


def _error(_path: str, message: str, status: int) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "type": _TYPES.get(status, "server_error")}}


def _refused(message: str, **more: Any) -> Answer:  # noqa: ANN401 - JSON
    return Answer(400, {"error": {**_error("", message, 400)["error"], **more}})


def _missing(call: Call) -> Answer:
    return Answer(404, _error(call.path, "File Not Found", 404))


def _loading(call: Call) -> Answer:
    return Answer(503, _error(call.path, "Loading model", 503))


def _only(state: State) -> FakeModel:
    return next(iter(state.models.values()))


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Answer with the one model, whatever name is asked for."""
    return _generated(state, call.body, reply, _only(state))


def _respond_as_router(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Answer with the named model, which replaces the loaded one if it is another."""
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        return _refused(f"model '{call.body.get('model')}' not found")
    state.loaded = {model.id: state.loaded.get(model.id, {"context": model.served_context})}
    return _generated(state, call.body, reply, model)


def _generated(state: State, body: dict[str, Any], reply: Reply, model: FakeModel) -> Reply | Answer:
    context = state.loaded.get(model.id, {"context": model.served_context})["context"]
    switch = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
    if "prompt" not in body and not isinstance(body.get("messages"), list):
        return _refused("Expected 'messages' to be an array")
    if switch is not None and not isinstance(switch, bool):
        return _refused('invalid type for "enable_thinking" (expected boolean, got string)')
    if reply.prompt_tokens >= context:
        return _refused(
            f"request ({reply.prompt_tokens} tokens) exceeds the available context size ({context} tokens), "
            "try increasing it",
            type="exceed_context_size_error",
            n_prompt_tokens=reply.prompt_tokens,
            n_ctx=context,
        )
    limit = body.get("max_tokens", body.get("max_completion_tokens"))
    limited = within(spoken(reply, "reasoning_content", thinks=_thinks(body, model)), limit)
    return within(limited, context - reply.prompt_tokens)


def _thinks(body: dict[str, Any], model: FakeModel) -> bool:
    off = body.get("reasoning_effort") == "none" and model.obeys
    return template_switch(body, model) and not off


def _whole(turn: Turn) -> dict[str, Any]:
    body = {**openai_whole(turn), "model": _served(turn), **_measured(turn)}
    if turn.body.get("logprobs") and turn.reply.logprobs:
        most = int(turn.body.get("top_logprobs") or 0)
        body["choices"][0]["logprobs"] = {"content": candidates(turn.reply, most)}
    return body


def _parts(turn: Turn) -> list[dict[str, Any]]:
    parts = [{**part, "model": _served(turn), "system_fingerprint": _BUILD} for part in openai_parts(turn)]
    if turn.reply.fault != "cut":
        parts[-1].update(_measured(turn))
    return parts


def _served(turn: Turn) -> str:
    """Return the name of the model that answers, whatever the request called it."""
    return turn.name if turn.name in turn.state.models else _only(turn.state).id


def _measured(turn: Turn) -> dict[str, Any]:
    prompt, reply = turn.reply.prompt_tokens, tokens(turn.reply)
    timings = {
        "cache_n": 0,
        "prompt_n": prompt,
        "prompt_ms": 10.0 * prompt,
        "prompt_per_token_ms": 10.0,
        "prompt_per_second": 100.0,
        "predicted_n": reply,
        "predicted_ms": 20.0 * reply,
        "predicted_per_token_ms": 20.0,
        "predicted_per_second": 50.0,
    }
    return {"system_fingerprint": _BUILD, "timings": timings, **turn.reply.extra}


def _props(state: State, _call: Call) -> dict[str, Any]:
    return _props_of(state, _only(state))


def _props_of(state: State, model: FakeModel) -> dict[str, Any]:
    return {
        "default_generation_settings": {"params": {}, "n_ctx": state.loaded[model.id]["context"]},
        "total_slots": state.loaded[model.id].get("parallel", 1),
        "model_alias": model.id,
        "model_ftype": model.quantization,
        "model_path": model.path,
        "chat_template": model.template,
        "build_info": _BUILD,
    }


def _router_props(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    """Describe the model that the query names, which is loaded for it; without a name, the router itself."""
    names = parse_qs(call.query).get("model")
    if not names:
        nothing = {"params": {}, "n_ctx": 0}
        return {
            "role": "router",
            "model_alias": "llama-server",
            "model_path": "none",
            "default_generation_settings": nothing,
            "build_info": _BUILD,
        }
    model = state.models.get(names[0])
    if model is None:
        return _refused(f"model '{names[0]}' not found")
    state.loaded = {model.id: state.loaded.get(model.id, {"context": model.served_context})}
    return _props_of(state, model)


def _listed(state: State, model: FakeModel) -> dict[str, Any]:
    meta = {
        "n_ctx": state.loaded.get(model.id, {}).get("context"),
        "n_ctx_train": model.context,
        "n_params": model.parameters,
        "size": model.bytes,
        "ftype": model.quantization,
    }
    return {"id": model.id, "aliases": [model.id], "object": "model", "owned_by": "llamacpp", "meta": meta}


def _models(state: State, _call: Call) -> dict[str, Any]:
    return {"object": "list", "data": [_listed(state, model) for model in state.models.values()]}


def _router_models(state: State, _call: Call) -> dict[str, Any]:
    data = []
    for model in state.models.values():
        entry = _listed(state, model)
        value: Literal["loaded", "unloaded"] = "loaded" if model.id in state.loaded else "unloaded"
        if value == "unloaded":
            del entry["meta"]
        args = ["llama-server", "--alias", model.id, "--model", model.path]
        data.append({**entry, "status": {"value": value, "args": args}, "source": "models_dir"})
    return {"object": "list", "data": data}


def _load(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        return _refused(f"model '{call.body.get('model')}' not found")
    state.loaded = {model.id: {"context": model.served_context}}
    return {"success": True}


def _unload(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    if state.loaded.pop(str(call.body.get("model")), None) is None:
        return _refused("model is not running")
    return {"success": True}


def _apply_template(state: State, call: Call) -> dict[str, str]:
    model = state.models.get(str(call.body.get("model")), _only(state))
    turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in call.body["messages"])
    closed = "" if _thinks(call.body, model) or model.thinking is None else "<think>\n\n</think>\n\n"
    return {"prompt": f"{turns}<|im_start|>assistant\n{closed}"}


def _tokenize(_state: State, call: Call) -> dict[str, Any]:
    words = call.body["content"].split()
    if call.body.get("with_pieces"):
        return {"tokens": [{"id": number, "piece": word} for number, word in enumerate(words)]}
    return {"tokens": list(range(len(words)))}


def _healthy(_state: State, _call: Call) -> dict[str, str]:
    return {"status": "ok"}


_ROUTE = Route(whole=_whole, parts=_parts)
_ROUTES = {"/v1/chat/completions": _ROUTE, "/v1/completions": _ROUTE}
_PAGES: dict[str, Page] = {
    "GET /health": _healthy,
    "GET /v1/health": _healthy,
    "GET /props": _props,
    "GET /v1/models": _models,
    "POST /apply-template": _apply_template,
    "POST /tokenize": _tokenize,
}
LLAMA_SERVER = Dialect(
    name="llama_server",
    routes=_ROUTES,
    pages=_PAGES,
    respond=_respond,
    error=_error,
    missing=_missing,
    loading=_loading,
    open_paths=("/health", "/v1/health", "/v1/models"),
    headers={"Server": "llama.cpp"},
)
LLAMA_ROUTER = replace(
    LLAMA_SERVER,
    name="llama_router",
    pages={
        **_PAGES,
        "GET /props": _router_props,
        "GET /v1/models": _router_models,
        "POST /models/load": _load,
        "POST /models/unload": _unload,
    },
    respond=_respond_as_router,
)
