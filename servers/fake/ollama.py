"""The fake server as Ollama (0.33)."""

import hashlib
from typing import Any

from msgspec.structs import replace

from servers.fake.reply import Reply, openai_error, pieces, tokens, within
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

VERSION = "0.33.0"
_STORE = "/usr/share/ollama/.ollama/models/blobs"
_TIME = "2026-01-01T00:00:00Z"
_EFFORTS = {"none": False, **dict.fromkeys(("minimal", "low", "medium", "high", "xhigh", "ultra", "max"), True)}


def _error(path: str, message: str, status: int) -> dict[str, Any]:
    if path.startswith("/api/"):
        return {"error": message}
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(status, "api_error")
    return openai_error(message, kind)


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Refuse, load, or answer within the context that was asked for."""
    body = call.body
    model = _model(state, body)
    if model is None:
        return Answer(404, _error(call.path, f"model '{body.get('model')}' not found", 404))
    native = call.path.startswith("/api/")
    if native and not body.get("messages") and not body.get("prompt"):
        return _loaded_only(state, call, model)
    think = body.get("think") if native else _effort(body)
    if refusal := _thinking_refused(think, str(body["model"]), model):
        return Answer(400, _error(call.path, refusal, 400))
    on = model.thinking is not None and (think is not False or not model.obeys)
    options = (body.get("options") or {}) if native else {}
    context = min(options.get("num_ctx", model.served_context), model.context)
    state.loaded[model.id] = {"context": context}
    limited = within(
        spoken(reply, "reasoning", thinks=on), options.get("num_predict") if native else body.get("max_tokens")
    )
    # /v1 has no word for either, and both are on.
    truncates, shifts = (body.get(key) is not False or not native for key in ("truncate", "shift"))
    return _fitted(limited, call.path, context, truncates=truncates, shifts=shifts)


def _thinking_refused(think: object, name: str, model: FakeModel) -> str:
    """Return the message with which a setting of thinking is refused; empty where it is not."""
    if think is not None and not isinstance(think, bool) and _EFFORTS.get(str(think)) is None:
        return f'invalid reasoning value: \'{think}\' (must be "high", "medium", "low", "max", or "none")'
    return f'"{name}" does not support thinking' if think and model.thinking is None else ""


def _fitted(reply: Reply, path: str, context: int, *, truncates: bool, shifts: bool) -> Reply | Answer:
    """Return a reply as it fits into the context: whole where that shifts, its token counts ending at the context."""
    if reply.prompt_tokens >= context and not (truncates and shifts):
        message = (
            "the prompt is longer than the context length currently available to the model; shorten the prompt, "
            "adjust the context length in settings, or use a model with a longer context length"
        )
        return Answer(400, _error(path, message, 400))
    prompt = min(reply.prompt_tokens, context - 1)
    room = context - prompt
    if not shifts:
        return within(reply, room)
    return replace(reply, prompt_tokens=prompt, completion_tokens=min(tokens(reply), room))


def _model(state: State, body: dict[str, Any]) -> FakeModel | None:
    name = str(body.get("model") or body.get("name"))
    return (
        state.models.get(name) or state.models.get(f"{name}:latest") or state.models.get(name.removesuffix(":latest"))
    )


def _effort(body: dict[str, Any]) -> bool | str | None:
    """Return what /v1 is asked about thinking."""
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    return None if effort is None else _EFFORTS.get(str(effort), str(effort))


def _loaded_only(state: State, call: Call, model: FakeModel) -> Answer:
    """Load a model, or drop it, as a request without a prompt asks."""
    dropped = call.body.get("keep_alive") in (0, "0")
    if dropped:
        state.loaded.pop(model.id, None)
    else:
        context = (call.body.get("options") or {}).get("num_ctx", model.served_context)
        state.loaded[model.id] = {"context": min(context, model.context)}
    head = {"model": call.body["model"], "created_at": _TIME, **_piece(call.path, text="")}
    return Answer(200, {**head, "done": True, "done_reason": "unload" if dropped else "load"})


def _piece(path: str, *, text: str, thinking: str = "") -> dict[str, Any]:
    """Return a piece of a reply in the words of /api/chat or /api/generate."""
    thought = {"thinking": thinking} if thinking else {}
    if path == "/api/generate":
        return {"response": text, **thought}
    return {"message": {"role": "assistant", "content": text, **thought}}


def _end(turn: Turn) -> dict[str, Any]:
    prompt, reply = turn.reply.prompt_tokens, tokens(turn.reply)
    return {
        "done": True,
        "done_reason": turn.reply.finish_reason,
        "total_duration": 10_000_000 * prompt + 20_000_000 * reply + 1_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": 10_000_000 * prompt,
        "eval_count": reply,
        "eval_duration": 20_000_000 * reply,
        **turn.reply.extra,
    }


def _native_whole(turn: Turn) -> dict[str, Any]:
    whole = _piece(turn.path, text=turn.reply.text or "", thinking=turn.reply.reasoning)
    return {"model": turn.name, "created_at": _TIME, **whole, **_end(turn)}


def _native_parts(turn: Turn) -> list[dict[str, Any]]:
    head = {"model": turn.name, "created_at": _TIME}
    shown = [_piece(turn.path, text="", thinking=piece) for piece in pieces(turn.reply.reasoning, turn.reply.piece)]
    shown += [_piece(turn.path, text=piece) for piece in pieces(turn.reply.text or "", turn.reply.piece)]
    parts = [{**head, **piece, "done": False} for piece in shown]
    if turn.reply.fault != "cut":
        parts.append({**head, **_piece(turn.path, text=""), **_end(turn)})
    return parts


def _openai_whole(turn: Turn) -> dict[str, Any]:
    body = {**openai_whole(turn), "system_fingerprint": "fp_ollama"}
    if turn.chat:
        body["choices"][0]["message"]["content"] = turn.reply.text or ""
    return body


def _openai_parts(turn: Turn) -> list[dict[str, Any]]:
    """Return the chunks: none for the role alone, but empty content beside each piece of reasoning."""
    parts = [{**part, "system_fingerprint": "fp_ollama"} for part in openai_parts(turn)]
    if not turn.chat:
        return parts
    role = {"role": "assistant"}
    for part in parts[1:]:
        for choice in part["choices"]:
            empty = {"content": ""} if "reasoning" in choice["delta"] else {}
            choice["delta"] = {**role, **empty, **choice["delta"]}
            role = {}
    return parts[1:]


def _details(model: FakeModel) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "safetensors" if model.format == "mlx" else model.format,
        "family": model.architecture,
        "families": [model.architecture],
        "parameter_size": f"{model.parameters / 1e9:.1f}B",
        "quantization_level": model.quantization,
    }


def _entry(model: FakeModel) -> dict[str, Any]:
    details = _details(model)
    return {"name": model.id, "model": model.id, "size": model.bytes, "digest": _digest(model), "details": details}


def _digest(model: FakeModel) -> str:
    return hashlib.sha256(model.id.encode()).hexdigest()


def _tags(state: State, _call: Call) -> dict[str, Any]:
    return {"models": [{**_entry(model), "modified_at": _TIME} for model in state.models.values()]}


def _ps(state: State, _call: Call) -> dict[str, Any]:
    running = [
        {
            **_entry(state.models[name]),
            "expires_at": _TIME,
            "size_vram": state.models[name].bytes,
            "context_length": loaded["context"],
        }
        for name, loaded in state.loaded.items()
    ]
    return {"models": running}


def _show(state: State, call: Call) -> Any:  # noqa: ANN401 - JSON
    model = _model(state, call.body)
    if model is None:
        return Answer(404, _error(call.path, f"model '{call.body.get('model')}' not found", 404))
    info = {
        "general.architecture": model.architecture,
        "general.parameter_count": model.parameters,
        f"{model.architecture}.context_length": model.context,
    }
    capabilities = ["completion", *(["thinking"] if model.thinking is not None else [])]
    return {
        "modelfile": f"FROM {_STORE}/sha256-{_digest(model)}\n",
        "parameters": "temperature 1\ntop_k 64\ntop_p 0.95",
        "template": model.template,
        "details": _details(model),
        "model_info": info,
        "capabilities": capabilities,
        "modified_at": _TIME,
    }


_OPENAI = Route(whole=_openai_whole, parts=_openai_parts)
_NATIVE = Route(whole=_native_whole, parts=_native_parts, lines=True, streams=True)
OLLAMA = Dialect(
    name="ollama",
    routes={
        "/v1/chat/completions": _OPENAI,
        "/v1/completions": _OPENAI,
        "/api/chat": _NATIVE,
        "/api/generate": _NATIVE,
    },
    pages={
        "GET /": lambda _state, _call: Answer(200, "Ollama is running"),
        "GET /api/version": lambda _state, _call: {"version": VERSION},
        "GET /api/tags": _tags,
        "GET /api/ps": _ps,
        "POST /api/show": _show,
        "GET /v1/models": lambda state, _call: listing(state, owned_by="library", created=1_700_000_000),
    },
    respond=_respond,
    error=_error,
    missing=lambda _call: Answer(404, "404 page not found"),
    open_paths=("/",),
)
