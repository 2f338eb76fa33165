"""Run a study with the command that users run, and read from its records how fast it asked."""

import datetime as dt
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from evaluator.records import Record
from evaluator.store.serving import read_serving
from servers.weights.disk import expand

ROOT = Path(__file__).parents[2]
SAMPLING = {"temperature": 0, "max_tokens": 128}
STEADY: dict[str, Any] = {"decide": {"noise_floor": 0}}
"""Nothing is asked but the questions."""


class Speed(NamedTuple):
    """How fast questions were answered, from the first that was sent to the last that was answered."""

    questions: int
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Tokens that were generated, in a second."""
        return self.tokens / self.seconds


class Asked(NamedTuple):
    """A run that ended."""

    folder: Path
    wall_s: float
    """From the command's start to its end."""
    cpu_s: float
    """Of the command and of all that it started and waited for."""
    records: Sequence[Record]
    """Of all variants, as they stand on disk."""


class RunFailedError(Exception):
    """The command did not do what it was asked; its last words."""


def study(
    name: str, variants: Sequence[Mapping[str, Any]], benchmarks: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Write a study as a study file holds it."""
    plain = {"study": name, "baseline": variants[0]["name"], "variants": list(variants), "benchmarks": benchmarks}
    return {**plain, "sampling": SAMPLING, **STEADY, **more}


def level(word: str) -> int | str:
    """Give the `concurrency` of a study: a number, or auto; again: auto with what the run before has found."""
    return int(word) if word.isdigit() else "auto"


def run(wanted: Mapping[str, Any], folder: Path, *, check: bool = False, remember: bool = False) -> Asked:
    """Run a study from its beginning, with its runs in the folder.

    Args:
        wanted: The study.
        folder: For its runs, and for what whichquant keeps of the machine: that of the user is not touched.
        check: Whether the servers are checked before.
        remember: Whether numbers in flight that earlier runs in this folder found are used.

    Raises:
        RunFailedError: It is no study to this version, or was not run to its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{wanted['study']}.yaml"
    path.write_text(yaml.safe_dump(dict(wanted)))
    kept = folder / "cache"
    if not remember:
        (kept / "in_flight.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "evaluator", "run", str(path), "--runs", str(folder)]
    command += [] if check else ["--no-check"]
    environment = {**os.environ, "WHICHQUANT_CACHE": str(kept)}
    begun = time.perf_counter()
    with (folder / f"{wanted['study']}.txt").open("wb") as out:
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    child.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        raise RunFailedError(Path(out.name).read_text().strip()[-2000:])
    into = folder / wanted["study"]
    return Asked(into, wall, used.ru_utime + used.ru_stime, read(into))


def read(folder: Path) -> list[Record]:
    """Read a run's records as they stand."""
    journals = sorted((folder / "records").glob("*.jsonl"))
    return [msgspec.json.decode(line, type=Record) for path in journals for line in path.read_bytes().splitlines()]


def command(asked: Asked, variant: str) -> list[str]:
    """Give the command line by which a variant's server was started."""
    kept = msgspec.json.decode((asked.folder / "facts.json").read_bytes())[variant]["command"]
    words = [str(expand(word)) if word.startswith("~") else word for word in kept]
    return [sys.executable if words[0] == "python" else words[0], *words[1:]]


def speed(records: Sequence[Record]) -> Speed:
    """Say how fast these were answered."""
    spans = [_span(record) for record in records]
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    tokens = sum(record.answer.completion_tokens or 0 for record in records if record.answer)
    return Speed(sum(record.answer is not None for record in records), tokens, seconds)


def in_flight(asked: Asked) -> int:
    """Say how many questions were in flight: as the run says, else the number that lasted longest."""
    serving = read_serving(asked.folder)
    return serving.in_flight.number if serving and serving.in_flight else _lasted_longest(asked.records)


def _lasted_longest(records: Sequence[Record]) -> int:
    moments = sorted([(end, -1) for _, end in map(_span, records)] + [(begin, 1) for begin, _ in map(_span, records)])
    lasted: Counter[int] = Counter()
    now = 0
    for (moment, change), (following, _) in pairwise(moments):
        now += change
        lasted[now] += round(1e6 * (following - moment))
    return max(1, lasted.most_common(1)[0][0])


def _span(record: Record) -> tuple[float, float]:
    begin = dt.datetime.fromisoformat(record.started).timestamp()
    return begin, begin + (record.answer.duration_s if record.answer else 0.0)
