"""What else the answers show, looked for in many places: other pairs of variants, categories, all variants at once.

No verdict rests on any of it. All p values are corrected together by Benjamini and Hochberg. All proportions are
between 0 and 1.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import fsum

from msgspec import Struct
from msgspec.structs import replace

from evaluator.decide.evidence import FIXED, Answers, Repeats, Sample, course
from evaluator.stats.clusters import cluster_sign_flip
from evaluator.stats.difference import tango
from evaluator.stats.multiplicity import benjamini_hochberg
from evaluator.stats.omnibus import cochran_q, homogeneity
from evaluator.stats.paired import PairedTable, mcnemar_midp
from evaluator.stats.proportions import Interval, Test
from evaluator.stats.repeats import mean_interval, sign_flip, steadied
from evaluator.stats.strata import Estimate, stratified_mean
from evaluator.study.study import Mode

Scores = Mapping[str, Mapping[str, Answers]]


class Tested(Struct, frozen=True):
    """A p value, alone and corrected for all tests of the exploration."""

    p: float
    p_bh: float = 1.0
    statistic: float | None = None


class Pair(Struct, frozen=True, kw_only=True):
    """Two variants on the same questions: all of a benchmark, or those of one category."""

    variant: str
    other: str
    benchmark: str
    category: str | None = None
    n: int
    table: PairedTable | None
    """A is the variant, B the other; None where a question was answered more than once."""
    won: int
    """Questions that the variant solved, or solved more often, and the other did not."""
    lost: int
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
    n: int
    """Questions that all of them answered, once."""
    test: Tested


class Exploratory(Struct, frozen=True, kw_only=True):
    """What was found by looking in many places."""

    sentence: str
    tests: int = 0
    pairs: tuple[Pair, ...] = ()
    """Every two variants of which none is the baseline."""
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
) -> Exploratory | None:
    """Compare what the verdicts do not; None where there is nothing more to compare.

    Args:
        scores: By variant, benchmark and question whether each of its answers is correct.
        baseline: The variant that the verdicts compare the others with.
        alpha: Intervals are at level 1 - alpha.
        mode: How the study is decided. After stopping early such p values would be false, so there are none.
        blocked: By variant and benchmark why it must not be compared; it is left out.
        categories: By benchmark and question id its category; benchmarks without categories are left out.
        sizes: By benchmark and category how many questions the whole benchmark has in it.

    Raises:
        ValueError: a category has no size, or alpha is not between 0 and 1.
    """
    if len(scores) < 2:
        return None
    if mode != "fixed":
        return Exploratory(
            sentence=f"Nothing is explored in mode {mode}: p values of other comparisons would be false after some"
            " were ended early. Set decide.mode: fixed in a study of another name to have it."
        )
    known = {
        name: {v: of[name] for v, of in scores.items() if of.get(name) and (v, name) not in blocked}
        for name in dict.fromkeys(name for of in scores.values() for name in of)
    }
    pairs = [
        _pair((one, other), name, sample, level=1 - alpha)
        for name, answers in known.items()
        for one, other in combinations([v for v in answers if v != baseline], 2)
        if (sample := _sample(answers[one], answers[other]))
    ]
    by_category = [
        (each, _across(each, values, sizes[name], level=1 - alpha))
        for name, answers in known.items()
        if name in categories and baseline in answers
        for variant in answers
        if variant != baseline
        and (values := _by_category(answers[variant], answers[baseline], categories[name]))
        and (each := [_pair((variant, baseline), name, of, level=1 - alpha, category=c) for c, of in values.items()])
    ]
    found = Exploratory(
        sentence="",
        pairs=tuple(pairs),
        categories=tuple(pair for each, _ in by_category for pair in each),
        across=tuple(across for _, across in by_category),
        omnibus=tuple(one for name, answers in known.items() if (one := _omnibus(name, answers))),
    )
    return _corrected(found)


def _sample(ours: Answers, theirs: Answers) -> Sample | None:
    samples = course(ours, theirs, "", FIXED).samples
    return samples[0] if samples else None


def _by_category(ours: Answers, theirs: Answers, categories: Mapping[str, str]) -> dict[str, Sample]:
    parts: dict[str, dict[str, Repeats]] = defaultdict(dict)
    for question, replies in ours.items():
        if question in categories:
            parts[categories[question]][question] = replies
    return {category: sample for category in sorted(parts) if (sample := _sample(parts[category], theirs))}


def _pair(names: tuple[str, str], benchmark: str, sample: Sample, *, level: float, category: str | None = None) -> Pair:
    table, differences = sample.table, sample.differences
    return Pair(
        variant=names[0],
        other=names[1],
        benchmark=benchmark,
        category=category,
        n=len(differences),
        table=table,
        won=sum(d > 0 for d in differences),
        lost=sum(d < 0 for d in differences),
        difference=fsum(differences) / len(differences),
        interval=tango(table, level) if table else mean_interval(steadied(differences), level),
        test=Tested(mcnemar_midp(table) if table else sign_flip(differences)),
    )


def _across(each: Sequence[Pair], samples: Mapping[str, Sample], sizes: Mapping[str, int], *, level: float) -> Across:
    values = {category: sample.differences for category, sample in samples.items()}
    clusters = [category for category, of in values.items() for _ in of]
    return Across(
        variant=each[0].variant,
        baseline=each[0].other,
        benchmark=each[0].benchmark,
        categories=len(values),
        stratified=stratified_mean(values, sizes, level),
        homogeneity=_tested(homogeneity([(one.won, one.lost) for one in each])),
        clustered=Tested(cluster_sign_flip([d for of in values.values() for d in of], clusters)),
    )


def _omnibus(benchmark: str, answers: Mapping[str, Answers]) -> Omnibus | None:
    """Test three variants or more; of two, Cochran's Q is the test that the verdict has already."""
    if len(answers) < 3:
        return None
    of = list(answers.values())
    rows = [[each[q][0] for each in of] for q in of[0] if all(len(each.get(q, ())) == 1 for each in of)]
    if not rows:
        return None
    return Omnibus(benchmark=benchmark, variants=tuple(answers), n=len(rows), test=_tested(cochran_q(rows)))


def _tested(test: Test) -> Tested:
    return Tested(p=test.p, statistic=test.statistic)


def _corrected(found: Exploratory) -> Exploratory | None:
    """Correct all p values together, and say how many they are."""
    p = [one.test.p for one in (*found.pairs, *found.categories)]
    p += [one.test.p for one in found.omnibus]
    p += [test.p for one in found.across for test in (one.homogeneity, one.clustered)]
    if not p:
        return None
    corrected: Iterator[float] = iter(benjamini_hochberg(p))

    def with_(test: Tested) -> Tested:
        return replace(test, p_bh=next(corrected))

    # In the order of p above.
    found = replace(
        found,
        pairs=tuple(replace(one, test=with_(one.test)) for one in found.pairs),
        categories=tuple(replace(one, test=with_(one.test)) for one in found.categories),
        omnibus=tuple(replace(one, test=with_(one.test)) for one in found.omnibus),
    )
    across = tuple(
        replace(one, homogeneity=with_(one.homogeneity), clustered=with_(one.clustered)) for one in found.across
    )
    count = "1 test" if len(p) == 1 else f"{len(p)} tests"
    return replace(
        found,
        across=across,
        tests=len(p),
        sentence="Exploratory: found by looking in many places; no verdict rests on it."
        f" p values are corrected by Benjamini-Hochberg over {count}.",
    )
