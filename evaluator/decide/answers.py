"""Graded answers, arranged for comparing: by variant and benchmark, in the order in which questions are asked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.asked_twice import AskedTwice
from evaluator.decide.evidence import Design
from evaluator.decide.samples import Answers, Scores
from evaluator.decide.score import NO_GRADE
from evaluator.records import Grade

_ByQuestion = Mapping[str, Mapping[int, Grade]]
"""By question and repeat."""


class Graded(Struct, frozen=True, kw_only=True):
    """The variants' answers to the same questions."""

    answers: Scores
    """By variant, benchmark and question, whether each answer is correct; empty where a question has no reply."""
    again: Mapping[str, Answers] = {}
    """By benchmark and question, the baseline's further answers, which show its run-to-run variation."""
    changed: Mapping[tuple[str, str], int] = {}
    """By variant and benchmark, the questions on which another letter was read than from the baseline's answer."""
    twice: Mapping[str, AskedTwice] = {}
    """By benchmark, how often the baseline gave another text or outcome the second time."""

    def put(self, variant: str, benchmark: str) -> int:
        """Count the questions that a variant was asked."""
        return len(self.answers[variant][benchmark])


def arrange(
    grades: Iterable[Grade], *, variants: Iterable[str], baseline: str, repeats: Mapping[str, int], design: Design
) -> Graded:
    """Arrange grades.

    Args:
        grades: In any order; those of other variants or questions are left out.
        variants: Their names, in the order of the study.
        baseline: One of them.
        repeats: By benchmark, how many answers to a question count; the baseline's further ones are kept apart.
        design: With the order of the questions.
    """
    graded: dict[tuple[str, str], dict[str, dict[int, Grade]]] = defaultdict(lambda: defaultdict(dict))
    for grade in grades:
        graded[grade.variant, grade.key.benchmark][grade.key.question_id][grade.key.repeat] = grade
    answers: dict[str, dict[str, Answers]] = {variant: {} for variant in variants}
    again: dict[str, Answers] = {}
    changed: dict[tuple[str, str], int] = {}
    for name, ids in design.order.items():
        planned = range(repeats[name])
        for variant, by_benchmark in answers.items():
            by_benchmark[name] = _answers(graded[variant, name], ids, planned)
            if BENCHMARKS[name].kind == "choice" and repeats[name] == 1 and variant != baseline:
                changed[variant, name] = _changed(graded[variant, name], graded[baseline, name])
        further = _answers(graded[baseline, name], ids, range(repeats[name], repeats[name] + 1))
        again[name] = {question: correct for question, correct in further.items() if correct}
    return Graded(answers=answers, again=again, changed=changed)


def parts(grades: Iterable[Grade], repeats: Mapping[str, int]) -> dict[tuple[str, str], list[Grade]]:
    """Group the grades that count by variant and benchmark."""
    grouped: dict[tuple[str, str], list[Grade]] = defaultdict(list)
    for grade in grades:
        if grade.key.repeat < repeats[grade.key.benchmark]:
            grouped[grade.variant, grade.key.benchmark].append(grade)
    return grouped


def _answers(graded: _ByQuestion, ids: Iterable[str], repeats: range) -> Answers:
    return {question: _correct(graded[question], repeats) for question in ids if question in graded}


def _correct(by_repeat: Mapping[int, Grade], repeats: range) -> tuple[bool, ...]:
    outcomes = [by_repeat[i].outcome for i in repeats if i in by_repeat]
    return tuple(outcome == "correct" for outcome in outcomes if outcome not in NO_GRADE)


def _changed(ours: _ByQuestion, theirs: _ByQuestion) -> int:
    pairs = [(ours[q].get(0), theirs[q].get(0)) for q in ours if q in theirs]
    return sum(
        a.extracted != b.extracted
        for a, b in pairs
        if a and b and a.outcome not in NO_GRADE and b.outcome not in NO_GRADE
    )
