"""Where fidelity and task scores point different ways: said only where the verdicts of both carry it."""

from collections.abc import Iterator, Mapping, Sequence

from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.fidelity.nouns import BuildFidelity, Fidelity, PairFidelity
from evaluator.stats.proportions import wilson

_WORSE = ("clearly worse", "worse, size uncertain")
"""A difference of less than the margin speaks against nothing."""
_FINE = ("equivalent", "better by less than the margin", "better, size uncertain", "clearly better")
_WHY = (
    "Where the two point different ways, both may be right: KL divergence is a mean over every token of one text, a"
    " task score counts whole answers, and few tokens decide one. Which build to run is said by the task scores."
)


def point_apart(fidelity: Fidelity, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Say where fidelity and task scores point different ways, and last what each measures; empty where they do not.

    * A build is shown to be equivalent to its reference by KL divergence, and worse than the baseline by a task; or
      further from its reference than the margin, and equivalent by a task.
    * Of two builds the one that is shown to be closer to the reference is shown to be worse than the baseline by a
      task, and the other is not; or more of its answers differ from those of the baseline, which is the reference:
      Wilson's intervals of the two shares do not meet, at a level for all such pairs together (Bonferroni).
    """
    by_name: dict[str, dict[str, Comparison]] = {}
    for comparison in comparisons:
        by_name.setdefault(comparison.variant, {})[comparison.benchmark] = comparison
    found = [
        *(sentence for build in fidelity.builds for sentence in _alone(build, by_name.get(build.build, {}))),
        *_of_pairs(fidelity.pairs, by_name),
    ]
    return (*found, _WHY) if found else ()


def _alone(build: BuildFidelity, tasks: Mapping[str, Comparison]) -> Iterator[str]:
    if build.mean_kld is None:
        return
    if build.verdict == "equivalent" and (worse := _named(tasks, _WORSE)):
        yield (
            f"{build.build}: by KL divergence it is equivalent to {build.reference}, by its answers to {worse} it is"
            f" worse than {_baseline(tasks)}."
        )
    if build.verdict == "worse" and (fine := _named(tasks, ("equivalent",))):
        yield (
            f"{build.build}: by KL divergence it is further from {build.reference} than the margin, by its answers to"
            f" {fine} it is equivalent to {_baseline(tasks)}."
        )


def _named(tasks: Mapping[str, Comparison], verdicts: Sequence[str]) -> str:
    names = [wording.name(benchmark) for benchmark, c in tasks.items() if c.verdict in verdicts]
    return wording.listed(names) if names else ""


def _baseline(tasks: Mapping[str, Comparison]) -> str:
    return next(iter(tasks.values())).baseline


def _of_pairs(pairs: Sequence[PairFidelity], by_name: Mapping[str, Mapping[str, Comparison]]) -> Iterator[str]:
    ordered = [ends for item in pairs if (ends := _ordered(item))]
    both = [
        (reference, mine, by_name[further][benchmark])
        for closer, further, reference in ordered
        for benchmark, mine in by_name.get(closer, {}).items()
        if benchmark in by_name.get(further, {})
    ]
    for reference, closer, further in both:
        begin = f"{closer.variant} is closer to {reference} than {further.variant} by KL divergence, but"
        where = f"on {wording.name(closer.benchmark)}"
        if closer.verdict in _WORSE and further.verdict in _FINE:
            its = "equivalent to it" if further.verdict == "equivalent" else "better"
            yield f"{begin} {where} it is worse than {closer.baseline}, and {further.variant} is {its}."
        elif closer.baseline == reference and _flips_more(closer, further, len(both)):
            shares = [wording.percent((c.won or 0) / c.n + (c.lost or 0) / c.n) for c in (closer, further)]
            yield f"{begin} {where} more of its answers differ from {reference}'s: {shares[0]} against {shares[1]}."


def _ordered(item: PairFidelity) -> tuple[str, str, str] | None:
    """Give the closer build, the further one and the reference, where that is shown."""
    if item.verdict.startswith("better"):
        return item.build, item.other, item.reference
    return (item.other, item.build, item.reference) if item.verdict.startswith("worse") else None


def _flips_more(closer: Comparison, further: Comparison, family: int) -> bool:
    """Whether more answers of the first are right where the baseline's are wrong, or wrong where they are right."""
    if not closer.n or not further.n or closer.repeated or further.repeated:
        return False  # one text that stands more than once is one question, which Wilson's interval does not know
    level = 1 - 0.05 / family
    mine, its = (wilson((c.won or 0) + (c.lost or 0), c.n, level) for c in (closer, further))
    return mine.low > its.high
