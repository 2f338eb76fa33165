"""Put the questions: a server for each variant, one after the other or all at once."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from evaluator.ask.servers import (
    OpenServer,
    check_ahead,
    describe_server,
    note_changes,
    open_servers,
)
from evaluator.ask.traffic import OnWait, Traffic
from evaluator.ask.worker import Pending, Schedule, VariantWorker
from evaluator.errors import ServerLost, StudyError
from evaluator.store.facts import keep_facts
from evaluator.store.folder import logs_path
from evaluator.store.journal import Journal
from evaluator.store.resources import Measured, keep_measured
from evaluator.study.study import Study
from servers.errors import ServerError
from servers.spec import Server, ServerSpec
from servers.usage.meter import Meter

_STARTS = 3
"""Of one variant's server in one turn: it is started again when it dies or hangs, but not for ever."""


Trouble = Literal["", "busy", "restarted", "lost"]
"""What is wrong with a server: it asks to wait or takes fewer at once, is started again, or is given up."""


class OnStatus(Protocol):
    """Called with a variant and what happens to its server, in words; of a wait with its seconds."""

    def __call__(self, variant: str, text: str, seconds: float = 0.0, *, trouble: Trouble = "") -> None:
        """Take it in."""


async def ask_variants(
    study: Study,
    specs: Mapping[str, ServerSpec],
    folder: Path,
    journals: Mapping[str, Journal],
    *,
    wanted: Collection[str],
    schedule: Schedule,
    on_status: OnStatus,
) -> dict[str, str]:
    """Ask every variant what the schedule still wants of it.

    Args:
        study: How is asked.
        specs: By variant what to start; a variant that is not there is not asked.
        folder: The run's.
        journals: By variant where its records go.
        wanted: Variants that have something to be asked.
        schedule: What is asked of whom, and who takes in what came.
        on_status: Called as servers start, answer and are lost.

    Returns:
        For the variants that could not be finished, why, in words for the user.

    Raises:
        StudyError: a variant's model is another one than the records on disk came from.
        ServerError: a server cannot be started, as is found before any is.
        OSError: records cannot be written.
    """
    check_ahead(study, {name: spec for name, spec in specs.items() if name in wanted})
    workers = {
        name: VariantWorker(
            study, name, journals[name], schedule, _traffic(study, spec, partial(on_status, name, trouble="busy"))
        )
        for name, spec in specs.items()
    }
    problems: dict[str, str] = {}

    async def take_turn(name: str, open_server: OpenServer, upto: Mapping[str, int]) -> None:
        try:
            await _ask_variant(workers[name], specs[name], open_server, folder, upto=upto, on_status=on_status)
        except (ServerError, ServerLost) as error:
            problems[name] = str(error)
            on_status(name, str(error).partition("\n")[0], trouble="lost")

    had_a_turn: set[str] = set()
    async with open_servers(study, specs, logs_path(folder)) as open_server, schedule.grading():
        for together, upto in schedule.turns():
            async with asyncio.TaskGroup() as group:
                for name in (name for name in together if name in specs and name not in problems):
                    await schedule.catch_up(name)
                    if name not in had_a_turn or schedule.pending(name, upto).asks:
                        group.create_task(take_turn(name, open_server, upto))
            had_a_turn.update(together)
    return problems


def _traffic(study: Study, spec: ServerSpec, on_wait: OnWait) -> Traffic:
    return Traffic(study.concurrency, silence=study.silence, startup=spec.startup_seconds, on_wait=on_wait)


async def _ask_variant(
    worker: VariantWorker,
    spec: ServerSpec,
    open_server: OpenServer,
    folder: Path,
    *,
    upto: Mapping[str, int],
    on_status: OnStatus,
) -> None:
    name, schedule = worker.variant, worker.schedule
    for start in range(1, _STARTS + 1):
        await schedule.catch_up(name)
        pending = schedule.pending(name, upto, worker.given_up)
        schedule.on_earlier(name, pending.answered)
        if not pending.asks:
            on_status(name, schedule.nothing_left(name, pending, first=start == 1))
            return
        on_status(name, f"asking {spec.base_url}" if spec.base_url else "starting its server")
        try:
            async with open_server(name) as server:
                facts = await describe_server(server, worker.study.sampling)
                keep_facts(folder, name, facts, known=bool(pending.answered), again=start > 1)
                on_status(name, server.engine)
                await _ask_measured(worker, server, pending, folder)
                with suppress(ServerError):  # all is answered: that it is gone now takes nothing away
                    await note_changes(folder, name, server, facts)
        except ServerLost as lost:
            if spec.base_url is not None or not lost.restartable:
                raise
            if start == _STARTS:
                raise ServerLost(f"{lost} (it was started {_STARTS} times)", restartable=False) from None
            on_status(name, f"{lost}; starting it again", trouble="restarted")
        else:
            return


async def _ask_measured(worker: VariantWorker, server: Server, pending: Pending, folder: Path) -> None:
    """Ask, and write down what the server took of its machine meanwhile, however that ended."""
    meter = Meter(server, by_itself=not worker.study.parallel)
    try:
        async with meter:
            await worker.ask(server, pending)
    finally:
        with suppress(OSError, StudyError):  # the answers are what counts
            keep_measured(folder, worker.variant, Measured(usage=meter.usage, asked_s=meter.seconds))
