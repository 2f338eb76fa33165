"""Read and grade the records of a run, variant by variant; of a large run in processes of their own."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from evaluator.analyse.columns import packed, unpacked
from evaluator.analyse.kept import KeptOutlines
from evaluator.grade.grader import Grader, cores
from evaluator.grade.outlines import Outlines, outlines
from evaluator.records import Grade, Key, Question
from evaluator.store.folder import read_plan, records_path
from evaluator.store.journal import current
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again

LARGE = 100_000_000
"""Bytes of records from which processes of their own pay: each takes about a second to start."""


def read_outlines(
    folder: Path, variants: Sequence[str], questions: Mapping[Key, Question], grader: Grader
) -> dict[str, Outlines]:
    """Read and grade the records of each variant; only one record's texts are held at a time.

    Args:
        folder: The run's.
        variants: Their names, in order.
        questions: Those that are planned; records of others are left out.
        grader: It runs code, where there is some.

    Raises:
        StudyError: a file of the run is damaged.
    """
    paths = {name: records_path(folder, name) for name in variants}
    kept = KeptOutlines(questions) if type(grader) is Grader else None
    known = _known(folder, paths, list(questions), kept) if kept else {}
    found = {name: known.get(name) or _read_here(paths[name], questions, grader, kept) for name in variants}
    waiting = {name: {one.key for one in mine.records if one.grade is None} for name, mine in found.items()}
    rest = (
        (record, questions[record.key])
        for name, keys in waiting.items()
        if keys
        for record in current(paths[name], keys.__contains__)
    )
    grades = {(grade.variant, grade.key): grade for grade in grader.grade_all(rest)}
    return {name: _with_grades(mine, grades) if waiting[name] else mine for name, mine in found.items()}


def at_sight(path: Path, questions: Mapping[Key, Question], grader: Grader) -> Outlines:
    """Outline one variant's records, each with its grade unless a program has yet to be run for it."""
    keys = {key: key for key in questions}
    records = (replace(record, key=keys[record.key]) for record in current(path, keys.__contains__))
    return outlines(
        (record, question, grader.at_sight(record, question))
        for record in records
        if (question := questions[record.key])
    )


def _with_grades(mine: Outlines, grades: Mapping[tuple[str, Key], Grade]) -> Outlines:
    records = [one if one.grade else replace(one, grade=grades.get((one.variant, one.key))) for one in mine.records]
    return replace(mine, records=records)


def _read_here(path: Path, questions: Mapping[Key, Question], grader: Grader, kept: KeptOutlines | None) -> Outlines:
    mine = at_sight(path, questions, grader)
    if kept:
        kept.put(path, mine)
    return mine


def _known(folder: Path, paths: Mapping[str, Path], keys: Sequence[Key], kept: KeptOutlines) -> dict[str, Outlines]:
    """Give what is kept of the variants' records, and read those of a large run apart; left out where neither is."""
    found = {name: mine for name, path in paths.items() if (mine := kept.get(path))}
    missing = {name: path for name, path in paths.items() if name not in found and path.exists()}
    if sum(path.stat().st_size for path in missing.values()) < LARGE:
        return found
    # Unpacked they take ten times the memory, so that waits until the other processes have ended.
    read = {name: data for name, data in _read_apart(folder, missing) if data}
    for name in list(read):
        kept.put(paths[name], read[name])
        found[name] = unpacked(read.pop(name), keys)
    return found


def _read_apart(folder: Path, variants: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read variants in processes of their own, as many at once as there are cores; nothing comes where that fails."""
    names = list(variants)
    with ThreadPoolExecutor(max(1, cores())) as pool:
        yield from zip(names, pool.map(lambda name: _ask_process(folder, name), names), strict=True)


def _ask_process(folder: Path, variant: str) -> bytes:
    command = [sys.executable, "-P", "-m", "evaluator.analyse.outlines", str(folder), variant]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


def _main(folder: Path, variant: str) -> None:
    from evaluator.grade.sandbox import NoSandbox  # noqa: PLC0415 - in a process of its own

    plan = read_plan(folder)
    asks = requests_of(plan.study, plan.order)
    questions = {ask.key: ask.question for ask in (*asks, *plan_again(plan.study, asks))}
    grader = Grader(NoSandbox(reason="programs are run elsewhere", install=""))
    mine = at_sight(records_path(folder, variant), questions, grader)
    sys.stdout.buffer.write(packed(mine, questions))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
