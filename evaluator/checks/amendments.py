"""Whether answers are judged as was set out before there were any."""

from collections.abc import Iterable

from evaluator.checks.rule import CheckInput, Found, Rule


def changed(given: CheckInput) -> Iterable[Found]:
    """Tell every change of the rules after the first answers."""
    for sentence in given.changes:
        yield Found(severity="warn", message=f"after there were answers, {sentence}")


def extended(given: CheckInput) -> Iterable[Found]:
    """Tell that a fixed number of questions was no fixed number."""
    if given.extended:
        message = "more was asked after a report: differences are judged by statistics that hold whenever one looks"
        yield Found(severity="note", message=message)


RULES = (
    Rule(
        code="rule_changed",
        stage="after",
        severity="warn",
        threat="The margin, alpha, the baseline or the variants are chosen so that a verdict comes out.",
        signal="plan.json remembers what they were when there were answers already.",
        advice="Put it back, or read the verdict as less than it claims: the choice was made with the answers at hand.",
        find=changed,
    ),
    Rule(
        code="extended",
        stage="after",
        severity="note",
        threat="A fixed test is done again and again with more questions until it rejects.",
        signal="A study with mode fixed got more questions or answers after its report.",
        advice="Set decide: {mode: sequential} for a study that may grow.",
        find=extended,
    ),
)
