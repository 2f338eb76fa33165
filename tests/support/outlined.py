"""Records as an analysis sees them: their outlines, with their grades, and what only their texts show."""

from collections.abc import Iterable, Mapping
from typing import Any

from evaluator.grade.outlines import Outlines, outlines
from evaluator.records import Grade, Key, Question, Record


def outlined(
    records: Iterable[Record], questions: Mapping[Key, Question] | None = None, grades: Iterable[Grade] = ()
) -> Outlines:
    graded = {(grade.variant, grade.key): grade for grade in grades}
    known = questions or {}
    return outlines((one, known.get(one.key), graded.get((one.variant, one.key))) for one in records)


def seen(
    records: Mapping[str, Iterable[Record]],
    questions: Mapping[Key, Question] | None = None,
    grades: Iterable[Grade] = (),
) -> dict[str, Any]:
    """Give what a check input holds of records, by variant."""
    grades = list(grades)
    found = {variant: outlined(mine, questions, grades) for variant, mine in records.items()}
    return {
        "records": {variant: mine.records for variant, mine in found.items()},
        "astray": {(v, b): each for v, mine in found.items() for b, each in mine.astray.items()},
        "openings": {(v, b): each for v, mine in found.items() for b, each in mine.openings.items()},
        "grades": grades,
    }
