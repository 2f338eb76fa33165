"""Put the questions: a server for each variant, one after the other or all at once."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from evaluator.ask.servers import Opened, ServerLost, check_ahead, doors, look, note_changes
from evaluator.ask.worker import Desk, Watch
from evaluator.decide.evidence import Design
from evaluator.decide.stopping import StoppingRule, design_of, rounds
from evaluator.grade.grader import Grader
from evaluator.grade.truncated import cut_off
from evaluator.records import Key, Record
from evaluator.store import journal
from evaluator.store.facts import keep_facts
from evaluator.study.requests import Ask, plan_again, with_limit
from evaluator.study.study import Study, StudyError
from servers.spec import ServerError, ServerSpec

_STARTS = 3
"""Of one variant's server in one run: it is started again when it dies or hangs, but not for ever."""


async def run(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    folder: Path,
    *,
    grader: Grader,
    watch: Watch,
    more_tokens: int | None = None,
) -> dict[str, str]:
    """Ask every variant what it has not answered yet; with `more_tokens` only what the limit had cut off.

    Returns, for the variants that could not be finished, why, in words for the user.

    Raises:
        StudyError: a variant's model is another one than the records on disk came from.
        ServerError: a server cannot be started, as is found before any is.
        OSError: records cannot be written.
    """
    design = design_of(study, asks)
    referee = StoppingRule(study, design)
    desks = {
        variant.name: Desk(
            study=study,
            variant=variant.name,
            asks=asks + (plan_again(study) if variant.name == study.baseline else ()),
            grader=grader,
            watch=watch,
            referee=referee,
            more_tokens=more_tokens,
        )
        for variant in study.variants
    }

    def open_(name: str, upto: Mapping[str, int]) -> list[Ask]:
        return _pending(desks[name], journal.read(_records(folder, name)), upto)[1]

    last = rounds(study, design)[-1]
    check_ahead(study, {name: spec for name, spec in specs.items() if open_(name, last)})
    problems: dict[str, str] = {}

    async def one(name: str, opened: Opened, upto: Mapping[str, int]) -> None:
        try:
            await _variant(desks[name], specs[name], opened, folder, upto)
        except (ServerError, ServerLost) as error:
            problems[name] = str(error)
            watch.says(name, str(error).partition("\n")[0])

    names = list(desks)
    async with doors(study, specs, folder / "logs") as opened:
        for turn, (upto, together) in enumerate(_turns(study, design, names)):
            try:
                async with asyncio.TaskGroup() as group:
                    for name in together:
                        first = turn < len(names)
                        if name not in problems and (first or open_(name, upto)):
                            group.create_task(one(name, opened, upto))
            except* (StudyError, OSError) as errors:
                raise errors.exceptions[0] from None
    return problems


async def _variant(desk: Desk, spec: ServerSpec, opened: Opened, folder: Path, upto: Mapping[str, int]) -> None:
    name, watch = desk.variant, desk.watch
    for start in range(1, _STARTS + 1):
        kept = journal.read(_records(folder, name))
        if desk.study.decide.mode != "fixed":  # what is decided depends on the grades, of what failed as well
            await desk.grade([record for key, record in kept.items() if key in desk.questions])
        earlier, pending = _pending(desk, kept, upto)
        if not pending:
            watch.says(name, _done(desk, earlier, first=start == 1))
            await desk.grade(earlier)
            return
        watch.says(name, f"asking {spec.base_url}" if spec.base_url else "starting its server")
        try:
            async with opened(name) as server:
                facts = await look(server, desk.study.sampling)
                keep_facts(folder, name, facts, known=bool(earlier), again=start > 1)
                watch.says(name, server.engine)
                with journal.Journal(_records(folder, name)) as book:
                    await desk.serve(server, book, pending, earlier)
                with suppress(ServerError):  # all is answered: that it is gone now takes nothing away
                    await note_changes(folder, name, server, facts)
        except ServerLost as gone:
            if spec.base_url is not None or not gone.restartable:
                raise
            if start == _STARTS:
                raise ServerLost(f"{gone} (it was started {_STARTS} times)", restartable=False) from None
            watch.says(name, f"{gone}; starting it again")
        else:
            return


def _records(folder: Path, name: str) -> Path:
    return folder / "records" / f"{name}.jsonl"


def _turns(study: Study, design: Design, names: list[str]) -> list[tuple[dict[str, int], list[str]]]:
    """List who is asked when, and up to which question of each benchmark."""
    others = [name for name in names if name != study.baseline]
    # Where it is looked before the end, the baseline is what a variant is looked at beside: it goes first.
    order = names if design.mode == "fixed" else [study.baseline, *others]
    groups = [order] if study.parallel else [[name] for name in order]
    return [(upto, together) for upto in rounds(study, design) for together in groups]


def _pending(desk: Desk, kept: Mapping[Key, Record], upto: Mapping[str, int]) -> tuple[list[Record], list[Ask]]:
    """Return of what a variant has on disk the answers, and which of the first questions it has still to answer.

    With more tokens: which of those that it was put are to be put again. All of them are, whatever is decided: a reply
    that is left cut off counts as wrong, and speaks against its variant when all is told. None is put that was not.
    """
    earlier = [record for key, record in kept.items() if record.answer and key in desk.questions]
    if desk.more_tokens is not None:
        again = cut_off(earlier, desk.questions, desk.more_tokens)
        put_again = [with_limit(ask, desk.more_tokens) for ask in desk.asks if ask.key in again - desk.given_up]
        return [record for record in earlier if record.key not in again], put_again
    finished = {record.key for record in earlier} | desk.given_up
    desk.failed_before = set(kept) - finished if earlier else set()
    referee = desk.referee
    pending = [
        ask
        for ask in desk.asks
        if ask.key not in finished
        and referee.place(ask.key) < upto[ask.key.benchmark]
        and referee.matters(desk.variant, ask.key)
    ]
    # What failed before comes last: a server that fails at certain questions would never get to the others.
    return earlier, sorted(pending, key=lambda ask: ask.key in kept)


def _done(desk: Desk, earlier: list[Record], *, first: bool) -> str:
    if desk.more_tokens is not None:
        return "no question has to be asked again"
    if len(earlier) < len(desk.asks) and desk.study.decide.mode != "fixed":
        return "no further question is needed for now"
    return "every question was answered before" if first else "every question was put"
