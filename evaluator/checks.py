"""Would this comparison survive a hostile reader? Pure checks over facts, records and grades."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from evaluator.records import Grade, Record
from evaluator.score import Score
from evaluator.study import Study
from evaluator.thinking import split_thinking
from servers.spec import ServerFacts

Severity = Literal["block", "warn", "note"]


class Check(Struct, frozen=True, kw_only=True):
    """Something a reader must know before believing a number."""

    code: str
    severity: Severity
    variant: str | None = None
    benchmark: str | None = None
    message: str


# Above these shares of the replies a score says more about the set-up than about the model (domain knowledge:
# published runs were off by up to 47 points through thinking that was cut off and counted as wrong).
_CUT_OFF = 0.02
_UNPARSED = 0.01
_LOST = 0.02
_THOUGHT = 0.95


def checks(
    study: Study,
    *,
    facts: Mapping[str, ServerFacts],
    scores: Iterable[Score],
    records: Mapping[str, Iterable[Record]],
    grades: Iterable[Grade],
) -> tuple[Check, ...]:
    """Run every check."""
    found: list[Check] = []
    thinking = {variant.name: variant.thinking for variant in study.variants}
    reasons = {(g.variant, g.key.benchmark): g.why for g in grades if g.outcome == "not_scored"}
    for score in scores:
        found += _of_score(score, reasons, thinking=bool(thinking[score.variant]))
    return (*found, *_thinking(study, records), *_templates_differ(facts))


def _of_score(score: Score, reasons: Mapping[tuple[str, str], str], *, thinking: bool) -> Iterable[Check]:
    here = {"variant": score.variant, "benchmark": score.benchmark}
    count = score.outcomes.get
    asked = sum(score.outcomes.values())
    missing = score.planned - asked
    lost = missing + count("failed", 0)
    if count("not_scored", 0):
        yield Check(code="not_scored", severity="block", **here, message=reasons[score.variant, score.benchmark])
        return
    if lost:
        severity: Severity = "block" if lost > _LOST * score.planned else "warn"
        message = (
            f"{lost} of {score.planned} questions have no reply ({count('failed', 0)} failed, {missing} not put):"
            " they are left out; run the same command again to ask them"
        )
        yield Check(code="no_reply", severity=severity, **here, message=message)
    cut = count("truncated", 0) + count("empty", 0)
    if asked and cut > _CUT_OFF * asked:
        message = (
            f"{cut} of {asked} replies were cut off or empty and count as wrong:"
            " give more max_tokens, or read the bounds instead of the score"
        )
        yield Check(code="cut_off", severity="block" if thinking else "warn", **here, message=message)
    unparsed = count("unparsed", 0)
    if asked and unparsed > _UNPARSED * asked:
        message = f"{unparsed} of {asked} replies hold no answer that can be read without guessing; they count as wrong"
        yield Check(code="unparsed", severity="warn", **here, message=message)


def _thinking(study: Study, records: Mapping[str, Iterable[Record]]) -> Iterable[Check]:
    shares = {name: share for name, by in records.items() if (share := _share_that_thinks(by)) is not None}
    declared = {variant.name: variant.thinking for variant in study.variants}
    for name, share in shares.items():
        if declared[name] is True and share < _THOUGHT:
            message = f"thinking is declared on, but only {share:.0%} of the replies hold any"
            yield Check(code="thinking_off", severity="block", variant=name, message=message)
        if declared[name] is False and share > 1 - _THOUGHT:
            message = f"thinking is declared off, but {share:.0%} of the replies hold some"
            yield Check(code="thinking_on", severity="block", variant=name, message=message)
    if None in declared.values() and shares and max(shares.values()) - min(shares.values()) > _THOUGHT / 2:
        told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        message = (
            f"some variants think and others do not (replies with thoughts: {told}): set thinking for each variant"
        )
        yield Check(code="thinking_differs", severity="warn", message=message)


def _share_that_thinks(records: Iterable[Record]) -> float | None:
    """Give the share of replies that hold thoughts, in a field of their own or between tags."""
    answers = [record.answer for record in records if record.answer]
    if not answers:
        return None
    thoughts = [split_thinking(answer.text, answer.reasoning) for answer in answers]
    return sum(bool(thought.reasoning.strip()) or thought.unclosed for thought in thoughts) / len(answers)


def _templates_differ(facts: Mapping[str, ServerFacts]) -> Iterable[Check]:
    known = {name: fact.chat_template_sha256 for name, fact in facts.items() if fact.chat_template_sha256}
    if len(set(known.values())) > 1:
        message = "the variants use different chat templates: " + ", ".join(f"{n} {h[:8]}" for n, h in known.items())
        yield Check(code="template", severity="warn", message=message)
