"""Measure how resume, grading, report and comparison grow with a run, up to all of MMLU-Pro, 8 builds, 10 answers.

`python -m tests.bench.scale FOLDER` makes runs of 10,000, 100,000 and 962,560 records in FOLDER (about 2 GB), measures
each part in a process of its own, and removes the runs. It prints CPU seconds, wall seconds and the largest memory, and
the exponent with which the CPU seconds grow from one size to the next: 1 is linear. `--records 10000` makes one size
only, `--keep` leaves the runs where they are. No model is asked: replies are put together from sentences of real
solutions, short, without thinking; which are right is drawn.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from math import log
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import psutil

from evaluator.analyse.runs import compare
from evaluator.events import Begun, Planned
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.pipeline import _journals
from evaluator.rebuild import rebuild_report
from evaluator.records import Answer, Key, Question, Record
from evaluator.report.tally import Tally
from evaluator.schedule import StudySchedule
from evaluator.store.facts import keep_facts
from evaluator.store.folder import open_for_writing, read_plan, records_path
from evaluator.store.resources import keep_measured
from evaluator.study.file import parse
from evaluator.study.requests import Ask, plan, plan_again
from evaluator.study.study import Study
from tests.support import large_run

SIZES = (10_000, 100_000, 962_560)
VARIANTS, REPEATS = 8, 10
LIMIT = 1024
PARTS = ("asking", "resume", "grading", "report", "again", "compare")


class Spent(NamedTuple):
    """What a part took, its child processes included."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def main() -> None:
    """Make the runs, measure, print a table, remove the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, nargs="+", default=SIZES)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ["WHICHQUANT_CACHE"] = str((given.folder if not given.part else given.folder.parent) / "cache")
    if given.part:
        print(json.dumps(_measured(given.part, given.folder, given.records[0])))
        return
    before: dict[str, tuple[int, Spent]] = {}
    print(f"{'records':>9} {'part':8} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'CPU grows as':>13}")
    for records in given.records:
        run = given.folder / f"run-{records}"
        if not run.exists():
            _apart("write", run, records)
        for part in given.parts:
            spent = _apart(part, run)
            grows = _exponent(before.get(part), records, spent)
            print(f"{records:9,} {part:8} {spent.cpu_s:8.2f} {spent.wall_s:8.2f} {spent.peak_mb:8.0f} {grows:>13}")
            sys.stdout.flush()
            before[part] = records, spent
        if not given.keep:
            shutil.rmtree(run)
    shutil.rmtree(given.folder / "cache", ignore_errors=True)


def _exponent(before: tuple[int, Spent] | None, records: int, spent: Spent) -> str:
    if before is None:
        return ""
    return f"n^{log(spent.cpu_s / before[1].cpu_s) / log(records / before[0]):.2f}"


def _apart(part: str, run: Path, records: int = 0) -> Spent:
    """Do a part in a process of its own; look five times a second how much memory it and its children have."""
    command = [sys.executable, "-m", "tests.bench.scale", str(run), "--part", part, "--records", str(records)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, _memory(psutil.Process(process.pid)))
            time.sleep(0.2)
        if process.returncode:
            sys.exit(process.returncode)
        cpu, wall = json.loads((process.stdout or sys.stdin).read().splitlines()[-1])
    return Spent(cpu, wall, peak / 1e6)


def _memory(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            with suppress(psutil.Error):
                total += child.memory_info().rss
    return total


def _measured(part: str, run: Path, records: int) -> tuple[float, float]:
    begin = time.perf_counter()
    if part == "write":
        write_run(run, records)
    else:
        _WORK[part](run)
    wall = time.perf_counter() - begin
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent), wall


def _asking(run: Path) -> None:
    """Let a schedule and its journals take in every record, as while a server is asked: written, graded, counted."""
    asyncio.run(_ask(run))


async def _ask(run: Path) -> None:

    study, asks = _asked(run)
    again = run.with_name(f"{run.name}-again")
    names = [variant.name for variant in study.variants]
    tally, grader = Tally(), Grader(NoSandbox(reason="no code here", install=""))
    try:
        with ExitStack() as stack:
            journals = stack.enter_context(_journals(study, again))
            schedule = StudySchedule(study, asks, journals, grader, tally.add)
            tally.add(Begun(study, ""))
            wanted = {name: [ask.key for ask in schedule.pending(name, _upto(schedule)).asks] for name in names}
            tally.add(Planned(wanted, wanted))
            async with schedule.grading():
                for name, batch in ((n, batch) for n in names for batch in _batches(records_path(run, n))):
                    journals[name].append(batch)
                    schedule.on_written(name, batch)
                    await asyncio.sleep(0)
    finally:
        shutil.rmtree(again, ignore_errors=True)


def _batches(path: Path) -> Iterator[list[Record]]:
    decode, batch = msgspec.json.Decoder(Record).decode, list[Record]()
    with path.open("rb") as lines:
        for line in lines:
            batch.append(decode(line))
            if len(batch) == 64:
                yield batch
                batch = []
    yield batch


def _resume(run: Path) -> None:
    """Find out what is left to be asked, as `whichquant run` does before it starts a server."""

    study, asks = _asked(run)
    with _journals(study, run) as journals:
        grader = Grader(NoSandbox(reason="no code here", install=""))
        schedule = StudySchedule(study, asks, journals, grader, lambda _: None)
        for variant in study.variants:
            assert not schedule.pending(variant.name, _upto(schedule)).asks


def _upto(schedule: StudySchedule) -> Mapping[str, int]:
    return schedule.turns()[-1][1]


def _grading(run: Path) -> None:

    study, asks = _asked(run)
    questions = {ask.key: ask.question for ask in (*asks, *plan_again(study, asks))}
    grader = Grader(NoSandbox(reason="no code here", install=""))
    for variant in study.variants:
        batches = _batches(records_path(run, variant.name))
        asked = ((record, questions[record.key]) for batch in batches for record in batch)
        assert sum(1 for _ in grader.grade_all(asked))


def _report(run: Path) -> None:

    rebuild_report(run)


def _again(run: Path) -> None:
    """Report once more, with the grades that the last report has kept."""
    rebuild_report(run)


def _compare(run: Path) -> None:

    if not (run / "report.json").exists():
        _report(run)
    compare([run], margins={"mmlu_pro": 2.0})


_WORK: dict[str, Callable[[Path], None]] = {
    "asking": _asking,
    "resume": _resume,
    "grading": _grading,
    "report": _report,
    "again": _again,
    "compare": _compare,
}


def _asked(run: Path) -> tuple[Study, tuple[Ask, ...]]:
    made = read_plan(run)
    return made.study, plan(made.study, made.order)


def write_run(folder: Path, records: int) -> None:
    """Write a run of so many records, and what the baseline is asked again beside them."""
    text = _yaml(folder.name, records // (VARIANTS * REPEATS))
    study = parse(text, "s")
    with open_for_writing(study, text, folder) as made:
        asks = plan(study, made.order)
    for number, variant in enumerate(study.variants):
        build = large_run.BUILDS[number % len(large_run.BUILDS)]._replace(name=variant.name)
        mine = (*asks, *plan_again(study, asks)) if variant.name == study.baseline else asks
        path = records_path(folder, variant.name)
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.writelines(_lines(build, mine))
        keep_facts(folder, variant.name, large_run._facts(build), known=False)
        keep_measured(folder, variant.name, large_run._measured(build))


def _yaml(name: str, questions: int) -> str:
    variants = "\n".join(f"  - {{name: b{i}, runtime: llama_server, model: m-b{i}.gguf}}" for i in range(VARIANTS))
    return f"""\
study: {name}
baseline: b0
note: Made up to measure with; no model was asked.
variants:
{variants}
benchmarks:
  mmlu_pro: {{questions: {questions}, shots: 0, margin: 3, repeats: {REPEATS}}}
sampling: {{temperature: 0.7, max_tokens: {LIMIT}, seed: 1}}
"""


def _lines(build: large_run.Build, asks: tuple[Ask, ...]) -> Iterator[bytes]:
    """Draw what a build replies: of hard questions seldom the right letter, and not always the same."""
    own, encode = Random(build.name), msgspec.json.Encoder().encode
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for number, ask in enumerate(asks):
        started = begin + dt.timedelta(seconds=number)
        yield encode(_record(build, ask, own, started.isoformat(timespec="milliseconds"))) + b"\n"


def _record(build: large_run.Build, ask: Ask, own: Random, started: str) -> Record:
    key, question = ask.key, ask.question
    hard = Random(key.question_id).random()
    right = hard < build.accuracy if own.random() < 0.9 else own.random() < build.accuracy
    words = large_run.prose(own, 250)
    text = f"Let's think step by step.\n\n{words}\n\nThe answer is ({_letter(question, own, right=right)})."
    cut = own.random() < 0.01
    tokens = LIMIT if cut else len(text) // 4
    return Record(
        key=Key(key.benchmark, key.question_id, key.repeat),
        variant=build.name,
        started=started,
        request={
            "model": f"m-{build.name}.gguf",
            "messages": list(question.prompt.messages),
            "temperature": 0.7,
            "max_tokens": LIMIT,
            "seed": ask.sampling.seed,
        },
        answer=Answer(
            text=words if cut else text,
            finish_reason="length" if cut else "stop",
            prompt_tokens=len(question.text) // 4,
            completion_tokens=tokens,
            cached_tokens=0,
            first_token_s=round(0.05 + 0.2 * own.random(), 6),
            duration_s=round(0.1 + tokens / build.speed, 6),
            model=f"m-{build.name}.gguf",
        ),
    )


def _letter(question: Question, own: Random, *, right: bool) -> str:
    wrong = [letter for letter in question.letters if letter != question.answer]
    return question.answer if right else own.choice(wrong)


if __name__ == "__main__":
    main()
