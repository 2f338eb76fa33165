"""How far one build differs from itself, with and without prompt caches, and what that costs.

python -m tests.bench.repeatability [--questions 60] [--slots 1 4] [--servers llama_server mlx_lm] [--max-tokens 64]
    [--shots 0] [--gguf PATH] [--llama-server PATH] [--flags=-ngl,99]

The same questions are put to one file twice, in two runs from the beginning, at each number in flight, with prompt
caches and without. Texts and outcomes that differ are noise: they stand beside the time, and beside how many questions
would show a difference of five points between two builds that truly disagree on a tenth, with that noise added.
Prints a Markdown table.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.demo.to_mlx import convert
from evaluator.stats.power import questions_to_see
from tests.bench import runs, table
from tests.bench.cache import VARIANT, changed, model, outcomes, texts, twice

DIFFERENCE, DISAGREEMENT = 0.05, 0.1
HEADS = (
    *("server", "in flight", "prompt cache", "questions", "other texts", "other outcomes", "ms a question"),
    *("times as long", "questions for 5 points", "times as long for the same verdict"),
)


def disagreement(noise: float) -> float:
    """Return how often two builds disagree whose runs differ from themselves at this rate, each flip by itself."""
    return DISAGREEMENT * (1 - noise) + noise * (1 - DISAGREEMENT)


def measured(wanted: argparse.Namespace, variant: dict[str, Any], slots: int, folder: Path) -> Iterator[list[object]]:
    """Measure one server at one number in flight, with prompt caches and without."""
    base: tuple[float, float] | None = None
    for whole in (False, True):
        study = runs.study(
            "off" if whole else "on",
            [variant],
            {"mmlu_pro": {"questions": wanted.questions, "shots": wanted.shots}},
            concurrency=slots,
            sampling={"temperature": 0, "max_tokens": wanted.max_tokens},
            repeatable=whole,
        )
        first, second = twice(study, folder / f"{variant['runtime']}-{slots}")
        number = len(first.records)
        other = changed(outcomes(first), outcomes(second))
        seconds = sum(runs.speed(asked.records).seconds for asked in (first, second)) / (2 * number)
        needed = questions_to_see(DIFFERENCE, disagreement(other / number))
        base = base or (seconds, seconds * needed)
        yield [
            *(variant["runtime"], slots, "off" if whole else "on", number),
            *(changed(texts(first.records), texts(second.records)), other, 1000 * seconds),
            *(seconds / base[0], needed, seconds * needed / base[1]),
        ]


def rows(wanted: argparse.Namespace, folder: Path) -> Iterator[list[object]]:
    """Measure every server at every number in flight."""
    gguf = model(wanted.gguf)
    for server, slots in itertools.product(wanted.servers, wanted.slots):
        variant: dict[str, Any] = {"name": VARIANT, "runtime": server, "model": str(gguf)}
        if server == "llama_server":
            variant["args"] = [flag for flag in wanted.flags.split(",") if flag]
            if wanted.llama_server:
                variant["binary"] = wanted.llama_server
        elif not (folder / "mlx").exists():
            convert(gguf, folder / "mlx", bits=4)
        if server == "mlx_lm":
            variant["model"] = str(folder / "mlx")
        yield from measured(wanted, variant, slots, folder)


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--servers", nargs="+", default=["llama_server", "mlx_lm"], choices=["llama_server", "mlx_lm"])
    parser.add_argument("--gguf", default="smollm2", help="smollm2, gemma, lab, or a path")
    parser.add_argument("--llama-server", default="", help="program to run in place of the one on PATH")
    parser.add_argument("--flags", default="", help="for llama-server, with commas between them: --flags=-ngl,99")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--shots", type=int, default=0)
    wanted = parser.parse_args()
    print(table.where("xllamacpp", "mlx-lm"), end="\n\n")
    print(f"{wanted.gguf}, {wanted.shots}-shot MMLU-Pro, replies of at most {wanted.max_tokens} tokens\n")
    with tempfile.TemporaryDirectory() as place:
        table.show(HEADS, rows(wanted, Path(place)))


if __name__ == "__main__":
    main()
