"""How often another text or outcome came where the baseline was asked twice."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from evaluator.decide.score import NO_GRADE
from evaluator.grade.outline import Outline
from evaluator.records import Grade, Key, Outcome


class AskedTwice(Struct, frozen=True, kw_only=True):
    """A variant that was put the questions of one benchmark a second time; the first two answers to each."""

    variant: str
    benchmark: str
    questions: int
    """That it answered both times."""
    texts: int
    """Of these, questions to which another text came, its thinking included."""
    graded: int
    """Questions of which both answers have a grade."""
    outcomes: int
    """Of these, questions of which one answer was right and the other not."""


def texts_of(records: Iterable[Outline]) -> dict[Key, int]:
    """Return by which number the first two answers to each question are known: the same for the same words."""
    return {record.key: record.reply.text_hash for record in records if record.reply and record.key.repeat < 2}


def asked_twice(
    variant: str, texts: Mapping[Key, int], grades: Iterable[Grade], benchmarks: Iterable[str]
) -> Iterator[AskedTwice]:
    """Compare the first two answers of a variant to each question; benchmarks of which there are none are left out.

    Args:
        variant: Its name.
        texts: Of its answers, as `texts_of` gives them.
        grades: Of it, and of others.
        benchmarks: In this order.
    """
    outcomes = {grade.key: grade.outcome for grade in grades if grade.variant == variant and grade.key.repeat < 2}
    twice = [key for key in texts if key.repeat == 1 and first_of(key) in texts]
    for benchmark in benchmarks:
        mine = [key for key in twice if key.benchmark == benchmark]
        graded = [pair for key in mine if (pair := _both(outcomes, key))]
        if mine:
            yield AskedTwice(
                variant=variant,
                benchmark=benchmark,
                questions=len(mine),
                texts=sum(texts[key] != texts[first_of(key)] for key in mine),
                graded=len(graded),
                outcomes=sum((first == "correct") != (second == "correct") for first, second in graded),
            )


def itself(twice: AskedTwice) -> str:
    """Say how often a variant gave something else when it was asked again, without a full stop."""
    asked = f"Asked {twice.questions:,} question{'' if twice.questions == 1 else 's'} twice, {twice.variant}"
    if not twice.texts:
        return f"{asked} gave {'all texts' if twice.questions > 1 else 'its text'} again to the letter"
    other = f"gave another text on {twice.texts:,}"
    if not twice.graded:
        return f"{asked} {other}"
    some = "" if twice.graded == twice.questions else f" of {twice.graded:,} graded"
    return f"{asked} {other} and another outcome on {twice.outcomes or 'none'}{some}"


def _both(outcomes: Mapping[Key, Outcome], key: Key) -> tuple[Outcome, Outcome] | None:
    first, second = outcomes.get(first_of(key)), outcomes.get(key)
    if first is None or second is None or first in NO_GRADE or second in NO_GRADE:
        return None
    return first, second


def first_of(key: Key) -> Key:
    """Return the key under which a question was put for the first time."""
    return Key(key.benchmark, key.question_id)
