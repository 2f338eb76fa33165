"""Exploratory comparisons beside the verdicts: other pairs of variants, categories, all variants at once.

No verdict rests on any of it. All p values are corrected together by Benjamini and Hochberg. All proportions are
between 0 and 1.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from evaluator.decide.designs import DESIGNS
from evaluator.decide.evidence import Design, looks_at
from evaluator.decide.samples import Answers, Repeats, Sample, Scores, difference_interval, difference_p
from evaluator.stats.clusters import cluster_sign_flip, design_effect
from evaluator.stats.multiplicity import benjamini_hochberg
from evaluator.stats.omnibus import cochran_q, homogeneity
from evaluator.stats.paired import PairedTable
from evaluator.stats.proportions import Interval, Test
from evaluator.stats.strata import Estimate, stratified_mean
from evaluator.study.study import Mode


class Tested(Struct, frozen=True):
    """A p value, alone and corrected for all tests of the exploration."""

    p: float
    """p value of what is tested."""
    p_bh: float = 1.0
    """Corrected for all exploratory tests (Benjamini and Hochberg)."""
    statistic: float | None = None
    """Of the test; None where it has none."""


class Pair(Struct, frozen=True, kw_only=True):
    """Two variants on the same questions: all of a benchmark, or those of one category."""

    variant: str
    other: str
    """Name of the variant it is compared with."""
    benchmark: str
    category: str | None = None
    """None: all of the benchmark."""
    n: int
    """Questions that both answered."""
    table: PairedTable | None
    """A is the variant, B the other; None where a question was answered more than once."""
    won: int
    """Questions that the variant solved, or solved more often, and the other did not."""
    lost: int
    """Questions that the other solved, or solved more often, and the variant did not."""
    difference: float
    """Variant minus other."""
    interval: Interval
    """Of the difference; not corrected for the other intervals here."""
    test: Tested
    """Of no difference."""


class Across(Struct, frozen=True, kw_only=True):
    """One variant against the baseline over the categories of a benchmark."""

    variant: str
    baseline: str
    benchmark: str
    categories: int
    """How many of them have questions that both answered."""
    stratified: Estimate
    """Difference if every category had its share of the whole benchmark."""
    homogeneity: Tested
    """Of "the flips fall to either side alike in all categories"; rough where categories have few flips."""
    clustered: Tested
    """Of no difference, if another set of subjects might have been asked: whole categories change sign together."""


class Omnibus(Struct, frozen=True, kw_only=True):
    """All variants of a benchmark at once: Cochran's Q of "all solve the same share"."""

    benchmark: str
    variants: tuple[str, ...]
    """Names of those that are tested together."""
    n: int
    """Questions that all of them answered, once; of those with one text the first."""
    test: Tested


class Exploratory(Struct, frozen=True, kw_only=True):
    """All exploratory results of a study."""

    sentence: str
    """How these results are to be read."""
    tests: int = 0
    """How many tests `p_bh` is corrected for."""
    pairs: tuple[Pair, ...] = ()
    """Every pair of variants without the baseline."""
    categories: tuple[Pair, ...] = ()
    """Every variant against the baseline, in each category."""
    across: tuple[Across, ...] = ()
    omnibus: tuple[Omnibus, ...] = ()


def explore(
    scores: Scores,
    *,
    baseline: str,
    alpha: float,
    mode: Mode = "fixed",
    blocked: Mapping[tuple[str, str], str] = {},
    categories: Mapping[str, Mapping[str, str]] = {},
    sizes: Mapping[str, Mapping[str, int]] = {},
    repeated: Mapping[str, Mapping[str, str]] = {},
) -> Exploratory | None:
    """Compare what the verdicts do not; None where there is nothing more to compare.

    Args:
        scores: By variant, benchmark and question whether each of its answers is correct.
        baseline: The variant that the verdicts compare with.
        alpha: Intervals are at level 1 - alpha.
        mode: How the study is decided. After stopping early such p values would be false, so there are none.
        blocked: By variant and benchmark why it must not be compared; it is left out.
        categories: By benchmark and question id its category; benchmarks without categories are left out.
        sizes: By benchmark and category how many questions the whole benchmark has in it.
        repeated: By benchmark and id of each question whose text stands more than once, the first with that text.

    Raises:
        ValueError: a category has no size, or alpha is not between 0 and 1.
    """
    if len(scores) < 2:
        return None
    if DESIGNS[mode].looks_early:
        return Exploratory(
            sentence=f"Nothing is explored in mode {mode}: p values of other comparisons would be false after some"
            " were ended early. Set decide.mode: fixed in a study of another name to have it."
        )
    level, answers, design = 1 - alpha, _not_blocked(scores, blocked), Design(repeated=repeated)
    by_category = [
        _by_category(name, by_variant, variant, baseline, categories[name], design=design)
        for name, by_variant in answers.items()
        if name in categories and baseline in by_variant
        for variant in by_variant
        if variant != baseline
    ]
    results = Exploratory(
        sentence="",
        pairs=tuple(_other_pairs(answers, baseline, level, design)),
        categories=tuple(_pair(stratum, level) for strata in by_category for stratum in strata),
        across=tuple(_across(strata, sizes[strata[0].benchmark], level) for strata in by_category if strata),
        omnibus=tuple(_omnibuses(answers, repeated)),
    )
    return _corrected(results)


class _Samples(Struct, frozen=True, kw_only=True):
    """Two variants on the same questions, not yet tested."""

    variant: str
    other: str
    benchmark: str
    category: str | None = None
    sample: Sample


def _not_blocked(scores: Scores, blocked: Mapping[tuple[str, str], str]) -> dict[str, dict[str, Answers]]:
    """Regroup scores by benchmark and variant, without what is empty or must not be compared."""
    answers: dict[str, dict[str, Answers]] = {name: {} for by_benchmark in scores.values() for name in by_benchmark}
    for variant, by_benchmark in scores.items():
        for name, by_question in by_benchmark.items():
            if by_question and (variant, name) not in blocked:
                answers[name][variant] = by_question
    return answers


def _other_pairs(
    answers: Mapping[str, Mapping[str, Answers]], baseline: str, level: float, design: Design
) -> Iterator[Pair]:
    """Compare every pair of variants without the baseline."""
    for name, by_variant in answers.items():
        for variant, other in combinations([v for v in by_variant if v != baseline], 2):
            sample = _sample(by_variant[variant], by_variant[other], name, design)
            if sample:
                yield _pair(_Samples(variant=variant, other=other, benchmark=name, sample=sample), level)


def _by_category(
    benchmark: str,
    answers: Mapping[str, Answers],
    variant: str,
    baseline: str,
    categories: Mapping[str, str],
    *,
    design: Design,
) -> list[_Samples]:
    """Pair a variant's answers with the baseline's in each category, in alphabetical order."""
    ours: dict[str, dict[str, Repeats]] = defaultdict(dict)
    for question, repeats in answers[variant].items():
        if question in categories:
            ours[categories[question]][question] = repeats
    samples = {category: _sample(ours[category], answers[baseline], benchmark, design) for category in sorted(ours)}
    return [
        _Samples(variant=variant, other=baseline, benchmark=benchmark, category=category, sample=sample)
        for category, sample in samples.items()
        if sample
    ]


def _sample(ours: Answers, theirs: Answers, benchmark: str, design: Design) -> Sample | None:
    samples = looks_at(ours, theirs, benchmark, design).samples
    return samples[0] if samples else None


def _pair(two: _Samples, level: float) -> Pair:
    sample = two.sample
    return Pair(
        variant=two.variant,
        other=two.other,
        benchmark=two.benchmark,
        category=two.category,
        n=sample.n,
        table=sample.table,
        won=sample.won,
        lost=sample.lost,
        difference=sample.difference,
        interval=difference_interval(sample, level),
        test=Tested(difference_p(sample)),
    )


def _across(strata: Sequence[_Samples], sizes: Mapping[str, int], level: float) -> Across:
    values = {str(stratum.category): stratum.sample.differences for stratum in strata}
    clusters = [category for category, differences in values.items() for _ in differences]
    everything = [d for differences in values.values() for d in differences]
    texts = [(s.category, text) for s in strata for text in s.sample.clusters or range(s.sample.n)]
    distinct = [stratum.sample.distinct for stratum in strata]
    return Across(
        variant=strata[0].variant,
        baseline=strata[0].other,
        benchmark=strata[0].benchmark,
        categories=len(values),
        stratified=stratified_mean(values, sizes, level, effect=design_effect(everything, texts)),
        homogeneity=_tested(homogeneity([(sum(d > 0 for d in of), sum(d < 0 for d in of)) for of in distinct])),
        clustered=Tested(cluster_sign_flip(everything, clusters)),
    )


def _omnibuses(
    answers: Mapping[str, Mapping[str, Answers]], repeated: Mapping[str, Mapping[str, str]]
) -> Iterator[Omnibus]:
    """Test three variants or more; for two, Cochran's Q is nearly the verdict's own test."""
    for name, by_variant in answers.items():
        rows = _answered_once_by_all(list(by_variant.values()), repeated.get(name, {}))
        if len(by_variant) > 2 and rows:
            yield Omnibus(benchmark=name, variants=tuple(by_variant), n=len(rows), test=_tested(cochran_q(rows)))


def _answered_once_by_all(answers: Sequence[Answers], repeated: Mapping[str, str]) -> list[list[bool]]:
    """Give the answers to these questions, of those with one text to the first."""
    first: dict[str, str] = {}
    for q in answers[0] if answers else ():
        if all(len(by_question.get(q, ())) == 1 for by_question in answers):
            first.setdefault(repeated.get(q, q), q)
    return [[by_question[q][0] for by_question in answers] for q in first.values()]


def _tested(test: Test) -> Tested:
    return Tested(p=test.p, statistic=test.statistic)


def _corrected(results: Exploratory) -> Exploratory | None:
    """Correct all p values together, and state their number."""
    p = [pair.test.p for pair in (*results.pairs, *results.categories)]
    p += [omnibus.test.p for omnibus in results.omnibus]
    p += [test.p for across in results.across for test in (across.homogeneity, across.clustered)]
    if not p:
        return None
    corrected: Iterator[float] = iter(benjamini_hochberg(p))

    def with_corrected(test: Tested) -> Tested:
        return replace(test, p_bh=next(corrected))

    # In the order of p above.
    pairs = tuple(replace(pair, test=with_corrected(pair.test)) for pair in results.pairs)
    categories = tuple(replace(pair, test=with_corrected(pair.test)) for pair in results.categories)
    omnibus = tuple(replace(test, test=with_corrected(test.test)) for test in results.omnibus)
    across = tuple(
        replace(result, homogeneity=with_corrected(result.homogeneity), clustered=with_corrected(result.clustered))
        for result in results.across
    )
    count = "1 test" if len(p) == 1 else f"{len(p)} tests"
    return Exploratory(
        sentence="Exploratory: found by looking in many places; no verdict rests on it."
        f" p values are corrected by Benjamini-Hochberg over {count}.",
        tests=len(p),
        pairs=pairs,
        categories=categories,
        across=across,
        omnibus=omnibus,
    )
