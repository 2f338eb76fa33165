"""What an analysis comes to, as nouns: of one run, and of several together."""

from msgspec import Struct

from evaluator.checks.rule import Check
from evaluator.decide.asked_twice import AskedTwice
from evaluator.decide.categories import CategoryScore
from evaluator.decide.comparison import Comparison
from evaluator.decide.exploratory import Exploratory
from evaluator.decide.lengths import Lengths
from evaluator.decide.recommendation import Recommendation
from evaluator.decide.resources import Resources
from evaluator.decide.score import Score
from evaluator.decide.token_budget import Budget
from evaluator.fidelity.nouns import Fidelity
from evaluator.store.folder import Plan
from evaluator.store.serving import Serving, number_used
from evaluator.study.study import Mode
from servers.spec import ServerFacts


class Saved(Struct, frozen=True):
    """What stopping early saved."""

    questions: int
    """Questions that were not asked, over all variants and benchmarks."""
    of: int
    """Questions that the study plans, over all variants and benchmarks."""


class Report(Struct, frozen=True, kw_only=True):
    """Every number of a report; `report.json` is this, written out."""

    whichquant: str
    """Version of whichquant that wrote it."""
    grader: str
    """Version of the rules by which replies are read."""
    written: str
    """UTC, ISO 8601."""
    plan: Plan
    facts: dict[str, ServerFacts]
    scores: tuple[Score, ...]
    budgets: tuple[Budget, ...]
    """Of the benchmarks of which a smaller output limit would have changed something."""
    comparisons: tuple[Comparison, ...]
    recommendation: Recommendation | None = None
    """None where there is only one variant."""
    resources: tuple[Resources, ...] = ()
    """Of every variant, in the study's order."""
    serving: Serving | None = None
    """How the servers were asked, as far as that was found out; None in the report of an earlier version."""
    asked_twice: tuple[AskedTwice, ...] = ()
    """How far the baseline differs from itself, benchmark by benchmark; empty where nothing is compared with it."""
    categories: tuple[CategoryScore, ...] = ()
    """Of every benchmark that has some."""
    lengths: tuple[Lengths, ...] = ()
    """Of the replies of every variant, benchmark by benchmark."""
    exploratory: Exploratory | None
    """None where there is nothing to compare beside what is compared."""
    fidelity: Fidelity | None = None
    """How far the builds are from their references, token by token; None where that was not measured."""
    fidelity_and_tasks: tuple[str, ...] = ()
    """Where fidelity and task scores point different ways, in sentences."""
    saved: Saved | None
    """None where all questions are put before anything is looked at."""
    checks: tuple[Check, ...]
    problems: dict[str, str]
    """Variants that could not be finished, and why, in one line: logs and paths stay on this machine."""
    unfinished: tuple[str, ...] = ()
    """Of a look before the end how far the run is, in sentences; none in a report that is written."""

    @property
    def in_flight(self) -> int | None:
        """Give how many questions were in flight at once; None where that was not found yet."""
        return number_used(self.plan.study, self.serving)


class ComparedRun(Struct, frozen=True, kw_only=True):
    """One of the runs that are compared."""

    name: str
    """Of the run; made unlike the others' where two are called alike."""
    folder: str
    """Its path, as given."""
    study: str
    """Name of its study."""
    whichquant: str
    """Version that asked."""
    grader: str
    """Version of the rules by which replies were read."""
    created: str
    """UTC, ISO 8601."""
    mode: Mode
    """How its study tests differences."""
    seed: int
    """Order of its questions."""
    questions: dict[str, int]
    """By benchmark how many it planned."""
    variants: dict[str, str]
    """By the name here the name in the study."""


class RunsReport(Struct, frozen=True, kw_only=True):
    """All that a comparison of runs says; `--json` prints it."""

    baseline: str
    alpha: float
    """Rate of false differences over all comparisons together."""
    mode: Mode
    """How differences are tested; all runs have the same."""
    margins: dict[str, float]
    """By benchmark, in points; all else are proportions."""
    runs: tuple[ComparedRun, ...]
    scores: tuple[Score, ...]
    """On the questions in common."""
    comparisons: tuple[Comparison, ...]
    recommendation: Recommendation | None = None
    """Which of all the variants to run."""
    resources: tuple[Resources, ...] = ()
    """Of every variant; speed and memory only where the runs' machines are not known to differ."""
    fidelity: Fidelity | None = None
    """Of the builds of all runs that measured it on one text against the same references; None where they did not."""
    warnings: tuple[str, ...]
    """What speaks against comparing these runs, one sentence each."""
