"""What still matters while a run goes on: comparisons that are decided need no more questions."""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil

from evaluator.decide.evidence import LOOK_EVERY, Design, Repeats, course, p_values
from evaluator.decide.score import NO_GRADE
from evaluator.decide.verdict import decided
from evaluator.records import Grade, Key
from evaluator.study.requests import Ask
from evaluator.study.study import Study

LOOKS = 5
_FIRST_ROUND = 100


def design_of(study: Study, asks: Sequence[Ask]) -> Design:
    """Say how a study is decided, and in which order its questions are put."""
    order: dict[str, dict[str, None]] = defaultdict(dict)
    for ask in asks:
        order[ask.key.benchmark][ask.key.question_id] = None
    looks = study.decide.looks if isinstance(study.decide.looks, int) else LOOKS
    return Design(mode=study.decide.mode, looks=looks, order={name: tuple(ids) for name, ids in order.items()})


def rounds(study: Study, design: Design) -> list[dict[str, int]]:
    """Say how many questions of each benchmark may be put by the end of each round, all variants taking their turn.

    Variants that are served one after the other take turns, so that neither the baseline nor a variant is asked
    what is not needed: in rounds that double where one may look at any time, else up to each planned look.
    """
    planned = {name: len(ids) for name, ids in design.order.items()}
    if design.mode == "fixed" or study.parallel:
        return [planned]
    if design.mode == "group_sequential":
        return [{name: ceil(n * (k + 1) / design.looks) for name, n in planned.items()} for k in range(design.looks)]
    ends = [_FIRST_ROUND]
    while ends[-1] < max(planned.values()):
        ends.append(2 * ends[-1])
    return [{name: min(n, end) for name, n in planned.items()} for end in ends]


class StoppingRule:
    """Hears every grade, looks when there is something new to see, and says what still matters."""

    def __init__(self, study: Study, design: Design) -> None:
        self._study, self._design = study, design
        chosen = study.benchmarks.chosen()
        self._margins = {name: settings.margin / 100 for name, settings in chosen.items()}
        self._repeats = {name: settings.repeats for name, settings in chosen.items()}
        self._place = {(name, q): i for name, ids in design.order.items() for i, q in enumerate(ids)}
        self._heard: dict[tuple[str, Key], bool | None] = {}
        self._answers: dict[tuple[str, str], dict[str, Repeats]] = defaultdict(dict)
        others = [variant.name for variant in study.variants if variant.name != study.baseline]
        self._p = {(variant, name): (1.0, 1.0) for name in chosen for variant in others}
        self._passed = dict.fromkeys(self._p, 0)
        self._pairs = dict.fromkeys(self._p, 0)
        self._decided: set[tuple[str, str]] = set()

    def heard(self, grade: Grade) -> None:
        """Take in one grade, and look again if it is time."""
        key, name = grade.key, grade.key.benchmark
        if self._design.mode == "fixed" or (name, key.question_id) not in self._place:
            return
        self._heard[grade.variant, key] = None if grade.outcome in NO_GRADE else grade.outcome == "correct"
        keys = [(grade.variant, Key(name, key.question_id, repeat)) for repeat in range(self._repeats[name])]
        if all(key in self._heard for key in keys):
            said = [self._heard[key] for key in keys]
            self._answers[grade.variant, name][key.question_id] = tuple(right for right in said if right is not None)
            for comparison in self._p:
                if comparison[1] == name and grade.variant in (comparison[0], self._study.baseline):
                    self._go_on(comparison)

    def matters(self, variant: str, key: Key) -> bool:
        """Say whether the answer to this question can still change a verdict, or shows the baseline's wobble."""
        if self._design.mode == "fixed" or key.repeat >= self._repeats[key.benchmark]:
            return True
        if variant == self._study.baseline:
            return any(of[1] == key.benchmark and of not in self._decided for of in self._p)
        return (variant, key.benchmark) not in self._decided

    def place(self, key: Key) -> int:
        """Give the place of a question in the order of its benchmark, from 0."""
        return self._place[key.benchmark, key.question_id]

    def _go_on(self, comparison: tuple[str, str]) -> None:
        """Take in, in the order of the questions, what both have answered; look where a look is due."""
        variant, name = comparison
        order = self._design.order[name]
        ours, theirs = self._answers[variant, name], self._answers[self._study.baseline, name]
        while (at := self._passed[comparison]) < len(order) and order[at] in ours and order[at] in theirs:
            self._passed[comparison] += 1
            paired = len(ours[order[at]]) == len(theirs[order[at]]) > 0
            self._pairs[comparison] += paired
            if self._due(comparison, paired=paired):
                self._look(comparison)

    def _due(self, comparison: tuple[str, str], *, paired: bool) -> bool:
        if self._design.mode == "sequential":
            return paired and self._pairs[comparison] % LOOK_EVERY == 0
        n, looks = len(self._design.order[comparison[1]]), self._design.looks
        return any(ceil(n * (k + 1) / looks) == self._passed[comparison] for k in range(looks))

    def _look(self, comparison: tuple[str, str]) -> None:
        variant, name = comparison
        seen = self._design.order[name][: self._passed[comparison]]
        ours, theirs = ({q: self._answers[v, name][q] for q in seen} for v in (variant, self._study.baseline))
        shown = course(ours, theirs, name, self._design)
        if shown.samples:
            self._p[comparison] = p_values(shown, self._margins[name])
            self._decided |= decided(self._p, self._study.decide.alpha)
