"""Read and grade the records of a run, variant by variant; of a large run in processes of their own."""

import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from evaluator.grade.grader import Grader, cores
from evaluator.grade.outline import Outline, Reply
from evaluator.grade.outlines import Outlines, outlines
from evaluator.records import Grade, Key, Outcome, Question
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
    size = sum(path.stat().st_size for path in paths.values() if path.exists())
    apart = _read_apart(folder, variants, questions) if size >= LARGE and type(grader) is Grader else {}
    found = {name: apart.get(name) or at_sight(paths[name], questions, grader) for name in variants}
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


def _read_apart(folder: Path, variants: Sequence[str], questions: Mapping[Key, Question]) -> dict[str, Outlines]:
    """Read variants in processes of their own, as many at once as there are cores; left out where that fails."""
    keys = list(questions)
    with ThreadPoolExecutor(max(1, cores())) as pool:
        sent = pool.map(lambda name: _ask_process(folder, name), variants)
        return {name: _unpacked(data, keys) for name, data in zip(variants, sent, strict=True) if data}


def _ask_process(folder: Path, variant: str) -> bytes:
    command = [sys.executable, "-m", "evaluator.analyse.outlines", str(folder), variant]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


# What goes from one process to the other: columns, in which the same text is one object.
T = TypeVar("T")
_RECORD = tuple(name for name in Outline.__struct_fields__ if name not in {"key", "reply", "grade"})
_REPLY = Reply.__struct_fields__
_GRADE = ("variant", "outcome", "extracted", "why")


def _packed(mine: Outlines, keys: Sequence[Key]) -> bytes:
    places = {key: number for number, key in enumerate(keys)}
    records = mine.records
    columns = (
        [places[one.key] for one in records],
        _columns(records, _RECORD),
        [one.reply is not None for one in records],
        _columns([one.reply for one in records if one.reply], _REPLY),
        [one.grade is not None for one in records],
        _columns([one.grade for one in records if one.grade], _GRADE),
        mine.astray,
        mine.openings,
    )
    return pickle.dumps(columns, protocol=5)


def _columns(of: Iterable[object], names: Iterable[str]) -> list[list[Any]]:
    every = list(of)
    return [[getattr(one, name) for one in every] for name in names]


def _unpacked(data: bytes, keys: Sequence[Key]) -> Outlines:
    columns = pickle.loads(data)  # noqa: S301 - of our own process
    places, of_records, has_reply, of_replies, has_grade, of_grades, astray, openings = columns
    mine = [keys[place] for place in places]
    replies = _where(has_reply, map(Reply, *of_replies))
    graded = (key for key, has in zip(mine, has_grade, strict=True) if has)
    grades = _where(has_grade, map(_grade, graded, *of_grades))
    variants, started, *rest = of_records
    records = list(map(Outline, mine, variants, started, replies, *rest, grades))
    return Outlines(records, astray, openings)


def _where(has: Iterable[bool], values: Iterator[T]) -> list[T | None]:
    return [next(values) if there else None for there in has]


def _grade(key: Key, variant: str, outcome: Outcome, extracted: str | None, why: str) -> Grade:
    return Grade(key=key, variant=variant, outcome=outcome, extracted=extracted, why=why)


def _main(folder: Path, variant: str) -> None:
    from evaluator.grade.sandbox import NoSandbox  # noqa: PLC0415 - in a process of its own

    plan = read_plan(folder)
    asks = requests_of(plan.study, plan.order)
    questions = {ask.key: ask.question for ask in (*asks, *plan_again(plan.study, asks))}
    grader = Grader(NoSandbox(reason="programs are run elsewhere", install=""))
    mine = at_sight(records_path(folder, variant), questions, grader)
    sys.stdout.buffer.write(_packed(mine, list(questions)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
