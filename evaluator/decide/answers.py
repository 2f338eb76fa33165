"""Graded answers, arranged for comparing: by variant and benchmark, in the order in which questions are put."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from evaluator.decide.evidence import Answers, Design
from evaluator.decide.score import NO_GRADE
from evaluator.records import Grade


class Graded(Struct, frozen=True, kw_only=True):
    """What variants answered to the same questions."""

    answers: Mapping[str, Mapping[str, Answers]]
    """By variant, benchmark and question whether each answer is correct; empty where a question has no reply."""
    again: Mapping[str, Answers]
    """By benchmark and question the baseline's further answers."""
    changed: Mapping[tuple[str, str], int]
    """By variant and benchmark on how many questions another letter was read than from the baseline's answer."""

    def put(self, variant: str, benchmark: str) -> int:
        """Count the questions that a variant was put."""
        return len(self.answers[variant][benchmark])


def arrange(
    grades: Iterable[Grade], *, variants: Iterable[str], baseline: str, repeats: Mapping[str, int], design: Design
) -> Graded:
    """Arrange grades.

    Args:
        grades: In any order; those of other variants or questions are left out.
        variants: Their names, in the order of the study.
        baseline: One of them.
        repeats: By benchmark how many answers to a question count; of the baseline, further ones are kept apart.
        design: It knows the order of the questions.
    """
    heard: dict[tuple[str, str], dict[str, dict[int, Grade]]] = defaultdict(lambda: defaultdict(dict))
    for one in grades:
        heard[one.variant, one.key.benchmark][one.key.question_id][one.key.repeat] = one
    answers: dict[str, dict[str, Answers]] = {
        variant: {
            name: {q: _correct(heard[variant, name][q], range(repeats[name])) for q in ids if q in heard[variant, name]}
            for name, ids in design.order.items()
        }
        for variant in variants
    }
    again = {
        name: {
            q: right
            for q in ids
            if (right := _correct(heard[baseline, name].get(q, {}), range(repeats[name], repeats[name] + 1)))
        }
        for name, ids in design.order.items()
    }
    changed = {
        (variant, name): _changed(heard[variant, name], heard[baseline, name])
        for variant in answers
        for name in design.order
        if name == "mmlu_pro" and repeats[name] == 1 and variant != baseline
    }
    return Graded(answers=answers, again=again, changed=changed)


def parts(grades: Iterable[Grade], repeats: Mapping[str, int]) -> dict[tuple[str, str], list[Grade]]:
    """Group the grades that count by variant and benchmark."""
    found: dict[tuple[str, str], list[Grade]] = defaultdict(list)
    for one in grades:
        if one.key.repeat < repeats[one.key.benchmark]:
            found[one.variant, one.key.benchmark].append(one)
    return found


def _correct(by_repeat: Mapping[int, Grade], repeats: range) -> tuple[bool, ...]:
    told = [by_repeat[i].outcome for i in repeats if i in by_repeat]
    return tuple(outcome == "correct" for outcome in told if outcome not in NO_GRADE)


def _changed(ours: Mapping[str, Mapping[int, Grade]], theirs: Mapping[str, Mapping[int, Grade]]) -> int:
    pairs = [(ours[q].get(0), theirs[q].get(0)) for q in ours if q in theirs]
    return sum(
        a.extracted != b.extracted
        for a, b in pairs
        if a and b and a.outcome not in NO_GRADE and b.outcome not in NO_GRADE
    )
