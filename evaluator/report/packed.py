"""A run's questions and replies, packed into blocks of text that a page can hold: JSON, gzip, base64.

A small index says what the list and its filters need. Prompts and answers lie in blocks of neighbouring questions, and
their thinking in blocks beside these; the worked examples that many prompts share are stored once. Base64 has no `<`,
so that no text can end its block.
"""

import base64
import gzip
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from evaluator.text import whole_characters

BUDGET = 19_000_000
"""Characters of all blocks together, so that the page stays below 20 MB."""
_BLOCK = 400_000
"""Characters of the prompts and answers of one block, about: unpacked in some hundredths of a second."""
_LEAST = 600
"""Characters that are kept of the longest thinking, however large a run is."""
_SAMPLES = 8
"""Blocks from which it is estimated how well thinking compresses."""
_CAREFUL = 0.97
"""Share of what is free that is filled at the first try: how well cut texts compress is an estimate."""


class ReplyTexts(Struct, frozen=True, array_like=True):
    """One reply: the columns of it that are shown when its question is opened."""

    column: int
    text: str
    why: str
    extracted: str
    prompt_tokens: int | None
    completion_tokens: int | None
    duration_s: float | None
    first_token_s: float | None
    end: str
    """The reason for which the server says that it ended."""
    failure: str
    limit: int | None
    attempts: int
    parting: str = ""
    """Where it leaves the baseline's answer, in a sentence; empty where it does not flip."""


class Texts(Struct, frozen=True, array_like=True):
    """One question: what is shown when it is opened."""

    examples: int
    """Number of the shared part that its prompt begins with, -1 where there is none."""
    prompt: str
    right: str
    tests: str
    replies: tuple[ReplyTexts, ...]


Thoughts = tuple[tuple[int, str], ...]
"""Column and thinking of the replies of one question that have some."""


class Packed(Struct, frozen=True):
    """Blocks, each to be put into the page as it is."""

    examples: str
    texts: tuple[str, ...]
    thoughts: tuple[str, ...]
    """Of the same questions as `texts`; an empty one where there is no thinking."""
    starts: tuple[int, ...]
    """Number of each block's first question."""
    kept: int | None
    """Characters of thinking from which on its middle was left out; None where all of it is there."""


def pack(texts: Sequence[Texts], thoughts: Sequence[Thoughts], examples: Sequence[str], budget: int = BUDGET) -> Packed:
    """Pack the texts of all questions; where they exceed the budget, the longest thinking loses its middle.

    Args:
        texts: Of each question.
        thoughts: Of each question.
        examples: The shared parts of prompts.
        budget: Characters of all blocks together. Prompts and answers are never cut, whatever they take.
    """
    starts = _starts(texts)
    groups = list(zip(starts, (*starts[1:], len(texts)), strict=True))
    shared = packed(list(examples))
    answers = _all([texts[start:end] for start, end in groups])
    free = budget - len(shared) - sum(map(len, answers))
    thinking = [thoughts[start:end] for start, end in groups]
    blocks, kept = _fitted(thinking, free)
    return Packed(examples=shared, texts=answers, thoughts=blocks, starts=starts, kept=kept)


def packed(value: object) -> str:
    """Write a value as JSON, compress it, and write that in characters."""
    return base64.b64encode(gzip.compress(_json(value), 6, mtime=0)).decode("ascii")


def cut(thoughts: Thoughts, most: int) -> tuple[tuple[int, str] | tuple[int, str, int, str], ...]:
    """Leave out the middle of thinking longer than so many characters: beginning, characters left out, end."""
    half = most // 2
    return tuple(
        (column, text) if len(text) <= most else (column, text[:half], len(text) - 2 * half, text[len(text) - half :])
        for column, text in thoughts
    )


def _fitted(groups: Sequence[Sequence[Thoughts]], free: int) -> tuple[tuple[str, ...], int | None]:
    """Pack thinking into so many characters, cutting the longest as far as it takes."""
    lengths = sorted(len(text) for group in groups for thoughts in group for _, text in thoughts)
    if not lengths:
        return ("",) * len(groups), None
    rate = _rate(groups)
    most = lengths[-1] if sum(lengths) * rate <= 1.1 * free else _most(lengths, _CAREFUL * free / rate)
    while True:
        blocks = _all([[cut(thoughts, most) for thoughts in group] if any(group) else None for group in groups])
        now = sum(map(len, blocks))
        if now <= free or most == _LEAST:
            return blocks, None if most == lengths[-1] else most
        kept = sum(min(length, most) for length in lengths)
        most = _most(lengths, _CAREFUL * kept * free / now)


def _most(lengths: Sequence[int], total: float) -> int:
    return max(_LEAST, level(lengths, max(0, round(total))))


def _rate(groups: Sequence[Sequence[Thoughts]]) -> float:
    """Estimate how many characters packing makes of one, from some of the groups."""
    filled = [group for group in groups if any(group)]
    some = filled[:: max(1, len(filled) // _SAMPLES)]
    return sum(map(len, _all(some))) / sum(len(text) for group in some for thoughts in group for _, text in thoughts)


def level(lengths: Sequence[int], total: int) -> int:
    """Give the length to which the longest must be cut, so that all together are no longer than `total`.

    Args:
        lengths: Of all texts, the shortest first.
        total: Of all of them, cut.
    """
    for i, (length, before) in enumerate(zip(lengths, accumulate(lengths, initial=0), strict=False)):
        if before + length * (len(lengths) - i) > total:
            return (total - before) // (len(lengths) - i)
    return lengths[-1] if lengths else 0


def _starts(texts: Sequence[Texts]) -> tuple[int, ...]:
    starts, size = [0], 0
    for i, each in enumerate(texts):
        if size >= _BLOCK:
            starts.append(i)
            size = 0
        size += len(each.prompt) + len(each.tests) + sum(len(r.text) + len(r.extracted) for r in each.replies)
    return tuple(starts)


def _all(values: Iterable[Any]) -> tuple[str, ...]:
    """Pack several values at once, None as an empty block; compression leaves the interpreter free."""
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(lambda value: "" if value is None else packed(value), values))


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a character, which no file can hold
        return msgspec.json.encode(_whole(msgspec.to_builtins(value)))


def _whole(value: Any) -> Any:  # noqa: ANN401 - plain data of any shape
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return {_whole(key): _whole(each) for key, each in value.items()} if isinstance(value, dict) else value
