"""Text that may be Python: tidied, brought to the left margin, parsed, and cut into its statements."""

import ast
import re
import warnings
from itertools import islice
from threading import Lock

_ONE_AT_A_TIME = Lock()  # what catch_warnings changes belongs to all threads
LONGEST = 20_000
"""Characters. More is no answer to a HumanEval question, and parsing it would take too long."""
_MOST_STATEMENTS = 400
_MOST_RUNS = 50

_SPECIAL = re.compile("[\u00a0\u200b-\u200d\u2007\u202f\u2060\u3000\ufeff]")
_MARGIN = re.compile("^[ \t\u00a0\u200b-\u200d\u2007\u202f\u2060\u3000\ufeff]+", re.MULTILINE)
_AS_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000"), " ") | dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u2060\ufeff")
)
# Recognises where a statement begins: strings and comments are skipped, brackets counted, and a line that begins at the
# margin begins a statement. An escape outside a string is skipped, or a row of \" would be scanned again and again.
_TOKEN = re.compile(
    r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''"
    r"|\"(?:\\.|[^\"\\\n])*+\"|'(?:\\.|[^'\\\n])*+'"
    r"|#[^\n]*+|\\[\s\S]|[()\[\]{}]|\n(?=[^\s#])"
)
# Markdown's other kind of code block (CommonMark 0.31, section 4.4), less strict
_RUN = re.compile(r"(?:^[ \t]++\S[^\n]*+(?:\n|\Z)|^[ \t]*+\n)++", re.MULTILINE)
_CONTINUES = re.compile(r"(?:else|finally)[ \t]*:|(?:elif|except)\b[^\n]*:")
_DEFINES = re.compile(r"(?:(?:async[ \t]+)?def|class)[ \t]+\w|@\w|import[ \t]+\w|from[ \t]+[\w.]+[ \t]+import\b")


def tidy(text: str) -> str:
    r"""End every line with a plain `\n`, and make indentation of spaces and tabs only."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > 10 * LONGEST or not _SPECIAL.search(text):
        return text
    return _MARGIN.sub(lambda margin: margin[0].translate(_AS_SPACES), text)


def dedent(code: str) -> str:
    """Take off the margin that all lines have, or, when a line has none, the first line's where there is as much.

    textwrap.dedent takes seconds for a megabyte.
    """
    lines = [line if line.strip() else "" for line in code.split("\n")]
    inked = [line for line in lines if line]
    if not inked or not inked[0][0].isspace():
        return "\n".join(lines)
    least, most = min(inked), max(inked)  # what these two begin with, all begin with
    shared = 0
    while least[shared] == most[shared] and least[shared] in " \t":
        shared += 1
    if shared:
        return "\n".join(line[shared:] for line in lines)
    first = _width(inked[0])
    return "\n".join(line[min(first, _width(line)) :] for line in lines)


def parse(code: str) -> ast.Module | None:
    """Parse a text of at most `LONGEST` characters; None when it is longer, or no Python."""
    tree = try_parse(code)
    return tree if isinstance(tree, ast.Module) else None


def try_parse(code: str) -> ast.Module | str:
    """Parse a text; where that fails, return the reason in a few words."""
    if len(code) > LONGEST:
        return f"longer than {LONGEST:,} characters"
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in the model's strings is no concern of ours
            return ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError:
        return "it holds a null byte"
    except (MemoryError, RecursionError):
        return "nested too deep"


def repair(code: str) -> str:
    """Bring code to the left margin, also when its first line alone has lost indentation, or tabs mix with spaces."""
    code = code.strip("\n")
    indented = code[:1].isspace()
    code = dedent(code).rstrip()
    if len(code) > LONGEST or parse(code):
        return code
    first, _, rest = code.partition("\n")
    shifted = first.lstrip() + "\n" + dedent(rest)
    repaired = [shifted] if rest.strip() else []
    if "\t" in code:
        repaired += [_tabs_as(4, code), _tabs_as(8, code)]
    for candidate in repaired:
        if parse(candidate):
            return candidate
    return shifted if rest.strip() and not indented else code


def split_statements(code: str) -> list[str]:
    """Cut text at the lines that begin a statement at the left margin; put together again, the pieces are the text.

    Prose is cut into its lines. A comment at the margin belongs to what stands before it, as Python has it.
    """
    starts = [0]
    depth = 0
    decorated = code.startswith("@")
    for token in _TOKEN.finditer(code):
        mark = token[0]
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth = max(depth - 1, 0)
        elif mark == "\n":
            begins = token.end()
            # An open bracket in prose, or in broken code, ends at a blank line or a definition.
            if depth and (code[begins] in ")]}" or (code[begins - 2] != "\n" and not _DEFINES.match(code, begins))):
                continue
            depth = 0
            if not decorated and not _CONTINUES.match(code, begins):
                starts.append(begins)
            decorated = code.startswith("@", begins)
    return [code[start:end] for start, end in zip(starts, [*starts[1:], len(code)], strict=True)]


def indented_runs(text: str) -> list[str]:
    """Find the runs of lines that stand to the right of the margin, and bring them there."""
    runs = (run[0] for run in _RUN.finditer(text) if run[0].strip())
    return [dedent(run).strip("\n") for run in islice(runs, _MOST_RUNS) if len(run) <= LONGEST]


def keep_python(text: str, defines: re.Pattern[str]) -> str:
    """Drop from a text what is no Python: prose, output, cut-off demonstrations; never what matches `defines`."""
    if len(text) > 2 * LONGEST:
        return text
    pieces = split_statements(text)
    if len(pieces) > _MOST_STATEMENTS:
        centre = max((n for n, piece in enumerate(pieces) if defines.search(piece)), default=0)
        pieces = pieces[max(centre - _MOST_STATEMENTS // 2, 0) : centre + _MOST_STATEMENTS // 2]
    return "".join(piece for piece in pieces if defines.search(piece) or _does_something(piece))


def _does_something(piece: str) -> bool:
    """Whether a statement is Python, and more than a word of prose that happens to parse."""
    tree = parse(piece)
    return tree is not None and not any(
        (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call))
        or (isinstance(node, ast.AnnAssign) and node.value is None)
        for node in tree.body
    )


def _tabs_as(columns: int, code: str) -> str:
    lines = code.split("\n")
    margins = [line[: _width(line)] for line in lines]
    return "\n".join(
        margin.expandtabs(columns) + line[len(margin) :] for margin, line in zip(margins, lines, strict=True)
    )


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())
