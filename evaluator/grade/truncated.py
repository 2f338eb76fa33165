"""Questions whose reply the output limit cut off, asked again with a larger one."""

from collections.abc import Iterable, Mapping

from evaluator.grade.grader import was_cut_off
from evaluator.records import Key, Question, Record, limit_of


def cut_off(records: Iterable[Record], questions: Mapping[Key, Question], tokens: int) -> set[Key]:
    """Name the questions to ask again: the limit cut the reply off, and it was less than `tokens`.

    So what was asked with as many already, and was cut off again, is not asked for ever.
    """
    return {
        record.key
        for record in records
        if (limit_of(record.request) or 0) < tokens and was_cut_off(record, questions[record.key])
    }
