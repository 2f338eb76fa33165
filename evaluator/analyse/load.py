"""Read finished runs from their folders: what was asked, how it was graded, what the checks found."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from evaluator.checks.rule import Check
from evaluator.decide.resources import Resources
from evaluator.errors import StudyError
from evaluator.records import Grade, Key
from evaluator.store.facts import read_facts
from evaluator.store.folder import Plan, grades_path, read_plan
from evaluator.store.last_report import read_report
from evaluator.study.requests import questions
from evaluator.study.study import Study, is_evaluated
from evaluator.text import once
from servers.spec import ServerFacts

Grades = Mapping[tuple[str, Key], Grade]
"""By variant and question."""


class Run(Struct, frozen=True, kw_only=True):
    """One finished run."""

    name: str
    """The study's name; among runs of the same study the folder's."""
    folder: Path
    plan: Plan
    grader: str
    """Version of the grader."""
    checks: tuple[Check, ...]
    problems: Mapping[str, str]
    """Variants that could not be finished, and why."""
    facts: Mapping[str, ServerFacts]
    """By variant, what its server reported about itself."""
    resources: Mapping[str, Resources]
    """By variant, what it costs, as its report says; empty in that of an earlier version."""
    grades: Mapping[str, Mapping[Key, Grade]]
    """By variant and question."""
    order: Mapping[str, tuple[str, ...]]
    """By benchmark, the ids of all planned questions, in the order in which they are asked."""

    @property
    def study(self) -> Study:
        """The study that was run."""
        return self.plan.study


class Entry(NamedTuple):
    """One variant of one run."""

    run: Run
    variant: str
    """Its name in the study."""


class _Report(Struct, frozen=True):
    grader: str
    checks: tuple[Check, ...]
    problems: dict[str, str] = {}
    resources: tuple[Resources, ...] = ()


def read_grades(folder: Path, wanted: Callable[[Grade], bool] = lambda _: True) -> Grades:
    """Read the grades of a run; empty if nothing was graded.

    Args:
        folder: The run's.
        wanted: Whether a grade is; others are left out.

    Raises:
        StudyError: a line is not a grade, with file and line.
    """
    return {(grade.variant, grade.key): grade for grade in read_each(folder) if wanted(grade)}


def read_each(folder: Path) -> Iterator[Grade]:
    """Read the grades of a run one after the other, what many of them hold once: there may be a million.

    Raises:
        StudyError: a line is not a grade, with file and line.
    """
    path, keys = grades_path(folder), dict[Key, Key]()
    decoder = msgspec.json.Decoder(Grade)
    with path.open("rb") if path.exists() else nullcontext(()) as lines:
        for number, line in enumerate(lines, 1):
            try:
                grade = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                remedy = f"remove the file, whichquant report {folder} makes it anew"
                raise StudyError(f"not a grade ({error})", source=path, line=number, remedy=remedy) from None
            yield Grade(
                key=keys.setdefault(grade.key, grade.key),
                variant=once(grade.variant),
                outcome=grade.outcome,
                extracted=grade.extracted if grade.extracted is None else once(grade.extracted),
                why=once(grade.why),
            )


def load_run(folder: str | Path) -> Run:
    """Read a finished run from its folder; nothing is graded again.

    Args:
        folder: The run's, as `runs/<study>`.

    Returns:
        Its study, its grades by variant and question, the findings of its checks, and what its servers reported about
        themselves.

    Raises:
        StudyError: The folder holds no run, no report yet, or a damaged file.
    """
    return _read(Path(folder))


def distinct(runs: Sequence[Run | str | Path]) -> tuple[Run, ...]:
    """Return the runs, those given as folders read, each with a name of its own.

    Raises:
        StudyError: a folder holds no finished run, or a damaged one, or is given twice.
    """
    folders = [run.folder if isinstance(run, Run) else Path(run) for run in runs]
    paths = [folder.resolve() for folder in folders]
    if twice := [folder for folder, path in zip(folders, paths, strict=True) if paths.count(path) > 1]:
        raise StudyError("given twice", source=twice[0], remedy="remove one")
    named = [run if isinstance(run, Run) else load_run(run) for run in runs]
    for names in ([path.name for path in paths], [str(folder) for folder in folders]):
        count = Counter(run.name for run in named)
        named = [
            msgspec.structs.replace(run, name=name) if count[run.name] > 1 else run
            for run, name in zip(named, names, strict=True)
        ]
    return tuple(named)


def variants_by_name(runs: Sequence[Run]) -> dict[str, Entry]:
    """Name the variants of all runs: as their study does, or `run/name` where two runs have the same name.

    A server that was evaluated without a study is named by its model.
    """
    entries = [(_shown(run.study, name), Entry(run, name)) for run in runs for name in _names(run.study)]
    count = Counter(name for name, _ in entries)
    named = {name if count[name] == 1 else f"{of.run.name}/{name}": of for name, of in entries}
    if len(named) < len(entries):  # a model's name may be that of a run and its variant, or one run's twice
        return {f"{of.run.name}/{of.variant}": of for _, of in entries}
    return named


def _names(study: Study) -> list[str]:
    return [variant.name for variant in study.variants]


def _shown(study: Study, name: str) -> str:
    if not is_evaluated(study):
        return name
    model = study.variants[0].model
    return Path(model).name if model.startswith("/") else model


def _read(folder: Path) -> Run:
    plan = read_plan(folder)
    by_variant: dict[str, dict[Key, Grade]] = {variant.name: {} for variant in plan.study.variants}
    for grade in read_each(folder):
        by_variant.setdefault(grade.variant, {})[grade.key] = grade
    report = read_report(folder, _Report) if any(by_variant.values()) else None
    if report is None:
        raise StudyError(
            "its answers have no grades or no report yet", source=folder, remedy=f"run whichquant report {folder}"
        )
    return Run(
        name=plan.study.study,
        folder=folder,
        plan=plan,
        grader=report.grader,
        checks=report.checks,
        problems=report.problems,
        facts=read_facts(folder),
        resources={one.variant: one for one in report.resources},
        grades=by_variant,
        order={name: tuple(q.id for q in chosen) for name, chosen in questions(plan.study, plan.order).items()},
    )
