"""Whether a reply evidently ended by itself, though its server says that a limit cut it.

Some servers say so of every end, or of a stop string. A reply stands only where its end shows that it is whole: the
answer is in the last sentence, which ends there; code is a closed block, or a body that leaves the function.
"""

import ast
import re
from collections.abc import Sequence
from typing import TypeGuard

from evaluator.grade.choice.extract import read_letter
from evaluator.grade.code.assemble import is_stub
from evaluator.grade.code.extract import read_program
from evaluator.grade.code.fences import split_fences
from evaluator.grade.code.source import parse, tidy
from evaluator.grade.number.extract import read_number
from evaluator.grade.number.numerals import numerals
from evaluator.records import Extraction, Question

_LONGEST_READ = 2_000
"""Characters from the end, in which the last sentence stands."""
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s|\n")
_CLOSED = re.compile(
    r"(?:[.!?\u3002\uff01\uff1f][\"'*_`)\]$}]{0,4}[ \t]*"  # a sentence
    r"|\n\s*"  # a line
    r"|\\boxed\{[^{}\n]{1,40}\}[ \t]*(?:\$\$?|\\\]|\\\))?"
    r"|</answer>\s*)\Z"
)
_MARKED_LINE = re.compile(r"(\*\*|__|`|\$)[^\n]*\1")


def ends_with_letter(text: str, question: Question) -> bool:
    """Whether a reply ends with its letter, or with a closed sentence that names it."""
    last = _last_sentence(text)
    whole = read_letter(text, question.letters, question.options)
    if not _same(whole, read_letter(last, question.letters, question.options)):
        return False
    bare = re.search(rf"(?<!\w)([(\[{{]?){whole.value}([\W_]{{0,8}})\Z", last)
    if bare is None or (bare[1] and not bare[2]):  # the bracket is still open
        return _is_closed(text)
    return bool(bare[2]) or "answer" in last.lower()


def ends_with_number(text: str) -> bool:
    """Whether a reply ends with the sentence that names its number.

    A bare number (`#### 18`) may be the beginning of a longer one, unless it is the last that was named before.
    """
    last = _last_sentence(text)
    whole = read_number(text)
    before = numerals(text[-_LONGEST_READ:].rstrip().removesuffix(last))
    repeated = bool(before) and before[-1].value == whole.value
    return (_is_closed(text) or repeated) and _same(whole, read_number(last))


def ends_with_code(text: str, question: Question) -> bool | None:
    """Whether a reply ends with a closed block of code, or a completion with a line that always leaves the function.

    None for a completion that may be whole, as one that ends with a loop: only its tests can tell.
    """
    text = tidy(text)
    completion = not question.prompt.chat
    program = read_program(
        text, code_prompt=question.code_prompt, entry_point=question.answer, completion=completion
    ).value
    tree = parse(program or "")
    functions = [node for node in (tree.body if tree else ()) if _defines(node, question.answer)]
    if not functions or is_stub(functions[-1].body):
        return False
    if text.rstrip().endswith(("```", "~~~")):
        return all(block.closed for block in split_fences(text).blocks)
    at_line_end = completion and text.rstrip(" \t").endswith("\n")
    return at_line_end and (_leaves(functions[-1].body) or None)


def _last_sentence(text: str) -> str:
    return _SENTENCE_BREAK.split(text[-_LONGEST_READ:].rstrip())[-1].strip()


def _is_closed(text: str) -> bool:
    return bool(
        _CLOSED.search(text[-_LONGEST_READ:]) or _MARKED_LINE.fullmatch(text.rstrip().rpartition("\n")[2].strip())
    )


def _same(whole: Extraction, last: Extraction) -> bool:
    return whole.value is not None and whole.value == last.value


def _defines(node: ast.stmt, name: str) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether statements end with one that always leaves the function."""
    last = body[-1] if body else None
    match last:
        case ast.Return() | ast.Raise():
            return True
        case ast.If():
            return _leaves(last.body) and _leaves(last.orelse)
        case ast.With() | ast.AsyncWith():
            return _leaves(last.body)
        case ast.Try():
            tried = _leaves(last.orelse or last.body) and all(_leaves(handler.body) for handler in last.handlers)
            return tried or _leaves(last.finalbody)
    return False
