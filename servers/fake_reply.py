"""What the fake server answers with: the noun that scripts it, and the bodies it becomes."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

Fault = Literal["refuse", "drop", "cut", "stall", "garbage"]


class Reply(Struct, frozen=True, kw_only=True):
    """What one request is answered with."""

    text: str | None = ""
    """None sends null content, as servers do of a model that only thought."""
    reasoning: str = ""
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    finish_reason: str | None = "stop"
    status: int = 200
    """Anything else sends `error` as an OpenAI error body."""
    error: str = "scripted error"
    headers: Mapping[str, str] = {}
    fault: Fault | None = None
    """refuse: close before the headers. drop: break the connection in mid-reply. cut: end a stream cleanly but
    without finish_reason, usage and [DONE]. stall: be silent in mid-reply. garbage: send what is no JSON."""
    delay: float = 0
    """Seconds before the headers."""
    stall: float = 3600
    """Seconds of silence in mid-reply; only with the fault of that name."""
    pause: float = 0
    """Seconds between the events of a stream."""
    piece: int = 4
    """Characters in a piece of a stream."""
    split_bytes: bool = False
    """Send a stream byte by byte, so that characters are torn apart on the wire."""
    crlf: bool = False
    """End the stream's lines with CR LF."""
    keepalive: str | None = None
    """A comment before each event of a stream, as servers send while they are busy."""
    usage: bool = True
    prompt_tokens: int = 7
    completion_tokens: int | None = None
    """None counts the words of reasoning and text."""
    extra: Mapping[str, Any] = {}
    """Further keys of the body, or of a stream's last chunk: `timings`, `system_fingerprint`."""


def error_body(message: str, status: int) -> dict[str, Any]:
    """Return an error as OpenAI words it."""
    return {"error": {"message": message, "type": "fake_error", "code": status}}


def whole(reply: Reply, *, model: str, chat: bool) -> dict[str, Any]:
    """Return the body of a reply that is not streamed."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason}
    if chat:
        thought = {reply.reasoning_field: reply.reasoning} if reply.reasoning else {}
        choice["message"] = {"role": "assistant", "content": reply.text, **thought}
    else:
        choice["text"] = reply.text or ""
    body = {**_head(model, "chat.completion" if chat else "text_completion"), "choices": [choice]}
    return {**body, **({"usage": _usage(reply)} if reply.usage else {}), **reply.extra}


def chunks(reply: Reply, *, model: str, chat: bool, usage: bool) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a streamed reply: the role, pieces of reasoning, pieces of text, the end, and usage."""
    head = _head(model, "chat.completion.chunk" if chat else "text_completion")

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        said = {"delta": delta} if chat else {"text": delta.get("content", "")}
        return {**head, "choices": [{"index": 0, "finish_reason": finish_reason, **said}]}

    if chat:
        yield chunk({"role": "assistant", "content": None})
        for piece in _pieces(reply.reasoning, reply.piece):
            yield chunk({reply.reasoning_field: piece})
    for piece in _pieces(reply.text or "", reply.piece):
        yield chunk({"content": piece})
    if reply.fault == "cut":
        return
    counted = usage and reply.usage
    yield {**chunk({}, reply.finish_reason), **({} if counted else reply.extra)}
    if counted:
        yield {**head, "choices": [], "usage": _usage(reply), **reply.extra}


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "fake-1", "object": kind, "created": 1_700_000_000, "model": model}


def _usage(reply: Reply) -> dict[str, int]:
    words = len(reply.reasoning.split()) + len((reply.text or "").split())
    completion = words if reply.completion_tokens is None else reply.completion_tokens
    total = reply.prompt_tokens + completion
    return {"prompt_tokens": reply.prompt_tokens, "completion_tokens": completion, "total_tokens": total}


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
