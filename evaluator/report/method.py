"""How the numbers of a report were made, in words."""

from collections.abc import Iterator

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.evidence import LOOK_EVERY
from evaluator.decide.stopping import LOOKS
from evaluator.report import phrases
from evaluator.study.study import Mode

INTERVALS: dict[Mode, str] = {
    "fixed": "interval",
    "sequential": "confidence sequence",
    "group_sequential": "repeated confidence interval",
}
P_VALUES: dict[Mode, str] = {"fixed": "p", "sequential": "anytime p", "group_sequential": "repeated p"}


def method(report: Report) -> str:
    """Say how the numbers were made, for the way in which this study is decided."""
    return " ".join(_accuracy(report) if phrases.alone(report) else (*_accuracy(report), *_comparing(report)))


def saved(report: Report) -> str:
    """Say what stopping early saved; empty where it is no question."""
    if report.saved is None:
        return ""
    if report.saved.questions == 0:
        return "Stopping early saved no question."
    return f"Stopping early saved {report.saved.questions:,} of {report.saved.of:,} questions."


def _accuracy(report: Report) -> Iterator[str]:
    repeats = [settings.repeats for settings in report.plan.study.benchmarks.chosen().values()]
    if not phrases.alone(report):
        yield "Every variant got the same questions in the same order."
    yield "Accuracy is strict: a reply without a readable answer counts as wrong."
    if min(repeats) == 1:
        several = "With one answer a question, accuracy has" if max(repeats) > 1 else "It has"
        yield f"{several} Wilson's interval."
    if max(repeats) > 1:
        yield (
            "With several answers a question, questions are averaged first; intervals are those of a mean"
            " (Miller 2024)."
        )


def _comparing(report: Report) -> Iterator[str]:
    study = report.plan.study
    mode, alpha = study.decide.mode, study.decide.alpha
    yield from {"fixed": _fixed, "sequential": _sequential, "group_sequential": _group_sequential}[mode](report)
    one_sided = wording.level(1 - 2 * alpha)
    yield (
        "Equivalence is tested against the margin set in the study (two one-sided tests); it is shown where the"
        f" {one_sided} {INTERVALS[mode]} of the difference lies within the margin, so that is the one that an"
        " equivalence is told with."
    )
    family = max((comparison.family for comparison in report.comparisons), default=0)
    if family > 1:
        yield (
            f"Both tests are corrected by Holm for {family} comparisons; whether a difference is beyond or within the"
            f" margin is judged by {_an(INTERVALS[mode])} widened for that number."
        )
    if mode != "fixed" and any(comparison.stopped for comparison in report.comparisons):
        yield (
            "Differences that ended a comparison early are estimated a little too large: it ended when they looked"
            " large. Intervals of accuracies and of shares of questions take no account of it."
        )


def _fixed(report: Report) -> Iterator[str]:
    yield from _tests(report, "Differences are tested once, after all questions:", "their intervals are")


def _sequential(report: Report) -> Iterator[str]:
    yield (
        f"Decided sequentially: it was looked at after every {LOOK_EVERY} questions, and what was decided was asked no"
        " further. p values are anytime p values, 1/e with the largest e-value so far; intervals of differences are"
        " confidence sequences. Both hold however often one looks and whenever one stops, and are wider than those of a"
        " fixed number of questions."
    )
    if any(settings.repeats == 1 for settings in report.plan.study.benchmarks.chosen().values()):
        yield "With one answer a question, the e-value against no difference is 2^m B(b+1, c+1) of the b + c = m flips."


def _group_sequential(report: Report) -> Iterator[str]:
    looks = report.plan.study.decide.looks
    yield (
        f"Decided at up to {looks if isinstance(looks, int) else LOOKS} planned looks, by O'Brien and Fleming's bounds"
        " (alpha spent after Lan and DeMets). p values are repeated p values and intervals of differences repeated"
        " confidence intervals: both hold at every planned look; what is given is of the last one reached."
    )
    yield from _tests(report, "At each look differences are tested", "intervals are made from")


def _tests(report: Report, begin: str, intervals: str) -> Iterator[str]:
    repeats = [settings.repeats for settings in report.plan.study.benchmarks.chosen().values()]
    if min(repeats) == 1:
        yield f"{begin} on the paired answers (McNemar, mid-p), and {intervals} Tango's."
    if max(repeats) > 1:
        of = f"{begin} by flipping signs" if min(repeats) > 1 else "Where there are several, signs are flipped"
        yield f"{of}, and {intervals} those of the mean difference, one question won and one lost added."


def _an(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
