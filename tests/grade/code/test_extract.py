"""How models write code: each row is a form that a right answer comes in, or one that must not pass for an answer."""

import textwrap
from collections.abc import Callable

import pytest

from tests.support.humaneval_material import (
    CHOSEN,
    Problem,
    before,
    body,
    extracted,
    failures,
    fence,
    full,
    only_function,
    reindented,
    usage,
    wrong,
)


def name(problem: Problem) -> str:
    return str(problem["entry_point"])


def inner(problem: Problem) -> str:
    """The solution under another name."""
    return full(problem).replace(f"def {name(problem)}(", "def inner(")


def calls(problem: Problem, what: str) -> str:
    return f"def {name(problem)}(*arguments):\n    return {what}(*arguments)"


def worker(problem: Problem) -> str:
    return f"{inner(problem)}\n\n\nclass Worker:\n    def work(self, *arguments):\n        return inner(*arguments)"


def stub(problem: Problem, inside: str = "pass") -> str:
    return f"{problem['prompt'].rstrip()}\n    {inside}"


def cut_off(code: str) -> str:
    """Code up to its last bracket, which is not closed."""
    return code[: code.rindex("(") + 1]


def quoting(problem: Problem, label: str = "") -> str:
    """The solution with an example in its docstring that stands in a fence of its own."""
    head, _, rest = full(problem).rpartition(f"def {name(problem)}(")
    signature, _, tail = rest.partition("\n")
    return (
        f"{head}def {name(problem)}({signature}\n    '''\n    Example:\n    ```{label}\n    1\n    ```\n    '''\n{tail}"
    )


def escaped(code: str) -> str:
    return code.replace("_", "\\_")


def invisible(code: str, space: str) -> str:
    lines = code.split("\n")
    return "\n".join(space * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in lines)


def solution_class(problem: Problem, decorator: str = "", first: str = "self, ") -> str:
    method = f"    def {name(problem)}({first}*arguments):\n        return inner(*arguments)"
    return f"{inner(problem)}\n\n\nclass Solution:\n{decorator}{method}"


RIGHT: dict[str, Callable[[Problem], str]] = {
    "shell block before it": lambda p: f"{fence('pip install nothing', 'bash')}\n\n{fence(full(p))}",
    "output block behind it": lambda p: f"{fence(full(p))}\n\nOutput:\n\n{fence('True', '')}",
    "session behind it": lambda p: f"{fence(full(p))}\n\n{fence('>>> ' + usage(p) + chr(10) + '>>> def f(): ...')}",
    "python3": lambda p: fence(full(p), "python3"),
    "label behind a space": lambda p: fence(full(p), " python"),
    "label with attributes": lambda p: fence(full(p), "{.python .numberLines}"),
    "wrong label": lambda p: fence(full(p), "plaintext"),
    "four backticks": lambda p: fence(full(p), mark="````"),
    "closed by more": lambda p: f"```python\n{full(p)}\n`````\n\nDone:\n{fence(usage(p))}",
    "closed by fewer": lambda p: f"````python\n{full(p)}\n```\n\nThat is it, really.",
    "four around three": lambda p: f"````markdown\nText\n\n{fence(full(p))}\n````",
    "fence behind prose": lambda p: f"Here is the code: {fence(full(p))}\nDone.",
    "code behind the fence": lambda p: f"```{only_function(p)}\n```",
    "fence behind code": lambda p: f"```python\n{full(p)}```\nDone.",
    "prose behind the closing fence": lambda p: f"```python\n{full(p)}\n``` This is the code.\n\nDone.",
    "opening fence lost": lambda p: f"{full(p)}\n```\n\nFor example:\n\n```python\n{usage(p)}\n```",
    "opening fence lost, final below": lambda p: f"{wrong(p)}\n```\n\nBetter:\n\n```python\n{full(p)}\n```",
    "closing fence lost": lambda p: f"```python\n{wrong(p)}\n\nBetter:\n\n```python\n{full(p)}\n```",
    "fence in a bullet": lambda p: f"- {textwrap.indent(fence(full(p)), '  ').lstrip()}",
    "code less indented than its fence": lambda p: f"1. Here:\n\n   ```python\n{full(p)}\n   ```",
    "fence in a docstring": lambda p: fence(quoting(p)),
    "labelled fence in a docstring": lambda p: f"{fence(quoting(p, 'python'))}\n\n{fence(usage(p))}",
    "Code Llama's tags": lambda p: f"[PYTHON]\n{full(p)}\n[/PYTHON]\n[TESTS]\n{usage(p)}\n[/TESTS]",
    "code tags": lambda p: f"The code:\n<code>\n{full(p)}\n</code>\nIt works.",
    "pre and code tags": lambda p: f"<pre><code class='python'>{full(p)}</code></pre>\nIt works.",
    "a label, no fence": lambda p: f"python\n{full(p)}",
    "body, first line stripped": lambda p: fence(body(p).strip()),
    "function, first line stripped": lambda p: fence(textwrap.indent(full(p), "    ").strip()),
    "stub, then the body": lambda p: f"{fence(stub(p))}\n\nThe body:\n\n{fence(body(p))}",
    "no fence, no imports": only_function,
    "no fence, prose behind": lambda p: f"{full(p)}\n\nThis function does what was asked: it's simple.",
    "no fence, prose around": lambda p: f"Sure, here it is:\n\n{full(p)}\n\n- It is simple\n- It works",
    "no fence, prose within": lambda p: f"First:\n\n{inner(p)}\n\nThen it's easy:\n\n{calls(p, 'inner')}\n\nThat's it.",
    "no fence, indented": lambda p: f"Here it is:\n\n{textwrap.indent(full(p), '    ')}\n\nIt's simple.",
    "no fence, session behind": lambda p: f"{full(p)}\n\n>>> {name(p)}(1)\n(1, 2",
    "no fence, a base model's end": lambda p: f"{full(p)}\n```\n\nThis is prose, it's (not code.",
    "no fence, a stray brace": lambda p: f"{full(p)}\n}}",
    "no fence, repeated until cut off": lambda p: (
        f"{stub(p, '')}\n\n{only_function(p)}\n\n\n{cut_off(only_function(p))}"
    ),
    "raw body": body,
    "raw body, prose behind": lambda p: f"{body(p)}\n\nThis returns what was asked: it's simple.",
    "raw body, prose around": lambda p: f"The body:\n\n{body(p)}\n\nThis returns what was asked.",
    "helper in another block": lambda p: f"{fence(inner(p))}\n\nThen:\n\n{fence(calls(p, 'inner'))}",
    "helper in a block behind": lambda p: f"{fence(calls(p, 'inner'))}\n\nwith\n\n{fence(inner(p))}",
    "helper twice": lambda p: "\n\n".join(
        map(fence, ("def inner(*arguments):\n    return 'wrong'", inner(p), calls(p, "inner")))
    ),
    "class in another block": lambda p: f"{fence(worker(p))}\n\nThen:\n\n{fence(calls(p, 'Worker().work'))}",
    "imports in another block": lambda p: (
        f"{fence('import functools as ft')}\n\n{fence(inner(p))}\n\n"
        f"{fence('@ft.cache' + chr(10) + 'def once():' + chr(10) + '    return inner')}\n\n{fence(calls(p, 'once()'))}"
    ),
    "star import in another block": lambda p: (
        f"{fence('from functools import *')}\n\n{fence(inner(p) + chr(10) * 2 + calls(p, 'partial(inner)'))}"
    ),
    "corrected function, helper in the draft": lambda p: (
        f"{fence(inner(p) + chr(10) * 2 + wrong(p))}\n\nThat is wrong:\n\n{fence(calls(p, 'inner'))}"
    ),
    "a stub behind it": lambda p: f"{fence(full(p))}\n\nIts signature:\n\n{fence(stub(p))}",
    "a stub that raises behind it": lambda p: f"{fence(full(p))}\n\n{fence(stub(p, 'raise NotImplementedError'))}",
    "an excerpt behind it": lambda p: (
        f"{fence(full(p))}\n\nThe point:\n\n{fence(calls(p, 'inner') + chr(10) + '    ...')}"
    ),
    "an excerpt with a comment behind it": lambda p: (
        f"{fence(full(p))}\n\nAt its end:\n\n{fence(stub(p, '# ... as above') + chr(10) + '    return result')}"
    ),
    "helper of the prompt only as a stub": lambda p: fence(
        (f"def {before(p).split('def ')[1].split('(')[0]}(*_):\n    pass\n\n\n" if "def " in before(p) else "")
        + only_function(p)
    ),
    "a broken demonstration behind it": lambda p: fence(f"{full(p)}\n\nprint '{name(p)}'\nprint({name(p)}("),
    "output in its block": lambda p: fence(f"{full(p)}\n\n{usage(p)}\n# Output:\n[1, 2, 3] 4 5"),
    "demonstrations that fail": lambda p: fence(
        f"{full(p)}\n\nassert {name(p)}() == 'nonsense'\nanswer = {name(p)}(input())\nexit()\n"
    ),
    "comment at the margin": lambda p: fence(full(p).replace("\n    return", "\n# the result\n    return")),
    "package that is not there": lambda p: fence(f"import matplotlib.pyplot as plt\n{full(p)}"),
    "future import": lambda p: fence(f"from __future__ import annotations\n\n{full(p)}"),
    "function outside, usage in a fence": lambda p: f"{full(p)}\n\n{fence(usage(p))}",
    "in a list, blank lines padded": lambda p: "\n".join("    " + line for line in fence(full(p)).split("\n")),
    "no-break spaces": lambda p: fence(invisible(full(p), "\u00a0")),
    "zero-width spaces": lambda p: fence(full(p).replace("\n", "\n\u200b")),
    "byte order mark": lambda p: f"\ufeff{full(p)}",
    "CR": lambda p: fence(full(p)).replace("\n", "\r"),
    "tabs and spaces": lambda p: fence(reindented(full(p), "\t").replace("\n\treturn", "\n    return")),
    "escaped underscores": lambda p: escaped(full(p)),
    "next turn invented": lambda p: f"{full(p)}<|im_end|>\n<|im_start|>user\nAnd now?\n{fence(wrong(p))}",
    "class Solution": lambda p: fence(solution_class(p)),
    "class Solution, static": lambda p: fence(solution_class(p, "    @staticmethod\n", "")),
}
"""Right answers. The plainer forms are rows of test_humaneval_renderings."""
WRONG: dict[str, Callable[[Problem], str]] = {
    "exit inside": lambda p: fence(wrong(p).replace("return 'wrong'", "raise SystemExit(0)")),
    "hard exit": lambda p: fence(wrong(p) + "\n\nimport os\nos._exit(0)"),
    "right draft, wrong final": lambda p: f"{fence(full(p))}\nBetter:\n{fence(wrong(p))}",
    "right draft, broken final": lambda p: f"{fence(full(p))}\nBetter:\n{fence(wrong(p) + '(')}",
    "right only while thinking": lambda p: f"<think>{fence(full(p))}</think>{fence(wrong(p))}",
    "right only in another block's helper": lambda p: f"{fence(inner(p))}\n\n{fence(wrong(p))}",
    "stub": lambda p: fence(stub(p)),
    "stub, no fence": lambda p: stub(p, "..."),
    "does not parse": lambda p: fence(full(p) + "\n    return ("),
    "async": lambda p: fence(full(p).replace(f"def {name(p)}(", f"async def {name(p)}(")),
    "own check": lambda p: fence(wrong(p) + "\n\ndef check(candidate):\n    pass"),
}
NO_CODE: dict[str, Callable[[Problem], str]] = {
    "empty": lambda _: "",
    "prose": lambda _: "I would sort the list and return the first element.",
    "prose in lines": lambda _: "To do this:\n    sort the list and\n    return the first element",
    "renamed": lambda p: fence(full(p).replace(name(p), "solution")),
    "renamed, no fence": lambda p: full(p).replace(name(p), "solution"),
    "shell only": lambda _: fence("pip install nothing", "bash"),
    "output only": lambda _: fence("True", ""),
    "session only": lambda p: fence(f">>> def {name(p)}(*_):\n...     return 1\n>>> {name(p)}()\n1"),
    "usage only": lambda p: fence(usage(p)),
    "empty fence": lambda _: "```python\n```",
    "thinking only": lambda p: f"<think>{fence(full(p))}",
    "two bodies": lambda p: f"{fence(body(p))}\n\nor\n\n{fence(body(p))}",
}
COMPLETIONS: dict[str, Callable[[Problem], str]] = {
    "as published": lambda p: p["canonical_solution"],
    "another function": lambda p: p["canonical_solution"] + "\n\ndef other(x):\n    return (",
    "a class": lambda p: p["canonical_solution"] + "\nclass Other:\n    broken(",
    "main": lambda p: p["canonical_solution"] + "\nif __name__ == '__main__':\n    input()",
    "print": lambda p: p["canonical_solution"] + "\nprint(undefined)",
    "comment": lambda p: p["canonical_solution"] + "\n# Test\nthis is no code",
    "fence": lambda p: p["canonical_solution"] + "\n```\n\nThis is prose.",
    "the same function, wrong": lambda p: f"{p['canonical_solution']}\n\n{wrong(p)}",
    "stripped": lambda p: p["canonical_solution"].strip(),
    "stripped, another function": lambda p: p["canonical_solution"].strip() + "\n\ndef other(x):\n    return (",
    "one space lost": lambda p: p["canonical_solution"][1:],
    "two spaces": lambda p: reindented("-\n" + body(p), "  ")[2:],
    "docstring again": lambda p: f'""" Again: it\'s\n    this. """\n{body(p)}',
    "helper behind it": lambda p: (
        f"    return inner(*[value for key, value in locals().items() if key != 'math'])\n\n\n{inner(p)}"
    ),
    "anew": only_function,
    "anew, behind blank lines": lambda p: f"\n\n{full(p)}\n\n\n{wrong(p)}",
    "anew, helper behind it": lambda p: f"{calls(p, 'inner')}\n\n\n{inner(p)}\n\n\n{wrong(p)}",
    "anew, in a fence": lambda p: f"{fence(full(p))}\n\nThis works.",
    "anew, prose and a fence": lambda p: f"Here's the function:\n\n{fence(full(p))}\n\nThis works.",
    "anew, prose": lambda p: f"Here's the function:\n\n{full(p)}\n\nThis works.",
    "body in a fence": lambda p: fence(body(p)),
    "the prompt first": lambda p: p["prompt"] + p["canonical_solution"] + "\n\nprint(undefined(",
    "a stub, then anew": lambda p: f"    # Your code here\n    pass\n\n\n{full(p)}",
    "end of the text leaked": lambda p: f"{p['canonical_solution'].rstrip()}</s>\n{wrong(p)}",
    "a comment at the margin, then anew": lambda p: f"# Solution\n{full(p)}",
}
WRONG_COMPLETIONS: dict[str, Callable[[Problem], str]] = {
    "a wrong body, then the right function": lambda p: f"    return 'wrong'\n\n\n{full(p)}",
    "pass": lambda _: "    pass\n",
    "broken": lambda p: p["canonical_solution"].rstrip() + " (",
}
NO_COMPLETION = {
    "blank": " \n\n",
    "prose": "I'm sorry, I can't see what the function is to do.",
    "prose in a fence": "```\nThis is not code\n```",
}


@pytest.mark.parametrize("render", RIGHT.values(), ids=RIGHT)
def test_a_right_answer_passes_however_it_is_written(render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p)) for p in CHOSEN]

    assert failures(CHOSEN, programs) == {}


@pytest.mark.parametrize("render", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_never_passes(render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p)) for p in CHOSEN[:4]]

    assert None not in programs
    assert len(failures(CHOSEN[:4], programs)) == 4


@pytest.mark.parametrize("render", NO_CODE.values(), ids=NO_CODE)
def test_no_code_is_no_answer(render: Callable[[Problem], str]) -> None:
    assert [p["task_id"] for p in CHOSEN if extracted(p, render(p)) is not None] == []


@pytest.mark.parametrize("render", COMPLETIONS.values(), ids=COMPLETIONS)
def test_a_base_model_s_completion_passes(render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p), completion=True) for p in CHOSEN]

    assert failures(CHOSEN, programs) == {}


@pytest.mark.parametrize("render", WRONG_COMPLETIONS.values(), ids=WRONG_COMPLETIONS)
def test_a_wrong_completion_never_passes(render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p), completion=True) for p in CHOSEN[:4]]

    assert None not in programs
    assert len(failures(CHOSEN[:4], programs)) == 4


@pytest.mark.parametrize("text", NO_COMPLETION.values(), ids=NO_COMPLETION)
def test_a_completion_without_code_is_no_answer(text: str) -> None:
    assert extracted(CHOSEN[0], text, completion=True) is None
