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
from evaluator.checks.rule import Check, CheckInput, Finding, Rule
from evaluator.study.study import is_evaluated

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
    evaluated = is_evaluated(given.study)
    return tuple(
        Check(
            code=rule.code,
            severity=finding.severity,
            variant=finding.variant,
            benchmark=finding.benchmark,
            message=finding.message,
            advice=_advice(finding, rule, evaluated=evaluated),
            evidence=finding.evidence,
        )
        for rule in rules
        for finding in rule.find(given)
    )


def _advice(finding: Finding, rule: Rule, *, evaluated: bool) -> str:
    """Give what can be done: in the study, or with the options of `whichquant eval`, which has none."""
    return finding.advice or (rule.in_eval if evaluated else "") or rule.advice
