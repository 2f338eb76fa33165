"""How the numbers of a report were made, in words."""

from collections.abc import Iterator

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.designs import DESIGNS
from evaluator.report import phrases


def method(report: Report) -> str:
    """Say how the numbers were made, in this study's design."""
    return " ".join(_accuracy(report) if phrases.has_one_variant(report) else (*_accuracy(report), *_comparing(report)))


def saved(report: Report) -> str:
    """Say how many questions stopping early saved; empty where a study does not stop early."""
    if report.saved is None:
        return ""
    if report.saved.questions == 0:
        return "Stopping early saved no question."
    return f"Stopping early saved {report.saved.questions:,} of {report.saved.of:,} questions."


def _accuracy(report: Report) -> Iterator[str]:
    repeats = [settings.repeats for settings in report.plan.study.benchmarks.chosen().values()]
    if not phrases.has_one_variant(report):
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
    design = DESIGNS[study.decide.mode]
    repeats = [settings.repeats for settings in study.benchmarks.chosen().values()]
    yield from design.method(repeats, study.decide.planned_looks)
    if any(comparison.repeated for comparison in report.comparisons):
        yield (
            "Questions whose text stands more than once are taken together, as one cluster: their signs flip together,"
            " intervals are widened by the design effect, and looking on the way counts the first of them only."
        )
    label = wording.interval_label(1 - 2 * study.decide.alpha, "for equivalence", study.decide.mode)
    yield (
        "Equivalence is tested against the margin set in the study (two one-sided tests); it is shown where the"
        f" {wording.level(1 - 2 * study.decide.alpha)} interval of the difference lies within the margin, so an"
        f' equivalence is reported with that one ("{label}").'
    )
    family = max((comparison.family for comparison in report.comparisons), default=0)
    if family > 1:
        together = wording.interval_label(1 - study.decide.alpha, "simultaneous", study.decide.mode)
        yield (
            f"Both tests are corrected by Holm for {family} comparisons; whether a difference is beyond or within the"
            f' margin is judged by a wider interval that holds for all of them together ("{together}").'
        )
    if design.looks_early and any(comparison.stopped for comparison in report.comparisons):
        yield (
            "Differences that ended a comparison early are estimated a little too large: it ended when they looked"
            " large. Intervals of accuracies and of shares of questions are not adjusted for it."
        )
