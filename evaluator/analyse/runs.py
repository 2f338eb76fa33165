"""Compare the variants of finished runs: nothing is asked or graded again, nothing is written."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from evaluator.analyse.comparable import apart, describe_values, in_common, of_servers, on_one_machine, remarks
from evaluator.analyse.load import Entry, Run, distinct, variants_by_name
from evaluator.analyse.pooled import pool_answers
from evaluator.analyse.report import ComparedRun, RunsReport
from evaluator.benchmarks import BENCHMARKS
from evaluator.decide import verdict, wording
from evaluator.decide.answers import arrange
from evaluator.decide.asked_twice import asked_twice
from evaluator.decide.evidence import Design
from evaluator.decide.recommendation import recommend
from evaluator.decide.resources import Resources, against_baseline
from evaluator.errors import StudyError
from evaluator.fidelity.file import read_fidelity
from evaluator.fidelity.together import Together, side_by_side

if TYPE_CHECKING:
    from evaluator.study.study import Mode, Prefer


def compare(
    runs: Sequence[Run | str | Path],
    *,
    baseline: str | None = None,
    margins: Mapping[str, float] = {},
    alpha: float | None = None,
    prefer: "Prefer | None" = None,
) -> RunsReport:
    """Compare the variants of finished runs with a baseline; nothing is asked or graded again, nothing is written.

    Args:
        runs: Finished runs, or their folders; a single run can be compared with another baseline, margin or alpha.
        baseline: The variant to compare with, `run/name` where runs share the name; None is the first run's baseline.
        margins: By benchmark, in points (above 0, below 100), "" for all others; without one the studies' margin holds.
        alpha: Rate of false alarms over all comparisons together, above 0 and below 0.5; None is the first run's.
        prefer: What the recommended build is to have most of; None is what the first run's study says.

    Returns:
        Scores on the questions that the runs have in common, a comparison for each other variant and benchmark, which
        of all the variants to run, and warnings. Scores, differences and intervals are proportions between -1 and 1;
        margins are points.

    Raises:
        StudyError: A run is not finished, the runs were not asked the same questions in the same way, their margins
            differ and none is given, or there is no such variant or benchmark.
    """
    if alpha is not None and not 0 < alpha < 0.5:
        raise StudyError("give a number between 0 and 0.5", source=f"--alpha {alpha:g}")
    for points in margins.values():
        if not 0 < points < 100:
            raise StudyError("a margin lies between 0 and 100 points", source=f"--margin {points:g}")
    return _compare(distinct(runs), baseline=baseline, margins=margins, alpha=alpha, prefer=prefer)


def _compare(
    runs: Sequence[Run],
    *,
    baseline: str | None,
    margins: Mapping[str, float],
    alpha: float | None,
    prefer: "Prefer | None",
) -> RunsReport:
    common, variants = in_common(runs), variants_by_name(runs)
    points = _margins(common, runs, margins)
    rules = verdict.Rules(
        baseline=_baseline(baseline, runs, variants),
        margins={name: margin / 100 for name, margin in points.items()},
        alpha=runs[0].study.decide.alpha if alpha is None else alpha,
        design=Design(mode=_mode(runs), order=common, repeated={name: BENCHMARKS[name].repeated() for name in common}),
        totals={name: BENCHMARKS[name].total for name in common},
    )
    repeats = {name: min(run.study.benchmarks.chosen()[name].repeats for run in runs) for name in common}
    pooled = pool_answers(variants, common, repeats)
    graded = arrange(pooled.grades, variants=variants, baseline=rules.baseline, repeats=repeats, design=rules.design)
    twice = asked_twice(rules.baseline, pooled.texts[rules.baseline], pooled.grades, common)
    graded = replace(graded, twice={one.benchmark: one for one in twice})
    # How long more questions would take "on this server" is known where there is one.
    paces = {} if of_servers(runs) else {(score.variant, score.benchmark): score for score in pooled.scores}
    comparisons = verdict.compare(graded, rules, blocked=_blocked(runs, variants, common, rules.baseline), paces=paces)
    timed = on_one_machine(runs)
    fidelity = _fidelity(runs, variants)
    costs = against_baseline([_cost(name, of, timed=timed) for name, of in variants.items()], rules.baseline)
    return RunsReport(
        baseline=rules.baseline,
        alpha=rules.alpha,
        mode=rules.design.mode,
        margins=points,
        runs=tuple(_compared_run(run, variants) for run in runs),
        scores=pooled.scores,
        comparisons=comparisons,
        recommendation=recommend(
            comparisons,
            costs,
            variants=list(variants),
            baseline=rules.baseline,
            prefer=runs[0].study.prefer if prefer is None else prefer,
            totals=rules.totals,
            busy=any(run.plan.busy for run in runs),
        ),
        resources=costs,
        fidelity=fidelity.fidelity,
        warnings=(
            *fidelity.warnings,
            *remarks(runs, common),
            *_chosen_late(runs, points, rules.alpha),
            *_of_reports(runs, variants, common),
        ),
    )


def _fidelity(runs: Sequence[Run], variants: Mapping[str, Entry]) -> Together:
    measured = {run.name: found for run in runs if (found := read_fidelity(run.folder))}
    return side_by_side(measured, {(of.run.name, of.variant): name for name, of in variants.items()})


def _cost(name: str, of: Entry, *, timed: bool) -> Resources:
    """Say what a variant costs; its file alone where speed and memory were measured on another machine."""
    facts = of.run.facts.get(of.variant)
    file = Resources(variant=name, file_bytes=facts.model_bytes if facts else None)
    known = of.run.resources.get(of.variant)
    return replace(known, variant=name) if timed and known else file


def _mode(runs: Sequence[Run]) -> "Mode":
    return "fixed" if all(run.study.decide.mode == "fixed" for run in runs) else "sequential"


def _margins(common: Mapping[str, object], runs: Sequence[Run], margins: Mapping[str, float]) -> dict[str, float]:
    """Give the margin of each benchmark in points."""
    for name in margins:
        if name and name not in common:
            problem = f"{name} is not compared here; what is compared is {', '.join(common)}"
            raise StudyError(problem, source="--margin")
    return {name: _margin(name, runs, margins) for name in common}


def _baseline(wanted: str | None, runs: Sequence[Run], variants: Mapping[str, Entry]) -> str:
    if len(variants) == 1:
        raise StudyError(
            "has one variant only", source=runs[0].folder, remedy="give the folder of another run to compare it with"
        )
    if wanted is None:
        return next(
            name
            for name, entry in variants.items()
            if entry.run is runs[0] and entry.variant == entry.run.study.baseline
        )
    named = [name for name, of in variants.items() if wanted in (name, f"{of.run.name}/{of.variant}")]
    named = named or [name for name, of in variants.items() if wanted == of.variant]
    if len(named) == 1:
        return named[0]
    raise StudyError(f'there is no variant "{wanted}"; there are {", ".join(variants)}', source="--baseline")


def _margin(benchmark: str, runs: Sequence[Run], margins: Mapping[str, float]) -> float:
    """Give a benchmark's margin in points."""
    given = margins.get(benchmark, margins.get(""))
    if given is not None:
        return given
    studied = [run.study.benchmarks.chosen()[benchmark].margin for run in runs]
    if values := apart(runs, studied):
        raise StudyError(
            f"the margins of {wording.name(benchmark)} differ ({values})",
            remedy=f"choose one with --margin {benchmark}=POINTS",
        )
    return studied[0]


def _blocked(
    runs: Sequence[Run], variants: Mapping[str, Entry], common: Mapping[str, object], baseline: str
) -> dict[tuple[str, str], str]:
    """Say for each variant and benchmark why it cannot be compared: its own reason, or the baseline's."""
    blocked: dict[tuple[str, str], str] = {}
    for run in runs:
        for check in (check for check in run.checks if check.severity == "block"):
            hit = [name for name, of in variants.items() if of.run is run and check.variant in {None, of.variant}]
            for benchmark in common if check.benchmark is None else [check.benchmark]:
                for name in hit:
                    blocked.setdefault((name, benchmark), check.message)
    for benchmark in common:
        if reason := blocked.get((baseline, benchmark)):
            for name in variants:
                blocked.setdefault((name, benchmark), f"{baseline}: {reason}")
    return blocked


def _chosen_late(runs: Sequence[Run], points: Mapping[str, float], alpha: float) -> Iterator[str]:
    """Say which rules are not those that were set before the first question."""
    proof = "chosen with the answers at hand, it proves less"
    for benchmark, margin in points.items():
        studied = [run.study.benchmarks.chosen()[benchmark].margin for run in runs]
        if set(studied) != {margin}:
            values = describe_values(runs, studied)
            yield f"{wording.name(benchmark)}: the margin is {margin:g} points here ({values}); {proof}"
    alphas = [run.study.decide.alpha for run in runs]
    if set(alphas) != {alpha}:
        yield f"alpha is {alpha:g} here ({describe_values(runs, alphas)}); {proof}"


def _of_reports(runs: Sequence[Run], variants: Mapping[str, Entry], common: Mapping[str, object]) -> Iterator[str]:
    """Repeat what the reports of the runs warn of."""
    names = {(of.run.name, of.variant): name for name, of in variants.items()}
    for run in runs:
        for check in run.checks:
            if check.severity == "warn" and (check.benchmark is None or check.benchmark in common):
                who = run.name if check.variant is None else names.get((run.name, check.variant), check.variant)
                where = f", {wording.name(check.benchmark)}" if check.benchmark else ""
                yield f"{who}{where}: {check.message}"
        for variant, why in run.problems.items():
            yield f"{names.get((run.name, variant), variant)} was not finished: {why}"


def _compared_run(run: Run, variants: Mapping[str, Entry]) -> ComparedRun:
    return ComparedRun(
        name=run.name,
        folder=str(run.folder),
        study=run.study.study,
        whichquant=run.plan.whichquant,
        grader=run.grader,
        created=run.plan.created,
        mode=run.study.decide.mode,
        seed=run.study.seed,
        questions={name: len(ids) for name, ids in run.order.items()},
        variants={name: of.variant for name, of in variants.items() if of.run is run},
    )
