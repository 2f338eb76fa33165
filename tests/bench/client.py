"""Compare the CPU time that a question costs: whichquant all in, an older build of it, and bare HTTP clients.

python -m tests.bench.client [--rounds N] [--questions N] [--witness FOLDER]

Run by `make bench`. An instant server in a process of its own answers; prompts have about 5,000 characters, 32 are in
flight. whichquant asks, records, grades and shows as on a terminal; the bare clients send and read, and no more. Every
client has a process of its own, and they take turns. CPU seconds of a loaded machine are too large for all of them
alike: the ratios mean something.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.instant_server import running

_ROOT = Path(__file__).parents[2]


class Case(NamedTuple):
    """A kind of reply."""

    title: str
    server: tuple[str, ...]
    stream: bool


CASES = (
    Case("not streamed", (), stream=False),
    Case("streamed, 1 chunk", (), stream=True),
    Case("streamed, 300 chunks in one frame", ("--chunks", "300"), stream=True),
    Case("streamed, 300 chunks, each in a frame of its own", ("--chunks", "300", "--frames", "each"), stream=True),
    Case("streamed, 300 chunks, one after the other", ("--chunks", "300", "--frames", "apart"), stream=True),
    Case("not streamed, closed after each reply (HTTP/1.0)", ("--http10",), stream=False),
)


def measured(side: str, tree: Path, url: str, case: Case, questions: int) -> float:
    """Run one side in a process of its own; give its CPU milliseconds a question."""
    script = str(_ROOT / "tests" / "bench" / "asking.py")
    command = [sys.executable, "-P", script, side, url, str(questions), "stream" if case.stream else "whole"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side}: {done.stderr}")
    return 1000 * float(done.stdout)


def main() -> None:
    """Print a table of the medians, with the ratio to bare httpx2 and to the older build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--witness", type=Path, help="an older build: a folder, as git worktree makes it")
    options = parser.parse_args()
    sides = {"whichquant": _ROOT, "httpx2": _ROOT, "httpcore2": _ROOT}
    trees = {**sides, **({"older build": options.witness} if options.witness else {})}
    for case in CASES:
        taken: dict[str, list[float]] = {name: [] for name in trees}
        with running(*case.server) as url:
            for _ in range(options.rounds):
                for name, tree in trees.items():
                    side = name if name in sides else "whichquant"
                    taken[name].append(measured(side, tree, url, case, options.questions))
        print(f"\n{case.title}: CPU ms a question, {options.rounds} rounds of {options.questions} questions in turn")
        mine = median(taken["whichquant"])
        for name, times in taken.items():
            beside = "" if name == "whichquant" else f"   whichquant takes {mine / median(times):.2f} of it"
            print(f"  {name:12} {median(times):6.2f}  ({min(times):.2f} to {max(times):.2f}){beside}", flush=True)


if __name__ == "__main__":
    main()
