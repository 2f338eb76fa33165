"""Every question of a run with what each variant answered: to be looked at, one by one."""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from msgspec import Struct

from evaluator.analyse.load import read_grades
from evaluator.grade.thinking import split_thinking
from evaluator.records import Grade, Key, Question, Record
from evaluator.store import journal
from evaluator.store.folder import read_plan, records_path
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again


class Reply(Struct, frozen=True, kw_only=True):
    """What one variant replied to a question, and how that was graded."""

    record: Record
    grade: Grade | None
    """None where it has not been graded yet."""
    text: str
    """What it answered; where there is no reply, what had come of it."""
    thinking: str


class Asked(Struct, frozen=True, kw_only=True):
    """One question as it was put once, and the replies to it."""

    key: Key
    question: Question
    replies: Mapping[str, Reply]
    """By variant, in the study's order; a variant that has not been asked is not there."""
    again: bool = False
    """Whether only the baseline was asked, once more, to see how far it differs from itself."""


def asked_questions(folder: Path) -> Iterator[Asked]:
    """Yield the questions of a run, finished or going on, in the order in which they are put.

    Raises:
        StudyError: The folder holds no run, or a damaged one.
    """
    plan = read_plan(folder)
    grades = read_grades(folder)
    records = {variant.name: journal.read(records_path(folder, variant.name)) for variant in plan.study.variants}
    asks = requests_of(plan.study, plan.order)
    once = ((ask, False) for ask in asks)
    again = ((ask, True) for ask in plan_again(plan.study, asks))
    for ask, is_again in chain(once, again):
        replies = {
            name: _reply(mine[ask.key], grades.get((name, ask.key)))
            for name, mine in records.items()
            if ask.key in mine
        }
        yield Asked(key=ask.key, question=ask.question, replies=replies, again=is_again)


def _reply(record: Record, grade: Grade | None) -> Reply:
    if record.answer is None:
        return Reply(record=record, grade=grade, text=record.failure.text if record.failure else "", thinking="")
    thought = split_thinking(record.answer.text, record.answer.reasoning)
    return Reply(record=record, grade=grade, text=thought.answer or record.answer.refusal, thinking=thought.reasoning)
