"""What variants of several runs answered to the questions in common, and that they were sent the same words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.comparable import Asked, refuse_other_prompts
from evaluator.analyse.load import Entry, Run
from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.answers import parts
from evaluator.decide.score import Score, score
from evaluator.errors import StudyError
from evaluator.grade.outline import Outline, outline, text_hash
from evaluator.records import Grade, Key, Record
from evaluator.store.folder import records_path
from evaluator.store.journal import current


class PooledAnswers(Struct, frozen=True):
    """What there is to compare; variants have the names that tell them apart here."""

    grades: tuple[Grade, ...]
    scores: tuple[Score, ...]
    """Benchmark by benchmark."""
    texts: Mapping[str, Mapping[Key, int]]
    """By variant what tells its first two answers to a question apart."""


def pool_answers(
    variants: Mapping[str, Entry], common: Mapping[str, Sequence[str]], repeats: Mapping[str, int]
) -> PooledAnswers:
    """Take in what was sent and how it was graded, one variant after the other: records are large.

    Args:
        variants: By the name here.
        common: By benchmark the questions that count.
        repeats: By benchmark how many answers to a question count; the grade of one further answer is kept as well.

    Raises:
        StudyError: two variants were sent different words, or answers came after the grades, or one is damaged.
    """
    categories = {name: BENCHMARKS[name].categories() for name in common}
    sizes = {name: Counter(by_question.values()) for name, by_question in categories.items()}
    asked = {(name, question) for name, ids in common.items() for question in ids}
    prompts: dict[str, Mapping[Asked, int]] = {}
    grades: list[Grade] = []
    scores: dict[tuple[str, str], Score] = {}
    texts: dict[str, dict[Key, int]] = {}
    for name, (run, variant) in variants.items():
        records, prompts[name], texts[name] = _records(run, variant, asked)
        mine = [
            one if one.variant == name else replace(one, variant=name)
            for key, one in run.grades[variant].items()
            if (key.benchmark, key.question_id) in asked and key.repeat <= repeats[key.benchmark]
        ]
        grades += mine
        of_grades = parts(mine, repeats)
        for benchmark, ids in common.items():
            scores[name, benchmark] = score(
                name,
                benchmark,
                planned=len(ids) * repeats[benchmark],
                records=[record for record in records if record.key.benchmark == benchmark],
                grades=of_grades.get((name, benchmark), []),
                categories=categories[benchmark],
                sizes=sizes[benchmark],
                repeated=BENCHMARKS[benchmark].repeated(),
            )
    refuse_other_prompts(prompts, common)
    in_order = tuple(scores[name, benchmark] for benchmark in common for name in variants)
    return PooledAnswers(tuple(grades), in_order, texts)


def _records(run: Run, variant: str, asked: set[Asked]) -> tuple[list[Outline], dict[Asked, int], dict[Key, int]]:
    """Read a variant's records of these questions, without their texts, and hashes of what was sent and replied.

    Each record that its study still plans has a grade, and each grade one.
    """
    path = records_path(run.folder, variant)
    chosen, grades = run.study.benchmarks.chosen(), run.grades[variant]
    wanted = current(path, lambda key: (key.benchmark, key.question_id) in asked)
    texts: dict[Key, int] = {}
    records: list[Outline] = []
    for record in wanted:
        records.append(outline(_without_texts(record)))
        if record.answer and record.key.repeat < 2:
            texts[record.key] = text_hash(record.answer)
    prompts = {(record.key.benchmark, record.key.question_id): record.prompt for record in records}
    graded = {key for key in grades if (key.benchmark, key.question_id) in asked}
    planned = {key for one in records if (key := one.key) in graded or key.repeat < chosen[key.benchmark].repeats}
    if odd := graded ^ planned:
        raise StudyError(
            f"{len(odd):,} of {variant}'s answers and grades do not belong together, so its report is"
            " not of these answers",
            source=run.folder,
            remedy=f"run whichquant report {run.folder}",
        )
    return records, prompts, texts


def _without_texts(record: Record) -> Record:
    answer = replace(record.answer, text="", reasoning="") if record.answer else None
    return replace(record, answer=answer)
