"""Bare counts in words: a sentence for each comparison, and remarks on all of them together."""

from collections.abc import Iterator
from itertools import groupby

from evaluator.benchmarks import BENCHMARKS
from evaluator.counts.file import Counts
from evaluator.counts.verdict import CountsComparison
from evaluator.decide.sentences import interval_kind, labelled_interval, opening
from evaluator.decide.wording import (
    IntervalKind,
    in_points,
    listed,
    name,
    p_equals,
    p_range,
    points_apart,
    points_rounded_up,
    text_range,
    two_digits,
)
from evaluator.stats.proportions import Interval

WEAKER = (
    "Counts are weaker than answers. Where two variants got the same questions, what tells them apart is the questions"
    " that only one of them solved; counts add those to the many that both solved or neither, and the pairing is lost."
    " So these tests treat the two as if each had got questions of its own, and need several times as many to see the"
    " same difference. What pairing could have shown is given as a range over every paired table with these counts."
)
ONE_TEST = (
    "The z test and chi-squared are one test: chi-squared is z squared, and their p values are the same. That both"
    " agree adds nothing."
)


def sentence(c: CountsComparison, alpha: float) -> str:
    """Say what a comparison shows."""
    scored = points_apart(c.difference)
    if c.verdict in ("equivalent", "cannot tell"):
        scored = f"{c.variant} scored {scored}" if c.difference else "both scored the same"
    counts = f"{c.count} against {c.baseline_count}"
    numbers = f"{labelled_interval(*_interval(c))}; {counts}; {_p(c, alpha)}"
    first = opening(c.verdict, c.variant, c.baseline, name(c.benchmark), c.margin)
    return " ".join([f"{first}: {scored} ({numbers}).", *filter(None, [_allowed_for(c, alpha), _outlook(c)])])


def _interval(c: CountsComparison) -> tuple[Interval, IntervalKind]:
    """Return the interval that the verdict rests on, and what it is."""
    kind = interval_kind(c.verdict, c.family)
    together = Interval(c.family_interval.low, c.family_interval.high, c.interval.level)
    return {"alone": c.interval, "for equivalence": c.equivalence_interval, "simultaneous": together}[kind], kind


def pairing(c: CountsComparison, alpha: float) -> str:
    """Say what a paired test could have shown; empty where the variants were asked different numbers of questions."""
    if c.paired is None:
        return ""
    possible, few, many = c.paired.range, c.paired.range.fewest.flips, c.paired.range.most.flips
    flips = text_range(str(few), str(many))
    differed = f"If both got the same {c.count.total:,} questions, they disagreed on {flips} of them"
    p = f"McNemar's mid-p is {p_range(possible.midp_low, possible.midp_high)}"
    corrected = p_range(c.paired.midp_low_holm, c.paired.midp_high_holm)
    numbers = f"{differed}, and {p}" + (f" (corrected {corrected})" if c.family > 1 else "")
    if not possible.could_reach(alpha):
        return f"{numbers}: no paired table with these counts shows a difference."
    if c.paired.midp_low_holm > alpha:
        return f"{numbers}: none stands once the {c.family} comparisons are allowed for."
    if c.paired.midp_high_holm <= alpha:
        return f"{numbers}: every paired table with these counts shows a difference."
    return f"{numbers}: whether the difference stands depends on which questions each solved, and that is lost."


def remarks(counts: Counts, comparisons: tuple[CountsComparison, ...]) -> tuple[str, ...]:
    """Say what concerns several comparisons: verdicts, differences lost by the correction, and equal counts."""
    verdicts = [c.verdict for c in comparisons]
    tally = [f"{verdicts.count(verdict)} of {len(verdicts)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    return (f"Verdicts: {'; '.join(tally)}.", *_lost(counts, comparisons), *_same(counts), *_edge(counts))


def method(counts: Counts, family: int) -> str:
    """Say how the numbers were made."""
    compared = "Every pair of variants is compared" if counts.baseline is None else f"Compared with {counts.baseline}"
    parts = [
        f"{compared}. Accuracy has Wilson's interval, a difference those of Miettinen and Nurminen and of Newcombe.",
        "The verdict rests on Boschloo's test, chosen beforehand because it is exact; the others are shown beside it.",
        "Equivalence is tested against the margin (two one-sided score tests).",
    ]
    if family > 1:
        parts.append(
            f"All p values are corrected by Holm for {family} comparisons; whether a difference is beyond or within the"
            ' margin is judged by an interval that holds for all of them together ("simultaneous").'
        )
    return " ".join(parts)


def _lost(counts: Counts, comparisons: tuple[CountsComparison, ...]) -> Iterator[str]:
    """Name each difference that is significant taken alone, and not after the correction."""
    for c in comparisons:
        if c.p <= counts.alpha < c.p_holm:
            names = (c.variant, c.baseline) if c.difference < 0 else (c.baseline, c.variant)
            worse, better = names
            by_variant = next(benchmark.counts for benchmark in counts.benchmarks if benchmark.name == c.benchmark)
            same = [other for other in by_variant if other not in names and by_variant[other] == by_variant[worse]]
            claim = f'"{worse} is worse than {better} on {name(c.benchmark)}"'
            after = f" And whatever holds against {worse} holds against {listed(same)}: the same count." if same else ""
            made = f"{claim} does not survive the {c.family} comparisons made"
            yield f"{made}: p {p_equals(c.p)} taken alone, corrected p {p_equals(c.p_holm)}.{after}"


def _same(counts: Counts) -> Iterator[str]:
    """Name the variants with the same count: conclusions about one hold for the other."""
    for benchmark in counts.benchmarks:
        ranked = sorted(benchmark.counts, key=lambda v: (benchmark.counts[v].correct, benchmark.counts[v].total))
        for count, variants in groupby(ranked, key=benchmark.counts.__getitem__):
            group = list(variants)
            others = [variant for variant in benchmark.counts if variant not in group]
            if len(group) > 1:
                same = f"{listed(group)} have the same count on {name(benchmark.name)}, {count}"
                holds = f": what is said of one against {listed(others, 'or')} holds for the other" if others else ""
                yield f"{same}{holds}{'s' if holds and len(group) > 2 else ''}."


def _edge(counts: Counts) -> Iterator[str]:
    """Say where a benchmark can show nothing because every variant solved all of it, or none."""
    for benchmark in counts.benchmarks:
        for share, solved in ((1, "all"), (0, "none")):
            if all(count.correct == share * count.total for count in benchmark.counts.values()):
                where, hard = name(benchmark.name), "easy" if share else "hard"
                yield f"Every variant solved {solved} of {where}: it may be too {hard} to tell them apart."


def _p(c: CountsComparison, alpha: float) -> str:
    """Write the p value that the verdict rests on; the uncorrected one where only the correction made it too large."""
    if c.verdict == "cannot tell" and c.p <= alpha:
        return f"p {p_equals(c.p)} taken alone"
    corrected = "corrected " if c.family > 1 else ""
    if c.verdict == "equivalent":
        return f"{corrected}p {p_equals(c.equivalence_p_holm)} against a larger difference"
    return f"{corrected}p {p_equals(c.p_holm)}"


def _allowed_for(c: CountsComparison, alpha: float) -> str:
    if c.verdict != "cannot tell":
        return ""
    if c.p <= alpha:
        allowed = f"After allowing for the {c.family} comparisons made, this is not firm evidence"
        return f"{allowed} (corrected p {p_equals(c.p_holm)})."
    if c.equivalence_p <= alpha:
        p = p_equals(c.equivalence_p)
        alone = f"Taken alone they would count as equivalent within {in_points(c.margin)} (p {p})"
        allowed = f"after allowing for the {c.family} comparisons made, they do not"
        return f"{alone}; {allowed} (corrected p {p_equals(c.equivalence_p_holm)})."
    return ""


def _outlook(c: CountsComparison) -> str:
    """Say how many questions would be needed."""
    if c.questions_unpaired is None or c.questions_paired is None:
        return ""
    asked = min(c.count.total, c.baseline_count.total)
    few = two_digits(c.questions_paired[0], 0)
    needed = f"From counts alone about {two_digits(c.questions_unpaired, asked):,} questions to each would tell"
    has = ""
    if c.benchmark in BENCHMARKS and c.questions_unpaired > BENCHMARKS[c.benchmark].total:
        has = f"; {name(c.benchmark)} has {BENCHMARKS[c.benchmark].total:,}"
    with_answers = ""
    if few < c.questions_unpaired:
        with_answers = f", with the same questions and the answers kept as few as {few:,}, if they seldom disagree"
    alone = ""
    if c.supported_margin < 0.25:
        alone = f" What these counts alone do show is equivalence within {points_rounded_up(c.supported_margin)}."
    return f"{needed}{with_answers}{has}.{alone}"
