"""Everything a report says, put together from a run's files alone."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from evaluator import __version__
from evaluator.analyse.report import Report, Saved
from evaluator.benchmarks import BENCHMARKS, mmlu_pro
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import after
from evaluator.decide.answers import Graded, arrange, parts
from evaluator.decide.comparison import Comparison
from evaluator.decide.evidence import Design
from evaluator.decide.exploratory import explore
from evaluator.decide.score import Score, score
from evaluator.decide.stopping import design_of
from evaluator.decide.token_budget import budgets
from evaluator.decide.verdict import Rules, compare
from evaluator.grade import grader as grade
from evaluator.records import Grade, Key, Question, Record
from evaluator.store import journal
from evaluator.store.facts import read_facts
from evaluator.store.folder import grades_path, read_plan, records_path, write
from evaluator.store.proofs import read_proofs
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again
from evaluator.study.study import MmluPro, Study

_UNDECIDED = ("cannot tell", "not comparable")


class _Strata(Struct, frozen=True):
    categories: dict[str, str]
    """By question id."""
    sizes: dict[str, int]
    """By category how many questions the whole benchmark has in it."""


def analyse(folder: Path, *, grader: grade.Grader, problems: Mapping[str, str] | None = None) -> Report:
    """Grade a run's records and say what they show; also writes `grades.jsonl`.

    Raises:
        StudyError: a file of the run is missing or damaged.
    """
    plan = read_plan(folder)
    study = plan.study
    asks, again = requests_of(study), plan_again(study)
    asked = {ask.key: ask.question for ask in (*asks, *again)}
    records = {variant.name: _records(folder, variant.name, asked) for variant in study.variants}
    grades = list(grader.grade_all((record, asked[record.key]) for by in records.values() for record in by))
    write(grades_path(folder), b"".join(msgspec.json.encode(g) + b"\n" for g in grades))
    facts = {name: fact for name, fact in read_facts(folder).items() if name in records}
    design = design_of(study, asks)
    repeats = {name: settings.repeats for name, settings in study.benchmarks.chosen().items()}
    names = [variant.name for variant in study.variants]
    graded = arrange(grades, variants=names, baseline=study.baseline, repeats=repeats, design=design)
    planned = _planned(study, design, graded)
    strata = _strata(study, asked)
    of_grades = parts(grades, repeats)
    scores = _scores(records, of_grades, _requests(design, planned, repeats, of_grades), strata)
    found = after(
        CheckInput(
            study=study,
            facts=facts,
            proofs={name: proofs for name, proofs in read_proofs(folder).items() if name in records},
            asked=asked,
            records=records,
            grades=grades,
            scores=scores,
            graded=graded,
            forced=plan.forced,
            unchecked=plan.unchecked,
            changes=plan.changes,
            extended=plan.extended,
        )
    )
    blocked = _blocked(study, found)
    return Report(
        whichquant=__version__,
        grader=grade.VERSION,
        written=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        plan=plan,
        facts=facts,
        scores=scores,
        budgets=budgets(study, (record for by in records.values() for record in by), grades),
        comparisons=_compare(study, design, graded, blocked, {(s.variant, s.benchmark): s for s in scores}),
        exploratory=explore(
            graded.answers,
            baseline=study.baseline,
            alpha=study.decide.alpha,
            mode=design.mode,
            blocked=blocked,
            categories={name: of.categories for name, of in strata.items()},
            sizes={name: of.sizes for name, of in strata.items()},
        ),
        saved=_saved(design, planned),
        checks=found,
        problems={name: why.partition("\n")[0] for name, why in (problems or {}).items()},
    )


def _records(folder: Path, variant: str, asked: Mapping[Key, Question]) -> list[Record]:
    everything = journal.read(records_path(folder, variant))
    return [record for key, record in everything.items() if key in asked]


def _planned(study: Study, design: Design, graded: Graded) -> dict[tuple[str, str], int]:
    """Say how many questions each variant was to be put; what was decided early was to be put no more than it was."""
    planned = {(v, b): len(ids) for b, ids in design.order.items() for v in graded.answers}
    if design.mode == "fixed" or len(graded.answers) == 1:
        return planned
    open_ = {(c.variant, c.benchmark) for c in _compare(study, design, graded) if c.verdict in _UNDECIDED}
    for variant, benchmark in planned:
        if variant == study.baseline:
            decided = all(of != benchmark for _, of in open_)
        else:
            decided = (variant, benchmark) not in open_
        if decided:
            planned[variant, benchmark] = graded.put(variant, benchmark)
    return planned


def _requests(
    design: Design,
    planned: Mapping[tuple[str, str], int],
    repeats: Mapping[str, int],
    grades: Mapping[tuple[str, str], Sequence[Grade]],
) -> dict[tuple[str, str], int]:
    """Say how many answers that makes; decided in the middle of a question's answers, it is those that there are."""
    return {
        (v, b): n * repeats[b] if n == len(design.order[b]) else len(grades.get((v, b), ()))
        for (v, b), n in planned.items()
    }


def _saved(design: Design, planned: Mapping[tuple[str, str], int]) -> Saved | None:
    if design.mode == "fixed" or len({variant for variant, _ in planned}) == 1:
        return None
    of = sum(len(design.order[benchmark]) for _, benchmark in planned)
    questions = of - sum(planned.values())
    return Saved(questions=questions, of=of) if questions else None


def _strata(study: Study, asked: Mapping[Key, Question]) -> dict[str, _Strata]:
    """Give the categories of each benchmark that has some."""
    settings = study.benchmarks.mmlu_pro
    if not isinstance(settings, MmluPro):
        return {}
    categories = {key.question_id: question.category for key, question in asked.items() if key.benchmark == "mmlu_pro"}
    everything = mmlu_pro.load(shots=settings.shots, form=settings.format)
    return {"mmlu_pro": _Strata(categories, dict(Counter(question.category for question in everything)))}


def _scores(
    records: Mapping[str, Sequence[Record]],
    graded: Mapping[tuple[str, str], Sequence[Grade]],
    planned: Mapping[tuple[str, str], int],
    strata: Mapping[str, _Strata],
) -> tuple[Score, ...]:
    """Score every variant and benchmark of which requests are planned."""
    none = _Strata({}, {})
    return tuple(
        score(
            variant,
            benchmark,
            planned=requests,
            records=[record for record in records[variant] if record.key.benchmark == benchmark],
            grades=graded.get((variant, benchmark), ()),
            categories=strata.get(benchmark, none).categories,
            sizes=strata.get(benchmark, none).sizes,
        )
        for (variant, benchmark), requests in planned.items()
    )


def _compare(
    study: Study,
    design: Design,
    graded: Graded,
    blocked: Mapping[tuple[str, str], str] = {},
    paces: Mapping[tuple[str, str], Score] = {},
) -> tuple[Comparison, ...]:
    rules = Rules(
        baseline=study.baseline,
        margins={name: settings.margin / 100 for name, settings in study.benchmarks.chosen().items()},
        alpha=study.decide.alpha,
        design=design,
        totals={name: BENCHMARKS[name].TOTAL for name in design.order},
    )
    return compare(graded, rules, blocked=blocked, paces=paces)


def _blocked(study: Study, found: tuple[Check, ...]) -> dict[tuple[str, str], str]:
    """Say for each variant and benchmark why it cannot be compared: its own reason, or the baseline's."""
    blocked: dict[tuple[str, str], str] = {}
    for check in sorted((c for c in found if c.severity == "block"), key=lambda c: c.variant == study.baseline):
        hit = [v.name for v in study.variants] if check.variant in {None, study.baseline} else [check.variant]
        for benchmark in study.benchmarks.chosen() if check.benchmark is None else [check.benchmark]:
            for variant in hit:
                who = "" if check.variant in {None, variant} else f"{check.variant}: "
                blocked.setdefault((str(variant), benchmark), who + check.message)
    return blocked
