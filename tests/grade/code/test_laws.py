"""What holds of any reply: no error, no change by what stands around the code, and a reason for what does not parse."""

import ast
import textwrap

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evaluator.benchmarks import humaneval
from evaluator.grade.code.extract import goes_on_after_body, read_program
from evaluator.records import Extraction

PROMPT = 'import math\n\n\ndef area(radius):\n    """Give a circle\'s area."""\n'
FUNCTION = """
import math


def area(radius):
    '''Give a circle's area.'''
    if radius < 0:
        raise ValueError
    return math.pi * radius**2
""".strip()
CODE = (
    FUNCTION,
    "def area(r):\n    return half(r) * 2\n\n\ndef half(r):\n\n    return math.pi * r * r / 2",
    "    return math.pi * radius**2",
    "area = lambda radius: 3.14 * radius ** 2",
    "class Solution:\n    def area(self, radius):\n        return 3",
    "def area(radius):\n    return (",
)
WORDS = st.lists(
    st.sampled_from(("The", "code:", "def", "returns", "`x`", "**it's**", "(not)", "1.", "-", '"so"', "#"))
)
MARKS = (
    "```",
    "```python",
    "~~~",
    "````",
    '"""',
    "'''",
    "(",
    "\\",
    "\n",
    "\n    ",
    "\t",
    " ",
    ">>> area(1)",
    "- ",
    "it's",
)
LINES = (
    "def area(x):",
    "return x",
    "if x:",
    "else:",
    "# ...",
    "...",
    "pass",
    "from math import *",
    "class A:",
    "a: int",
    "@",
)
ODD = ("<code>", "</code>", "[PYTHON]", "def area\\_of(", "\u00a0", "\u200b", "\ufeff", "\r", "\0")
PIECES = st.sampled_from((*CODE, *MARKS, *LINES, *ODD))
REPLIES = st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join), st.lists(PIECES, max_size=20).map("\n".join))


def extract(text: str, *, completion: bool = False) -> Extraction:
    return read_program(text, code_prompt=PROMPT, entry_point="area", completion=completion)


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


@pytest.mark.parametrize("completion", [False, True], ids=["chat", "completion"])
@given(text=REPLIES)
def test_a_program_parses_or_the_reason_says_why_not(text: str, *, completion: bool) -> None:
    program = extract(text, completion=completion)
    goes_on_after_body(text)

    assert program.why
    if program.value is not None and "no valid Python" not in program.why:
        ast.parse(program.value)


@given(code=st.sampled_from(CODE), words=st.lists(WORDS.map(" ".join), min_size=2, max_size=2))
def test_prose_around_a_block_changes_nothing(code: str, words: list[str]) -> None:
    assert extract(f"{words[0]}\n\n{fenced(code)}\n\n{words[1]}") == extract(fenced(code))


@given(code=st.sampled_from(CODE), margin=st.integers(0, 12), mark=st.sampled_from(("```", "~~~", "`````")))
def test_a_block_s_indentation_and_mark_change_nothing(code: str, margin: int, mark: str) -> None:
    block = textwrap.indent(f"{mark}python\n{code}\n{mark}", " " * margin)

    assert extract(f"1. First:\n\n{block}\n\n2. Done.") == extract(fenced(code))


@pytest.mark.parametrize("completion", [False, True], ids=["chat", "completion"])
@pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["CRLF", "CR"])
@given(text=REPLIES)
def test_line_ends_change_nothing(text: str, end: str, *, completion: bool) -> None:
    assume("\r" not in text)

    assert extract(text.replace("\n", end), completion=completion) == extract(text, completion=completion)


@settings(max_examples=50)
@given(code=st.sampled_from(CODE), thought=st.lists(PIECES, max_size=8).map("\n".join))
def test_thinking_in_front_changes_nothing(code: str, thought: str) -> None:
    problem = humaneval.load()[0]
    code = code.replace("area", problem.answer)

    assert humaneval.extract(f"<think>\n{thought}\n</think>\n\n{fenced(code)}", problem) == humaneval.extract(
        fenced(code), problem
    )


@given(rest=REPLIES)
def test_what_a_base_model_writes_after_its_function_changes_nothing(rest: str) -> None:
    body = FUNCTION.partition(".'''\n")[2]
    program = extract(f"{body}\n\nprint(1)\n{rest}", completion=True)

    assert program == extract(body, completion=True)
