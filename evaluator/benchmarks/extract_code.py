"""Find the code in a reply and put the one program together that is run. Nothing is tried out to see what passes."""

import ast
import re
import textwrap
import warnings

from evaluator.benchmarks.fences import split_fences
from evaluator.records import Extraction

_LONGEST_PARSED = 100_000
"""Characters. Longer text is no answer to a HumanEval question, and parsing it would take seconds."""
_CODE_BEGINS = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+\w|class[ \t]+\w|@\w|import[ \t]+\w+(?:[ \t]*$|[ \t]*[,.]|[ \t]+as\b)"
    r"|from[ \t]+[\w.]+[ \t]+import\b)",
    re.MULTILINE,
)
_TOP_LEVEL = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+\w", re.MULTILINE)
# What may stand at the left margin of a program, as opposed to a sentence.
_CODE_LINE = re.compile(
    r"[\s#@)\]}]|\"\"\"|'''|(?:async[ \t]+)?def[ \t]|class[ \t]|import[ \t]|from[ \t]+[\w.]+[ \t]+import\b|pass$"
    r"|(?:if|for|while|with|elif|except|try|else|finally)\b[^\n]*:[ \t]*(?:#|$)|assert\b|\w+[ \t]*=|\w+(?:\.\w|\()"
)
_RETURNS = re.compile(r"^[ \t]*(?:return|yield)\b|:[ \t]*(?:return|yield)\b", re.MULTILINE)
_CLOSES = (")", "]", "}", '"""', "'''")


def extract_code(text: str, *, code_prompt: str, entry_point: str, completion: bool) -> Extraction:
    """Put together the program that a reply amounts to, without the tests, in time linear in its length.

    Args:
        text: the reply without its thinking.
        code_prompt: imports, helpers, signature and docstring, as published.
        entry_point: the function to write.
        completion: the reply continues `code_prompt` (a base model) instead of answering a chat message.

    Returns:
        The program, also when it does not parse: it will fail; None only when there is no code for `entry_point`.
    """
    text = _with_plain_line_ends(text)
    if completion:
        return _continue_prompt(text, code_prompt)
    blocks, outside = split_fences(text)
    blocks = tuple(textwrap.dedent(block) for block in blocks if block.strip())
    defines = re.compile(
        rf"^(?:(?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}[ \t]*\(|{re.escape(entry_point)}[ \t]*=(?!=))",
        re.MULTILINE,
    )
    for block in reversed(blocks):
        if defines.search(block):
            program = _under_prompt(block, code_prompt, entry_point)
            return Extraction(value=program, why=f"the last code block that defines {entry_point}")
    if defines.search(outside):
        program = _under_prompt(_cut_prose(outside), code_prompt, entry_point)
        return Extraction(value=program, why=f"code without a fence that defines {entry_point}")
    return _find_body(text, blocks, code_prompt, entry_point)


def _find_body(text: str, blocks: tuple[str, ...], code_prompt: str, entry_point: str) -> Extraction:
    """Take the one code block, or the whole unfenced reply, for the inside of the function that was asked for."""
    bodies = [block for block in blocks if _is_body(block)]
    if len(bodies) == 1:
        return Extraction(value=_as_body(bodies[0], code_prompt), why="a function body in a code block")
    if bodies:
        return Extraction(value=None, why="several code blocks, each of which could be the function's body")
    if not blocks and _is_body(text) and _parse(_repair(text)):
        return Extraction(value=_as_body(text, code_prompt), why="the whole reply is a function body")
    return Extraction(value=None, why=f"no code that defines {entry_point} or could be its body")


def _continue_prompt(text: str, code_prompt: str) -> Extraction:
    """Keep what a base model wrote up to the next statement at the left margin."""
    if not text.strip():
        return Extraction(value=None, why="no code: the completion is blank")
    kept, _ = _split_completion(text)
    body = "\n".join(kept)
    if not body[0].isspace():  # some servers strip a completion
        return Extraction(value=_as_body(body, code_prompt), why="the completion, its first line indented again")
    return Extraction(value=code_prompt + body + "\n", why="the completion up to the next statement at the left margin")


def goes_on_after_body(text: str) -> bool:
    """Whether a completion ends the function and goes on with at least one whole line of something else."""
    _, rest = _split_completion(_with_plain_line_ends(text))
    return len(rest) > 1


def _split_completion(text: str) -> tuple[list[str], list[str]]:
    """Tell the lines of the function's body from those that follow it."""
    lines = text.lstrip("\n").split("\n")
    for number, line in enumerate(lines[1:], start=1):  # the first may have lost its indentation
        if line.strip() and not line[0].isspace() and not line.startswith(_CLOSES):
            return lines[:number], lines[number:]
    return lines, []


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _under_prompt(code: str, code_prompt: str, entry_point: str) -> str:
    """Put the prompt's imports and helpers, but not its stub, in front of the code, which may redefine them."""
    stub = re.search(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}[ \t]*\(", code_prompt, re.MULTILINE)
    before = code_prompt[: stub.start()].strip("\n") if stub else ""
    lines = code.strip("\n").split("\n")
    # A __future__ import must stay the first statement.
    futures = [line for line in lines if line.startswith("from __future__ import")]
    rest = [line for line in lines if not line.startswith("from __future__ import")] if futures else lines
    return "\n".join([*futures, *([before, "", ""] if before else []), *rest]) + "\n"


def _cut_prose(text: str) -> str:
    """Keep the code of an unfenced reply: from the first import or definition, to the first line that is a sentence."""
    begins = _CODE_BEGINS.search(text)
    code = text[begins.start() :] if begins else text
    if _parse(code):
        return code
    kept: list[str] = []
    for line in code.split("\n"):
        if line and not _CODE_LINE.match(line):
            break
        kept.append(line)
    return "\n".join(kept)


def _is_body(code: str) -> bool:
    """Whether code returns something and yet is no definition: the inside of the function that was asked for.

    A body may begin with helper functions of its own; then a `return` stands outside of them.
    """
    if not _RETURNS.search(code):
        return False
    if not _TOP_LEVEL.search(code):
        return True
    tree = _parse(_repair(code))
    return tree is not None and any(
        isinstance(node, ast.Return)
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    )


def _as_body(code: str, code_prompt: str) -> str:
    """Put a function body under the prompt's signature, as far to the right as its docstring stands."""
    last = code_prompt.rstrip().rpartition("\n")[2]
    margin = last[: len(last) - len(last.lstrip())] or "    "
    lines = [margin + line if line.strip() else "" for line in _repair(code).split("\n")]
    return code_prompt.rstrip() + "\n" + "\n".join(lines) + "\n"


def _repair(code: str) -> str:
    """Bring a body to the left margin, also when only its first line has lost its indentation."""
    code = textwrap.dedent(code.strip("\n")).rstrip()
    first, _, rest = code.partition("\n")
    if _parse(code) or not rest.strip() or first[:1].isspace():
        return code
    return first + "\n" + textwrap.dedent(rest)


def _parse(code: str) -> ast.Module | None:
    if len(code) > _LONGEST_PARSED:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in the model's strings is no concern of ours
            return ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last three: null bytes, nesting
        return None
