"""Whether all variants were asked the same, and failed requests are graded as failed."""

from collections import Counter
from collections.abc import Iterable

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.records import Record


def prompts(given: CheckInput) -> Iterable[Finding]:
    """Compare what was sent for each question with what the baseline was sent."""
    first = {record.key: _prompt(record) for record in given.records.get(given.study.baseline, ())}
    for variant in given.study.variants:
        if variant.name == given.study.baseline:
            continue
        asked: Counter[str] = Counter()
        different: Counter[str] = Counter()
        for record in given.records.get(variant.name, ()):
            if record.key in first:
                asked[record.key.benchmark] += 1
                different[record.key.benchmark] += first[record.key] != _prompt(record)
        for benchmark, count in different.items():
            if count:
                message = (
                    f"{count} of {asked[benchmark]} questions were worded differently than for {given.study.baseline}"
                )
                evidence = {"count": count, "of": asked[benchmark]}
                yield Finding(
                    severity="block", variant=variant.name, benchmark=benchmark, message=message, evidence=evidence
                )


def failure_graded(given: CheckInput) -> Iterable[Finding]:
    """Find questions without a reply that were graded as if there were one."""
    without_reply = {
        (variant, record.key)
        for variant, records in given.records.items()
        for record in records
        if record.answer is None
    }
    wrongly = Counter(
        (grade.variant, grade.key.benchmark)
        for grade in given.grades
        if grade.outcome != "failed" and (grade.variant, grade.key) in without_reply
    )
    for (variant, benchmark), count in wrongly.items():
        message = f"{count} questions without a reply were graded as if there were one"
        yield Finding(
            severity="block", variant=variant, benchmark=benchmark, message=message, evidence={"count": count}
        )


def _prompt(record: Record) -> object:
    return record.request.get("messages", record.request.get("prompt"))


RULES = (
    Rule(
        code="prompts",
        stage="after",
        severity="block",
        threat="Variants are asked different questions, or the same in different words.",
        signal="The messages, or the prompt, of each question in the records.",
        advice="Remove the records of the variant that was asked differently, and run again.",
        find=prompts,
    ),
    Rule(
        code="failure_graded",
        stage="after",
        severity="block",
        threat="A server that fails is taken for a model that is wrong.",
        signal="Grades of records without a reply that say anything other than failed.",
        advice="Let whichquant regrade the run; if the problem stays, report it: it is a bug in whichquant.",
        find=failure_graded,
    ),
)
