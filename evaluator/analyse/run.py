"""Everything a report says, put together from a run's files alone."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator import __version__
from evaluator.analyse.outlines import read_outlines
from evaluator.analyse.report import Report, Saved
from evaluator.benchmarks import BENCHMARKS
from evaluator.checks.pace import cached_share
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import after
from evaluator.decide.answers import Graded, arrange, parts
from evaluator.decide.asked_twice import AskedTwice, asked_twice, texts_of
from evaluator.decide.categories import by_category
from evaluator.decide.comparison import Comparison
from evaluator.decide.evidence import Design
from evaluator.decide.exploratory import explore
from evaluator.decide.lengths import lengths
from evaluator.decide.recommendation import Recommendation, recommend
from evaluator.decide.resources import Resources, against_baseline, resources
from evaluator.decide.score import Score, score
from evaluator.decide.stopping import design_of
from evaluator.decide.token_budget import budgets
from evaluator.decide.verdict import Pair, Rules, compare, paired
from evaluator.fidelity.file import read_fidelity
from evaluator.fidelity.tasks import point_apart
from evaluator.grade.grader import VERSION, Grader
from evaluator.grade.outline import Outline
from evaluator.grade.outlines import Outlines
from evaluator.records import Grade, Key, Question
from evaluator.store.facts import read_facts
from evaluator.store.folder import Plan, grades_path, read_plan, write_lines
from evaluator.store.proofs import Proofs, read_proofs
from evaluator.store.resources import Measured, read_measured
from evaluator.store.serving import Serving, number_used, read_serving
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again
from evaluator.study.study import Study
from servers.spec import ServerFacts

_UNDECIDED = ("cannot tell", "not comparable")


class _Strata(Struct, frozen=True):
    categories: dict[str, str]
    """By question id."""
    sizes: dict[str, int]
    """By category how many questions the whole benchmark has in it."""


class _Graded(Struct, frozen=True, kw_only=True):
    """What lies in a run's folder, graded."""

    plan: Plan
    questions: Mapping[Key, Question]
    outlines: Mapping[str, Outlines]
    """By variant."""
    facts: dict[str, ServerFacts]
    proofs: dict[str, Proofs]
    measured: Mapping[str, Measured]
    serving: Serving | None
    grades: Sequence[Grade]
    answers: Graded
    rules: Rules
    repeats: Mapping[str, int]
    """By benchmark how many answers to a question count."""

    @property
    def study(self) -> Study:
        return self.plan.study

    @property
    def records(self) -> dict[str, Sequence[Outline]]:
        return {variant: mine.records for variant, mine in self.outlines.items()}


class _Scored(Struct, frozen=True, kw_only=True):
    """The graded answers in numbers, variant by variant."""

    scores: tuple[Score, ...]
    saved: Saved | None
    strata: Mapping[str, _Strata]


def analyse(folder: Path, *, grader: Grader, problems: Mapping[str, str] | None = None) -> Report:
    """Grade a run's records and say what they show; also writes `grades.jsonl`. See `look_at`."""
    report, grades = look_at(folder, grader=grader, problems=problems)
    encode = msgspec.json.Encoder().encode
    write_lines(grades_path(folder), (encode(grade) for grade in grades))
    return report


def look_at(
    folder: Path, *, grader: Grader, problems: Mapping[str, str] | None = None
) -> tuple[Report, Sequence[Grade]]:
    """Grade a run's records and say what they show, the run finished or going on; nothing is written.

    Args:
        folder: The run's.
        grader: It runs code, where there is some.
        problems: By variant why it could not be finished.

    Returns:
        The report, and the grades that it is made of.

    Raises:
        StudyError: a file of the run is missing or damaged.
    """
    run = _grade(folder, grader)
    design = run.rules.design
    pairs = paired(run.answers, run.rules)
    scored = _score(run, pairs)
    checks = after(_check_input(run, scored, problems or {}))
    blocked = _blocked(run.study, checks)
    paces = {(score.variant, score.benchmark): score for score in scored.scores}
    comparisons, costs = compare(run.answers, run.rules, pairs=pairs, blocked=blocked, paces=paces), _resources(run)
    categories = {name: strata.categories for name, strata in scored.strata.items()}
    fidelity = read_fidelity(folder)
    report = Report(
        whichquant=__version__,
        grader=VERSION,
        written=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        plan=run.plan,
        facts=run.facts,
        scores=scored.scores,
        budgets=budgets(run.study, (record for records in run.records.values() for record in records), run.grades),
        comparisons=comparisons,
        recommendation=_recommended(run, comparisons, costs),
        resources=costs,
        serving=run.serving,
        asked_twice=tuple(run.answers.twice.values()),
        categories=by_category(parts(run.grades, run.repeats), categories, design.repeated),
        lengths=lengths(run.records, run.grades, run.repeats),
        exploratory=explore(
            run.answers.answers,
            baseline=run.study.baseline,
            alpha=run.rules.alpha,
            mode=design.mode,
            blocked=blocked,
            categories=categories,
            sizes={name: strata.sizes for name, strata in scored.strata.items()},
            repeated=design.repeated,
        ),
        fidelity=fidelity,
        fidelity_and_tasks=point_apart(fidelity, comparisons) if fidelity else (),
        saved=scored.saved,
        checks=checks,
        problems={name: why.partition("\n")[0] for name, why in (problems or {}).items()},
    )
    return report, run.grades


def _serving(folder: Path, records: Mapping[str, Sequence[Outline]]) -> Serving | None:
    """Read how the servers were asked, and add what of their prompts they evaluated."""
    serving = read_serving(folder)
    if serving is None:
        return None
    kept = {name: cached_share(records.get(name, ())) for name in serving.cache}
    return replace(
        serving,
        cache={
            name: replace(cache, evaluated=None if (share := kept[name]) is None else round(1 - share, 4))
            for name, cache in serving.cache.items()
        },
    )


def _recommended(run: _Graded, comparisons: Sequence[Comparison], costs: Sequence[Resources]) -> Recommendation | None:
    return recommend(
        comparisons,
        costs,
        variants=list(run.outlines),
        baseline=run.study.baseline,
        prefer=run.study.prefer,
        totals=run.rules.totals,
        busy=bool(run.plan.busy),
    )


def _grade(folder: Path, grader: Grader) -> _Graded:
    plan = read_plan(folder)
    study = plan.study
    asks = requests_of(study, plan.order)
    questions = {ask.key: ask.question for ask in (*asks, *plan_again(study, asks))}
    outlines = read_outlines(folder, [variant.name for variant in study.variants], questions, grader)
    grades = [record.grade for mine in outlines.values() for record in mine.records if record.grade]
    design = design_of(study, asks)
    repeats = {name: settings.repeats for name, settings in study.benchmarks.chosen().items()}
    arranged = arrange(grades, variants=list(outlines), baseline=study.baseline, repeats=repeats, design=design)
    return _Graded(
        plan=plan,
        questions=questions,
        outlines=outlines,
        facts={name: facts for name, facts in read_facts(folder).items() if name in outlines},
        proofs={name: proofs for name, proofs in read_proofs(folder).items() if name in outlines},
        measured=read_measured(folder),
        serving=_serving(folder, {name: mine.records for name, mine in outlines.items()}),
        grades=grades,
        answers=replace(arranged, twice=_twice(study, outlines[study.baseline].records, grades)),
        rules=_rules(study, design),
        repeats=repeats,
    )


def _twice(study: Study, records: Sequence[Outline], grades: Sequence[Grade]) -> dict[str, AskedTwice]:
    """Say how often the baseline gave something else the second time, where it stands beside others."""
    if len(study.variants) == 1:
        return {}
    chosen = study.benchmarks.chosen()
    return {twice.benchmark: twice for twice in asked_twice(study.baseline, texts_of(records), grades, chosen)}


def _rules(study: Study, design: Design) -> Rules:
    return Rules(
        baseline=study.baseline,
        margins={name: settings.margin / 100 for name, settings in study.benchmarks.chosen().items()},
        alpha=study.decide.alpha,
        design=design,
        totals={name: BENCHMARKS[name].total for name in design.order},
    )


def _score(run: _Graded, pairs: Sequence[Pair]) -> _Scored:
    planned = _planned(run, pairs)
    strata = _strata(run.study, run.questions)
    grades = parts(run.grades, run.repeats)
    requests = _requests(run.rules.design, planned, run.repeats, grades)
    return _Scored(
        scores=_scores(run.records, grades, requests, strata), saved=_saved(run.rules.design, planned), strata=strata
    )


def _resources(run: _Graded) -> tuple[Resources, ...]:
    """Say what each variant costs, in the study's order."""
    every = [
        resources(
            name,
            facts=run.facts.get(name),
            measured=run.measured.get(name),
            records=records,
            grades=[grade for grade in run.grades if grade.variant == name],
            in_flight=number_used(run.study, run.serving),
        )
        for name, records in run.records.items()
    ]
    return against_baseline(every, run.study.baseline)


def _check_input(run: _Graded, scored: _Scored, problems: Mapping[str, str]) -> CheckInput:
    return CheckInput(
        study=run.study,
        facts=run.facts,
        proofs=run.proofs,
        asked=run.questions,
        records=run.records,
        astray={(v, b): found for v, mine in run.outlines.items() for b, found in mine.astray.items()},
        openings={(v, b): found for v, mine in run.outlines.items() for b, found in mine.openings.items()},
        grades=run.grades,
        scores=scored.scores,
        graded=run.answers,
        problems={name: why for name, why in problems.items() if name in run.outlines},
        busy=run.plan.busy,
        serving=run.serving,
        forced=run.plan.forced,
        unchecked=run.plan.unchecked,
        changes=run.plan.changes,
        extended=run.plan.extended,
    )


def _planned(run: _Graded, pairs: Sequence[Pair]) -> dict[tuple[str, str], int]:
    """Say how many questions each variant was to be put; what was decided early was to be put no more than it was."""
    design, graded = run.rules.design, run.answers
    planned = {(variant, name): len(ids) for name, ids in design.order.items() for variant in graded.answers}
    if not design.looks_early or len(graded.answers) == 1:
        return planned
    comparisons = compare(graded, run.rules, pairs=pairs)
    undecided = {(c.variant, c.benchmark) for c in comparisons if c.verdict in _UNDECIDED}
    for variant, benchmark in planned:
        if variant == run.study.baseline:
            decided = all(name != benchmark for _, name in undecided)
        else:
            decided = (variant, benchmark) not in undecided
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
    if not design.looks_early or len({variant for variant, _ in planned}) == 1:
        return None
    of = sum(len(design.order[benchmark]) for _, benchmark in planned)
    questions = of - sum(planned.values())
    return Saved(questions=questions, of=of) if questions else None


def _strata(study: Study, asked: Mapping[Key, Question]) -> dict[str, _Strata]:
    """Give the categories of each benchmark that has some."""
    return {
        name: _Strata(
            {key.question_id: question.category for key, question in asked.items() if key.benchmark == name},
            dict(Counter(categories.values())),
        )
        for name in study.benchmarks.chosen()
        if (categories := BENCHMARKS[name].categories())
    }


def _scores(
    records: Mapping[str, Sequence[Outline]],
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
            repeated=BENCHMARKS[benchmark].repeated(),
        )
        for (variant, benchmark), requests in planned.items()
    )


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
