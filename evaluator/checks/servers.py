"""Servers that do not start or were lost, and what else the machine did beside them."""

from collections.abc import Iterable

from evaluator.checks.observed import replies_of
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity


def no_server(given: CheckInput) -> Iterable[Finding]:
    """Find variants without a server; one that has answered before it was lost is judged by what is missing."""
    for name, why in given.problems.items():
        severity: Severity = "warn" if replies_of(given, name) else "block"
        yield Finding(severity=severity, variant=name, message=why.partition("\n")[0].rstrip("."))


def busy_machine(given: CheckInput) -> Iterable[Finding]:
    """Find questions that were asked while the machine was busy with something else."""
    for sentence in given.busy:
        yield Finding(severity="note", message=sentence)


RULES = (
    Rule(
        code="no_server",
        stage="before",
        severity="block; warn where a run has its answers",
        threat="A variant whose server does not start has no answers, and the others may be asked for hours in vain.",
        signal="Every server is started once before the first question; in the run, servers that are lost.",
        advice="Mend that, or take the variant out of the study.",
        in_eval="Start it again and run the same command: it asks what has no answer yet.",
        find=no_server,
    ),
    Rule(
        code="busy_machine",
        stage="after",
        severity="note",
        threat="Tokens per second and times show what else the machine did, not what the build can do.",
        signal="Load above the number of processors, or 1 GiB swapped out, when the questions began.",
        advice="Close other programs before speeds matter; scores are not touched.",
        find=busy_machine,
    ),
)
