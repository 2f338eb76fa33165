"""Whether each variant thinks as the study says, and whether its thoughts are kept apart from its answers."""

from collections.abc import Iterable

from evaluator.checks.observed import ALMOST_ALL, replies_of, share_that_thinks, thinks
from evaluator.checks.rule import CheckInput, Finding, Rule

_APART = ALMOST_ALL / 2
"""Difference of shares between variants; models of one family differ by less."""


def thinking_off(given: CheckInput) -> Iterable[Finding]:
    """Find variants that should think and do not."""
    for name, part in _declared(given, thinking=True):
        if part < ALMOST_ALL:
            tried = not replies_of(given, name)
            what = (
                f"a first reply had no thoughts{_why(given, name)}"
                if tried
                else f"only {part:.0%} of the replies have thoughts"
            )
            message = f"thinking is declared on, but {what}"
            yield Finding(severity="block", variant=name, message=message, evidence={"share": part})


def thinking_on(given: CheckInput) -> Iterable[Finding]:
    """Find variants that should not think and do."""
    for name, part in _declared(given, thinking=False):
        if part > 1 - ALMOST_ALL:
            tried = not replies_of(given, name)
            what = (
                f"a first reply had thoughts{_why(given, name)}"
                if tried
                else f"{part:.0%} of the replies have thoughts"
            )
            message = f"thinking is declared off, but {what}"
            yield Finding(severity="block", variant=name, message=message, evidence={"share": part})


def thinking_differs(given: CheckInput) -> Iterable[Finding]:
    """Find that some variants think and others do not, where the study does not declare it."""
    shares = {v.name: part for v in given.study.variants if (part := thinks(given, v.name)) is not None}
    undeclared = any(variant.thinking is None for variant in given.study.variants)
    if undeclared and shares and max(shares.values()) - min(shares.values()) > _APART:
        listing = ", ".join(f"{name} {part:.0%}" for name, part in shares.items())
        message = f"some variants think and others do not (replies with thoughts: {listing})"
        yield Finding(severity="warn", message=message, evidence={"shares": shares})


def thinking_switch(given: CheckInput) -> Iterable[Finding]:
    """Find a switch without effect, where no reply shows whether the model thinks."""
    for variant in given.study.variants:
        if (
            variant.thinking is not None
            and thinks(given, variant.name) is None
            and _ignores_switch(given, variant.name)
        ):
            set_to = "on" if variant.thinking else "off"
            message = f"thinking is declared {set_to}, but the switch for it does not change the prompt"
            yield Finding(severity="warn", variant=variant.name, message=message)


def thinking_share(given: CheckInput) -> Iterable[Finding]:
    """Find variants that think about some questions only, where the study does not declare it."""
    for variant in given.study.variants:
        part = share_that_thinks(replies_of(given, variant.name)) if variant.thinking is None else None
        if part is not None and 1 - ALMOST_ALL < part < ALMOST_ALL:
            message = f"{part:.0%} of the replies have thoughts, and the others none"
            yield Finding(severity="note", variant=variant.name, message=message, evidence={"share": part})


def unseparated(given: CheckInput) -> Iterable[Finding]:
    """Find servers that leave thoughts, thinking tags or chat markup in the text."""
    for name, proofs in given.proofs.items():
        thought = proofs.thought
        if thought is None or not (thought.tags or (thought.reasoned and not thought.separated)):
            continue
        tags = f" ({' '.join(thought.tags)})" if thought.tags else ""
        what = "thoughts are" if thought.reasoned and not thought.separated else "thinking tags or chat markup are"
        message = f"{what} in the text of a first reply{tags}, not in a field of their own"
        yield Finding(severity="warn", variant=name, message=message, evidence={"tags": list(thought.tags)})


def _declared(given: CheckInput, *, thinking: bool) -> Iterable[tuple[str, float]]:
    """Yield the variants that declare this, with the share of replies that hold thoughts."""
    for variant in given.study.variants:
        if variant.thinking is thinking and (part := thinks(given, variant.name)) is not None:
            yield variant.name, part


def _ignores_switch(given: CheckInput, variant: str) -> bool:
    facts, proofs = given.facts.get(variant), given.proofs.get(variant)
    counted = proofs.thinking_tokens if proofs else {}
    if "on" in counted and "off" in counted:
        return counted["on"] == counted["off"]
    return facts is not None and facts.thinking_heard is False


def _why(given: CheckInput, variant: str) -> str:
    return ", and the switch for it does not change the prompt" if _ignores_switch(given, variant) else ""


RULES = (
    Rule(
        code="thinking_off",
        stage="before",
        severity="block",
        threat="The model does not think though it should.",
        signal="A first question, then the share of replies with thoughts: under 95 %.",
        advice="Switch it on in the way that this server accepts (runtime, args), or declare it off for all variants.",
        in_eval="Switch it on where the server is started, or leave --thinking out.",
        find=thinking_off,
    ),
    Rule(
        code="thinking_on",
        stage="before",
        severity="block",
        threat="The model thinks though it should not.",
        signal="A first question, then the share of replies with thoughts: over 5 %.",
        advice="Switch it off in the way that this server accepts (runtime, args), or declare it on for all variants.",
        in_eval="Switch it off where the server is started, or give --thinking on.",
        find=thinking_on,
    ),
    Rule(
        code="thinking_differs",
        stage="before",
        severity="warn",
        threat="One variant thinks, another does not, and the study does not say so.",
        signal="Shares of replies with thoughts, more than 47.5 points apart, where thinking is not declared.",
        advice="Set thinking for each variant.",
        find=thinking_differs,
    ),
    Rule(
        code="thinking_switch",
        stage="before",
        severity="warn",
        threat="The switch for thinking is ignored.",
        signal="As many prompt tokens with thinking on as off, or the same prompt, and no reply that would show it.",
        advice="Read a few (whichquant show RUN --thinking) before you believe that thinking is as declared.",
        find=thinking_switch,
    ),
    Rule(
        code="thinking_share",
        stage="after",
        severity="note",
        threat="The model decides from question to question whether it thinks.",
        signal="5 to 95 % of the replies hold thoughts, where thinking is not declared.",
        advice="Declare thinking on or off if that is not what you meant to compare.",
        in_eval="Give --thinking on or off if that is not what you meant to evaluate.",
        find=thinking_share,
    ),
    Rule(
        code="unseparated",
        stage="before",
        severity="warn",
        threat="Thoughts are part of the answer's text, and may be graded as the answer.",
        signal="Thoughts, thinking tags or chat markup in the text of a first reply.",
        advice="Start the server with its parser for thinking; whichquant removes the thinking that it recognizes.",
        find=unseparated,
    ),
)
