"""All checks, in the order in which they are reported: one table, from which the documentation is made."""

from collections.abc import Iterable

from evaluator.checks import (
    amendments,
    context,
    ends,
    kv,
    model,
    own_replies,
    pace,
    preflight,
    questions,
    replies,
    sampling,
    scores,
    servers,
    serving,
    template,
    texts,
    thinking,
    thought_lengths,
)
from evaluator.checks.rule import Check, CheckInput, Rule

RULES: tuple[Rule, ...] = (
    *servers.RULES,
    *thinking.RULES,
    *context.RULES,
    *sampling.RULES,
    *template.RULES,
    *model.RULES,
    *kv.RULES,
    *serving.RULES,
    *preflight.RULES,
    *questions.RULES,
    *replies.RULES,
    *ends.RULES,
    *texts.RULES,
    *own_replies.RULES,
    *thought_lengths.RULES,
    *scores.RULES,
    *pace.RULES,
    *amendments.RULES,
)


def before(given: CheckInput) -> tuple[Check, ...]:
    """Check what is known before the first question: what servers report about themselves, and the preflight."""
    return _apply((rule for rule in RULES if rule.stage == "before"), given)


def after(given: CheckInput) -> tuple[Check, ...]:
    """Check a run from its records; repeats preflight findings that the records do not contradict."""
    return _apply(RULES, given)


def _apply(rules: Iterable[Rule], given: CheckInput) -> tuple[Check, ...]:
    return tuple(
        Check(
            code=rule.code,
            severity=finding.severity,
            variant=finding.variant,
            benchmark=finding.benchmark,
            message=finding.message,
            advice=finding.advice or rule.advice,
            evidence=finding.evidence,
        )
        for rule in rules
        for finding in rule.find(given)
    )
