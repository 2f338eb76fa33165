"""Which quantized build of this local model should I run, and how sure can I be?

    report = evaluator.run_study("study.yaml")
    for comparison in report.comparisons:
        print(comparison.sentence)

The names in `__all__` are the Python API, each loaded when it is first used; docs/python.md shows them at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from evaluator.analyse.load import Run, load_run
    from evaluator.analyse.report import Report, RunsReport
    from evaluator.analyse.runs import compare
    from evaluator.benchmarks.humaneval import extract as extract_code
    from evaluator.benchmarks.mmlu_pro import extract as extract_choice
    from evaluator.checks.rule import Check
    from evaluator.counts.analyse import compare_counts
    from evaluator.counts.report import CountsReport
    from evaluator.decide.comparison import Comparison, Verdict
    from evaluator.decide.power import StudyPlan
    from evaluator.decide.recommendation import Recommendation
    from evaluator.decide.score import Score
    from evaluator.endpoint import evaluate
    from evaluator.errors import Blocked, StudyError
    from evaluator.fidelity.nouns import Fidelity
    from evaluator.fidelity.requested import measure_fidelity
    from evaluator.pipeline import check_study, run_study
    from evaluator.planning import plan_study
    from evaluator.preflight.preflight import Preflight
    from evaluator.records import Answer, Extraction, Failure, Grade, Key, Question, Record
    from evaluator.report.image_files import save_pictures
    from evaluator.study.file import load_study
    from evaluator.study.study import Study, Variant
    from servers.errors import ModelError, ServerError, WhichquantError

__all__ = [
    "Answer",
    "Blocked",
    "Check",
    "Comparison",
    "CountsReport",
    "Extraction",
    "Failure",
    "Fidelity",
    "Grade",
    "Key",
    "ModelError",
    "Preflight",
    "Question",
    "Recommendation",
    "Record",
    "Report",
    "Run",
    "RunsReport",
    "Score",
    "ServerError",
    "Study",
    "StudyError",
    "StudyPlan",
    "Variant",
    "Verdict",
    "WhichquantError",
    "check_study",
    "compare",
    "compare_counts",
    "evaluate",
    "extract_choice",
    "extract_code",
    "load_run",
    "load_study",
    "measure_fidelity",
    "plan_study",
    "run_study",
    "save_pictures",
]

_HOMES = {
    "evaluator.analyse.load": ("Run", "load_run"),
    "evaluator.analyse.report": ("Report", "RunsReport"),
    "evaluator.analyse.runs": ("compare",),
    "evaluator.benchmarks.humaneval": ("extract as extract_code",),
    "evaluator.benchmarks.mmlu_pro": ("extract as extract_choice",),
    "evaluator.checks.rule": ("Check",),
    "evaluator.counts.analyse": ("compare_counts",),
    "evaluator.counts.report": ("CountsReport",),
    "evaluator.decide.comparison": ("Comparison", "Verdict"),
    "evaluator.decide.power": ("StudyPlan",),
    "evaluator.decide.recommendation": ("Recommendation",),
    "evaluator.decide.score": ("Score",),
    "evaluator.endpoint": ("evaluate",),
    "evaluator.errors": ("Blocked", "StudyError"),
    "evaluator.fidelity.nouns": ("Fidelity",),
    "evaluator.fidelity.requested": ("measure_fidelity",),
    "evaluator.pipeline": ("check_study", "run_study"),
    "evaluator.planning": ("plan_study",),
    "evaluator.preflight.preflight": ("Preflight",),
    "evaluator.records": ("Answer", "Extraction", "Failure", "Grade", "Key", "Question", "Record"),
    "evaluator.report.image_files": ("save_pictures",),
    "evaluator.study.file": ("load_study",),
    "evaluator.study.study": ("Study", "Variant"),
    "servers.errors": ("ModelError", "ServerError", "WhichquantError"),
}


def __getattr__(name: str) -> object:
    """Load a name of the API when it is first used."""
    for home, names in _HOMES.items():
        for exported in names:
            original, _, alias = exported.partition(" as ")
            if name == (alias or original):
                value = getattr(import_module(home), original)
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
