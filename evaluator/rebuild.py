"""A run's report from its records alone, without a server: what asks nothing loads nothing that asks."""

from pathlib import Path

from evaluator.analyse.report import Report
from evaluator.analyse.run import analyse
from evaluator.benchmarks import BENCHMARKS
from evaluator.errors import StudyError
from evaluator.events import NotScored, OnEvent, ignore
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.report.files import write_report
from evaluator.store.folder import locked, read_plan
from evaluator.store.last_report import last_report
from evaluator.study.study import Study


def rebuild_report(folder: Path, on_event: OnEvent = ignore) -> Report:
    """Grade a run's records again and write its report again; nothing is asked.

    Of a large run what was graded before is taken, where records, questions and rules are the same; see
    `evaluator.analyse.kept`.

    Args:
        folder: The run's, as `runs/<study>`.
        on_event: Called with each event.

    Raises:
        StudyError: The folder holds no run, a damaged one, or one whose code was scored and cannot be run again here.
    """
    study = read_plan(folder).study
    with locked(folder):
        sandbox = sandbox_for(study, on_event)
        if isinstance(sandbox, NoSandbox) and _was_scored(folder):
            raise StudyError("its code was scored, and cannot be run again here: nothing was changed", source=folder)
        report = analyse(folder, grader=Grader(sandbox), problems=last_report(folder).problems)
        write_report(report, folder)
    return report


def sandbox_for(study: Study, on_event: OnEvent) -> Sandbox | NoSandbox:
    """Find a sandbox if code will be graded; if there is none, report that before the first question."""
    titles = [BENCHMARKS[name].title for name in study.benchmarks.chosen() if BENCHMARKS[name].kind == "code"]
    if not titles:
        return NoSandbox(reason="no code questions in this study", install="")
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        on_event(NotScored(tuple(titles), sandbox.reason, sandbox.install))
    return sandbox


def _was_scored(folder: Path) -> bool:
    """Whether code of this run was executed and scored before."""
    scores = last_report(folder).scores
    return any(
        score.accuracy is not None and score.benchmark in BENCHMARKS and BENCHMARKS[score.benchmark].kind == "code"
        for score in scores
    )
