"""All checks, in the order in which they are told: one table, from which the documentation is made."""

from collections.abc import Iterable

from evaluator.checks import amendments as judging
from evaluator.checks import (
    context,
    kv,
    model,
    pace,
    questions,
    replies,
    sampling,
    scores,
    serving,
    template,
    texts,
    thinking,
    thought_lengths,
)
from evaluator.checks import preflight as trial
from evaluator.checks.rule import Check, CheckInput, Rule

RULES: tuple[Rule, ...] = (
    *thinking.RULES,
    *context.RULES,
    *sampling.RULES,
    *template.RULES,
    *model.RULES,
    *kv.RULES,
    *serving.RULES,
    *trial.RULES,
    *questions.RULES,
    *replies.RULES,
    *texts.RULES,
    *thought_lengths.RULES,
    *scores.RULES,
    *pace.RULES,
    *judging.RULES,
)


def before(given: CheckInput) -> tuple[Check, ...]:
    """Check what is known before the first question: what servers say of themselves, and what they proved."""
    return _apply((rule for rule in RULES if rule.stage == "before"), given)


def after(given: CheckInput) -> tuple[Check, ...]:
    """Check a run from its records; what was found before it is told again, as far as records do not know better."""
    return _apply(RULES, given)


def _apply(rules: Iterable[Rule], given: CheckInput) -> tuple[Check, ...]:
    return tuple(
        Check(
            code=rule.code,
            severity=found.severity,
            variant=found.variant,
            benchmark=found.benchmark,
            message=found.message,
            advice=rule.advice,
            evidence=found.evidence,
        )
        for rule in rules
        for found in rule.find(given)
    )
