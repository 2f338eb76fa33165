"""A perfect model's answers, in the forms in which chat models write them, must all pass; wrong ones must not."""

import gzip
import json
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import evaluator.benchmarks
from evaluator.benchmarks.extract_code import extract_code, goes_on_after_body
from evaluator.sandbox import NoSandbox, Run, Sandbox, find_sandbox, run_tests
from evaluator.thinking import split_thinking

Problem = dict[str, Any]
DATA = Path(evaluator.benchmarks.__file__).parent / "data" / "humaneval.jsonl.gz"
PROBLEMS: list[Problem] = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
# Those with imports, helpers, an import inside the function, constants, nested functions; and some plain ones.
CHOSEN = [PROBLEMS[number] for number in (0, 8, 10, 22, 32, 38, 50, 53, 64, 115, 127, 160)]


def full(problem: Problem) -> str:
    return str(problem["prompt"] + problem["canonical_solution"]).strip("\n")


def only_function(problem: Problem) -> str:
    return full(problem)[full(problem).index(f"def {problem['entry_point']}(") :]


def body(problem: Problem) -> str:
    return str(problem["canonical_solution"]).strip("\n")


def fence(code: str, label: str = "python", mark: str = "```") -> str:
    return f"{mark}{label}\n{code}\n{mark}"


def reindented(code: str, unit: str) -> str:
    lines, levels = [], [0]
    for line in code.split("\n"):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare) if bare else levels[-1]
        while indent < levels[-1]:
            levels.pop()
        if indent > levels[-1]:
            levels.append(indent)
        lines.append(unit * (len(levels) - 1) + bare)
    return "\n".join(lines)


def wrong(problem: Problem) -> str:
    return f"def {problem['entry_point']}(*arguments):\n    return 'wrong'"


def usage(problem: Problem) -> str:
    return f"print({problem['entry_point']}(1, 2, 3, 4, 5, 6, 7))"


def demonstrated(problem: Problem) -> str:
    name = problem["entry_point"]
    return full(problem) + f"\n\nprint({name})\nassert {name}() == 'nonsense'\nanswer = {name}(input())\nexit()\n"


RIGHT: dict[str, Callable[[Problem], str]] = {
    "full function": lambda p: fence(full(p)),
    "prose around it": lambda p: f"Here it is:\n\n{fence(full(p))}\n\nThis works because `x` is `y`.",
    "function only": lambda p: fence(only_function(p)),
    "usage block behind it": lambda p: f"{fence(full(p))}\n\nUse it:\n\n{fence(usage(p))}",
    "shell block before it": lambda p: f"{fence('pip install nothing', 'bash')}\n\n{fence(full(p))}",
    "output block behind it": lambda p: f"{fence(full(p))}\n\nOutput:\n\n{fence('True', '')}",
    "wrong draft, then final": lambda p: f"Draft:\n{fence(wrong(p))}\nBetter:\n{fence(full(p))}",
    "no label": lambda p: fence(full(p), ""),
    "py": lambda p: fence(full(p), "py"),
    "Python": lambda p: fence(full(p), "Python"),
    "python3": lambda p: fence(full(p), "python3"),
    "label, trailing space": lambda p: fence(full(p), "python "),
    "label behind a space": lambda p: fence(full(p), " python"),
    "four backticks": lambda p: fence(full(p), mark="````"),
    "CRLF": lambda p: fence(full(p)).replace("\n", "\r\n"),
    "body in a fence": lambda p: fence(body(p)),
    "body, dedented": lambda p: fence(textwrap.dedent(body(p))),
    "body, first line stripped": lambda p: fence(body(p).strip()),
    "raw function": full,
    "raw function, no imports": only_function,
    "raw function, prose behind": lambda p: f"{full(p)}\n\nThis function does what was asked: it's simple.",
    "raw function, prose around": lambda p: f"Sure, here it is:\n\n{full(p)}\n\n- It is simple\n- It works",
    "raw body": body,
    "raw body, stripped": lambda p: body(p).strip(),
    "two spaces": lambda p: fence(reindented(full(p), "  ")),
    "tabs": lambda p: fence(reindented(full(p), "\t")),
    "unclosed": lambda p: f"```python\n{full(p)}",
    "think": lambda p: f"<think>\n{fence(wrong(p))}\n</think>\n{fence(full(p))}",
    "lost opening tag": lambda p: f"{fence(wrong(p))}\n</think>\n{fence(full(p))}",
    "gemma 4 channel": lambda p: f"<|channel>thought\n{fence(wrong(p))}<channel|>{fence(full(p))}",
    "helper first": lambda p: fence(f"def helper(x):\n    return x\n\n\n{full(p)}"),
    "in a list": lambda p: f"1. Here:\n\n{textwrap.indent(fence(full(p)), '   ')}\n\n2. Done.",
    "in a list, blank lines padded": lambda p: "\n".join("    " + line for line in fence(full(p)).split("\n")),
    "tildes": lambda p: fence(full(p), mark="~~~"),
    "__main__ with input": lambda p: fence(full(p) + "\n\nif __name__ == '__main__':\n    print(input())\n    exit(1)"),
    "demonstrations that fail": lambda p: fence(demonstrated(p)),
    "package that is not there": lambda p: fence(f"import matplotlib.pyplot as plt\n{full(p)}"),
    "comment header": lambda p: fence(f"# HumanEval\n{full(p)}"),
    "future import": lambda p: fence(f"from __future__ import annotations\n\n{full(p)}"),
    "function outside, usage in a fence": lambda p: f"{full(p)}\n\n{fence(usage(p))}",
}
WRONG: dict[str, Callable[[Problem], str]] = {
    "wrong": lambda p: fence(wrong(p)),
    "wrong and exit": lambda p: fence(wrong(p) + "\n\nimport sys\nsys.exit(0)"),
    "exit inside": lambda p: fence(wrong(p).replace("return 'wrong'", "raise SystemExit(0)")),
    "hard exit": lambda p: fence(wrong(p) + "\n\nimport os\nos._exit(0)"),
    "exit under __main__": lambda p: fence(wrong(p) + "\n\nif __name__ == '__main__':\n    exit(0)"),
    "right draft, wrong final": lambda p: f"{fence(full(p))}\nBetter:\n{fence(wrong(p))}",
    "right only while thinking": lambda p: f"<think>{fence(full(p))}</think>{fence(wrong(p))}",
    "stub": lambda p: fence(p["prompt"] + "    pass"),
    "does not parse": lambda p: fence(full(p) + "\n    return ("),
    "own check": lambda p: fence(wrong(p) + "\n\ndef check(candidate):\n    pass"),
}
NO_CODE: dict[str, Callable[[Problem], str]] = {
    "empty": lambda _: "",
    "prose": lambda _: "I would sort the list and return the first element.",
    "renamed": lambda p: fence(full(p).replace(p["entry_point"], "solution")),
    "shell only": lambda _: fence("pip install nothing", "bash"),
    "output only": lambda _: fence("True", ""),
    "usage only": lambda p: fence(usage(p)),
    "empty fence": lambda _: "```python\n```",
    "thinking only": lambda p: f"<think>{fence(full(p))}",
    "two bodies": lambda p: f"{fence(body(p))}\n\nor\n\n{fence(body(p))}",
}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = find_sandbox()
    assert not isinstance(found, NoSandbox), f"{found.reason}; {found.install}"
    return found


def extracted(problem: Problem, text: str, *, completion: bool = False) -> str | None:
    answer = split_thinking(text).answer
    entry_point = problem["entry_point"]
    return extract_code(answer, code_prompt=problem["prompt"], entry_point=entry_point, completion=completion).value


def failures(sandbox: Sandbox, problems: list[Problem], programs: list[str | None]) -> dict[str, str]:
    def run(problem: Problem, program: str | None) -> Run:
        assert program is not None
        return run_tests(sandbox, program, problem["test"], problem["entry_point"])

    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(run, problems, programs)
        return {p["task_id"]: run.reason for p, run in zip(problems, runs, strict=True) if run.outcome != "passed"}


@pytest.mark.parametrize("render", RIGHT.values(), ids=RIGHT)
def test_a_right_answer_passes_however_it_is_written(sandbox: Sandbox, render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p)) for p in CHOSEN]

    assert failures(sandbox, CHOSEN, programs) == {}


@pytest.mark.parametrize("render", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_never_passes(sandbox: Sandbox, render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p)) for p in CHOSEN[:4]]

    assert len(failures(sandbox, CHOSEN[:4], programs)) == 4


@pytest.mark.parametrize("render", NO_CODE.values(), ids=NO_CODE)
def test_no_code_is_no_answer(render: Callable[[Problem], str]) -> None:
    assert [p["task_id"] for p in CHOSEN if extracted(p, render(p)) is not None] == []


COMPLETIONS: dict[str, Callable[[Problem], str]] = {
    "as published": lambda p: p["canonical_solution"],
    "another function": lambda p: p["canonical_solution"] + "\n\ndef other(x):\n    return (",
    "a class": lambda p: p["canonical_solution"] + "\nclass Other:\n    broken(",
    "main": lambda p: p["canonical_solution"] + "\nif __name__ == '__main__':\n    input()",
    "print": lambda p: p["canonical_solution"] + "\nprint(undefined)",
    "comment": lambda p: p["canonical_solution"] + "\n# Test\nthis is no code",
    "fence": lambda p: p["canonical_solution"] + "\n```\n\nThis is prose.",
    "stripped": lambda p: p["canonical_solution"].strip(),
    "stripped, another function": lambda p: p["canonical_solution"].strip() + "\n\ndef other(x):\n    return (",
}


@pytest.mark.parametrize("render", COMPLETIONS.values(), ids=COMPLETIONS)
def test_a_base_model_s_completion_passes(sandbox: Sandbox, render: Callable[[Problem], str]) -> None:
    programs = [extracted(p, render(p), completion=True) for p in CHOSEN]

    assert failures(sandbox, CHOSEN, programs) == {}


GOES_ON = {
    "in the body": ("    x = [\n        1,", False),
    "body, then the next line's beginning": ("    return 1\nde", False),
    "body, then a whole line": ("    return 1\n\ndef g():\n    pa", True),
    "closing bracket at the margin": ("    x = [\n1\n".replace("1", "    1") + "]\n    y", False),
    "indentation lost": ("return 1\nprint(2)\npri", True),
    "indentation lost, blank line first": ("\nreturn 1\n    + 2", False),
    "Windows line ends": ("    return 1\r\ndef g():\r\n    pa", True),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("text", "goes_on"), GOES_ON.values(), ids=GOES_ON)
def test_a_completion_is_known_to_have_ended_its_function(text: str, *, goes_on: bool) -> None:
    assert goes_on_after_body(text) is goes_on


def test_a_blank_completion_is_no_code() -> None:
    assert extracted(CHOSEN[0], " \n\n", completion=True) is None


@pytest.mark.live
@pytest.mark.parametrize("render", RIGHT.values(), ids=RIGHT)
def test_problems_pass_however_they_are_written(sandbox: Sandbox, render: Callable[[Problem], str]) -> None:
    problems = PROBLEMS if render is full else PROBLEMS[::4]  # as published, and the renderings of every fourth
    programs = [extracted(p, render(p)) for p in problems]

    assert failures(sandbox, problems, programs) == {}


HOSTILE = {
    "fences": "```\n",
    "fence characters": "`",
    "definitions": "def f():\n",
    "returns": ":return\n",
    "spaces": " ",
    "colons": ": ",
    "if colons": "if : ",
    "brackets": "(",
    "names": "a",
    "indentation": " \n  ",
    "minus": "-",
    "imports": "import a ",
}


@pytest.mark.parametrize("completion", [False, True], ids=["chat", "completion"])
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(piece: str, *, completion: bool) -> None:
    def seconds(size: int) -> float:
        text = "def f():\n" + piece * (size // len(piece))
        started = time.process_time()
        extract_code(text, code_prompt="def f():\n", entry_point="f", completion=completion)
        return time.process_time() - started

    half, whole = min(seconds(500_000) for _ in range(2)), min(seconds(1_000_000) for _ in range(2))

    assert whole < 2
    assert whole < 6 * half + 0.1
