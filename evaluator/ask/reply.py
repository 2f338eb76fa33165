"""Put a reply together from its chunks, in OpenAI's dialect or Ollama's own; decoded by msgspec.

An SDK that builds a model object for every chunk costs more than the rest of the client together.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
from msgspec import Struct, field

from evaluator.records import Answer, Failure, FailureKind

OnToken = Callable[[], None]
"""Called whenever a token arrives."""


class _Piece(Struct, frozen=True):
    """A message, or a part of one: servers differ in the name of the field that holds thoughts."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking: str | None = None

    @property
    def thought(self) -> str:
        return self.reasoning_content or self.reasoning or self.thinking or ""


class _Choice(Struct, frozen=True):
    delta: _Piece | None = None
    message: _Piece | None = None
    text: str | None = None
    finish_reason: str | None = None

    @property
    def piece(self) -> _Piece:
        return self.message or self.delta or _Piece(content=self.text)


class Reply(Struct, frozen=True):
    """A whole reply, or a chunk of a streamed one. What is not the answer itself may be of any type: see `_finish`."""

    choices: tuple[_Choice, ...] | None = ()
    usage: Any = None
    model: Any = None
    system_fingerprint: Any = None
    timings: Any = None
    stats: Any = None
    """LM Studio's own figures."""
    error: Any = None
    message: Any = None
    """Ollama's, of a chat; what follows is Ollama's too."""
    response: Any = None
    thinking: Any = None
    done: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    prompt_eval_duration: Any = None
    eval_duration: Any = None
    load_duration: Any = None
    total_duration: Any = None

    @property
    def choice(self) -> _Choice | None:
        """The message, or the part of one, in either dialect."""
        if self.choices:
            return self.choices[0]
        message = (
            self.message if isinstance(self.message, dict) else {"content": self.response, "thinking": self.thinking}
        )
        if not isinstance(message.get("content"), str) and not isinstance(message.get("thinking"), str):
            return None
        finished = str(self.done_reason or "stop") if self.done is True else None
        return _Choice(delta=msgspec.convert(message, _Piece), finish_reason=finished)

    @property
    def figures(self) -> Any:  # noqa: ANN401 - as the server gives them
        """The server's own timings."""
        if self.timings or self.stats or self.done is not True:
            return self.timings or self.stats
        names = ("load_duration", "prompt_eval_duration", "eval_duration", "total_duration")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Partial(Struct):
    """What has arrived of a reply so far."""

    started: float
    streams: bool
    on_token: OnToken
    text: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    first_token_s: float | None = None
    last: Reply = Reply()
    usage: Any = None
    timings: Any = None
    ended: bool = False


decode = msgspec.json.Decoder(Reply).decode


def take(partial: Partial, reply: Reply) -> Failure | None:
    """Add one chunk, or a whole reply; a Failure where it holds an error."""
    # After a 200: generation failed when the headers were sent already.
    if error := reply.error or (isinstance(reply.message, str) and not reply.choices and reply.message):
        return Failure(kind="server_error", message=words(error), status=200)
    if reply.model == "keepalive":  # oMLX sends such chunks while it reads the prompt
        return None
    _take_figures(partial, reply)
    if choice := reply.choice:
        _take_text(partial, choice)
    return None


def _take_figures(partial: Partial, reply: Reply) -> None:
    partial.last = reply if reply.model else partial.last
    partial.usage = reply.usage or partial.usage
    if reply.done is True:
        partial.usage = {"prompt_tokens": reply.prompt_eval_count, "completion_tokens": reply.eval_count}
    partial.timings = reply.figures or partial.timings


def _take_text(partial: Partial, choice: _Choice) -> None:
    content, thought = choice.piece.content or "", choice.piece.thought
    if content or thought:
        partial.on_token()
        if partial.first_token_s is None and partial.streams:
            partial.first_token_s = time.perf_counter() - partial.started
    partial.text.append(content)
    partial.thought.append(thought)
    partial.finish_reason = choice.finish_reason or partial.finish_reason


def finish(partial: Partial) -> Answer | Failure:
    """Make an Answer of what has arrived, if it is one."""
    if not partial.ended or (partial.finish_reason is None and not any(partial.text) and not any(partial.thought)):
        return Failure(kind="dropped", message="the reply ended before it was complete")
    if partial.finish_reason == "error":
        return Failure(kind="server_error", message="the server ended the reply with an error", status=200)
    usage = partial.usage if isinstance(partial.usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return Answer(
        text="".join(partial.text),
        reasoning="".join(partial.thought),
        finish_reason=partial.finish_reason,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        first_token_s=partial.first_token_s,
        duration_s=time.perf_counter() - partial.started,
        model=str(partial.last.model) if partial.last.model else None,
        fingerprint=str(partial.last.system_fingerprint) if partial.last.system_fingerprint else None,
        timings=partial.timings if isinstance(partial.timings, dict) else None,
    )


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else None


def refusal(status: int, body: bytes) -> Failure:
    """Make a Failure of a reply with another status than 200."""
    kinds: dict[int, FailureKind] = {
        401: "unauthorized",
        403: "unauthorized",
        404: "not_found",
        408: "overloaded",
        429: "overloaded",
        503: "overloaded",
    }
    kind = kinds.get(status, "server_error" if status >= httpx2.codes.INTERNAL_SERVER_ERROR else "bad_request")
    try:
        reason = words(decode(body).error or body.decode(errors="replace"))
    except msgspec.DecodeError:
        reason = body.decode(errors="replace")
    return Failure(kind=kind, status=status, message=f"HTTP {status}: {reason[:500].strip() or 'no reason given'}")


def words(error: Any) -> str:  # noqa: ANN401 - servers put text, objects or numbers here
    """Give a server's error in words."""
    if isinstance(error, dict) and "message" in error:
        return str(error["message"])
    return str(error)
