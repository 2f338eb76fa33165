"""Separate what a model thought from what it answered. What stands inside thinking is never graded."""

import re

from msgspec import Struct

PAIRS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
    "<|channel>": "<channel|>",  # Gemma 4: `<|channel>thought\n…<channel|>`; it has no other channel
}
# An alternation of literals: one pass over the text, nothing to backtrack into.
_TAG = re.compile("|".join(re.escape(tag) for pair in PAIRS.items() for tag in pair))
_HARMONY_CHANNEL = "<|channel|>"
_HARMONY_MESSAGE = "<|message|>"
_HARMONY_END = re.compile(r"<\|(?:end|return|call|start)\|>")


class Thought(Struct, frozen=True):
    """One reply, taken apart."""

    answer: str
    """What is graded; the text as it came when there is no thinking in it."""
    reasoning: str
    unclosed: bool
    """Thinking began and never ended: there is no answer."""


def split_thinking(text: str, reasoning: str = "") -> Thought:
    """Take the thinking out of a reply, in time linear in its length.

    Args:
        text: the reply's content, with or without thinking left in it.
        reasoning: what the server separated already; comes first in the result's reasoning.
    """
    if _HARMONY_CHANNEL in text and _HARMONY_MESSAGE in text:
        return _split_harmony(text, reasoning)
    answered: list[str] = []
    thought = [reasoning] if reasoning else []
    closing: str | None = None
    position, tagged = 0, False
    for tag in _TAG.finditer(text):
        if closing and tag[0] != closing:
            continue  # a tag talked about inside thinking
        piece = text[position : tag.start()]
        position, tagged = tag.end(), True
        if closing:
            thought.append(piece)
            closing = None
        elif tag[0] in PAIRS:
            answered.append(piece)
            closing = PAIRS[tag[0]]
        else:  # the chat template has eaten the opening tag: all that came before was thinking
            thought += [*answered, piece]
            answered.clear()
    if closing:
        return Thought("", _joined([*thought, *answered, text[position:]]), unclosed=True)
    answered.append(text[position:])
    answer = "".join(answered)
    # Only line ends are taken off: the indentation of a first line of code must survive.
    return Thought(answer.strip("\r\n") if tagged else answer, _joined(thought), unclosed=False)


def _split_harmony(text: str, reasoning: str) -> Thought:
    """Take gpt-oss's channels apart: `final` is the answer, every other one is thinking."""
    before, *messages = text.split(_HARMONY_CHANNEL)
    thought = [reasoning, _HARMONY_END.split(before, maxsplit=1)[0]]
    answered: list[str] = []
    final = False
    for message in messages:
        channel, _, body = message.partition(_HARMONY_MESSAGE)
        is_final = channel.strip() == "final"
        final = final or is_final
        (answered if is_final else thought).append(_HARMONY_END.split(body, maxsplit=1)[0])
    return Thought("".join(answered).strip("\r\n"), _joined(thought), unclosed=not final)


def _joined(pieces: list[str]) -> str:
    return "\n".join(piece.strip("\r\n") for piece in pieces if piece.strip())
