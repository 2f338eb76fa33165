"""Whether answers are judged by the rules that were set before the first of them."""

from collections.abc import Iterable

from evaluator.checks.rule import CheckInput, Finding, Rule


def changed(given: CheckInput) -> Iterable[Finding]:
    """Report every change of the rules after the first answers."""
    for sentence in given.changes:
        yield Finding(severity="warn", message=f"after the first answers, {sentence}")


def extended(given: CheckInput) -> Iterable[Finding]:
    """Report that questions were added after a fixed-sample report."""
    if given.extended and len(given.study.variants) > 1:
        message = (
            "questions were added after a report: differences are judged by statistics that allow for looking again"
        )
        yield Finding(severity="note", message=message)


RULES = (
    Rule(
        code="rule_changed",
        stage="after",
        severity="warn",
        threat="The margin, alpha, the baseline or the variants are chosen so that a verdict comes out.",
        signal="plan.json records what they were when there were answers already.",
        advice="Put it back, or read the verdict as less than it claims: the choice was made with the answers at hand.",
        find=changed,
    ),
    Rule(
        code="extended",
        stage="after",
        severity="note",
        threat="A fixed-sample test is repeated with more questions until it rejects.",
        signal="A study with mode fixed got more questions or answers after its report.",
        advice="Set decide: {mode: sequential} for a study that may grow.",
        find=extended,
    ),
)
