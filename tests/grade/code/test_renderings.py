"""A perfect model's 164 answers in the 26 forms that other tools were measured with: all accepted, no wrong one is."""

import textwrap
from collections.abc import Callable

import pytest

from tests.support.humaneval_material import (
    PROBLEMS,
    Problem,
    body,
    extracted,
    failures,
    fence,
    full,
    only_function,
    reindented,
    undocumented,
    usage,
    wrong,
)

ACCEPTED: dict[str, Callable[[Problem], str]] = {
    "full fn, ```python": lambda p: fence(full(p)),
    "prose + full fn + prose": lambda p: f"Here it is:\n\n{fence(full(p))}\n\nThis works because `x` is `y`.",
    "fn only, no imports/helpers": lambda p: fence(only_function(p)),
    "full fn + 2nd usage block": lambda p: f"{fence(full(p))}\n\nUse it:\n\n{fence(usage(p))}",
    "wrong draft block, then final block": lambda p: f"Draft:\n{fence(wrong(p))}\nBetter:\n{fence(full(p))}",
    "unlabelled fence": lambda p: fence(full(p), ""),
    "```py fence": lambda p: fence(full(p), "py"),
    "```Python fence": lambda p: fence(full(p), "Python"),
    "```python + trailing space": lambda p: fence(full(p), "python "),
    "CRLF": lambda p: fence(full(p)).replace("\n", "\r\n"),
    "body only, indented, in fence": lambda p: fence(body(p)),
    "body only, dedented, in fence": lambda p: fence(textwrap.dedent(body(p))),
    "raw full code, no fence": full,
    "raw body, first line stripped": lambda p: body(p).strip(),
    "2-space indent": lambda p: fence(reindented(full(p), "  ")),
    "tab indent": lambda p: fence(reindented(full(p), "\t")),
    "unclosed fence (cut after code)": lambda p: f"```python\n{full(p)}",
    "<think> draft fence </think> final": lambda p: f"<think>\n{fence(wrong(p))}\n</think>\n{fence(full(p))}",
    "</think> only (template ate <think>)": lambda p: f"{fence(wrong(p))}\n</think>\n{fence(full(p))}",
    "gemma4 channel leak": lambda p: f"<|channel>thought\n{fence(wrong(p))}<channel|>{fence(full(p))}",
    "helper fn defined first": lambda p: fence(f"def helper(x):\n    return x\n\n\n{full(p)}"),
    "nested list fence (indented)": lambda p: f"1. Here:\n\n{textwrap.indent(fence(full(p)), '   ')}\n\n2. Done.",
    "~~~ fence": lambda p: fence(full(p), mark="~~~"),
    "+ __main__ demo w/ input()": lambda p: fence(
        full(p) + "\n\nif __name__ == '__main__':\n    print(input())\n    exit(1)"
    ),
    "+ module-level asserts/prints": lambda p: fence(
        f"{full(p)}\n\nprint({p['entry_point']})\nassert {p['entry_point']}() == 'nonsense'"
    ),
    "docstring dropped, comment header": lambda p: fence(f"# HumanEval\n{undocumented(p)}"),
}
REFUSED: dict[str, Callable[[Problem], str]] = {
    "NEG wrong code + sys.exit(0)": lambda p: fence(wrong(p) + "\n\nimport sys\nsys.exit(0)"),
    "NEG wrong code + __main__ sys.exit(0)": lambda p: fence(
        wrong(p) + "\n\nimport sys\nif __name__ == '__main__':\n    sys.exit(0)"
    ),
    "NEG prose only": lambda _: "I would sort the list and return the first element.",
    "NEG wrong code only": lambda p: fence(wrong(p)),
}


@pytest.mark.parametrize("render", ACCEPTED.values(), ids=ACCEPTED)
def test_a_right_answer_is_accepted_in_every_form(render: Callable[[Problem], str]) -> None:
    programs = [extracted(problem, render(problem)) for problem in PROBLEMS]

    assert failures(PROBLEMS, programs) == {}


@pytest.mark.parametrize("render", REFUSED.values(), ids=REFUSED)
def test_a_wrong_answer_is_accepted_in_no_form(render: Callable[[Problem], str]) -> None:
    programs = [extracted(problem, render(problem)) for problem in PROBLEMS]

    assert len(failures(PROBLEMS, programs)) == len(PROBLEMS)
