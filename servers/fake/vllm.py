"""The fake server as vLLM."""

from typing import Any

from servers.fake.reply import Reply, within
from servers.fake.spec import Answer, Call, Dialect, State, listing, spoken, template_switch

VERSION = "0.26.0"
_TYPES = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}


def _error(_path: str, message: str, status: int) -> dict[str, Any]:
    kind = _TYPES.get(status, "InternalServerError")
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def _respond(state: State, call: Call, reply: Reply) -> Reply | Answer:
    model = state.models.get(str(call.body.get("model")))
    if model is None:
        message = f"The model `{call.body.get('model')}` does not exist."
        return Answer(404, _error(call.path, message, 404))
    limit = call.body.get("max_completion_tokens", call.body.get("max_tokens"))
    if reply.prompt_tokens + (limit or 0) > model.context:
        message = (
            f"This model's maximum context length is {model.context} tokens. However, you requested {limit or 0} "
            f"output tokens and your prompt contains {reply.prompt_tokens} input tokens."
        )
        return Answer(400, _error(call.path, message, 400))
    unlimited = spoken(reply, "reasoning", thinks=template_switch(call.body, model))
    return within(unlimited, limit or model.context - reply.prompt_tokens)


def _models(state: State, _call: Call) -> dict[str, Any]:
    body = listing(state, owned_by="vllm", created=1_700_000_000, parent=None)
    for entry in body["data"]:
        model = state.models[entry["id"]]
        entry |= {"root": model.path, "max_model_len": model.context}
    return body


VLLM = Dialect(
    name="vllm",
    pages={
        "GET /version": lambda _state, _call: {"version": VERSION},
        "GET /health": lambda _state, _call: Answer(200, ""),
        "GET /v1/models": _models,
    },
    respond=_respond,
    error=_error,
    missing=lambda _call: Answer(404, {"detail": "Not Found"}),
    open_paths=("/health", "/version"),
    headers={"server": "uvicorn"},
)
