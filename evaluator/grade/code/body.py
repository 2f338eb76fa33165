"""Recognise the inside of a function, and put it under the prompt's signature."""

import ast
import re

from evaluator.grade.code.assemble import Task, find_missing
from evaluator.grade.code.source import LONGEST, indented_runs, parse, repair, split_statements

_RETURNS = re.compile(r"^[ \t]*(?:return|yield)\b|:[ \t]*(?:return|yield)\b", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+\w", re.MULTILINE)


def is_body(code: str) -> bool:
    """Whether code returns something and yet is no definition: the inside of the function that was asked for.

    A body may begin with helper functions of its own; then a `return` stands outside of them.
    """
    if len(code) > LONGEST or not _RETURNS.search(code):
        return False
    tree = parse(repair(code))
    if tree is None:  # broken, and yet an answer
        return not _TOP_LEVEL.search(code)
    return any(
        isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    )


def has_definitions(text: str) -> bool:
    """Whether a function or class is defined at the left margin: what is indented below it is its inside."""
    return _TOP_LEVEL.search(text) is not None


def put_under_prompt(body: str, task: Task, elsewhere: tuple[str, ...] = ()) -> str:
    """Put a function body under the prompt's signature, as far to the right as its docstring stands.

    What the body uses and nothing defines is taken from `elsewhere`, if it is there.
    """
    last = task.prompt.rstrip().rpartition("\n")[2]
    margin = last[: len(last) - len(last.lstrip())] or "    "
    lines = [margin + line if line.strip() else "" for line in repair(body).split("\n")]
    return with_missing(task.prompt.rstrip() + "\n" + "\n".join(lines) + "\n", elsewhere)


def with_missing(program: str, elsewhere: tuple[str, ...]) -> str:
    """Add what a program uses and does not define, if it is elsewhere; behind it, where base models write it."""
    missing = find_missing(program, elsewhere)
    return "\n\n".join([program, *missing]) + "\n" if missing else program


def find_unfenced_body(text: str) -> tuple[str, str] | None:
    """Find a function body in a reply without code blocks; returns the body and where it stood, in words."""
    if not _RETURNS.search(text):
        return None
    if is_body(text) and parse(repair(text)):
        return text, "the whole reply is a function body"
    begin, *_ = split_statements(text.strip("\n")[:LONGEST])
    if is_body(begin) and parse(repair(begin)):
        return begin, "the reply begins with a function body"
    if has_definitions(text):
        return None
    bodies = [run for run in indented_runs(text) if is_body(run) and parse(run)]
    return (bodies[0], "an indented function body between prose") if len(bodies) == 1 else None
