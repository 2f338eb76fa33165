"""A study from its file to its report: try the servers, ask, grade, analyse, write. Nothing is printed here."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.analyse.run import analyse
from evaluator.ask.schedule import Schedule
from evaluator.ask.servers import cannot_start, check_models, server_spec, unusable_models, with_only_models
from evaluator.ask.session import OnStatus, ask_variants
from evaluator.errors import Blocked, NotStarted
from evaluator.events import Analysing, Begun, Checked, Event, OnEvent, Planned, Status, Unfinished, ignore
from evaluator.grade.grader import Grader
from evaluator.preflight.preflight import Preflight, check_lacking, judged, keep, try_servers
from evaluator.preflight.reuse import refuse_other_reuse, settle_reuse
from evaluator.rebuild import sandbox_for
from evaluator.records import Key
from evaluator.report.files import write_report
from evaluator.report.tally import Tally
from evaluator.schedule import CutOffSchedule, StudySchedule, check_more_tokens
from evaluator.store.folder import (
    is_run,
    locked,
    logs_path,
    mark_plan,
    open_for_writing,
    order_in,
    records_path,
)
from evaluator.store.journal import Journal
from evaluator.store.keys import Numbers
from evaluator.store.live import LiveFile, Trouble
from evaluator.study.file import LoadedStudy, StudySource, load_study
from evaluator.study.requests import Ask, context_needed, plan, with_limit
from evaluator.study.study import Study
from servers import signals
from servers.busy import busy
from servers.cache import user_cache
from servers.errors import ModelError
from servers.http import trusts_environment
from servers.spec import ServerSpec


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
        answered = _answered(journals)
        refuse_other_reuse(loaded.study, setup.specs, folder, answered=answered)
        grader, on_graded = Grader(sandbox_for(loaded.study, on_event)), signals.in_order(on_event)
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
            settle_reuse(loaded.study, setup.specs, asks, folder, answered=answered)
        on_event(Planned(schedule.planned(), wanted))
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


def _check_servers(
    setup: _Setup,
    asks: tuple[Ask, ...],
    journals: Mapping[str, Journal],
    *,
    wanted: Mapping[str, Collection[Key]],
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


@contextmanager
def _journals(study: Study, folder: Path) -> Iterator[dict[str, Journal]]:
    """Open the journal of each variant."""
    with ExitStack() as stack:
        names, numbers = [variant.name for variant in study.variants], Numbers()
        yield {name: stack.enter_context(Journal(records_path(folder, name), numbers)) for name in names}


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
