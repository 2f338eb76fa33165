"""Real servers with real weights: the lab instrument and SmolLM2 on llama.cpp's server and on mlx_lm's.

python -m tests.bench.real concurrency [--questions 200] [--in-flight 1 2 4 8 16 auto again]

`again` is auto once more, with what auto has found. Prints Markdown tables. The sides are run in turn; each run starts
a server of its own.
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluator.demo.builds import builds
from evaluator.demo.to_mlx import convert
from tests.bench import bare, runs, table
from tests.bench.random_model import LAB

SERVERS = ("llama.cpp", "mlx_lm.server")


def models(folder: Path, servers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Make the lab model's builds; give the variant of each server that is wanted."""
    q8 = builds(LAB, ["Q8_0"], folder)["Q8_0"]
    if "mlx_lm.server" in servers:
        convert(LAB, folder / "mlx-8bit", bits=8)
    variants = {
        "llama.cpp": {"name": "build", "runtime": "llama_server", "model": str(q8), "thinking": False},
        "mlx_lm.server": {"name": "build", "runtime": "mlx_lm", "model": str(folder / "mlx-8bit"), "thinking": False},
    }
    return {server: variants[server] for server in servers}


def study(name: str, variant: Mapping[str, Any], questions: int, in_flight: str | int) -> dict[str, Any]:
    """Ask so many 0-shot MMLU-Pro questions, as the lab model was trained to be asked."""
    return runs.study(name, [variant], {"mmlu_pro": {"questions": questions, "shots": 0}}, concurrency=in_flight)


def beside_a_bare_loop(servers: Sequence[str], questions: int, in_flight: int, rounds: int, folder: Path) -> None:
    """Print tokens a second of whichquant beside a bare loop that sends the same requests, in turn."""
    rows: list[list[object]] = []
    for server, variant in models(folder / "models", servers).items():
        ratios: list[float] = []
        for number in range(rounds):
            asked = runs.run(study(f"round-{number}", variant, questions, in_flight), folder / server)
            ours = runs.speed(asked.records)
            with bare.started(runs.command(asked, "build"), folder / "bare.log") as url:
                theirs = bare.ask_again(url, asked.records, in_flight)
            ratios.append(ours.tokens_per_second / theirs.tokens_per_second)
            rows.append([server, number + 1, ours.tokens_per_second, theirs.tokens_per_second, ratios[-1]])
        rows.append([server, "median", None, None, statistics.median(ratios)])
    print(f"Tokens a second, {questions} questions, {in_flight} in flight, beside bare httpx2 with the same requests\n")
    table.show(("server", "round", "whichquant", "bare loop", "ratio"), rows)


def concurrency(servers: Sequence[str], questions: int, levels: Sequence[str], rounds: int, folder: Path) -> None:
    """Print wall time and tokens a second at each number in flight, fixed and found by itself, in turn."""
    for server, variant in models(folder / "models", servers).items():
        speeds: dict[str, list[tuple[runs.Speed, float, int]]] = {level: [] for level in levels}
        for number, level in itertools.product(range(rounds), levels):
            wanted = study(f"{level}-{number}", variant, questions, runs.level(level))
            asked = runs.run(wanted, folder / server, remember=level == "again")
            speeds[level].append((runs.speed(asked.records), asked.wall_s, runs.in_flight(asked)))
        print(f"{server}, {questions} questions, median of {rounds} rounds\n")
        table.show(("in flight", "asking s", "whole command s", "tokens/s", "asking / best"), _levels(speeds))


def _levels(speeds: Mapping[str, Sequence[tuple[runs.Speed, float, int]]]) -> Iterator[list[object]]:
    asking = {level: statistics.median(speed.seconds for speed, _, _ in found) for level, found in speeds.items()}
    best = min(asking.values())
    for level, found in speeds.items():
        settled = level if level.isdigit() else f"{level} ({statistics.median_low(number for _, _, number in found)})"
        rate = statistics.median(speed.tokens_per_second for speed, _, _ in found)
        yield [settled, asking[level], statistics.median(wall for _, wall, _ in found), rate, asking[level] / best]


def main() -> None:
    """Print the machine and the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=("concurrency", "bare"))
    parser.add_argument("--servers", nargs="+", default=list(SERVERS), choices=SERVERS)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--in-flight", nargs="+", default=["1", "2", "4", "8", "16", "auto", "again"])
    wanted = parser.parse_args()
    print(table.where("xllamacpp", "mlx-lm"), end="\n\n")
    with tempfile.TemporaryDirectory() as name:
        if wanted.section == "bare":
            beside_a_bare_loop(wanted.servers, wanted.questions, int(wanted.in_flight[0]), wanted.rounds, Path(name))
        else:
            concurrency(wanted.servers, wanted.questions, wanted.in_flight, wanted.rounds, Path(name))


if __name__ == "__main__":
    main()
