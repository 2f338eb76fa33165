"""Everything a report says, put together from a run's files alone."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from evaluator import __version__, grade, journal
from evaluator.benchmarks import BENCHMARKS
from evaluator.checks import Check, checks
from evaluator.facts import read_facts
from evaluator.folder import Plan, read_plan, write
from evaluator.plan import plan as requests_of
from evaluator.records import Grade, Key, Question, Record
from evaluator.score import Score, per_question, score
from evaluator.study import Study
from evaluator.verdict import Comparison, compare
from servers.spec import ServerFacts

T = TypeVar("T", Record, Grade)


class Report(Struct, frozen=True, kw_only=True):
    """Every number of a report; `report.json` is this, written out."""

    whichquant: str
    grader: str
    written: str
    """UTC, ISO 8601."""
    plan: Plan
    facts: dict[str, ServerFacts]
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    problems: dict[str, str]
    """Variants that could not be finished, and why, in one line: logs and paths stay on this machine."""


def assemble(folder: Path, *, grader: grade.Grader, problems: Mapping[str, str] | None = None) -> Report:
    """Grade a run's records and say what they show; also writes `grades.jsonl`.

    Raises:
        StudyError: a file of the run is missing or damaged.
    """
    plan = read_plan(folder)
    study = plan.study
    asked = {ask.key: ask.question for ask in requests_of(study)}
    records = {variant.name: _records(folder, variant.name, asked) for variant in study.variants}
    grades = list(grader.grade_all((record, asked[record.key]) for by in records.values() for record in by))
    write(folder / "grades.jsonl", b"".join(msgspec.json.encode(g) + b"\n" for g in grades))
    facts = {name: fact for name, fact in read_facts(folder).items() if name in records}
    graded = _parts(grades)
    scores = _scores(study, asked, _parts(record for by in records.values() for record in by), graded)
    found = checks(study, facts=facts, scores=scores, records=records, grades=grades)
    return Report(
        whichquant=__version__,
        grader=grade.VERSION,
        written=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        plan=plan,
        facts=facts,
        scores=scores,
        comparisons=_compare(study, graded, found),
        checks=found,
        problems={name: why.partition("\n")[0] for name, why in (problems or {}).items()},
    )


def earlier_problems(folder: Path) -> dict[str, str]:
    """Read from a run's last report which variants could not be finished."""
    return {str(name): str(why) for name, why in _last_report(folder).get("problems", {}).items()}


def earlier_grader(folder: Path) -> str | None:
    """Read from a run's last report which version of the grader its grades are by; None without a report."""
    version = _last_report(folder).get("grader")
    return None if version is None else str(version)


def is_finished(folder: Path) -> bool:
    """Whether a run's last report misses no variant and no question."""
    last = _last_report(folder)
    lost = any(check.get("code") == "no_reply" for check in last.get("checks", ()))
    return bool(last) and not last.get("problems") and not lost


def was_scored(folder: Path) -> bool:
    """Whether code of this run was executed and scored before."""
    scores = _last_report(folder).get("scores", ())
    return any(s.get("benchmark") == "humaneval" and s.get("accuracy") is not None for s in scores)


def _last_report(folder: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}


def _records(folder: Path, variant: str, asked: Mapping[Key, Question]) -> list[Record]:
    everything = journal.read(folder / "records" / f"{variant}.jsonl")
    return [record for key, record in everything.items() if key in asked]


def _parts(items: Iterable[T]) -> dict[tuple[str, str], list[T]]:
    """Group records or grades by variant and benchmark."""
    parts: dict[tuple[str, str], list[T]] = defaultdict(list)
    for item in items:
        parts[item.variant, item.key.benchmark].append(item)
    return parts


def _scores(
    study: Study,
    asked: Mapping[Key, Question],
    records: Mapping[tuple[str, str], list[Record]],
    grades: Mapping[tuple[str, str], list[Grade]],
) -> tuple[Score, ...]:
    planned = Counter(key.benchmark for key in asked)
    return tuple(
        score(
            variant.name,
            benchmark,
            planned=planned[benchmark],
            records=records.get((variant.name, benchmark), []),
            grades=grades.get((variant.name, benchmark), []),
        )
        for benchmark in study.benchmarks.chosen()
        for variant in study.variants
    )


def _compare(
    study: Study, grades: Mapping[tuple[str, str], list[Grade]], found: tuple[Check, ...]
) -> tuple[Comparison, ...]:
    chosen = study.benchmarks.chosen()
    scores = {
        variant.name: {benchmark: per_question(grades.get((variant.name, benchmark), [])) for benchmark in chosen}
        for variant in study.variants
    }
    return compare(
        scores,
        baseline=study.baseline,
        margins={name: settings.margin / 100 for name, settings in chosen.items()},
        alpha=study.decide.alpha,
        blocked=_blocked(study, found),
        totals={name: BENCHMARKS[name].TOTAL for name in chosen},
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
