"""What the fake server answers with: a scripted reply, and the JSON bodies that it becomes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

Fault = Literal["refuse", "drop", "cut", "stall", "garbage", "error"]


class Reply(Struct, frozen=True, kw_only=True):
    """What one request is answered with."""

    text: str | None = ""
    """None sends null content, as servers do of a model that only thought."""
    reasoning: str = ""
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    """Of a server without a dialect, and of LM Studio, where a setting rules; the other dialects have their own."""
    thinking_cut: bool = False
    """The tokens ran out before the thinking was over: there is no text, and finish_reason is length."""
    finish_reason: str | None = "stop"
    status: int = 200
    """Anything else sends `error` as the server's error body."""
    error: str = "scripted error"
    headers: Mapping[str, str] = {}
    fault: Fault | None = None
    """refuse: close before the headers. drop: break the connection in mid-reply. cut: end a stream cleanly but
    without finish_reason, usage and [DONE]. stall: be silent in mid-reply. garbage: send what is no JSON.
    error: after a status of 200 and half of a stream, send `error` in place of the rest."""
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
    logprobs: Sequence[Mapping[str, float]] = ()
    """For each token the candidates and their log probabilities, the chosen one first; sent, where a reply is not
    streamed, to a request that asks for `top_logprobs`."""
    extra: Mapping[str, Any] = {}
    """Further keys of the body, or of a stream's last chunk: `timings`, `system_fingerprint`."""


def error_body(message: str, status: int) -> dict[str, Any]:
    """Return an error in OpenAI's form."""
    return {"error": {"message": message, "type": "fake_error", "code": status}}


def openai_error(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return an error with all four of the fields that OpenAI's API has; `kind` is its `type`."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def whole(reply: Reply, *, model: str, chat: bool) -> dict[str, Any]:
    """Return the body of a reply that is not streamed."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason}
    if chat:
        thought = {reply.reasoning_field: reply.reasoning} if reply.reasoning else {}
        choice["message"] = {"role": "assistant", "content": reply.text, **thought}
    else:
        choice["text"] = reply.text or ""
    body = {**_head(model, "chat.completion" if chat else "text_completion"), "choices": [choice]}
    return {**body, **({"usage": usage_of(reply)} if reply.usage else {}), **reply.extra}


def chunks(reply: Reply, *, model: str, chat: bool, usage: bool) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a streamed reply: the role, pieces of reasoning, pieces of text, the end, and usage."""
    head = _head(model, "chat.completion.chunk" if chat else "text_completion")

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        content = {"delta": delta} if chat else {"text": delta.get("content", "")}
        return {**head, "choices": [{"index": 0, "finish_reason": finish_reason, **content}]}

    if chat:
        yield chunk({"role": "assistant", "content": None})
        for piece in pieces(reply.reasoning, reply.piece):
            yield chunk({reply.reasoning_field: piece})
    for piece in pieces(reply.text or "", reply.piece):
        yield chunk({"content": piece})
    if reply.fault == "cut":
        return
    counted = usage and reply.usage
    yield {**chunk({}, reply.finish_reason), **({} if counted else reply.extra)}
    if counted:
        yield {**head, "choices": [], "usage": usage_of(reply), **reply.extra}


def candidates(reply: Reply, most: int) -> list[dict[str, Any]]:
    """Return the log probabilities of a reply's tokens in OpenAI's form, at most so many candidates each."""
    content = []
    for token in reply.logprobs:
        listed = [{"token": text, "logprob": value} for text, value in token.items()]
        ranked = sorted(listed, key=lambda candidate: -float(str(candidate["logprob"])))
        content.append({**listed[0], "top_logprobs": ranked[:most]})
    return content


def tokens(reply: Reply) -> int:
    """Return how many tokens a reply takes."""
    words = len(reply.reasoning.split()) + len((reply.text or "").split())
    return words if reply.completion_tokens is None else reply.completion_tokens


def settled(reply: Reply) -> Reply:
    """Return a reply whose text and finish_reason agree with its thinking being cut."""
    return replace(reply, text=None, finish_reason="length") if reply.thinking_cut else reply


def within(reply: Reply, limit: object) -> Reply:
    """Return a reply cut to a number of tokens; anything but a number above 0 is no limit."""
    count = tokens(reply)
    if not isinstance(limit, int) or not 0 < limit < count:
        return reply
    kept = (len(reply.reasoning) + len(reply.text or "")) * limit // count
    return settled(
        replace(
            reply,
            reasoning=reply.reasoning[:kept],
            text=(reply.text or "")[: max(0, kept - len(reply.reasoning))],
            thinking_cut=kept <= len(reply.reasoning) and bool(reply.reasoning),
            finish_reason="length",
            completion_tokens=limit,
        )
    )


def usage_of(reply: Reply) -> dict[str, Any]:
    """Return a reply's token counts in OpenAI's form."""
    count = tokens(reply)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": count,
        "total_tokens": reply.prompt_tokens + count,
    }


def pieces(text: str, size: int) -> list[str]:
    """Split a text into pieces of so many characters."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "fake-1", "object": kind, "created": 1_700_000_000, "model": model}
