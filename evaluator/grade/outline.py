"""What an analysis needs of a record beside its grade: everything but the texts, so that a million of them fit."""

import datetime as dt
import hashlib
import re

import msgspec
from msgspec import Struct

from evaluator.finish import end_of
from evaluator.grade.cut import more_tokens_help, tokens_counted
from evaluator.grade.loops import ends_in_loop
from evaluator.grade.thinking import PAIRS, split_thinking
from evaluator.records import Answer, Grade, Key, Record, limit_of
from evaluator.text import once

_TEMPLATE_MARKS = (
    *("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|turn>", "<turn|>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|endoftext|>", "<|assistant|>", "<|user|>", "<|system|>"),
    *("<|channel|>", "<|message|>", "[INST]", "[/INST]"),
)
# The character set comes first because it is fast; a tag behind a quote is only mentioned, and does not count.
_MARK = re.compile(
    r"[<\[\u25c1](?<![`\"'].)(?i:"
    + "|".join(re.escape(mark[1:]) for mark in sorted({*PAIRS, *PAIRS.values(), *_TEMPLATE_MARKS}))
    + ")"
)
_FINISHED = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f)\]}>\"'`*$]\s*\Z")
_LONG = 80
"""Characters of an answer that is no mere "Let's think step by step. The answer is (C)."."""


class Reply(Struct, frozen=True, gc=False):
    """A reply without its texts."""

    finish_reason: str | None
    calls_tool: bool
    """Whether functions were called."""
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    tokens: int | None
    """Of the whole reply; None where nobody counted, or not all."""
    first_token_s: float | None
    duration_s: float
    model: str | None
    characters: int
    """Of its text, as it came."""
    reasoning: int
    """Characters of what came in the field for thinking."""
    is_unfinished: bool
    """Whether what stands there stops in mid-sentence."""
    thinking: int
    """Characters of its thinking, wherever that stood."""
    thinks: bool
    mark: str | None
    """The first thinking tag or chat markup in what it answers."""
    loops: bool
    """Whether it ends with the same words again and again."""
    answer_hash: int
    """Of what it answers, without thinking and outer blanks; 0 for a short answer."""
    answer_characters: int
    """Of the same."""
    text_hash: int
    """Of all that came: see `text_hash`."""


class Outline(Struct, frozen=True, gc=False):
    """A record without its texts and its request, with its grade."""

    key: Key
    variant: str
    started: float
    """Seconds since 1970; 0 where the record does not say."""
    reply: Reply | None = None
    failure: str = ""
    """Message of what failed."""
    model: str | None = None
    """That was asked for."""
    limit: int | None = None
    """Tokens that its reply could have."""
    is_seeded: bool = False
    more_tokens_help: bool = False
    """Whether a larger limit can change how the reply ended."""
    prompt: int = 0
    """Hash of the words that were sent."""
    at_once: int | None = None
    grade: Grade | None = None


def outline(record: Record, grade: Grade | None = None) -> Outline:
    """Take down what an analysis needs of a record."""
    request = record.request
    model = request.get("model")
    return Outline(
        key=record.key,
        variant=once(record.variant),
        started=dt.datetime.fromisoformat(record.started).timestamp() if record.started else 0.0,
        reply=_reply(record.answer) if record.answer else None,
        failure=once(record.failure.message) if record.failure else "",
        model=once(model) if isinstance(model, str) else None,
        limit=limit_of(request),
        is_seeded="seed" in request,
        more_tokens_help=more_tokens_help(record),
        prompt=sent(record),
        at_once=record.at_once,
        grade=grade,
    )


def sent(record: Record) -> int:
    """Identify by a hash what was sent to ask a question: the text, not how tokens are drawn."""
    prompt = [record.request.get("messages"), record.request.get("prompt")]
    return _hash(msgspec.json.encode(prompt, order="deterministic"))


def _reply(answer: Answer) -> Reply:
    thought = split_thinking(answer.text, answer.reasoning)
    words = "" if end_of(answer.finish_reason) == "limit" else thought.answer.strip()
    return Reply(
        finish_reason=None if answer.finish_reason is None else once(answer.finish_reason),
        calls_tool=bool(answer.tool_calls),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        cached_tokens=answer.cached_tokens,
        tokens=tokens_counted(answer),
        first_token_s=answer.first_token_s,
        duration_s=answer.duration_s,
        model=None if answer.model is None else once(answer.model),
        characters=len(answer.text),
        reasoning=len(answer.reasoning),
        is_unfinished=not _FINISHED.search(answer.reasoning[-20:]),
        thinking=len(thought.reasoning),
        thinks=thought.unclosed or bool(thought.reasoning.strip()),
        mark=_mark(answer.text, thought.answer),
        loops=ends_in_loop(answer.text) or ends_in_loop(answer.reasoning),
        answer_hash=_hash(words.encode(errors="surrogatepass")) if len(words) >= _LONG else 0,
        answer_characters=len(words),
        text_hash=text_hash(answer),
    )


def text_hash(answer: Answer) -> int:
    """Identify by a hash all that came: text, thinking, refusal, functions called."""
    parts = (answer.text, answer.reasoning, answer.refusal, *answer.tool_calls)
    return _hash("\0".join(parts).encode(errors="surrogatepass"))


def _mark(text: str, answered: str) -> str | None:
    if "<" not in text and "[" not in text and "\u25c1" not in text:
        return None
    found = _MARK.search(answered) if _MARK.search(text) else None
    return once(found[0]) if found else None


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
