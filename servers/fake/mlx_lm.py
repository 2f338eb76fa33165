"""The fake server as mlx_lm.server (0.32.2)."""

from typing import Any

from servers.fake.reply import Reply, candidates, within
from servers.fake.spec import (
    Answer,
    Call,
    Dialect,
    Route,
    State,
    Turn,
    openai_parts,
    openai_whole,
    spoken,
    template_switch,
)

_FINGERPRINT = "0.32.2-0.32.4-Linux-x86_64"
_MAX_TOKENS = 512
_MOST_CANDIDATES = 11

BROKEN = Answer(503, {"status": "unavailable"})
"""What /health holds when the thread that generates has died: `pages={"/health": BROKEN}`."""
NO_HUB = Answer(200, "", "application/json")
"""What /v1/models holds where the hub's cache does not exist: `pages={"/v1/models": NO_HUB}`."""


def _error(_path: str, message: str, _status: int) -> dict[str, str]:
    return {"error": message}


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    """Answer to two names; any other makes it drop its model. An error before the first token has status 404."""
    name = call.body.get("model", "default_model")
    if name != "default_model" and name not in state.models:
        state.loaded.clear()
        return Answer(404, _error("", f"Repository Not Found: {name}", 404))
    if reply.status != 200:
        return Answer(404, _error("", reply.error, 404))
    model = state.models.get(name) or next(iter(state.models.values()))
    state.loaded.setdefault(model.id, {})
    limit = call.body.get("max_completion_tokens", call.body.get("max_tokens", _MAX_TOKENS))
    unlimited = spoken(reply, "reasoning", thinks=template_switch(call.body, model))
    return within(unlimited, limit)


def _whole(turn: Turn) -> dict[str, Any]:
    body = {**openai_whole(turn), "system_fingerprint": _FINGERPRINT, **turn.reply.extra}
    if turn.chat:
        body["choices"][0]["message"]["content"] = turn.reply.text or None
    if turn.body.get("logprobs") and turn.reply.logprobs:
        body["choices"][0]["logprobs"] = {"content": _logprobs(turn)}
    return body


def _logprobs(turn: Turn) -> list[dict[str, Any]]:
    """Return the candidates; where they are asked for, an unsorted list whose first passes for the chosen one."""
    most = min(int(turn.body.get("top_logprobs") or 0), _MOST_CANDIDATES)
    content = candidates(turn.reply, most)
    if most == 0:
        return content
    wrong = []
    for token in content:
        *others, last = token["top_logprobs"]
        wrong.append({**last, "top_logprobs": [last, *others]})
    return wrong


def _parts(turn: Turn) -> list[dict[str, Any]]:
    """Return the chunks: none for the role alone, but the role in each."""
    parts = [{**part, "system_fingerprint": _FINGERPRINT} for part in openai_parts(turn)]
    if not turn.chat:
        return parts
    for part in parts[1:]:
        for choice in part["choices"]:
            choice["delta"] = {"role": "assistant", **choice["delta"]}
        if not part["choices"]:
            part["object"] = "chat.completion"
    return parts[1:]


def _models(state: State, _call: Call) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": i, "object": "model", "created": 1_700_000_000} for i in state.models]}


_ROUTE = Route(whole=_whole, parts=_parts)
MLX_LM = Dialect(
    name="mlx_lm",
    routes={"/v1/chat/completions": _ROUTE, "/chat/completions": _ROUTE, "/v1/completions": _ROUTE},
    pages={"GET /health": lambda _state, _call: {"status": "ok"}, "GET /v1/models": _models},
    respond=_respond,
    error=_error,
    missing=lambda _call: Answer(404, "Not Found", "application/json"),
    open_paths=("/",),
    headers={"Server": "BaseHTTP/0.6 Python/3.11", "Access-Control-Allow-Origin": "*"},
    http="1.0",
    opening=": keepalive 5/6\n\n: keepalive 6/6\n\n",
)
