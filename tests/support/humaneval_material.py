"""The 164 problems with their published solutions, written in other ways, and the sandbox's word on each program."""

import ast
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import evaluator.benchmarks
from evaluator.grade.code.extract import read_program
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox, run_tests
from evaluator.grade.thinking import split_thinking

Problem = dict[str, Any]
DATA = Path(evaluator.benchmarks.__file__).parent / "data" / "humaneval.jsonl.gz"
PROBLEMS: list[Problem] = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
# Those with imports, helpers, an import inside the function, constants, nested functions; and some plain ones.
CHOSEN = [PROBLEMS[number] for number in (0, 8, 10, 22, 32, 38, 50, 53, 64, 115, 127, 160)]

_passed: dict[tuple[str, str], str] = {}


def full(problem: Problem) -> str:
    return str(problem["prompt"] + problem["canonical_solution"]).strip("\n")


def only_function(problem: Problem) -> str:
    return full(problem)[full(problem).index(f"def {problem['entry_point']}(") :]


def before(problem: Problem) -> str:
    """Imports and helpers."""
    return full(problem)[: full(problem).index(f"def {problem['entry_point']}(")]


def body(problem: Problem) -> str:
    return str(problem["canonical_solution"]).strip("\n")


def fence(code: str, label: str = "python", mark: str = "```") -> str:
    return f"{mark}{label}\n{code}\n{mark}"


def wrong(problem: Problem) -> str:
    return f"def {problem['entry_point']}(*arguments):\n    return 'wrong'"


def usage(problem: Problem) -> str:
    return f"print({problem['entry_point']}(1, 2, 3, 4, 5, 6, 7))"


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


def undocumented(problem: Problem) -> str:
    code = full(problem)
    lines = code.split("\n")
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name == problem["entry_point"] and ast.get_docstring(node):
            del lines[node.body[0].lineno - 1 : node.body[0].end_lineno]
    return "\n".join(lines)


def extracted(problem: Problem, text: str, *, completion: bool = False) -> str | None:
    answer = split_thinking(text).answer
    entry_point = problem["entry_point"]
    return read_program(answer, code_prompt=problem["prompt"], entry_point=entry_point, completion=completion).value


def failures(problems: list[Problem], programs: list[str | None]) -> dict[str, str]:
    """Give the reason for each problem whose program does not pass; programs that mean the same are run once."""
    wanted: dict[tuple[str, str], tuple[Problem, str]] = {}
    keys: list[tuple[str, str] | None] = []
    for problem, program in zip(problems, programs, strict=True):
        key = (problem["task_id"], _meaning(program)) if program is not None else None
        keys.append(key)
        if key and program is not None and key not in _passed:
            wanted[key] = (problem, program)
    with ThreadPoolExecutor(2) as pool:
        _passed.update(zip(wanted, pool.map(_run, wanted.values()), strict=True))
    reasons = {
        problem["task_id"]: _passed[key] if key else "no code" for problem, key in zip(problems, keys, strict=True)
    }
    return {task: reason for task, reason in reasons.items() if reason}


def _run(pair: tuple[Problem, str]) -> str:
    problem, program = pair
    run = run_tests(this_sandbox(), program, problem["test"], problem["entry_point"], prompt=problem["prompt"])
    return "" if run.outcome == "passed" else run.reason or run.outcome


@cache
def this_sandbox() -> Sandbox:
    """Find the best sandbox of this machine."""
    found = find_sandbox()
    assert not isinstance(found, NoSandbox), f"{found.reason}; {found.install}"
    return found


def _meaning(program: str) -> str:
    """Reduce a program to what it does: no layout, comments, docstrings, nor definitions that come a second time."""
    try:
        tree = ast.parse(program)
    except SyntaxError:
        return program
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    kept = dict.fromkeys(
        (ast.dump(node), number if not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom) else None)
        for number, node in enumerate(tree.body)
    )
    return json.dumps([dump for dump, _ in kept])
