"""What the graded answers say of each variant against the baseline, in numbers and in words.

All proportions are between 0 and 1; only the sentences speak of points, hundredths of a proportion.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from evaluator.decide.comparison import Comparison, Scores, Verdict
from evaluator.decide.evidence import FIXED, Answers, Course, Design, Evidence, course, evidence
from evaluator.decide.pace import Pace, hours
from evaluator.decide.sentences import sentence
from evaluator.stats.multiplicity import holm
from evaluator.stats.noise import Excess, excess_flips
from evaluator.stats.posterior import chance_better
from evaluator.stats.power import questions_to_see
from evaluator.stats.proportions import Interval, wilson


def compare(
    scores: Scores,
    *,
    baseline: str,
    margins: Mapping[str, float],
    alpha: float,
    blocked: Mapping[tuple[str, str], str] = {},
    totals: Mapping[str, int] = {},
    design: Design = FIXED,
    again: Mapping[str, Answers] = {},
    changed: Mapping[tuple[str, str], int] = {},
    paces: Mapping[tuple[str, str], Pace] = {},
) -> tuple[Comparison, ...]:
    """Compare every variant with the baseline on every benchmark, benchmark by benchmark.

    Args:
        scores: By variant, benchmark and question whether each of its answers is correct.
        baseline: The variant that the others are compared with.
        margins: By benchmark, a proportion within which two variants count as equal.
        alpha: Rate of false alarms over all comparisons together.
        blocked: By variant and benchmark why they must not be compared; a blocked baseline blocks all. Holm's
            correction is for all comparisons, the blocked ones too.
        totals: By benchmark how many questions it has.
        design: How it is decided.
        again: By benchmark and question the baseline's further answers, which show how much it differs from itself.
        changed: By variant and benchmark on how many questions another answer than the baseline's was read.
        paces: By variant and benchmark how fast it answered.

    Raises:
        ValueError: the baseline has no scores, a benchmark has no margin, or alpha is not between 0 and 0.5.
    """
    if baseline not in scores:
        raise ValueError(f"the baseline {baseline!r} has no scores; there are {', '.join(map(repr, scores)) or 'none'}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, and is {alpha}")
    benchmarks = dict.fromkeys(name for of_variant in scores.values() for name in of_variant)
    if without := [name for name in benchmarks if name not in margins]:
        raise ValueError(f"no margin is given for {', '.join(without)}; it says how large a difference would matter")
    keys = [(variant, benchmark) for benchmark in benchmarks for variant in scores if variant != baseline]
    courses = {(v, b): course(scores[v].get(b, {}), scores[baseline].get(b, {}), b, design) for v, b in keys}
    reasons = {(v, b): blocked.get((v, b), blocked.get((baseline, b))) for v, b in keys}
    seen = [key for key in keys if reasons[key] is None and courses[key].samples]
    # All that the study sets out to compare, whatever could be compared in the end: a correction is chosen beforehand.
    family = len(keys)
    found = {(v, b): evidence(courses[v, b], margin=margins[b], alpha=alpha, family=family) for v, b in seen}
    p_holm = _corrected({key: of.p for key, of in found.items()}, family)
    equivalence_p_holm = _corrected({key: of.equivalence_p for key, of in found.items()}, family)
    noises = {(v, b): _noise(scores[v].get(b, {}), scores[baseline].get(b, {}), again.get(b, {})) for v, b in seen}
    wobbling = {key: noise for key, noise in noises.items() if noise is not None}
    noise_p = _corrected({key: of.p for key, (of, _) in wobbling.items()}, family)
    comparisons = []
    for variant, benchmark in keys:
        key = variant, benchmark
        comparison = Comparison(
            variant=variant,
            baseline=baseline,
            benchmark=benchmark,
            mode=design.mode,
            n=len(courses[key].samples[-1].differences) if courses[key].samples else 0,
            planned=len(design.order[benchmark]) if benchmark in design.order else None,
            put=len(scores[variant].get(benchmark, {})),
            table=courses[key].samples[-1].table if courses[key].samples else None,
            changed=changed.get(key),
            family=family,
            margin=margins[benchmark],
        )
        if key in found:
            comparison = _filled(comparison, found[key], alpha, p_holm[key], equivalence_p_holm[key])
            if key in wobbling:
                noise, questions = wobbling[key]
                comparison = replace(comparison, noise=noise, noise_questions=questions, noise_p_holm=noise_p[key])
            pace = [paces.get((v, benchmark)) for v in (variant, baseline)]
            comparison = _with_outlook(comparison, courses[key], found[key], alpha, pace)
        reason = reasons[key] or _nothing_yet(courses[key], design)
        said = sentence(comparison, reason=reason, alpha=alpha, total=totals.get(benchmark))
        comparisons.append(replace(comparison, sentence=said))
    return tuple(comparisons)


def decided(p: Mapping[tuple[str, str], tuple[float, float]], alpha: float) -> set[tuple[str, str]]:
    """Say which comparisons are decided, different or equivalent within the margin, after Holm's correction.

    Args:
        p: By variant and benchmark the p values of no difference and of one of the margin or more, of all comparisons
            there will be; 1 where there is nothing to see yet.
        alpha: Rate of false alarms over all comparisons together.
    """
    different = _corrected({key: of for key, (of, _) in p.items()}, len(p))
    equivalent = _corrected({key: of for key, (_, of) in p.items()}, len(p))
    return {key for key in p if min(different[key], equivalent[key]) <= alpha}


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

    Nothing is said that an interval beside it contradicts: a test that rejects, by another approximation or at an
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


def _corrected(p: Mapping[tuple[str, str], float], family: int) -> dict[tuple[str, str], float]:
    """Correct p values by Holm for a family in which the comparisons that are missing here have a p of 1."""
    return dict(zip(p, holm([*p.values(), *[1.0] * (family - len(p))]), strict=False))


def _nothing_yet(course: Course, design: Design) -> str:
    if design.mode == "group_sequential" and course.put:
        return f"the first of the {design.looks} planned looks is still to come"
    return "no question was answered by both"


def _filled(
    comparison: Comparison, found: Evidence, alpha: float, p_holm: float, equivalence_p_holm: float
) -> Comparison:
    """Add the numbers, and the verdict that they allow."""
    return replace(
        comparison,
        difference=found.difference,
        interval=found.interval,
        family_interval=found.family_interval,
        equivalence_interval=found.equivalence_interval,
        flips=wilson(found.won + found.lost, found.n, 1 - alpha),
        won=found.won,
        lost=found.lost,
        p=found.p,
        p_holm=p_holm,
        equivalence_p=found.equivalence_p,
        equivalence_p_holm=equivalence_p_holm,
        noninferiority_p=found.noninferiority_p,
        chance_better=chance_better(found.table) if found.table else None,
        supported_margin=max(abs(found.equivalence_interval.low), abs(found.equivalence_interval.high)),
        verdict=decide(
            found.interval,
            found.family_interval,
            found.equivalence_interval,
            p=p_holm,
            equivalence_p=equivalence_p_holm,
            margin=comparison.margin,
            alpha=alpha,
        ),
    )


def _noise(ours: Answers, theirs: Answers, again: Answers) -> tuple[Excess, int] | None:
    """Hold the disagreement with the baseline against the baseline's with itself, on what it was asked twice."""
    runs = {q: (*answers, *again.get(q, ())) for q, answers in theirs.items()}
    twice = [q for q, answers in runs.items() if len(answers) > 1 and ours.get(q)]
    return (excess_flips([runs[q] for q in twice], [ours[q] for q in twice]), len(twice)) if twice else None


def _with_outlook(
    comparison: Comparison, course: Course, found: Evidence, alpha: float, paces: Sequence[Pace | None]
) -> Comparison:
    """Add how much of an answer so many questions can be, and how many more would tell."""
    margin, n = comparison.margin, found.n
    looked_for = max(margin, abs(found.difference)) if comparison.verdict == "cannot tell" else margin
    # Of Holm's levels the strictest, so that the answer holds whatever the other comparisons show.
    alpha /= comparison.family
    # One answer each: a difference of the margin takes that many flips at least, even where fewer were seen.
    spread = max(found.spread, looked_for if found.table else looked_for**2)
    comparison = replace(comparison, resolution=n / questions_to_see(margin, max(spread, margin), alpha=alpha))
    if comparison.verdict != "cannot tell":
        early = comparison.mode != "fixed" and comparison.planned is not None and comparison.put < comparison.planned
        return replace(comparison, stopped=early)
    needed = questions_to_see(looked_for, spread, alpha=alpha)
    if needed <= n:
        # The margin could have been seen already. What is left to see is how far the difference lies from nought or
        # from the margin, whichever is farther.
        looked_for = max(abs(found.difference), margin - abs(found.difference))
        needed = max(n + 1, questions_to_see(looked_for, spread, alpha=alpha))
    known = [pace for pace in paces if pace is not None]
    time = hours(needed - n, known, repeats=course.samples[-1].answers) if len(known) == len(paces) else None
    return replace(comparison, questions_needed=needed, sought=looked_for, hours_needed=time)
