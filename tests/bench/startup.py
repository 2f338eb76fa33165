"""Measure what the shortest commands cost: CPU seconds of the whole process, system's and user's together.

Run by `python -m tests.bench.startup [--witness FOLDER] [--rounds 5]`. FOLDER is a checkout of another commit with an
environment of its own in `.venv`; its commands run in turn with these, so that the ratio means something on a busy
machine. One run asks one question of a fake server that answers at once; the report is of 1,000 answers.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from servers.fake import FakeServer, Reply
from tests.support.large_run import Size, write_run

STUDY = """\
study: one
baseline: a
variants:
{variants}
benchmarks: {{mmlu_pro: {{questions: 1}}}}
sampling: {{temperature: 0, max_tokens: 64}}
"""
ANSWERS = Size(questions=500, variants=2, again=0, code=0)
OURS = Path(sys.prefix)


def main() -> None:
    """Print the median of each command, and its ratio to the witness's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--witness", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    builds = {"here": OURS} | ({"witness": options.witness / ".venv"} if options.witness else {})
    with tempfile.TemporaryDirectory() as place, FakeServer(Reply(text="The answer is (B).")) as fake:
        commands = {name: dict(_commands(Path(place) / name, fake.base_url)) for name in builds}
        for title in commands["here"]:
            times: dict[str, list[float]] = {name: [] for name in builds}
            for round_ in range(options.rounds + 1):  # the first of each compiles modules and is left out
                for name, environment in builds.items():
                    taken = _cpu([environment / "bin" / "whichquant", *commands[name][title](round_)])
                    times[name] += [taken] if round_ else []
            print(_line(title, {name: statistics.median(taken) for name, taken in times.items()}))


def _commands(place: Path, base_url: str) -> Iterator[tuple[str, Any]]:
    """Yield titles, each with what makes a command's words of the number of its round."""
    yield "--help", lambda _: ["--help"]
    for names in (("a",), ("a", "b")):
        study = place / f"{len(names)}.yaml"
        study.parent.mkdir(parents=True, exist_ok=True)
        lines = [f'  - {{name: {name}, base_url: "{base_url}", model: fake}}' for name in names]
        study.write_text(STUDY.format(variants="\n".join(lines)))
        for extra in ([], ["--no-check"]):
            title = f"run of one question, {len(names)} variant{'s'[: len(names) - 1]}{', no check' if extra else ''}"
            runs = place / f"runs{len(names)}{len(extra)}"
            yield title, lambda i, s=study, r=runs, e=extra: ["run", s, "--runs", r / str(i), "--force", *e]
    write_run(place / "large", ANSWERS)
    yield "report of 1,000 answers", lambda _: ["report", place / "large"]


def _cpu(command: list[Any]) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert done.stderr is not None
    said = done.stderr.read()
    _, status, used = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    assert done.returncode in (0, 1), said.decode()
    return used.ru_utime + used.ru_stime


def _line(title: str, medians: Mapping[str, float]) -> str:
    line = f"{title:42} {medians['here']:6.2f} s of CPU"
    if "witness" not in medians:
        return line
    return f"{line}, the witness {medians['witness']:.2f} s: {medians['here'] / medians['witness']:.2f} of it"


if __name__ == "__main__":
    main()
