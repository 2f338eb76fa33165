"""Whichquant beside its peers, in one go on one machine: what `make bench` begins with.

python -m tests.bench.peers client [--rounds 3] [--sizes 200 1200]   CPU of a question, against an instant server
python -m tests.bench.peers startup [--rounds 3]                     CPU of a run of one question
python -m tests.bench.peers server [--rounds 3] [--questions 100]    tokens a second on real servers, beside a bare loop
python -m tests.bench.peers                                          all of these

The peers are installed into an environment of their own when they are first needed. Prints Markdown tables.
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import table
from tests.bench.cost import Side, checked
from tests.bench.instant_server import running
from tests.bench.peer import environment, sides
from tests.bench.real import SERVERS, beside_a_bare_loop

CHUNKS = 300
"""Of a streamed reply."""


def measured(compared: Sequence[Side], sizes: Sequence[int], rounds: int, folder: Path) -> dict[str, list[list[float]]]:
    """Run each side with each number of questions, in turn, so many rounds; give the CPU seconds by side and round."""
    number = itertools.count()
    for side in compared:  # so that compiled modules and files of the disk are at hand
        checked(side, min(sizes), folder / str(next(number)))
    spent: dict[str, list[list[float]]] = {side.name: [] for side in compared}
    for _ in range(rounds):
        for side in compared:
            spent[side.name].append([checked(side, size, folder / str(next(number))).cpu_s for size in sizes])
    return spent


def each(spent: Mapping[str, list[list[float]]], sizes: Sequence[int]) -> dict[str, float]:
    """Give the median CPU milliseconds of a question, start-up apart: what more questions cost more."""
    few, many = sizes
    return {
        name: statistics.median(1000 * (of_many - of_few) / (many - few) for of_few, of_many in rounds)
        for name, rounds in spent.items()
    }


def client(rounds: int, sizes: Sequence[int], folder: Path) -> None:
    """Print what a question costs each side, plain and streamed."""
    prompts = folder / "prompts.jsonl"
    texts = sides.write_prompts(prompts, max(sizes))
    loops = {"openai": "openai SDK", "httpx2": "bare httpx2", "aiohttp": "bare aiohttp"}
    with running() as whole, running("--chunks", str(CHUNKS)) as chunked:
        plain = [sides.whichquant(whole), sides.lm_eval(whole, prompts), sides.inspect(whole, prompts)]
        plain += [sides.loop(library, name, whole, prompts) for library, name in loops.items()]
        streamed = [sides.whichquant(chunked, stream=True), sides.inspect(chunked, prompts, stream=True)]
        streamed += [sides.loop(library, name, chunked, prompts, stream=True) for library, name in loops.items()]
        ours = each(measured(plain, sizes, rounds, folder / "plain"), sizes)
        theirs = each(measured(streamed, sizes, rounds, folder / "streamed"), sizes)
    print(
        f"CPU of a question, start-up apart ({sizes[1]:,} questions less {sizes[0]:,}); prompts of"
        f" {statistics.mean(map(len, texts)):,.0f} characters, {sides.IN_FLIGHT} in flight, median of {rounds} rounds\n"
    )
    mine, stream = ours["whichquant"], theirs["whichquant"]
    heads = ("side", "ms a question", "whichquant / side", f"ms with {CHUNKS} streamed chunks", "whichquant / side")
    table.show(
        heads,
        [
            (name, ms, mine / ms, theirs.get(name), stream / theirs[name] if name in theirs else None)
            for name, ms in ours.items()
        ],
    )


def startup(rounds: int, folder: Path) -> None:
    """Print what a run of one question costs each side."""
    prompts = folder / "prompts.jsonl"
    sides.write_prompts(prompts, 1)
    with running() as url:
        checking = sides.whichquant(url, check=True, name="whichquant, with its check of the server")
        compared = [sides.whichquant(url), checking, sides.lm_eval(url, prompts), sides.inspect(url, prompts)]
        spent = measured(compared, [1], rounds, folder / "startup")
    seconds = {name: statistics.median(cpu for (cpu,) in runs) for name, runs in spent.items()}
    print(f"CPU of a run of one question, the whole command, median of {rounds} rounds\n")
    table.show(("side", "CPU s", "whichquant / side"), [(n, s, seconds["whichquant"] / s) for n, s in seconds.items()])


def main() -> None:
    """Print the machine, the versions, and what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help="client, startup, server; default: all", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs=2, default=[200, 1200], help="questions of `client`")
    parser.add_argument("--questions", type=int, default=100, help="of `server`")
    parser.add_argument("--in-flight", type=int, default=4, help="of `server`")
    wanted = parser.parse_args()
    sections = wanted.sections or ["client", "startup", "server"]
    environment.install()
    print(f"{table.where()}; {environment.versions()}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "client" in sections:
            client(wanted.rounds, wanted.sizes, folder)
        if "startup" in sections:
            startup(wanted.rounds, folder)
        if "server" in sections:
            beside_a_bare_loop(SERVERS, wanted.questions, wanted.in_flight, wanted.rounds, folder / "server")


if __name__ == "__main__":
    main()
