"""Cut a base model's completion where the function that it goes on with ends, or begins anew."""

import re
from typing import NamedTuple

from evaluator.grade.code.assemble import Task, classify
from evaluator.grade.code.body import is_body
from evaluator.grade.code.source import LONGEST, split_statements

_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_BEGINS_ANEW = re.compile(r"(?:(?:async[ \t]+)?def|class)[ \t]+\w|@\w|import[ \t]+\w|from[ \t]+[\w.]+[ \t]+import\b")
# What a line of code begins with, as opposed to a sentence.
_CODE_LINE = re.compile(
    r"[\s#@)\]}]|[rRbBfFuU]{0,2}[\"']|(?:async[ \t]+)?def[ \t]|class[ \t]|import[ \t]|from[ \t]+[\w.]+[ \t]+import\b"
    r"|(?:pass|return|yield|raise|break|continue|global|nonlocal|assert|lambda|try|del)\b"
    r"|(?:if|for|while|with|elif|except|else|finally|match)\b[^\n]*+(?<=[:\\,(\[{])"
    r"|\w+[ \t]*(?:[-+*/%&|^@:]|//|\*\*|<<|>>)?=|\w+(?:\.\w|\(|\[)"
)
_DEFINITION = re.compile(r"^(?:async[ \t]+)?def[ \t]+\w", re.MULTILINE)


class Completion(NamedTuple):
    """A completion, cut."""

    anew: bool
    """It writes the whole function again, instead of going on with it."""
    function: str
    """The body, or, when it begins anew, everything up to the function's end."""
    rest: str
    """What follows, a whole line or more."""


def split_completion(text: str, task: Task | None = None) -> Completion:
    r"""Separate the function from what a base model wrote after it; `text` has `\n` line ends.

    A body that returns something is the answer, whatever follows it. A completion that defines the function and has no
    such body before that begins anew. Without `task` the first function defined is taken for the one asked for.
    """
    text = text.lstrip("\n")
    window = text[:LONGEST]
    if len(window) < len(text) and "\n" in window:
        window = window[: window.rindex("\n") + 1]
    pieces = split_statements(window)
    pieces[-1] += text[len(window) :]
    number = _first_definition(pieces, task)
    if number is None:
        return _cut_comments(Completion(anew=False, function=pieces[0], rest="".join(pieces[1:])))
    function = "".join(pieces[: number + 1])
    return _cut_comments(Completion(anew=True, function=function, rest="".join(pieces[number + 1 :])))


def begins_with_fence(text: str) -> bool:
    """Whether a completion is a chat reply in truth."""
    return _FENCE.match(text.lstrip("\n")) is not None


def begins_with_code(text: str) -> bool:
    """Whether the first line of a completion is code, as opposed to a sentence."""
    return _CODE_LINE.match(text.lstrip("\n")) is not None


def _cut_comments(completion: Completion) -> Completion:
    """Take comments at the margin, behind which the function does not go on, to what follows it."""
    function = completion.function
    if len(function) > 2 * LONGEST:
        return completion
    end = len(function)
    for line in reversed(function.splitlines(keepends=True)):
        if line.strip() and not line.startswith("#"):
            break
        end -= len(line)
    if end == 0:
        return completion
    return completion._replace(function=function[:end], rest=function[end:] + completion.rest)


def _first_definition(pieces: list[str], task: Task | None) -> int | None:
    """Return the number of the piece that defines the function anew; None when the first piece is the body."""
    if task is None:
        anew = (number for number, piece in enumerate(pieces) if _DEFINITION.search(piece))
        return next(anew, None) if _BEGINS_ANEW.match(pieces[0]) else None
    numbers = [number for number, piece in enumerate(pieces) if task.defines.search(piece)]
    if not numbers or is_body(pieces[0]):
        return None
    return next((number for number in numbers if classify(pieces[number], task) == "whole"), numbers[0])
