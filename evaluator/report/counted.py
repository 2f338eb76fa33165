"""How a run stands, counted from its records: of one that wrote nothing of it, or that has ended."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from evaluator.analyse.questions import kept_grades
from evaluator.decide.again import asked_or_open
from evaluator.events import Begun, Graded, Planned, Status
from evaluator.grade.grader import grade_at_sight
from evaluator.records import Grade, Key, Record
from evaluator.report.tally import Tally
from evaluator.store import journal
from evaluator.store.folder import read_plan, records_path
from evaluator.store.live import Live
from evaluator.study.requests import plan, plan_again

_PAUSE_S = 60.0
"""Between two records: it was not asked meanwhile."""


class _Then:
    """A clock that shows when each record came."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(folder: Path) -> Live:
    """Count a run's records as they would have been counted when they came; programs are not run.

    `updated` is when the last record came.

    Raises:
        StudyError: the folder holds no run, or a damaged one.
    """
    run = read_plan(folder)
    asks = plan(run.study, run.order)
    again = plan_again(run.study, asks)
    questions = {ask.key: ask.question for ask in (*asks, *again)}
    then, kept, last = _Then(), kept_grades(folder), 0.0
    tally = Tally(then)
    tally.add(Begun(run.study))
    for variant in run.study.variants:
        records = {key: record for key, record in _read(folder, variant.name).items() if key in questions}
        more = asked_or_open(run.study, again, records, records.get) if variant.name == run.study.baseline else ()
        keys = [ask.key for ask in (*asks, *more)]
        wanted = [key for key in keys if key not in records or records[key].answer is None]
        tally.add(Planned({variant.name: keys}, {variant.name: wanted}))
        for record in records.values():
            grade = kept(record) or grade_at_sight(record, questions[record.key]) or _not_run(record)
            came = _came(record)
            if came - _seconds(record) > then.now + _PAUSE_S:
                tally.add(Status(variant.name, ""))
            then.now, last = came, max(last, came)
            tally.add(Graded(record, grade))
        if records:
            tally.add(Status(variant.name, ""))
        then.now = 0.0  # variants that are asked at once each have a time of their own
    then.now = last
    updated = dt.datetime.fromtimestamp(last, dt.UTC).isoformat(timespec="milliseconds") if last else ""
    return replace(tally.look(), whichquant=run.whichquant, updated=updated)


def _read(folder: Path, variant: str) -> Mapping[Key, Record]:
    return journal.read(records_path(folder, variant))


def _not_run(record: Record) -> Grade:
    return Grade(key=record.key, variant=record.variant, outcome="not_scored", extracted=None, why="not run yet")


def _came(record: Record) -> float:
    return dt.datetime.fromisoformat(record.started).timestamp() + _seconds(record)


def _seconds(record: Record) -> float:
    return record.answer.duration_s if record.answer else 0.0
