"""Read what nearly every chunk of nearly every stream looks like, many chunks at once.

A chunk that is not exactly of this form, or comes when more than its text matters, is left to the careful reading.
"""

import time
from typing import Literal

import msgspec
from msgspec import Struct

from evaluator.ask.partial import Partial
from evaluator.ask.reply import Reply

_BETWEEN = b"}\n\ndata: {"
_OF_THE_END = (b'reason":"', b'reason": "', b'"usage":{', b'"usage": {', b"[DONE]")
"""What stands in the last chunks of a stream only, as a rule; a chunk that holds it is read carefully, no more."""
_NO_CHUNK = b'"keepalive"'
"""The model of a chunk that oMLX sends while it reads the prompt."""
_AT_THE_END = 4
"""Chunks of the end that are looked for."""
_MISSES = 8
"""Of these at the beginning of a stream, the rest of it is read carefully."""


class _Delta(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    role: Literal["assistant"] | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    delta: _Delta
    index: Literal[0]
    finish_reason: None = None
    logprobs: None = None
    stop_reason: None = None
    token_ids: None = None
    matched_stop: None = None


class _Chunk(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    choices: tuple[_Choice]
    object: Literal["chat.completion.chunk"]
    id: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    usage: None = None
    timings: None = None
    service_tier: str | None = None
    prompt_token_ids: None = None


_decode = msgspec.json.Decoder(list[_Chunk]).decode


def take_usual(partial: Partial, piece: bytes) -> bytes:
    """Add the usual chunks at the beginning of a piece, which begins with an event; give what is to be read carefully.

    Nothing between two events can be part of JSON that fits: a list of one choice leaves no place for `},{`.
    """
    if partial.reason is not None or partial.stop or partial.misses >= _MISSES or not piece.startswith(b"data: {"):
        return piece
    end = _end_of_usual(piece)
    if not end or _NO_CHUNK in piece:
        return piece
    try:
        chunks = _decode(b"[" + piece[6 : end - 2].replace(_BETWEEN, b"},{") + b"]")
    except (ValueError, RecursionError):
        partial.misses += 1
        return piece
    return piece[end:] if _take(partial, chunks) else piece


def _end_of_usual(piece: bytes) -> int:
    """Say up to where a piece may be of the usual form: without what has not come whole, and without a stream's end."""
    end = len(piece)
    for _ in range(_AT_THE_END + 1):
        begin = piece.rfind(b"\n\ndata: ", 0, max(end - 2, 0)) + 2
        begin = 0 if begin == 1 else begin
        event = piece[begin:end]
        if event.endswith(b"}\n\n") and not any(part in event for part in _OF_THE_END):
            return end
        end = begin
    return 0


def _take(partial: Partial, chunks: list[_Chunk]) -> bool:
    """Add chunks to a reply, if their texts are all that matters."""
    deltas = [chunk.choices[0].delta for chunk in chunks]
    texts = [delta.content for delta in deltas if delta.content]
    said = [thought for delta in deltas if (thought := delta.reasoning_content or delta.reasoning)]
    if said and partial.first_token_s is None:  # they may be no thoughts of the model
        return False
    if last := next((chunk for chunk in reversed(chunks) if chunk.model), None):
        partial.last = Reply(model=last.model, system_fingerprint=last.system_fingerprint)
    if not texts and not said:
        return True
    partial.on_token()
    if partial.first_token_s is None:
        partial.first_token_s = time.perf_counter() - partial.started
    partial.pieces += _pieces(deltas) if texts and said else len(texts) + len(said)
    partial.characters += sum(map(len, texts)) + sum(map(len, said))
    partial.every_piece_ends = False
    partial.text += texts
    partial.thought += said
    return True


def _pieces(deltas: list[_Delta]) -> int:
    return sum(1 for delta in deltas if delta.content or delta.reasoning_content or delta.reasoning)
