"""What the preflight showed: prompts sent at once, probes that failed, variants that were never probed."""

from collections.abc import Iterable

from evaluator.checks.observed import share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.wording import listed

_CHANGED = 0.25
"""Share of greedy answers that change when prompts are sent together; batched arithmetic always changes some."""


def mixed(given: CheckInput) -> Iterable[Finding]:
    """Find servers that give one question the answer to another."""
    for name, proofs in given.proofs.items():
        if proofs.together and proofs.together.mixed:
            together = proofs.together
            message = f"of {together.prompts} prompts at once, {together.mixed} got the answer to another one"
            evidence = {"prompts": together.prompts, "mixed": together.mixed}
            yield Finding(severity="block", variant=name, message=message, evidence=evidence)


def batch_noise(given: CheckInput) -> Iterable[Finding]:
    """Find greedy answers that change when several questions are asked at once."""
    for name, proofs in given.proofs.items():
        together = proofs.together
        if together is None or together.changed <= together.mixed or given.study.concurrency == 1:
            continue
        rate = together.changed / together.prompts
        message = (
            f"{together.changed} of {together.prompts} greedy answers ({share(rate)}) change"
            " when the prompts are sent all at once"
        )
        evidence = {"prompts": together.prompts, "changed": together.changed}
        greedy = given.study.sampling.temperature == 0
        severity: Severity = "warn" if rate > _CHANGED and greedy else "note"
        yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def untried(given: CheckInput) -> Iterable[Finding]:
    """Repeat which probes failed; a warning where the server answered none."""
    for name, proofs in given.proofs.items():
        for sentence in proofs.failures:
            yield Finding(severity="note" if proofs.thought else "warn", variant=name, message=sentence)


def unchecked(given: CheckInput) -> Iterable[Finding]:
    """Name the variants that ran without a preflight."""
    asked = [variant.name for variant in given.study.variants if given.records.get(variant.name)]
    names = [name for name in asked if given.unchecked or name not in given.proofs]
    if names:
        message = f"the questions were asked without a preflight: {listed(names)}"
        yield Finding(severity="note", message=message, evidence={"variants": names})


def forced(given: CheckInput) -> Iterable[Finding]:
    """Find runs that were forced although a preflight check blocks the comparison."""
    if given.forced:
        yield Finding(
            severity="note",
            message="the questions were asked although a preflight check blocks the comparison (--force)",
        )


RULES = (
    Rule(
        code="mixed",
        stage="before",
        severity="block",
        threat="The server mixes up questions that it works on at the same time.",
        signal="Prompts that each hold a word of their own, sent at once: an answer with another prompt's word.",
        advice="Set concurrency to 1, and report the bug to the makers of the server.",
        find=mixed,
    ),
    Rule(
        code="batch_noise",
        stage="before",
        severity="note; warn above 25 % in a study at temperature 0",
        threat="Greedy answers depend on what else is asked, which looks like a difference between variants.",
        signal="Greedy answers to prompts sent one at a time and all at once.",
        advice="Use the same concurrency for all, and set decide.noise_floor to see how much it matters.",
        find=batch_noise,
    ),
    Rule(
        code="untried",
        stage="before",
        severity="note; warn where no question was answered",
        threat="A probe failed, so nothing is known of what it tests.",
        signal="Failed probes of the preflight.",
        advice="Look at the server's log if it matters to you.",
        find=untried,
    ),
    Rule(
        code="unchecked",
        stage="after",
        severity="note",
        threat="It was never tested whether the server does what the study says.",
        signal="No preflight results beside the records, or the preflight was skipped.",
        advice="Run whichquant check on the study while its servers can be started.",
        find=unchecked,
    ),
    Rule(
        code="forced",
        stage="after",
        severity="note",
        threat="A warning was overruled.",
        signal="--force, in the run's plan.",
        advice="Fix what the preflight found, and run again.",
        find=forced,
    ),
)
