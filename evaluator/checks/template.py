"""Whether all variants are shown the same prompt: chat template and tokenizer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from evaluator.checks.rule import CheckInput, Finding, Rule, Severity

_MARKUP = "markup"
"""The one of the counted texts that looks like chat markup, which servers tokenize differently."""


def template(given: CheckInput) -> Iterable[Finding]:
    """Compare the hashes of the chat templates."""
    known = {name: fact.chat_template_sha256 for name, fact in given.facts.items() if fact.chat_template_sha256}
    if len(set(known.values())) > 1 and not any(template_tokens(given)):
        message = "the variants use different chat templates: " + ", ".join(f"{n} {h[:8]}" for n, h in known.items())
        yield Finding(severity="warn", message=message, evidence={"sha256": known})


def template_tokens(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose prompts are all longer or shorter by the same number of tokens: another template."""
    for name, reference, shifts in _shifts(given):
        plain = set(_plain(shifts).values())
        if len(plain) == 1 and 0 not in plain:
            shift = plain.pop()
            more = "more" if shift > 0 else "fewer"
            message = f"each prompt has {_tokens(abs(shift))} {more} than with {reference}: another chat template"
            severity: Severity = "warn" if abs(shift) == 1 and _other_runtime(given, name, reference) else "block"
            evidence = {"reference": reference, "shift": shift}
            yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def tokenizer(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose prompts differ by a number of tokens that varies with the text: another tokenizer."""
    for name, reference, shifts in _shifts(given):
        if len(set(_plain(shifts).values())) > 1:
            listing = ", ".join(f"{text} {shift:+d}" for text, shift in shifts.items())
            message = (
                f"the same texts have other numbers of tokens than with {reference} ({listing}): another tokenizer"
            )
            evidence = {"reference": reference, "shifts": shifts}
            yield Finding(severity="block", variant=name, message=message, evidence=evidence)


def markup(given: CheckInput) -> Iterable[Finding]:
    """Find servers that read chat markup inside a question as markup where others read text."""
    for name, reference, shifts in _shifts(given):
        plain = set(_plain(shifts).values())
        if _MARKUP in shifts and len(plain) == 1 and shifts[_MARKUP] not in plain:
            shift = shifts[_MARKUP] - plain.pop()
            more = "more" if shift > 0 else "fewer"
            message = f"a text that looks like chat markup has {_tokens(abs(shift))} {more} than with {reference}"
            yield Finding(severity="note", variant=name, message=message, evidence={"shifts": shifts})


def _shifts(given: CheckInput) -> Iterable[tuple[str, str, dict[str, int]]]:
    """Yield variant, reference (the first of the same thinking setting), and how many tokens each text differs by."""
    groups: dict[bool | None, list[str]] = defaultdict(list)
    for variant in sorted(given.study.variants, key=lambda variant: variant.name != given.study.baseline):
        if variant.name in given.proofs and given.proofs[variant.name].tokens:
            groups[variant.thinking].append(variant.name)
    for reference, *others in groups.values():
        counted = given.proofs[reference].tokens
        for name in others:
            theirs = given.proofs[name].tokens
            yield name, reference, {text: theirs[text] - counted[text] for text in counted if text in theirs}


def _plain(shifts: Mapping[str, int]) -> dict[str, int]:
    return {text: shift for text, shift in shifts.items() if text != _MARKUP}


def _other_runtime(given: CheckInput, name: str, reference: str) -> bool:
    """Return whether runtimes differ: not every one counts the beginning-of-text token."""
    facts = given.facts.get(name), given.facts.get(reference)
    return None not in facts and len({fact.runtime for fact in facts if fact}) > 1


def _tokens(count: int) -> str:
    return "one token" if count == 1 else f"{count} tokens"


RULES = (
    Rule(
        code="template",
        stage="before",
        severity="warn",
        threat="The variants get different prompts, as by an outdated or a fixed chat template.",
        signal="sha256 of the chat templates that the servers report.",
        advice="Give all variants the same chat template, as with --chat-template-file in args.",
        find=template,
    ),
    Rule(
        code="template_tokens",
        stage="before",
        severity="block; warn for one token between runtimes",
        threat="The variants get different prompts, whatever the servers report about their templates.",
        signal="Fixed texts as prompts: all have the same number of tokens more, or fewer, than with the baseline.",
        advice="Give all variants the same chat template, as with --chat-template-file in args.",
        find=template_tokens,
    ),
    Rule(
        code="tokenizer",
        stage="before",
        severity="block",
        threat="The variants read the same text as different tokens: another or a broken tokenizer, or another model.",
        signal="Fixed texts as prompts: numbers of tokens differ by an amount that varies from text to text.",
        advice="Use builds of the same model, converted with the same tokenizer.",
        find=tokenizer,
    ),
    Rule(
        code="markup",
        stage="before",
        severity="note",
        threat="Text that looks like chat markup is read as markup by one server and as text by another.",
        signal="The number of tokens of a text with chat markup, where all other texts differ alike.",
        advice="It matters only for questions that contain chat markup, which hardly any here do.",
        find=markup,
    ),
)
