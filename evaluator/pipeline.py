"""A study from its file to its report: try the servers, ask, grade, analyse, write. Nothing is printed here."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from math import isfinite
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.pilot import read_pilot
from evaluator.analyse.report import Report
from evaluator.analyse.run import analyse
from evaluator.ask.servers import cannot_start, check_models, server_spec, unusable_models, with_only_models
from evaluator.ask.session import OnStatus, Trouble, ask_variants
from evaluator.ask.worker import Schedule
from evaluator.benchmarks import BENCHMARKS
from evaluator.decide import power
from evaluator.errors import Blocked, NotStarted, StudyError
from evaluator.events import Analysing, Begun, Checked, Event, NotScored, OnEvent, Planned, Status, Unfinished, ignore
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.preflight.preflight import Preflight, check_lacking, judged, keep, try_servers
from evaluator.records import Key
from evaluator.report.files import write_report
from evaluator.report.power import sentences
from evaluator.report.tally import Tally
from evaluator.schedule import CutOffSchedule, StudySchedule, check_more_tokens
from evaluator.store.folder import (
    is_run,
    locked,
    logs_path,
    mark_plan,
    open_for_writing,
    order_in,
    read_plan,
    records_path,
)
from evaluator.store.journal import Journal
from evaluator.store.last_report import last_report
from evaluator.store.live import LiveFile
from evaluator.study.file import LoadedStudy, load_study
from evaluator.study.requests import Ask, context_needed, plan, plan_again, with_limit
from evaluator.study.study import Study
from servers import signals
from servers.busy import busy
from servers.cache import user_cache
from servers.errors import ModelError
from servers.http import trusts_environment
from servers.spec import ServerSpec

StudySource = Study | Mapping[str, Any] | str | Path
"""A study, the mapping that its YAML would be, or the path of its file."""


class _Setup(Struct, frozen=True):
    """A study, ready to be asked: where its run lies, and what to start."""

    study: Study
    folder: Path
    needed: int
    """Tokens of context that the longest question and its reply take."""
    specs: Mapping[str, ServerSpec]
    """By variant."""
    left_out: Mapping[str, str] = {}
    """By variant why it cannot be asked at all; the others are, where that is forced."""


def run_study(
    study: StudySource,
    *,
    runs: str | Path = "runs",
    more_tokens: int | None = None,
    check: bool = True,
    force: bool = False,
    on_event: OnEvent = ignore,
) -> Report:
    """Run a study, or go on with it where it stopped, and write its report.

    Works from a notebook too: where an event loop runs already, the questions are asked in a thread of their own.

    Args:
        study: The study, the mapping that its YAML would be, or the path of its YAML file.
        runs: Folder in which each run has a folder of its own, named after the study.
        more_tokens: Ask again only the questions whose reply was cut off, with this limit in tokens; None asks what
            has no answer yet.
        check: Whether every server is tried before the first question.
        force: Whether to ask even if a check blocks the claim; the report says so.
        on_event: Called with each event (see `evaluator.events`), in the thread that asks.

    Returns:
        All that `report.json` in the run's folder says: a score for each variant and benchmark, and a comparison with
        the baseline for each other variant and benchmark. Scores, differences and intervals are proportions between
        -1 and 1, times are seconds. A variant that could not be finished stands in `problems`; that is not an error.

    Raises:
        StudyError: The study cannot be run as it is written, or its folder holds answers to another one.
        Blocked: A check before the first question blocks the claim, so nothing was asked.
        ModelError: A model cannot be fetched from the hub.
        ServerError: A server cannot be started, and this is known before any server is.
        OSError: The run's folder cannot be written.
        KeyboardInterrupt: The user stopped it; the same call goes on where it stopped.
    """
    loaded = signals.run(with_only_models(load_study(study)))
    if not force:
        check_models(loaded)
    on_event = _also(tally := Tally(), on_event)
    busy_now = _begin(loaded.study, on_event)
    folder = Path(runs) / loaded.study.study
    asks = plan(loaded.study, order_in(folder))
    if more_tokens is not None:
        check_more_tokens(loaded.study, asks, folder, more_tokens)
    with (
        open_for_writing(loaded.study, loaded.text, folder, more_tokens=more_tokens) as run_plan,
        _journals(loaded.study, folder) as journals,
        LiveFile(folder, tally.look),
    ):
        setup = _set_up(loaded, folder, context_needed(asks, run_plan.more_tokens or 0), force=force)
        grader, on_graded = Grader(_find_sandbox(loaded.study, on_event)), signals.in_order(on_event)
        if more_tokens is None:
            schedule = StudySchedule(loaded.study, asks, journals, grader, on_graded)
        else:
            schedule = CutOffSchedule(loaded.study, asks, journals, grader, on_graded, more_tokens=more_tokens)
        wanted = _wanted(schedule, journals)
        if wanted:
            if check:
                tried = tuple(with_limit(ask, more_tokens) for ask in asks) if more_tokens else asks
                _check_servers(setup, tried, journals, wanted=wanted, force=force, on_event=on_event)
            else:
                mark_plan(folder, unchecked=True)
            if busy_now:
                mark_plan(folder, busy=busy_now)
        on_event(Planned(_keys(loaded.study, asks), wanted))
        for variant, why in setup.left_out.items():
            on_event(Status(variant, why, trouble="lost"))
        problems = signals.run(
            ask_variants(
                loaded.study,
                setup.specs,
                folder,
                journals,
                wanted=wanted,
                schedule=schedule,
                on_status=_status_to(on_event),
            )
        )
        problems = {**setup.left_out, **problems}
        for variant, why in problems.items():
            on_event(Unfinished(variant, why))
        on_event(Analysing())
        report = analyse(folder, grader=grader, problems=problems)
        write_report(report, folder)
    return report


def check_study(
    study: StudySource, *, runs: str | Path = "runs", force: bool = False, on_event: OnEvent = ignore
) -> Preflight:
    """Start each variant's server and try whether it does what the study says; no question is asked.

    If the study has a run already, what was proved is kept in its folder; else only logs are written, in the user's
    cache.

    Args:
        study: The study, the mapping that its YAML would be, or the path of its YAML file.
        runs: Folder in which each run has a folder of its own.
        force: Whether to keep what was proved even if a finding blocks the claim.
        on_event: Called with each event, in the thread that asks.

    Returns:
        What each server proved, the findings, and `blocked`; a server that could not be tried stands in `problems`.

    Raises:
        StudyError: The study cannot be run as it is written, or its folder holds answers of other servers.
        ServerError: A server cannot be started, and this is known before any server is.
        ModelError: A model cannot be fetched from the hub.
        KeyboardInterrupt: The user stopped it.
    """
    loaded = signals.run(with_only_models(load_study(study)))
    if not force:
        check_models(loaded)
    _begin(loaded.study, on_event)
    folder = Path(runs) / loaded.study.study
    asks = plan(loaded.study, order_in(folder))
    setup = _set_up(loaded, folder, context_needed(asks), force=force)
    kept = is_run(folder)
    logs = logs_path(folder) if kept else user_cache() / "logs" / loaded.study.study
    with locked(folder) if kept else nullcontext(), _journals(loaded.study, folder) as journals:
        tried = try_servers(
            setup.study,
            setup.specs,
            asks,
            logs,
            needed=setup.needed,
            force=force,
            on_step=signals.in_order(on_event),
        )
        preflight = judged(replace(tried, problems={**setup.left_out, **tried.problems}), asks)
        if kept:
            keep(preflight, folder, tried=tried.facts, answered=_answered(journals), force=force)
    return preflight


def plan_study(
    study: StudySource,
    *,
    runs: str | Path = "runs",
    tokens_per_second: float | None = None,
    tokens_per_answer: float | None = None,
) -> power.StudyPlan:
    """Say what a study can show and how long it takes; nothing is started and nothing is fetched.

    Args:
        study: The study, the mapping that its YAML would be, or the path of its YAML file.
        runs: Folder in which each run has a folder of its own; speed and rate of disagreement are taken from this
            study's run, if there is one.
        tokens_per_second: Completion tokens per second of one variant over all concurrent requests; None takes what
            was measured.
        tokens_per_answer: Average completion tokens of an answer, thinking included; None takes what was measured.

    Returns:
        For each benchmark what can be detected and called equivalent, as proportions between 0 and 1, and the time
        that asking takes, in seconds.

    Raises:
        StudyError: The study, one of the figures, or a file of its run is wrong.
    """
    loaded = load_study(study)
    _check_figures(loaded.study, tokens_per_second, tokens_per_answer)
    pilot = read_pilot(loaded.study, Path(runs) / loaded.study.study)
    study_plan = power.plan_study(
        loaded.study, pilot, tokens_per_second=tokens_per_second, tokens_per_answer=tokens_per_answer
    )
    return replace(study_plan, sentences=tuple(sentences(study_plan)))


def rebuild_report(folder: Path, on_event: OnEvent = ignore) -> Report:
    """Grade a run's records again and write its report again; nothing is asked.

    Args:
        folder: The run's, as `runs/<study>`.
        on_event: Called with each event.

    Raises:
        StudyError: The folder holds no run, a damaged one, or one whose code was scored and cannot be run again here.
    """
    study = read_plan(folder).study
    with locked(folder):
        sandbox = _find_sandbox(study, on_event)
        if isinstance(sandbox, NoSandbox) and _was_scored(folder):
            raise StudyError("its code was scored, and cannot be run again here: nothing was changed", source=folder)
        report = analyse(folder, grader=Grader(sandbox), problems=last_report(folder).problems)
        write_report(report, folder)
    return report


def _check_servers(
    setup: _Setup,
    asks: tuple[Ask, ...],
    journals: Mapping[str, Journal],
    *,
    wanted: Collection[str],
    force: bool,
    on_event: OnEvent,
) -> None:
    """Try every server that will be asked and has not been tried with these settings.

    Raises:
        Blocked: A finding blocks the claim, and `force` is false.
    """
    preflight, tried = check_lacking(
        setup.study,
        setup.specs,
        asks,
        setup.folder,
        wanted=wanted,
        needed=setup.needed,
        force=force,
        on_step=signals.in_order(on_event),
    )
    preflight = judged(replace(preflight, problems={**setup.left_out, **preflight.problems}), asks)
    keep(preflight, setup.folder, tried=tried, answered=_answered(journals), force=force)
    on_event(Checked(preflight.checks))
    if preflight.blocked and not force:
        for variant, why in preflight.problems.items():
            on_event(Unfinished(variant, why))
        error = NotStarted if preflight.problems else Blocked
        raise error([check for check in preflight.checks if check.severity == "block"], source=setup.folder)
    if preflight.blocked:
        mark_plan(setup.folder, forced=True)


def _begin(study: Study, on_event: OnEvent) -> str:
    """Say what is going to be done; give how busy this machine is, where a server of it will be asked."""
    here = any(variant.base_url is None or not trusts_environment(variant.base_url) for variant in study.variants)
    busy_now = busy() if here else ""
    on_event(Begun(study, busy_now))
    return busy_now


def _check_figures(study: Study, tokens_per_second: float | None, tokens_per_answer: float | None) -> None:
    for option, value in (("--tokens-per-second", tokens_per_second), ("--tokens-per-answer", tokens_per_answer)):
        if value is not None and not (isfinite(value) and value > 0):
            raise StudyError(f"a number above 0 is needed, and {value:g} is not", source=option)
    limit = study.sampling.max_tokens
    if tokens_per_answer is not None and tokens_per_answer > limit:
        problem = f"{tokens_per_answer:g} is more than the study lets an answer have (sampling.max_tokens: {limit})"
        raise StudyError(problem, source="--tokens-per-answer", remedy="give what an answer takes on average")


@contextmanager
def _journals(study: Study, folder: Path) -> Iterator[dict[str, Journal]]:
    """Open the journal of each variant."""
    with ExitStack() as stack:
        names = [variant.name for variant in study.variants]
        yield {name: stack.enter_context(Journal(records_path(folder, name))) for name in names}


def _wanted(schedule: Schedule, variants: Iterable[str]) -> dict[str, list[Key]]:
    """List what the variants that have something to be asked are asked, as far as is known before grades are."""
    _, everything = schedule.turns()[-1]
    keys = {name: [ask.key for ask in schedule.pending(name, everything).asks] for name in variants}
    return {name: mine for name, mine in keys.items() if mine}


def _answered(journals: Mapping[str, Journal]) -> Collection[str]:
    """Name the variants with answers on disk."""
    return {name for name, journal in journals.items() if journal.answered()}


def _set_up(loaded: LoadedStudy, folder: Path, needed: int, *, force: bool) -> _Setup:
    """Say what to start for each variant; its model is fetched if need be.

    Raises:
        ModelError: A model cannot be had from the hub, and `force` is false; else its variant is left out.
    """
    left_out = {name: str(error) for name, error in unusable_models(loaded).items()} if force else {}
    specs: dict[str, ServerSpec] = {}
    for variant in loaded.study.variants:
        try:
            if variant.name not in left_out:
                specs[variant.name] = server_spec(loaded, variant, context=needed)
        except ModelError as error:
            if not force:
                raise
            left_out[variant.name] = str(error)
    if force:
        left_out |= {name: str(error) for name, error in cannot_start(loaded.study, specs).items()}
    startable = {name: spec for name, spec in specs.items() if name not in left_out}
    return _Setup(loaded.study, folder, needed, startable, left_out)


def _keys(study: Study, asks: Sequence[Ask]) -> dict[str, list[Key]]:
    keys = {variant.name: [ask.key for ask in asks] for variant in study.variants}
    keys[study.baseline] += [ask.key for ask in plan_again(study, asks)]
    return keys


def _find_sandbox(study: Study, on_event: OnEvent) -> Sandbox | NoSandbox:
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


def _also(tally: Tally, on_event: OnEvent) -> OnEvent:
    def both(event: Event) -> None:
        tally.add(event)
        on_event(event)

    return both


def _status_to(on_event: OnEvent) -> OnStatus:
    emit = signals.in_order(on_event)

    def on_status(variant: str, text: str, seconds: float = 0.0, *, trouble: Trouble = "") -> None:
        emit(Status(variant, text, seconds, trouble))

    return on_status
