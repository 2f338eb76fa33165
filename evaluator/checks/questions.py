"""Whether all variants were asked the same, failed requests are graded as failed, and questions are sound."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from evaluator.benchmarks import BENCHMARKS
from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.decide.wording import listed
from evaluator.records import Grade, Question


def prompts(given: CheckInput) -> Iterable[Finding]:
    """Compare what was sent for each question with what the baseline was sent."""
    first = {record.key: record.prompt for record in given.records.get(given.study.baseline, ())}
    for variant in given.study.variants:
        if variant.name == given.study.baseline:
            continue
        asked: Counter[str] = Counter()
        different: Counter[str] = Counter()
        for record in given.records.get(variant.name, ()):
            if record.key in first:
                asked[record.key.benchmark] += 1
                different[record.key.benchmark] += first[record.key] != record.prompt
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
        if record.reply is None
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


def disputed(given: CheckInput) -> Iterable[Finding]:
    """Find wrong answers to questions that contradict themselves, and those that capitals alone tell from right.

    Where every variant is wrong nothing depends on it, unless there is only one.
    """
    alone = len(given.study.variants) == 1
    wrong: defaultdict[tuple[str, str], list[Grade]] = defaultdict(list)
    right: defaultdict[tuple[str, str], list[Grade]] = defaultdict(list)
    for grade in given.grades:
        if grade.outcome in {"wrong", "correct"}:
            (right if grade.outcome == "correct" else wrong)[grade.key.benchmark, grade.key.question_id].append(grade)
    for question in {(each.benchmark, each.id): each for each in given.asked.values()}.values():
        by = wrong[question.benchmark, question.id]
        others = _variants(right[question.benchmark, question.id])
        if not (by and (others or alone)):
            continue
        flaw = BENCHMARKS[question.benchmark].flaws.get(question.id)
        letters = _differ_in_case_only(question)
        alike = [grade for grade in by if grade.extracted in letters] if letters else []
        if flaw:
            message = f"{question.id} {flaw}; graded wrong: {listed(_variants(by))}"
            yield _dispute(question, message + (f", right: {listed(others)}" if others else ""), by)
        if alike:
            read = listed(sorted({str(grade.extracted) for grade in alike}))
            message = (
                f"{BENCHMARKS[question.benchmark].title} {question.id}: {read} ({listed(_variants(alike))}) differs"
                f" from the right option {question.answer} in capitals only; they mean something there, so it is wrong"
            )
            yield _dispute(question, message, alike)


def _dispute(question: Question, message: str, wrong: list[Grade]) -> Finding:
    evidence = {"question": question.id, "wrong": _variants(wrong)}
    return Finding(severity="note", benchmark=question.benchmark, message=message, evidence=evidence)


def _variants(grades: Iterable[Grade]) -> list[str]:
    return list(dict.fromkeys(grade.variant for grade in grades))


def _differ_in_case_only(question: Question) -> set[str]:
    """Name the options that capitals alone tell from the right one, and that one."""
    texts = {
        each: " ".join(text.split()).casefold() for each, text in zip(question.letters, question.options, strict=False)
    }
    return {letter for letter, text in texts.items() if text == texts.get(question.answer)}


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
    Rule(
        code="disputed",
        stage="after",
        severity="note",
        threat="A question is itself at fault, and a careful answer to it counts as wrong.",
        signal="One is right, another wrong where a prompt contradicts its tests, or the options differ in case only.",
        advice="Read these answers before you make much of a difference of a question or two.",
        find=disputed,
    ),
)
