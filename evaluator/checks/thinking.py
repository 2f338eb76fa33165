"""Whether each variant thinks as the study says, and whether its thoughts are kept apart from its answers."""

from collections.abc import Iterable

from evaluator.checks.observed import ALMOST_ALL, answers, share_that_thinks, thinks
from evaluator.checks.rule import CheckInput, Found, Rule

_APART = ALMOST_ALL / 2
"""Between one variant and another: more than models of one family differ in what they think about."""


def thinking_off(given: CheckInput) -> Iterable[Found]:
    """Find variants that are to think and do not."""
    for name, part in _declared(given, thinking=True):
        if part < ALMOST_ALL:
            tried = not answers(given, name)
            what = (
                f"a first question brought none{_why(given, name)}"
                if tried
                else f"only {part:.0%} of the replies hold any"
            )
            message = f"thinking is declared on, but {what}"
            yield Found(severity="block", variant=name, message=message, evidence={"share": part})


def thinking_on(given: CheckInput) -> Iterable[Found]:
    """Find variants that are not to think and do."""
    for name, part in _declared(given, thinking=False):
        if part > 1 - ALMOST_ALL:
            tried = not answers(given, name)
            what = (
                f"a first question brought some{_why(given, name)}" if tried else f"{part:.0%} of the replies hold some"
            )
            message = f"thinking is declared off, but {what}"
            yield Found(severity="block", variant=name, message=message, evidence={"share": part})


def thinking_differs(given: CheckInput) -> Iterable[Found]:
    """Find that some variants think and others do not, where the study is silent."""
    shares = {v.name: part for v in given.study.variants if (part := thinks(given, v.name)) is not None}
    silent = any(variant.thinking is None for variant in given.study.variants)
    if silent and shares and max(shares.values()) - min(shares.values()) > _APART:
        told = ", ".join(f"{name} {part:.0%}" for name, part in shares.items())
        message = f"some variants think and others do not (replies with thoughts: {told})"
        yield Found(severity="warn", message=message, evidence={"shares": shares})


def thinking_switch(given: CheckInput) -> Iterable[Found]:
    """Find a switch that does nothing, where no reply shows whether the model thinks."""
    for variant in given.study.variants:
        if variant.thinking is not None and thinks(given, variant.name) is None and _is_deaf(given, variant.name):
            set_to = "on" if variant.thinking else "off"
            message = f"thinking is declared {set_to}, but the switch for it does not change the prompt"
            yield Found(severity="warn", variant=variant.name, message=message)


def thinking_share(given: CheckInput) -> Iterable[Found]:
    """Find variants that think about some questions and not about others, where the study is silent."""
    for variant in given.study.variants:
        part = share_that_thinks(answers(given, variant.name)) if variant.thinking is None else None
        if part is not None and 1 - ALMOST_ALL < part < ALMOST_ALL:
            message = f"{part:.0%} of the replies hold thoughts, and the others none"
            yield Found(severity="note", variant=variant.name, message=message, evidence={"share": part})


def unseparated(given: CheckInput) -> Iterable[Found]:
    """Find servers that leave thoughts, or marks of the template, in the text."""
    for name, proofs in given.proofs.items():
        thought = proofs.thought
        if thought is None or not (thought.tags or (thought.reasoned and not thought.separated)):
            continue
        told = f" ({' '.join(thought.tags)})" if thought.tags else ""
        what = (
            "thoughts stand"
            if thought.reasoned and not thought.separated
            else "marks of thinking or of the chat template stand"
        )
        message = f"{what} in the text of a first reply{told}, not in a field of their own"
        yield Found(severity="warn", variant=name, message=message, evidence={"tags": list(thought.tags)})


def _declared(given: CheckInput, *, thinking: bool) -> Iterable[tuple[str, float]]:
    """Give the variants that declare this, with the share of replies that hold thoughts."""
    for variant in given.study.variants:
        if variant.thinking is thinking and (part := thinks(given, variant.name)) is not None:
            yield variant.name, part


def _is_deaf(given: CheckInput, variant: str) -> bool:
    facts, proofs = given.facts.get(variant), given.proofs.get(variant)
    counted = proofs.thinking_tokens if proofs else {}
    if "on" in counted and "off" in counted:
        return counted["on"] == counted["off"]
    return facts is not None and facts.thinking_heard is False


def _why(given: CheckInput, variant: str) -> str:
    return ", and the switch for it does not change the prompt" if _is_deaf(given, variant) else ""


RULES = (
    Rule(
        code="thinking_off",
        stage="before",
        severity="block",
        threat="The model does not think though it is to.",
        signal="A first question, then the share of replies with thoughts: under 95 %.",
        advice="Switch it on in the way that this server heeds (runtime, args), or declare it off for all variants.",
        find=thinking_off,
    ),
    Rule(
        code="thinking_on",
        stage="before",
        severity="block",
        threat="The model thinks though it is not to.",
        signal="A first question, then the share of replies with thoughts: over 5 %.",
        advice="Switch it off in the way that this server heeds (runtime, args), or declare it on for all variants.",
        find=thinking_on,
    ),
    Rule(
        code="thinking_differs",
        stage="before",
        severity="warn",
        threat="One variant thinks, another does not, and nobody said so.",
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
        advice="Look at a few replies in the records before you believe that thinking is as declared.",
        find=thinking_switch,
    ),
    Rule(
        code="thinking_share",
        stage="after",
        severity="note",
        threat="The model decides from question to question whether it thinks.",
        signal="5 to 95 % of the replies hold thoughts, where thinking is not declared.",
        advice="Declare thinking on or off if that is not what you meant to compare.",
        find=thinking_share,
    ),
    Rule(
        code="unseparated",
        stage="before",
        severity="warn",
        threat="Thoughts stand in the answer, and may be graded as one.",
        signal="Marks of thinking or of the chat template in the text of a first reply.",
        advice="Start the server with its parser for thinking; whichquant takes out what it knows as thinking.",
        find=unseparated,
    ),
)
