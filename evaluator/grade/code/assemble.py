"""Put a program together: the prompt's imports and helpers, what the code needs from elsewhere, and the code."""

import ast
import re
import symtable
import warnings
from collections.abc import Iterable
from typing import NamedTuple

from evaluator.grade.code.source import LONGEST, parse, split_statements

_MOST_PIECES = 400
_FUTURE = re.compile(r"^from __future__ import [^\n]*\n?", re.MULTILINE)
_STAR = re.compile(r"from[ \t]+[\w.]+[ \t]+import[ \t]*\*")
_BUILTINS = frozenset(dir(__builtins__)) if not isinstance(__builtins__, dict) else frozenset(__builtins__)
_ELISION = re.compile(r"^[ \t]*(?:#[ \t]*)?(?:\.\.\.|\u2026)", re.MULTILINE)


class Task(NamedTuple):
    """The function that was asked for."""

    prompt: str
    """Imports, helpers, signature and docstring, as published."""
    name: str
    defines: re.Pattern[str]
    """Matches where a definition of `name` begins at the left margin."""
    method: re.Pattern[str]
    """Matches where one begins further to the right."""

    @property
    def before(self) -> str:
        """The prompt without its stub: imports and helpers."""
        stub = re.search(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(self.name)}[ \t]*\(", self.prompt, re.MULTILINE)
        return self.prompt[: stub.start()].strip("\n") if stub else ""


def describe_task(prompt: str, name: str) -> Task:
    """Compile the patterns by which a definition of the function is recognised."""
    escaped = re.escape(name)
    definition = rf"(?:async[ \t]+)?def[ \t]+{escaped}[ \t]*\("
    return Task(
        prompt,
        name,
        re.compile(rf"^(?:{definition}|{escaped}[ \t]*(?::[^=\n]*+)?=(?!=))", re.MULTILINE),
        re.compile(rf"^[ \t]++{definition}", re.MULTILINE),
    )


def classify(code: str, task: Task) -> str:
    """Classify code that defines the function: `whole`, `stub`, `excerpt`, or `broken` (no Python)."""
    if len(code) > LONGEST:
        return "broken"
    tree = parse(code) or _parse_definition(code, task)
    if tree is None:
        return "excerpt" if _ELISION.search(code) else "broken"
    functions = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == task.name
    ]
    if not functions:
        return "whole"
    if is_stub(functions[-1].body):
        return "stub"
    return "excerpt" if any(_is_dots(node) for node in ast.walk(functions[-1])) or _ELISION.search(code) else "whole"


def _parse_definition(code: str, task: Task) -> ast.Module | None:
    """Parse the last statement that defines the function, without what stands around it."""
    pieces = [piece for piece in split_statements(code) if task.defines.search(piece)]
    return parse(pieces[-1]) if pieces else None


def is_stub(body: list[ast.stmt]) -> bool:
    """Whether statements do nothing: docstrings, imports, `pass`, `...`, `raise NotImplementedError`."""
    return all(
        isinstance(node, ast.Pass | ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc))
        for node in body
    )


def assemble(code: str, task: Task, elsewhere: Iterable[str]) -> str:
    """Put the prompt's imports and helpers, but not its stub, in front of the code, which may redefine them.

    Args:
        code: defines the function.
        task: what was asked for.
        elsewhere: other code of the same reply; what `code` uses and does not define is taken from there.
    """
    before = task.before
    code = _without_stubs(code, before)
    missing = find_missing(f"{before}\n{code}", elsewhere)
    code = "\n".join([*missing, code.strip("\n")])
    # A __future__ import must stay the first statement.
    futures = _FUTURE.findall(code)
    if futures:
        code = _FUTURE.sub("", code)
    return "\n".join([*map(str.strip, futures), *([before, "", ""] if before else []), code.strip("\n")]) + "\n"


def find_missing(program: str, elsewhere: Iterable[str]) -> list[str]:
    """Find the statements that define what a program uses and does not define, in the order in which they stand.

    Of several definitions the last counts, as in Python.
    """
    defined, used = _names(program)
    wanted = used - defined - _BUILTINS
    if not wanted:
        return []
    pieces = _pieces(elsewhere)
    known = [_names(piece) for piece in pieces]
    where = {name: number for number, (binds, _) in enumerate(known) for name in binds}
    stars = {number for number, piece in enumerate(pieces) if _STAR.match(piece)}
    chosen: set[int] = set()
    while wanted:
        name = wanted.pop()
        defined.add(name)
        if name in where:
            chosen.add(where[name])
            wanted |= known[where[name]][1] - defined - _BUILTINS
        else:
            chosen |= stars
    return [pieces[number] for number in sorted(chosen)]


def _pieces(elsewhere: Iterable[str]) -> list[str]:
    """Cut code into statements; of very much code the last part."""
    pieces: list[str] = []
    budget = LONGEST
    for code in reversed(tuple(elsewhere)):
        if len(code) > budget or len(pieces) > _MOST_PIECES:
            break
        budget -= len(code)
        pieces = [*(piece.strip("\n") for piece in split_statements(code)), *pieces]
    return pieces[-_MOST_PIECES:]


def _names(code: str) -> tuple[set[str], set[str]]:
    """Return the names that code binds at its top level, and those that it looks up there."""
    if len(code) > 2 * LONGEST:
        return set(), set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in parse
            tables = [symtable.symtable(code, "", "exec")]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return set(), set()
    binds: set[str] = set()
    uses: set[str] = set()
    for symbol in tables[0].get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            binds.add(symbol.get_name())
        elif symbol.is_referenced():
            uses.add(symbol.get_name())
    tables = tables[0].get_children()
    while tables:
        table = tables.pop()
        uses |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        tables += table.get_children()
    return binds, uses - binds


def _without_stubs(code: str, before: str) -> str:
    """Take out stubs of the prompt's helpers, which are shown for orientation only."""
    helpers = {node.name for node in getattr(parse(before), "body", []) if isinstance(node, ast.FunctionDef)}
    tree = parse(code) if helpers else None
    if tree is None:
        return code
    lines: list[str | None] = list(code.split("\n"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in helpers and is_stub(node.body):
            lines[node.lineno - 1 : node.end_lineno] = [None] * ((node.end_lineno or 0) - node.lineno + 1)
    return "\n".join(line for line in lines if line is not None)


def _is_dots(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
