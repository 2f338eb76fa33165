"""Ask one question once, over HTTP: an Answer or a Failure comes back, never an exception.

Streams are read here, line by line, and decoded by msgspec: an SDK that builds a model object for every chunk costs
more than the rest of the client together. Two dialects are understood: OpenAI's, whose events stand behind `data:`,
and Ollama's own, one JSON object a line.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx2
import msgspec
from msgspec import Struct, field
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from evaluator.records import Answer, Failure, FailureKind
from servers.http import tls, trusts_environment

TRANSIENT: frozenset[FailureKind] = frozenset({"unreachable", "dropped", "overloaded", "server_error"})
ATTEMPTS = 4

Sleep = Callable[[float], Awaitable[None]]
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


class _Reply(Struct, frozen=True):
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


class _Partial(Struct):
    """What has arrived of a reply so far."""

    started: float
    streams: bool
    on_token: OnToken
    text: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    first_token_s: float | None = None
    last: _Reply = _Reply()
    usage: Any = None
    timings: Any = None
    ended: bool = False


_decode = msgspec.json.Decoder(_Reply).decode


def connect(
    base_url: str, *, concurrency: int, silence: float, headers: Mapping[str, str] | None = None
) -> httpx2.AsyncClient:
    """Open a client for one server: `silence` is how many seconds may pass without a byte."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(silence, connect=10.0, pool=None),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        headers=headers,
        trust_env=trusts_environment(base_url),
        verify=tls(),
    )


async def ask(
    http: httpx2.AsyncClient,
    url: str,
    body: dict[str, Any],
    *,
    sleep: Sleep = asyncio.sleep,
    on_token: OnToken = lambda: None,
) -> tuple[Answer | Failure, tuple[Failure, ...]]:
    """Ask, and ask again after a transient failure, at most `ATTEMPTS` times.

    Returns the last outcome, and the transient failures before it.
    """
    before: list[Failure] = []

    def note(state: RetryCallState) -> None:
        before.append(state.outcome.result())  # type: ignore[union-attr]  # set whenever an attempt has ended

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda outcome: isinstance(outcome, Failure) and outcome.kind in TRANSIENT),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=20),
        before_sleep=note,
        retry_error_callback=lambda state: state.outcome.result(),  # type: ignore[union-attr]
        sleep=sleep,
    )
    outcome: Answer | Failure = await retrying(ask_once, http, url, body, on_token)
    return outcome, tuple(before)


async def ask_once(
    http: httpx2.AsyncClient, url: str, body: dict[str, Any], on_token: OnToken = lambda: None
) -> Answer | Failure:
    """Send one request and read its reply, streamed if the body asks for a stream."""
    partial = _Partial(started=time.perf_counter(), streams=bool(body.get("stream")), on_token=on_token)
    try:
        async with http.stream("POST", url, json=body) as response:
            if response.status_code != httpx2.codes.OK:
                return _refusal(response.status_code, await response.aread())
            if not partial.streams:
                failure = _take_whole(partial, await response.aread())
            else:
                failure = await _take_stream(partial, response)
    except httpx2.HTTPError as error:
        return failure_of(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Failure(kind="garbled", message=f"the reply is not the expected JSON: {error}")
    return failure or _finish(partial)


def failure_of(error: httpx2.HTTPError) -> Failure:
    """Translate the HTTP library's exceptions into the closed set of failure kinds."""
    kinds: list[tuple[type[httpx2.HTTPError], FailureKind]] = [
        (httpx2.ConnectError, "unreachable"),
        (httpx2.ConnectTimeout, "unreachable"),
        (httpx2.TimeoutException, "timeout"),
        (httpx2.NetworkError, "dropped"),
        (httpx2.RemoteProtocolError, "dropped"),
    ]
    kind: FailureKind = next((kind for error_type, kind in kinds if isinstance(error, error_type)), "garbled")
    return Failure(kind=kind, message=f"{type(error).__name__}: {error}".removesuffix(": "))


def _take_whole(partial: _Partial, content: bytes) -> Failure | None:
    # oMLX sends blanks while it works and has said 200 by then: when generation fails, nothing more comes.
    if not content.strip():
        return Failure(kind="dropped", message="the reply ended before it was complete")
    partial.ended = True
    return _take(partial, _decode(content))


async def _take_stream(partial: _Partial, response: httpx2.Response) -> Failure | None:
    async for data in _events(response.aiter_bytes()):
        if data == b"[DONE]":
            partial.ended = True
            return None
        if failure := _take(partial, _decode(data)):
            return failure
    partial.ended = partial.finish_reason is not None
    return None


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give each event's JSON; comments and other fields are passed over.

    One event is one line here, as every OpenAI-compatible server sends it behind `data:`, and Ollama bare.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith((b"data:", b"{")):
                yield line.removeprefix(b"data:").strip()
    if rest.startswith((b"data:", b"{")):
        yield rest.removeprefix(b"data:").strip()


def _take(partial: _Partial, reply: _Reply) -> Failure | None:
    # After a 200: generation failed when the headers were sent already.
    if error := reply.error or (isinstance(reply.message, str) and not reply.choices and reply.message):
        return Failure(kind="server_error", message=_words(error), status=200)
    if reply.model == "keepalive":  # oMLX sends such chunks while it reads the prompt
        return None
    _take_figures(partial, reply)
    if choice := reply.choice:
        _take_text(partial, choice)
    return None


def _take_figures(partial: _Partial, reply: _Reply) -> None:
    partial.last = reply if reply.model else partial.last
    partial.usage = reply.usage or partial.usage
    if reply.done is True:
        partial.usage = {"prompt_tokens": reply.prompt_eval_count, "completion_tokens": reply.eval_count}
    partial.timings = reply.figures or partial.timings


def _take_text(partial: _Partial, choice: _Choice) -> None:
    content, thought = choice.piece.content or "", choice.piece.thought
    if content or thought:
        partial.on_token()
        if partial.first_token_s is None and partial.streams:
            partial.first_token_s = time.perf_counter() - partial.started
    partial.text.append(content)
    partial.thought.append(thought)
    partial.finish_reason = choice.finish_reason or partial.finish_reason


def _finish(partial: _Partial) -> Answer | Failure:
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


def _refusal(status: int, body: bytes) -> Failure:
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
        reason = _words(_decode(body).error or body.decode(errors="replace"))
    except msgspec.DecodeError:
        reason = body.decode(errors="replace")
    return Failure(kind=kind, status=status, message=f"HTTP {status}: {reason[:500].strip() or 'no reason given'}")


def _words(error: Any) -> str:  # noqa: ANN401 - servers put text, objects or numbers here
    if isinstance(error, dict) and "message" in error:
        return str(error["message"])
    return str(error)
