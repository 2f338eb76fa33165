"""What earlier answers to the same study tell a plan: how fast they came, and how often two variants disagree."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from evaluator.analyse.load import read_grades
from evaluator.decide.pilot import Disagreement, Measured, Part, PilotData
from evaluator.decide.score import per_question, score
from evaluator.grade.outline import outline
from evaluator.stats.proportions import wilson
from evaluator.store.folder import is_run, read_plan, records_path, report_path
from evaluator.store.journal import current
from evaluator.store.last_report import LastReport, read_report
from evaluator.store.serving import number_used, read_serving
from evaluator.study.study import Study, Variant

if TYPE_CHECKING:
    from evaluator.records import Grade


_OPEN = ("cannot tell", "not comparable")


def read_pilot(study: Study, folder: Path) -> PilotData | None:
    """Read what a run's folder holds of a study; None where there is none, or one of other questions.

    Raises:
        StudyError: a file of the run is damaged.
    """
    if not is_run(folder):
        return None
    before = read_plan(folder).study
    if not _asked_alike(before, study):
        return None
    then = {variant.name: _what(variant) for variant in before.variants}
    same = [v.name for v in study.variants if then.get(v.name) == _what(v)]
    report = _report(study, folder)
    measured = {part: found for part, found in _measured(study, folder, report).items() if part[0] in same}
    if not measured:
        return None
    return PilotData(
        measured=measured,
        disagreements=tuple(
            found
            for found in _disagreements(study, folder, same)
            if (found.variant, found.benchmark) not in _decided(report)
        ),
        concurrency=number_used(before, read_serving(folder)),
        ignored=tuple(v.name for v in study.variants if v.name in then and v.name not in same),
    )


def _asked_alike(before: Study, now: Study) -> bool:
    """Whether answers then speak for answers now: the same sampling, and every shared benchmark put the same way."""
    then, today = before.benchmarks.chosen(), now.benchmarks.chosen()
    return before.sampling == now.sampling and all(
        then[name].format == today[name].format
        and getattr(then[name], "shots", None) == getattr(today[name], "shots", None)
        for name in then
        if name in today
    )


def _what(variant: Variant) -> Variant:
    return msgspec.structs.replace(variant, api_key_env=None)


def _report(study: Study, folder: Path) -> LastReport | None:
    """Read the last report; None where there is none, or where answers came after it."""
    report = report_path(folder)
    journals = [path for v in study.variants if (path := records_path(folder, v.name)).exists()]
    if not report.exists() or any(path.stat().st_mtime > report.stat().st_mtime for path in journals):
        return None
    return read_report(folder, LastReport)


def _decided(report: LastReport | None) -> frozenset[Part]:
    """Name what a run that looks on the way has decided: it asks nothing more there."""
    found = report.comparisons if report else ()
    return frozenset((c.variant, c.benchmark) for c in found if c.mode != "fixed" and c.verdict not in _OPEN)


def _measured(study: Study, folder: Path, report: LastReport | None) -> dict[Part, Measured]:
    """Take the last report's figures; the records' where there is none."""
    if report is not None:
        return {
            (s.variant, s.benchmark): Measured(
                answered=sum(s.outcomes.values()) - s.outcomes.get("failed", 0),
                mean_tokens=s.mean_tokens,
                tokens_per_second=s.tokens_per_second,
            )
            for s in report.scores
        }
    return dict(_from_records(study, folder))


def _from_records(study: Study, folder: Path) -> Iterator[tuple[Part, Measured]]:
    for variant in study.variants:
        records = list(map(outline, current(records_path(folder, variant.name))))
        for benchmark in study.benchmarks.chosen():
            ours = [record for record in records if record.key.benchmark == benchmark and record.reply]
            if ours:
                counted = score(variant.name, benchmark, planned=len(ours), records=ours, grades=[])
                yield (
                    (variant.name, benchmark),
                    Measured(
                        answered=len(ours),
                        mean_tokens=counted.mean_tokens,
                        tokens_per_second=counted.tokens_per_second,
                    ),
                )


def _disagreements(study: Study, folder: Path, same: list[str]) -> Iterator[Disagreement]:
    """Compare the grades of every variant with the baseline's, question by question."""
    if study.baseline not in same:
        return
    graded = defaultdict[Part, list["Grade"]](list)
    chosen = study.benchmarks.chosen()
    for grade in read_grades(folder).values():
        # What the baseline was asked once more, to see how it differs from itself, is no part of a comparison.
        if grade.key.benchmark in chosen and grade.key.repeat < chosen[grade.key.benchmark].repeats:
            graded[grade.variant, grade.key.benchmark].append(grade)
    for benchmark in chosen:
        theirs = per_question(graded[study.baseline, benchmark])
        for name in same:
            ours = {} if name == study.baseline else per_question(graded[name, benchmark])
            gaps = [fmean(ours[i]) - fmean(theirs[i]) for i in ours if len(ours[i]) == len(theirs.get(i, ()))]
            if gaps:
                differ = sum(gap != 0 for gap in gaps)
                yield Disagreement(
                    variant=name,
                    baseline=study.baseline,
                    benchmark=benchmark,
                    n=len(gaps),
                    differ=differ,
                    rate=fmean(gap * gap for gap in gaps),
                    interval=wilson(differ, len(gaps)),
                    difference=fmean(gaps),
                )
