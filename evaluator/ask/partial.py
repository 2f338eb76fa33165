"""Put a reply together from its chunks, and make an answer of it, if it is one."""

import time
from typing import Any

import msgspec
from msgspec import Struct, field

from evaluator.ask.bounds import Bounds
from evaluator.ask.parts import read_message
from evaluator.ask.reply import Choice, OnToken, Reply, decode
from evaluator.ask.server_errors import after_200, excerpt, is_error, words_of
from evaluator.finish import end_of, word_of
from evaluator.lenient_json import count_of, writable
from evaluator.loading import is_loading
from evaluator.records import Answer, Failure
from evaluator.text import one_line, whole_characters

_BEGINNING = 2000
"""Characters of a reply that failed."""
_DEEPEST = 6
"""Of lists and objects in each other, in a server's own figures."""
_LONGEST_LOADING = 10_000
"""Characters that llama-swap sends while it loads a model: a dot a second, for hours."""


class Partial(Struct):
    """What has arrived of a reply so far."""

    started: float
    streams: bool
    on_token: OnToken
    bounds: Bounds
    limit: int | None = None
    """Tokens that the reply may have."""
    stop: tuple[str, ...] = ()
    """Texts at which the reply is ended here, since the server was not sent them."""
    stopped: bool = False
    """Whether it was ended here."""
    text: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tools: dict[str, None] = field(default_factory=dict)
    pieces: int = 0
    characters: int = 0
    reason: Any = None
    """Why the reply ended."""
    every_piece_ends: bool = True
    """Whether each piece so far named a reason, as Gemini's do behind some proxies: then only the last one counts."""
    first_token_s: float | None = None
    last: Reply = Reply()
    other: str = ""
    """The beginning of what came in place of a reply, and says neither that it is an error nor what it is."""
    usage: Any = None
    timings: Any = None
    misses: int = 0
    """Pieces that were not of the usual form (see `evaluator.ask.usual`)."""
    ended: bool = False
    """Whether the server said that nothing more comes."""


def take(partial: Partial, data: bytes) -> Failure | None:
    """Add one chunk, or a whole reply; a Failure where it holds an error, or cannot be read."""
    try:
        reply = decode(data)
        if reply is None:
            return None
        choice = reply.choice
        if is_error(reply, choice, data):
            return after_200(data)
        if reply.model == "keepalive":  # oMLX sends such chunks while it reads the prompt
            return None
        _take_figures(partial, reply)
        if choice is None:
            partial.other = partial.other if partial.pieces or reply.usage else excerpt(data)[:300]
            return None
        return _take_choice(partial, choice)
    except (ValueError, RecursionError) as error:
        return garbled(data, "it is nested too deeply" if isinstance(error, RecursionError) else str(error))


def garbled(data: bytes, why: str) -> Failure:
    """Make a Failure of what cannot be read."""
    return Failure(
        kind="garbled", message=f"the reply is not the expected JSON ({excerpt(why)[:200]}): {excerpt(data)[:300]}"
    )


def _take_figures(partial: Partial, reply: Reply) -> None:
    if reply.model:
        partial.last = reply
    if reply.usage:
        partial.usage = reply.usage
    if reply.done is True:
        partial.usage = {"prompt_tokens": reply.prompt_eval_count, "completion_tokens": reply.eval_count}
    if figures := reply.timings or reply.stats or (reply.done is True and reply.durations):
        partial.timings = figures


def _take_choice(partial: Partial, choice: Choice) -> Failure | None:
    text, thought, refusal, tools = read_message(choice)
    reason = choice.reason
    if text or thought or refusal or tools:
        partial.on_token()
        if partial.first_token_s is None and partial.streams and (text or not _loads(partial, thought)):
            partial.first_token_s = time.perf_counter() - partial.started
        partial.pieces += 1
        partial.characters += len(text) + len(thought)
        if partial.reason is None or (reason is not None and partial.every_piece_ends):
            _add(partial, text, thought, refusal, tools)
        # else it comes after the end, and is not the answer
        if reason is None:
            partial.every_piece_ends = False
    if reason is not None:
        _take_reason(partial, reason)
    return too_long(partial)


def _loads(partial: Partial, thought: str) -> bool:
    return partial.characters < _LONGEST_LOADING and bool(thought) and is_loading("".join((*partial.thought, thought)))


def _add(partial: Partial, text: str, thought: str, refusal: str, tools: tuple[str, ...]) -> None:
    if text:
        partial.text.append(text)
        if partial.stop:
            _stop_at_first(partial, text)
    if thought:
        partial.thought.append(thought)
    if refusal:
        partial.refusal.append(refusal)
    for name in tools:
        partial.tools[name] = None


def _stop_at_first(partial: Partial, new: str) -> None:
    """End the reply where the first of the texts begins that it is to be ended at."""
    whole = _joined_text(partial)
    looked_at = max(0, len(whole) - len(new) - max(map(len, partial.stop)) + 1)
    places = [place for text in partial.stop if (place := whole.find(text, looked_at)) >= 0]
    if places:
        partial.text[:] = [whole[: min(places)]]
        partial.reason, partial.ended, partial.stopped = "stop", True, True


def _joined_text(partial: Partial) -> str:
    partial.text[:] = ["".join(partial.text)]
    return partial.text[0]


def _take_reason(partial: Partial, reason: object) -> None:
    """The first one rules, but for a later one that says that the reply was broken off."""
    last_rules = partial.every_piece_ends and partial.pieces > 1
    if partial.reason is None or last_rules or _is_broken(reason):
        partial.reason = partial.reason if _is_broken(partial.reason) else reason


def _is_broken(reason: object) -> bool:
    return reason is not None and end_of(reason) == "broken"


def too_long(partial: Partial) -> Failure | None:
    """Make a Failure of a text that is longer than its limit allows; None as long as it is not."""
    pieces, characters, bounds = partial.pieces, partial.characters, partial.bounds
    if characters <= bounds.characters:
        return None
    if pieces > bounds.pieces:
        received = f"{pieces:,} pieces and {characters:,} characters were received"
        return Failure(kind="too_long", message=f"the server did not stop at max_tokens ({partial.limit}): {received}")
    return too_much(bounds.held) if characters > bounds.held else None


def too_much(size: int) -> Failure:
    """Make a Failure of a reply that is larger than any answer."""
    return Failure(kind="too_long", message=f"the server sent more than {size >> 20} MB for one answer")


def finish(partial: Partial) -> Answer | Failure:
    """Make an Answer of what has arrived, if it is one."""
    if partial.reason is None and not partial.ended:
        return Failure(kind="dropped", message="the reply ended before it was complete")
    if partial.reason is None:
        sent = f": it sent {partial.other}" if partial.other and not partial.pieces else ""
        why = f"the server ended its reply without a finish reason{sent}"
        return Failure(kind="broken_off", message=why, status=200)
    reason = _word(partial.reason)
    if _is_broken(partial.reason):
        why = f"the server broke its reply off, finish reason: {reason}{_words_beside(partial.reason)}"
        return Failure(kind="broken_off", message=why, status=200)
    usage = partial.usage if isinstance(partial.usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return Answer(
        text=_whole(partial.text),
        reasoning=_whole(partial.thought),
        refusal=_whole(partial.refusal),
        tool_calls=tuple(map(whole_characters, partial.tools)),
        finish_reason=reason,
        prompt_tokens=count_of(usage.get("prompt_tokens")),
        completion_tokens=None if partial.stopped else count_of(usage.get("completion_tokens")),
        cached_tokens=count_of(details.get("cached_tokens")) if isinstance(details, dict) else None,
        first_token_s=partial.first_token_s,
        duration_s=time.perf_counter() - partial.started,
        model=_name(partial.last.model),
        fingerprint=_name(partial.last.system_fingerprint),
        timings=writable(partial.timings, _DEEPEST) if isinstance(partial.timings, dict) else None,
    )


def beginning(partial: Partial) -> str:
    """Return the beginning of the text, or else of the thoughts, of a reply that failed."""
    return (_whole(partial.text) or _whole(partial.thought))[:_BEGINNING]


def _word(reason: object) -> str:
    """Give a finish reason as one word; what has none is written out."""
    if (word := word_of(reason)) is not None:
        return one_line(whole_characters(word))[:80]
    kind = reason.get("type", reason) if isinstance(reason, dict) else reason
    return one_line(msgspec.json.encode(writable(kind, _DEEPEST)).decode())[:80]


def _words_beside(reason: object) -> str:
    """Give what a reason that is an object says beside its word; SGLang: {"type": "abort", "message": "..."}."""
    if not isinstance(reason, dict) or not isinstance(reason.get("type"), str):
        return ""
    words = words_of(msgspec.json.encode(writable(reason, _DEEPEST)))
    return "" if words == _word(reason) else f": {words}"


def _whole(parts: list[str]) -> str:
    return whole_characters("".join(parts))


def _name(value: object) -> str | None:
    return whole_characters(value) or None if isinstance(value, str) else None
