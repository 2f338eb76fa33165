"""Questions whose reply the output limit cut off, asked again with a larger one."""

from collections.abc import Iterable, Mapping

from evaluator.grade.grader import was_cut_off
from evaluator.records import Key, Question, Record, limit_of


def cut_off(records: Iterable[Record], questions: Mapping[Key, Question], tokens: int) -> set[Key]:
    """Return the questions to ask again: the reply was cut off, and its output limit was below `tokens`.

    A question that was cut off with that many tokens already is not asked again and again.
    """
    return {
        record.key
        for record in records
        if (limit_of(record.request) or 0) < tokens and was_cut_off(record, questions[record.key])
    }
