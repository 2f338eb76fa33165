"""How often a variant disagrees with the baseline, compared with the baseline's own run-to-run variation."""

from collections.abc import Iterable

from msgspec import Struct

from evaluator.decide.answers import Graded
from evaluator.decide.samples import Answers
from evaluator.stats.multiplicity import holm_by_key
from evaluator.stats.noise import Excess, excess_flips


class Noise(Struct, frozen=True):
    """Disagreement with the baseline in excess of the baseline's with itself; None where nothing was asked twice."""

    excess: Excess | None = None
    questions: int | None = None
    p_holm: float | None = None


def noises(keys: Iterable[tuple[str, str]], graded: Graded, baseline: str, family: int) -> dict[tuple[str, str], Noise]:
    """Compare disagreement with the baseline to the baseline's with itself, on the questions it was asked twice."""
    scores = graded.answers
    excesses: dict[tuple[str, str], tuple[Excess, int]] = {}
    for variant, benchmark in keys:
        ours, again = scores[variant].get(benchmark, {}), graded.again.get(benchmark, {})
        runs = _runs(scores[baseline].get(benchmark, {}), again)
        if twice := [question for question, answers in runs.items() if len(answers) > 1 and ours.get(question)]:
            excess = excess_flips([runs[question] for question in twice], [ours[question] for question in twice])
            excesses[variant, benchmark] = excess, len(twice)
    p_holm = holm_by_key({key: excess.p for key, (excess, _) in excesses.items()}, family)
    return {key: Noise(excess, questions, p_holm[key]) for key, (excess, questions) in excesses.items()}


def _runs(answers: Answers, again: Answers) -> Answers:
    return {question: (*first, *again.get(question, ())) for question, first in answers.items()}
