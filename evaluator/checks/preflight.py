"""What the trial before the run brought: several questions at once, what could not be tried, what was not."""

from collections.abc import Iterable

from evaluator.checks.observed import listed, share
from evaluator.checks.rule import CheckInput, Found, Rule, Severity

_CHANGED = 0.25
"""Of greedy answers, when asked together: the arithmetic of batches always changes some."""


def mixed(given: CheckInput) -> Iterable[Found]:
    """Find servers that give one question the answer to another."""
    for name, proofs in given.proofs.items():
        if proofs.together and proofs.together.mixed:
            together = proofs.together
            message = f"of {together.prompts} prompts at once, {together.mixed} got the answer to another one"
            evidence = {"prompts": together.prompts, "mixed": together.mixed}
            yield Found(severity="block", variant=name, message=message, evidence=evidence)


def batch_noise(given: CheckInput) -> Iterable[Found]:
    """Find greedy answers that change when several questions are asked at once."""
    for name, proofs in given.proofs.items():
        together = proofs.together
        if together is None or together.changed <= together.mixed or given.study.concurrency == 1:
            continue
        rate = together.changed / together.prompts
        message = (
            f"{together.changed} of {together.prompts} greedy answers ({share(rate)}) change"
            " when the prompts are put all at once"
        )
        evidence = {"prompts": together.prompts, "changed": together.changed}
        greedy = given.study.sampling.temperature == 0
        severity: Severity = "warn" if rate > _CHANGED and greedy else "note"
        yield Found(severity=severity, variant=name, message=message, evidence=evidence)


def untried(given: CheckInput) -> Iterable[Found]:
    """Repeat what could not be tried; that not even one question was answered is more than a note."""
    for name, proofs in given.proofs.items():
        for sentence in proofs.failures:
            yield Found(severity="note" if proofs.thought else "warn", variant=name, message=sentence)


def unchecked(given: CheckInput) -> Iterable[Found]:
    """Name the variants that were asked without having been tried before."""
    asked = [variant.name for variant in given.study.variants if given.records.get(variant.name)]
    names = [name for name in asked if given.unchecked or name not in given.proofs]
    if names:
        message = f"the questions were put without a check before them: {listed(names)}"
        yield Found(severity="note", message=message, evidence={"variants": names})


def forced(given: CheckInput) -> Iterable[Found]:
    """Find runs that went on though a check before them blocks the claim."""
    if given.forced:
        yield Found(
            severity="note", message="the questions were put though a check before them blocks the claim (--force)"
        )


RULES = (
    Rule(
        code="mixed",
        stage="before",
        severity="block",
        threat="The server mixes up questions that it works on at the same time.",
        signal="Prompts with a word of their own, all at once: an answer with another prompt's word.",
        advice="Set concurrency to 1, and report it to the makers of the server.",
        find=mixed,
    ),
    Rule(
        code="batch_noise",
        stage="before",
        severity="note; warn above 25 % in a study at temperature 0",
        threat="Greedy answers depend on what else is asked then, which looks like a difference between variants.",
        signal="Greedy answers to prompts one at a time and all at once.",
        advice="Use the same concurrency for all, and set decide.noise_floor to see how much it matters.",
        find=batch_noise,
    ),
    Rule(
        code="untried",
        stage="before",
        severity="note; warn where no question was answered",
        threat="Something could not be tried, so nothing is known of it.",
        signal="What failed when the server was tried.",
        advice="Look at the server's log if it matters to you.",
        find=untried,
    ),
    Rule(
        code="unchecked",
        stage="after",
        severity="note",
        threat="Nobody tried whether the server does what the study says.",
        signal="No proofs beside the records, or the check was left out.",
        advice="Give whichquant check the study while its servers can be started.",
        find=unchecked,
    ),
    Rule(
        code="forced",
        stage="after",
        severity="note",
        threat="A warning was overruled.",
        signal="--force, in the run's plan.",
        advice="Mend what the check before the run found, and ask again.",
        find=forced,
    ),
)
