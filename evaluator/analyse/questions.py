"""Every question of a run with what each variant answered: to be looked at, one by one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from msgspec import Struct

from evaluator.analyse.load import Grades, read_grades
from evaluator.decide.again import asked_or_open
from evaluator.grade.grader import grade_at_sight
from evaluator.grade.thinking import split_thinking
from evaluator.records import Grade, Key, Question, Record
from evaluator.store.folder import read_plan, records_path
from evaluator.store.journal import Journal
from evaluator.store.keys import Numbers
from evaluator.store.last_report import came_later, last_report
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again


class Reply(Struct, frozen=True, kw_only=True):
    """What one variant replied to a question, and how that was graded."""

    record: Record
    grade: Grade | None
    """None where it has not been graded yet: its program has yet to be run."""
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


def planned_questions(folder: Path) -> list[Asked]:
    """List what all variants of a run are asked, in order, without the replies; no record is read.

    Raises:
        StudyError: The folder holds no run, or its plan is damaged.
    """
    plan = read_plan(folder)
    return [Asked(key=ask.key, question=ask.question, replies={}) for ask in requests_of(plan.study, plan.order)]


def asked_questions(
    folder: Path,
    grades: Grades | None = None,
    *,
    repeats: int | None = None,
    only: Callable[[Key], bool] = lambda _: True,
) -> Iterator[Asked]:
    """Yield the questions of a run, finished or going on, in the order in which they are put. Nothing is written.

    Args:
        folder: The run's.
        grades: Of its replies as they are now. None takes those in the folder; what came later than those is graded
            here, except code, which would have to be run.
        repeats: How many answers to each question are wanted, beside what the baseline was asked again; None: all.
        only: Whether a question is wanted; the records of others are not read.

    Raises:
        StudyError: The folder holds no run, or a damaged one.
    """
    plan = read_plan(folder)
    graded = _as_kept(folder, only) if grades is None else lambda record, _: grades.get((record.variant, record.key))
    asks = requests_of(plan.study, plan.order)
    once = ((ask, False) for ask in asks if repeats is None or ask.key.repeat < repeats)
    numbers = Numbers()
    journals = {variant.name: Journal(records_path(folder, variant.name), numbers) for variant in plan.study.variants}
    with ExitStack() as stack:
        readers = {name: stack.enter_context(journal.reading()) for name, journal in journals.items()}
        baseline = plan.study.baseline
        again = plan_again(plan.study, asks)
        more = asked_or_open(plan.study, again, journals[baseline].places, readers[baseline])
        for ask, is_again in chain(once, ((ask, True) for ask in more)):
            if not only(ask.key):
                continue
            replies = {
                name: _reply(record, graded(record, ask.question))
                for name, read in readers.items()
                if (record := read(ask.key))
            }
            yield Asked(key=ask.key, question=ask.question, replies=replies, again=is_again)


def kept_grades(folder: Path, only: Callable[[Key], bool] = lambda _: True) -> Callable[[Record], Grade | None]:
    """Return what gives a record the grade that lies in a run's folder; None where it has none, or came later."""
    kept, written = read_grades(folder, lambda grade: only(grade.key)), last_report(folder).written
    return lambda record: None if came_later(record, written) else kept.get((record.variant, record.key))


def _as_kept(folder: Path, only: Callable[[Key], bool]) -> Callable[[Record, Question], Grade | None]:
    kept = kept_grades(folder, only)
    return lambda record, question: kept(record) or grade_at_sight(record, question)


def _reply(record: Record, grade: Grade | None) -> Reply:
    if record.answer is None:
        return Reply(record=record, grade=grade, text=record.failure.text if record.failure else "", thinking="")
    thought = split_thinking(record.answer.text, record.answer.reasoning)
    return Reply(record=record, grade=grade, text=thought.answer or record.answer.refusal, thinking=thought.reasoning)
