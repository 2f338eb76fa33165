"""Which questions are still needed during a run: comparisons that are decided need no more."""

from collections import defaultdict
from collections.abc import Sequence

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.evidence import Design, looks_at, p_values
from evaluator.decide.samples import Repeats, comparable
from evaluator.decide.score import NO_GRADE
from evaluator.decide.verdict import decided
from evaluator.records import Grade, Key
from evaluator.study.requests import Ask
from evaluator.study.study import Study


def design_of(study: Study, asks: Sequence[Ask]) -> Design:
    """Return how a study is decided, and in which order its questions are asked."""
    order: dict[str, dict[str, None]] = defaultdict(dict)
    for ask in asks:
        order[ask.key.benchmark][ask.key.question_id] = None
    return Design(
        mode=study.decide.mode,
        looks=study.decide.planned_looks,
        order={name: tuple(ids) for name, ids in order.items()},
        repeated={name: BENCHMARKS[name].repeated() for name in order},
    )


def rounds(study: Study, design: Design) -> list[dict[str, int]]:
    """Return how many questions of each benchmark may be asked by the end of each round, variants taking turns.

    Variants that are served one after the other take turns, so that neither the baseline nor a variant is asked
    what is not needed: in rounds that double where one may look at any time, else up to each planned look.
    """
    planned = {name: len(ids) for name, ids in design.order.items()}
    return [planned] if study.parallel else design.kind.rounds(planned, design.looks)


class StoppingRule:
    """Takes in every grade, tests when a look is due, and knows which questions are still open."""

    def __init__(self, study: Study, design: Design) -> None:
        self._study, self._design = study, design
        chosen = study.benchmarks.chosen()
        self._margins = {name: settings.margin / 100 for name, settings in chosen.items()}
        self._repeats = {name: settings.repeats for name, settings in chosen.items()}
        self._position = {(name, q): i for name, ids in design.order.items() for i, q in enumerate(ids)}
        self._correct: dict[tuple[str, Key], bool | None] = {}
        """By variant and request; None where there is no grade."""
        self._answers: dict[tuple[str, str], dict[str, Repeats]] = defaultdict(dict)
        others = [variant.name for variant in study.variants if variant.name != study.baseline]
        self._p = {(variant, name): (1.0, 1.0) for name in chosen for variant in others}
        self._answered = dict.fromkeys(self._p, 0)
        """By comparison, questions at the beginning of the order that both have answered."""
        self._compared = dict.fromkeys(self._p, 0)
        """Of these, those that count: answered equally often."""
        self._decided: set[tuple[str, str]] = set()

    def add(self, grade: Grade) -> None:
        """Take in one grade, and test if a look is due."""
        key, name = grade.key, grade.key.benchmark
        if not self._design.looks_early or (name, key.question_id) not in self._position:
            return
        self._correct[grade.variant, key] = None if grade.outcome in NO_GRADE else grade.outcome == "correct"
        requests = [(grade.variant, Key(name, key.question_id, repeat)) for repeat in range(self._repeats[name])]
        if all(request in self._correct for request in requests):
            correct = [self._correct[request] for request in requests]
            self._answers[grade.variant, name][key.question_id] = tuple(right for right in correct if right is not None)
            for comparison in self._p:
                if comparison[1] == name and grade.variant in (comparison[0], self._study.baseline):
                    self._advance(comparison)

    def is_open(self, variant: str, key: Key) -> bool:
        """Return whether this answer can still change a verdict, or shows the baseline's run-to-run variation."""
        return key.repeat >= self._repeats[key.benchmark] or not self.is_settled(variant, key.benchmark)

    def is_settled(self, variant: str, benchmark: str) -> bool:
        """Return whether no further question of a benchmark can change a verdict on a variant."""
        if not self._design.looks_early:
            return False
        if variant == self._study.baseline:
            return all(pair in self._decided for pair in self._p if pair[1] == benchmark)
        return (variant, benchmark) in self._decided

    def position(self, key: Key) -> int:
        """Return the position of a question in the order of its benchmark, from 0."""
        return self._position[key.benchmark, key.question_id]

    def _advance(self, comparison: tuple[str, str]) -> None:
        """Count, in the order of the questions, those that both have answered; test where a look is due."""
        variant, name = comparison
        order = self._design.order[name]
        ours, theirs = self._answers[variant, name], self._answers[self._study.baseline, name]
        while (at := self._answered[comparison]) < len(order) and order[at] in ours and order[at] in theirs:
            counts = comparable(ours[order[at]], theirs[order[at]])
            self._answered[comparison] += 1
            self._compared[comparison] += counts
            if self._look_is_due(comparison, counts=counts):
                self._look(comparison)

    def _look_is_due(self, comparison: tuple[str, str], *, counts: bool) -> bool:
        return self._design.kind.look_is_due(
            len(self._design.order[comparison[1]]),
            self._answered[comparison],
            self._design.looks,
            compared=self._compared[comparison],
            counts=counts,
        )

    def _look(self, comparison: tuple[str, str]) -> None:
        variant, name = comparison
        ids = self._design.order[name][: self._answered[comparison]]
        ours, theirs = ({q: self._answers[v, name][q] for q in ids} for v in (variant, self._study.baseline))
        looks = looks_at(ours, theirs, name, self._design)
        if looks.samples:
            self._p[comparison] = p_values(looks, self._margins[name])
            self._decided |= decided(self._p, self._study.decide.alpha)
