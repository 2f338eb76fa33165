"""A reply of a megabyte that is made to take long does not."""

import time

import pytest

from evaluator.grade.code.extract import goes_on_after_body, read_program

MEGABYTE = 1_000_000


def filled(piece: str, begin: str = "def f():\n") -> str:
    return begin + piece * (MEGABYTE // len(piece))


def nested(piece: str, end: str = "") -> str:
    """As much as is still parsed."""
    return "def f(x):\n    return " + piece * (19_000 // len(piece)) + end


def fence(code: str) -> str:
    return f"```python\n{code}\n```\n"


CODE = (
    "def f():",
    "def f(x):\n    return x",
    ":return",
    "if : ",
    "import a",
    "from a import *",
    "# f",
    "@f",
    "a=1",
    "f()",
)
INDENTED = (
    "  def f():",
    "    return x\n",
    "    return x\nword",
    "\tx\n \ty",
    "word\n\n    def f(x):\n        return x\n",
)
MARKS = ("```", "```python", "- ```", '```python\n"""', "'''\"\"\"", "<code>", "</code>", "[PYTHON]")
LINES = (*CODE, *INDENTED, *MARKS, "word", "else:", ">>> f()", "...", "\u00a0", "\ufeff")
SPACES = (" ", "\t", "\r", "\n", " \n  ", "\u00a0", "\u200b", "\0")
QUOTES = ("`", "~", "'", '"', '"""', '""" ', '\\"', "\\")
CHARACTERS = (
    ": ",
    "(",
    "[",
    "{a:",
    "lambda:",
    "a",
    "1",
    "-",
    "- ",
    "import a ",
    "<code ",
    "<pre>",
    "</s>",
    "def a\\_b(",
    "a.",
    "# ",
)
PIECES = (*SPACES, *QUOTES, *CHARACTERS)
BLOCKS = (
    "def f(x):\n    return x",
    "return x",
    "def f(x):\n    pass",
    "def f(x):\n    return g(x)",
    "def g(x):\n    return h(x)",
)
NESTED = (
    "(",
    "{a:",
    "[",
    "-",
    "not ",
    "lambda:",
    "f(a,b=c for ",
    "a if b else ",
    "'a' ",
    "x[",
    "f'{",
    "a.",
    "a+",
    "a()",
    "*",
    "await ",
)
HOSTILE = (
    {repr(line): filled(line + "\n") for line in LINES}
    | {f"{piece!r} in a row": filled(piece) for piece in PIECES}
    | {f"blocks of {code!r}": filled(fence(code), "") + fence("def f(x):\n    return g(x)") for code in BLOCKS}
    | {f"{piece!r} within each other": nested(piece, "a") for piece in NESTED}
    | {
        "one line": f"x = '{'a' * MEGABYTE}'",
        "a string of escapes": "def f():\n    x = '" + "\\'" * (MEGABYTE // 2),
        "further to the right": "\n".join(" " * n + "if x:" for n in range(1400)),
        "longer and longer marks": "\n".join("`" * n for n in range(1400)),
        "shorter and shorter marks": "\n".join("`" * n for n in range(1400, 0, -1)),
        "names from name to name": fence("def f(): return a0")
        + fence("".join(f"a{n}=a{n + 1}\n" for n in range(1500))),
        "many names, many definitions": f"def f():\n    return [{','.join(f'n{n}' for n in range(3000))}]\n"
        + "".join(f"n{n}=1\n" for n in range(1500)),
    }
)


@pytest.mark.parametrize("completion", [False, True], ids=["chat", "completion"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_no_time(text: str, *, completion: bool) -> None:
    def seconds() -> float:
        started = time.process_time()
        read_program(text, code_prompt="def f(x):\n", entry_point="f", completion=completion)
        goes_on_after_body(text)
        return time.process_time() - started

    # 0.15 s at most where this was written; the bound is for a machine that is busy with other things
    assert seconds() < 0.5 or seconds() < 0.5
