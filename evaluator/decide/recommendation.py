"""Which build to run, by a stated rule, from verdicts and measured resources alone."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from evaluator.decide import recommendation_words as words
from evaluator.decide.build_words import blocked, of_other
from evaluator.decide.comparison import Comparison
from evaluator.decide.preference import Preference, preference
from evaluator.decide.resources import Resources
from evaluator.decide.standing import GAINS, Build, builds
from evaluator.study.study import Prefer


class Recommendation(Struct, frozen=True, kw_only=True):
    """What to run, in words, and what speaks against the other builds."""

    prefer: Prefer
    """What the study wants most of."""
    variant: str | None
    """None where nothing can be recommended."""
    sentence: str
    """What to run and why; or that nothing can be recommended, and why."""
    others: tuple[str, ...] = ()
    """What is to be said of other builds, one sentence each: not worth it, not decided yet, not comparable."""
    missing: tuple[str, ...] = ()
    """What would be needed for a recommendation, or for a smaller build, and what it costs; one sentence each."""
    rule: str = ""
    """The rule itself, in words."""


class _Choice(Struct, frozen=True, kw_only=True):
    variant: str | None
    sentence: str
    in_sentence: tuple[str, ...] = ()
    """Variants of which the sentence says all that is to be said."""
    missing: tuple[str, ...] = ()


def recommend(
    comparisons: Sequence[Comparison],
    resources: Iterable[Resources],
    *,
    variants: Sequence[str],
    baseline: str,
    prefer: Prefer = "size",
    totals: Mapping[str, int] = {},
    busy: bool = False,
) -> Recommendation | None:
    """Say which build to run; None where there is only one. Nothing is ranked beyond the verdicts.

    The most preferred build (the smallest, by default) that no benchmark shows worse than the baseline by more than the
    margin, and at least one shows within the margin of it. "Worse, size uncertain" is read against a build, since its
    damage may exceed the margin; "worse by less than the margin" is within it. A build shown better, by more than the
    margin or perhaps by more, and nowhere worse, goes before all that are only as good as the baseline, and before the
    baseline: with baseline and variant exchanged the same build is recommended. The baseline itself is recommended
    where every build that is preferred to it is shown worse; where one of them is undecided, nothing is.

    Args:
        comparisons: Of the variants with the baseline.
        resources: What the variants cost. What is unknown is never preferred.
        variants: In the study's order, the baseline too; of builds that are the same in everything, the first.
        baseline: One of them.
        prefer: Of what the recommended build is to have most.
        totals: By benchmark, how many questions it has.
        busy: Whether the machine was busy with something else while it was measured: then speeds say so.
    """
    others = builds(comparisons, (variant for variant in variants if variant != baseline))
    if not others:
        return None
    running = [build.variant for build in others if build.standing != "worse"]
    preferred = preference(prefer, resources, baseline=baseline, among=running, busy=busy)
    choice = _choose(others, preferred, baseline, totals)
    left = [build for build in others if build.variant != choice.variant and build.variant not in choice.in_sentence]
    return Recommendation(
        prefer=prefer,
        variant=choice.variant,
        sentence=choice.sentence,
        others=tuple(of_other(build, preferred, baseline) for build in left),
        missing=choice.missing,
        rule=words.rule(prefer),
    )


def _choose(others: Sequence[Build], preferred: Preference, baseline: str, totals: Mapping[str, int]) -> _Choice:
    if not any(build.is_compared for build in others):
        names = tuple(build.variant for build in others)
        return _Choice(
            variant=None,
            sentence=words.nothing_compared(baseline),
            in_sentence=names,
            missing=blocked(others, baseline),
        )
    if best := _best(others, preferred, baseline):
        smaller = [
            build for build in others if build.is_open and preferred.may_be_preferred(build.variant, best.variant)
        ]
        return _Choice(
            variant=best.variant,
            sentence=words.run(best, preferred, baseline),
            in_sentence=tuple(build.variant for build in smaller if build.standing == "blocked"),
            missing=words.needed([best, *smaller], baseline, totals),
        )
    return (
        _depends(others, baseline)
        or _unknown(others, preferred, baseline)
        or _undecided(others, preferred, baseline, totals)
        or _Choice(variant=baseline, sentence=words.keep(others, preferred, baseline))
    )


def _best(others: Sequence[Build], preferred: Preference, baseline: str) -> Build | None:
    """Choose among the builds that are better, or else among those that are as good and preferred to the baseline."""
    candidates = [build for build in others if build.standing == "better"] or [
        build for build in others if build.standing == "good" and preferred.preferred_by(build.variant, baseline)
    ]
    by_name = {build.variant: build for build in candidates}
    return by_name[preferred.best(list(by_name))] if by_name else None


def _depends(others: Sequence[Build], baseline: str) -> _Choice | None:
    mixed = [build for build in others if build.standing == "mixed"]
    if not mixed:
        return None
    in_sentence = (mixed[0].variant,) if len(mixed) == 1 else ()
    return _Choice(variant=None, sentence=words.depends(mixed, baseline), in_sentence=in_sentence)


def _unknown(others: Sequence[Build], preferred: Preference, baseline: str) -> _Choice | None:
    """Say that a build would do, were it known what it costs."""
    good = [
        build.variant
        for build in others
        if build.standing == "good" and not preferred.is_known(build.variant, baseline)
    ]
    if not good:
        return None
    return _Choice(
        variant=None,
        sentence=words.unknown(good, preferred, baseline),
        missing=(words.other_preference(good, preferred, baseline),),
    )


def _undecided(
    others: Sequence[Build], preferred: Preference, baseline: str, totals: Mapping[str, int]
) -> _Choice | None:
    """Say that a build that would be preferred to the baseline may be as good, or not."""
    holding = [
        build
        for build in others
        if build.is_open and (build.having(GAINS) or preferred.may_be_preferred(build.variant, baseline))
    ]
    if not holding:
        return None
    return _Choice(
        variant=None,
        sentence=words.not_yet(holding, preferred, baseline),
        in_sentence=tuple(build.variant for build in holding),
        missing=words.needed(holding, baseline, totals),
    )
