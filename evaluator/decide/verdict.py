"""Compare each variant with the baseline from graded answers, in numbers and in words.

All proportions are between 0 and 1; only the sentences speak of points, hundredths of a proportion.
"""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct
from msgspec.structs import replace

from evaluator.decide.answers import Graded
from evaluator.decide.asked_twice import AskedTwice
from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.designs import Looks
from evaluator.decide.evidence import FIXED, Design, Evidence, evidence, looks_at
from evaluator.decide.noise_floor import Noise, noises
from evaluator.decide.outlook import outlook
from evaluator.decide.pace import Pace
from evaluator.decide.sentences import cannot_compare, sentence
from evaluator.stats.multiplicity import holm_by_key
from evaluator.stats.posterior import chance_better
from evaluator.stats.proportions import Interval

_Key = tuple[str, str]
"""A variant and a benchmark."""


class Rules(Struct, frozen=True, kw_only=True):
    """The rules of comparison, set before the first question."""

    baseline: str
    """The variant that the others are compared with."""
    margins: Mapping[str, float]
    """By benchmark, the difference (a proportion) within which two variants count as equal."""
    alpha: float
    """Rate of false alarms over all comparisons together."""
    design: Design = FIXED
    totals: Mapping[str, int] = {}
    """By benchmark, how many questions it has."""


class Pair(Struct, frozen=True, kw_only=True):
    """A variant and the baseline on one benchmark, before the correction for other comparisons and before checks."""

    variant: str
    benchmark: str
    margin: float
    looks: Looks
    planned: int | None
    put: int
    changed: int | None
    evidence: Evidence | None
    """None where there is nothing to compare yet."""

    @property
    def key(self) -> _Key:
        """Variant and benchmark."""
        return self.variant, self.benchmark


class _Tested(Struct, frozen=True, kw_only=True):
    """What a comparison shows, corrected for all of them."""

    evidence: Evidence
    p_holm: float
    equivalence_p_holm: float
    noise: Noise
    twice: AskedTwice | None
    verdict: Verdict


def compare(
    graded: Graded,
    rules: Rules,
    *,
    pairs: Sequence[Pair] = (),
    blocked: Mapping[_Key, str] = {},
    paces: Mapping[_Key, Pace] = {},
) -> tuple[Comparison, ...]:
    """Compare every variant with the baseline on every benchmark, benchmark by benchmark.

    Args:
        graded: What the variants answered.
        rules: Of the comparison.
        pairs: The result of `paired` for the same, if it is at hand.
        blocked: By variant and benchmark, why they must not be compared; a blocked baseline blocks all. Holm's
            correction is for all comparisons, the blocked ones too.
        paces: By variant and benchmark, how fast it answered.

    Raises:
        ValueError: the baseline has no scores, a benchmark has no margin, or alpha is not between 0 and 0.5.
    """
    pairs = pairs or paired(graded, rules)
    reasons = {pair.key: _reason(pair, rules, blocked) for pair in pairs}
    tested = _tested([pair for pair in pairs if reasons[pair.key] is None], graded, rules, len(pairs))
    comparisons = []
    for pair in pairs:
        reason = reasons[pair.key]
        if reason is not None:
            comparisons.append(_not_compared(pair, reason, rules, len(pairs)))
        else:
            both = [paces.get((variant, pair.benchmark)) for variant in (pair.variant, rules.baseline)]
            comparisons.append(_compared(pair, tested[pair.key], both, rules, len(pairs)))
    return tuple(comparisons)


def decided(p: Mapping[_Key, tuple[float, float]], alpha: float) -> set[_Key]:
    """Return the comparisons that are decided, different or equivalent within the margin, after Holm's correction.

    Args:
        p: By variant and benchmark the p values of no difference and of one of the margin or more, of all comparisons
            there will be; 1 where there is nothing to see yet.
        alpha: Rate of false alarms over all comparisons together.
    """
    p_different = holm_by_key({key: different for key, (different, _) in p.items()}, len(p))
    p_equivalent = holm_by_key({key: equivalent for key, (_, equivalent) in p.items()}, len(p))
    return {key for key in p if min(p_different[key], p_equivalent[key]) <= alpha}


def decide(
    interval: Interval,
    family_interval: Interval,
    equivalence_interval: Interval,
    *,
    p: float,
    equivalence_p: float,
    margin: float,
    alpha: float,
) -> Verdict:
    """Choose the verdict; p and equivalence_p are the corrected ones.

    A verdict never contradicts an interval shown with it: a test that rejects, by another approximation or at an
    earlier look, is not enough. Words about the size rest on the interval that holds for all comparisons together.
    """
    low, high = family_interval.low, family_interval.high
    worse = interval.high < 0
    if p <= alpha and (worse or interval.low > 0):
        if low > margin or high < -margin:
            return "clearly worse" if worse else "clearly better"
        if -margin < low and high < margin:
            return "worse by less than the margin" if worse else "better by less than the margin"
        return "worse, size uncertain" if worse else "better, size uncertain"
    inside = -margin <= equivalence_interval.low and equivalence_interval.high <= margin
    return "equivalent" if equivalence_p <= alpha and inside else "cannot tell"


def paired(graded: Graded, rules: Rules) -> tuple[Pair, ...]:
    """Pair every variant with the baseline, benchmark by benchmark, also where checks will block the comparison.

    Raises:
        ValueError: the baseline has no scores, a benchmark has no margin, or alpha is not between 0 and 0.5.
    """
    scores, baseline = graded.answers, rules.baseline
    if baseline not in scores:
        raise ValueError(f"the baseline {baseline!r} has no scores; there are {', '.join(map(repr, scores)) or 'none'}")
    if not 0 < rules.alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, and is {rules.alpha}")
    benchmarks = dict.fromkeys(name for by_benchmark in scores.values() for name in by_benchmark)
    if without := [name for name in benchmarks if name not in rules.margins]:
        raise ValueError(f"no margin is given for {', '.join(without)}; it says how large a difference would matter")
    keys = [(variant, benchmark) for benchmark in benchmarks for variant in scores if variant != baseline]
    return tuple(_pair(key, graded, rules, family=len(keys)) for key in keys)


def _pair(key: _Key, graded: Graded, rules: Rules, *, family: int) -> Pair:
    variant, benchmark = key
    ours, theirs = (graded.answers[name].get(benchmark, {}) for name in (variant, rules.baseline))
    looks = looks_at(ours, theirs, benchmark, rules.design)
    margin = rules.margins[benchmark]
    return Pair(
        variant=variant,
        benchmark=benchmark,
        margin=margin,
        looks=looks,
        planned=len(rules.design.order[benchmark]) if benchmark in rules.design.order else None,
        put=len(ours),
        changed=graded.changed.get(key),
        evidence=evidence(looks, margin=margin, alpha=rules.alpha, family=family) if looks.samples else None,
    )


def _reason(pair: Pair, rules: Rules, blocked: Mapping[_Key, str]) -> str | None:
    """Say why two cannot be compared; None where they can."""
    reason = blocked.get(pair.key, blocked.get((rules.baseline, pair.benchmark)))
    if reason is None and pair.evidence is None:
        return rules.design.kind.nothing_yet(pair.looks, rules.design.looks)
    return reason


def _tested(pairs: Sequence[Pair], graded: Graded, rules: Rules, family: int) -> dict[_Key, _Tested]:
    """Test what can be compared, and correct for the whole family: a correction is chosen beforehand."""
    shown = {pair.key: pair.evidence for pair in pairs if pair.evidence is not None}
    p_holm = holm_by_key({key: numbers.p for key, numbers in shown.items()}, family)
    equivalence_p_holm = holm_by_key({key: numbers.equivalence_p for key, numbers in shown.items()}, family)
    noise = noises(shown, graded, rules.baseline, family)
    return {
        pair.key: _Tested(
            evidence=shown[pair.key],
            p_holm=p_holm[pair.key],
            equivalence_p_holm=equivalence_p_holm[pair.key],
            noise=noise.get(pair.key, Noise()),
            twice=graded.twice.get(pair.benchmark),
            verdict=decide(
                shown[pair.key].interval,
                shown[pair.key].family_interval,
                shown[pair.key].equivalence_interval,
                p=p_holm[pair.key],
                equivalence_p=equivalence_p_holm[pair.key],
                margin=pair.margin,
                alpha=rules.alpha,
            ),
        )
        for pair in pairs
    }


def _not_compared(pair: Pair, reason: str, rules: Rules, family: int) -> Comparison:
    sample = pair.looks.samples[-1] if pair.looks.samples else None
    return Comparison(
        variant=pair.variant,
        baseline=rules.baseline,
        benchmark=pair.benchmark,
        mode=rules.design.mode,
        n=sample.n if sample else 0,
        planned=pair.planned,
        put=pair.put,
        table=sample.table if sample else None,
        changed=pair.changed,
        family=family,
        margin=pair.margin,
        sentence=cannot_compare(pair.variant, rules.baseline, pair.benchmark, reason),
    )


def _compared(pair: Pair, tested: _Tested, paces: Sequence[Pace | None], rules: Rules, family: int) -> Comparison:
    shown, equal = tested.evidence, tested.evidence.equivalence_interval
    early = rules.design.looks_early and pair.planned is not None and pair.put < pair.planned
    undecided = tested.verdict == "cannot tell"
    # Holm's strictest level, so that the number holds whatever the other comparisons show.
    ahead = outlook(shown, pair.margin, rules.alpha / family, paces, undecided=undecided)
    comparison = Comparison(
        variant=pair.variant,
        baseline=rules.baseline,
        benchmark=pair.benchmark,
        mode=rules.design.mode,
        n=shown.n,
        repeated=shown.repeated or UNSET,
        planned=pair.planned,
        put=pair.put,
        stopped=early and not undecided,
        table=shown.table,
        difference=shown.difference,
        interval=shown.interval,
        family_interval=shown.family_interval,
        equivalence_interval=equal,
        flips=shown.flips,
        changed=pair.changed,
        won=shown.won,
        lost=shown.lost,
        p=shown.p,
        p_holm=tested.p_holm,
        equivalence_p=shown.equivalence_p,
        equivalence_p_holm=tested.equivalence_p_holm,
        noninferiority_p=shown.noninferiority_p,
        chance_better=chance_better(shown.table, shown.effect) if shown.table else None,
        family=family,
        margin=pair.margin,
        supported_margin=max(abs(equal.low), abs(equal.high)),
        noise=tested.noise.excess,
        noise_questions=tested.noise.questions,
        noise_p_holm=tested.noise.p_holm,
        asked_twice=tested.twice or UNSET,
        verdict=tested.verdict,
        questions_needed=ahead.questions_needed,
        sought=ahead.sought,
        hours_needed=ahead.hours_needed,
        resolution=ahead.resolution,
    )
    words = sentence(comparison, alpha=rules.alpha, total=rules.totals.get(pair.benchmark))
    return replace(comparison, sentence=words)
