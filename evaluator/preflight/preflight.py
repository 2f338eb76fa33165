"""The first step of a run: every variant's server is started, looked at, and proves what the study asks of it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from evaluator.ask.servers import Opened, check_ahead, doors, look
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import before
from evaluator.preflight.probes import prove
from evaluator.preflight.settings import settings_of
from evaluator.store import journal
from evaluator.store.facts import keep_facts, read_facts
from evaluator.store.proofs import Proofs, keep_proofs, read_proofs
from evaluator.study.requests import Ask
from evaluator.study.study import Study
from servers.signals import until_terminated
from servers.spec import ServerError, ServerFacts, ServerSpec

Say = Callable[[str], None]


class Tried(Struct, frozen=True, kw_only=True):
    """What came of trying the servers of a study; everything by variant."""

    facts: Mapping[str, ServerFacts]
    proofs: Mapping[str, Proofs]
    problems: Mapping[str, str]
    """Why a variant's server could not be started, or was lost."""


def check_first(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    folder: Path,
    *,
    needed: int,
    force: bool,
    say: Say,
) -> tuple[Check, ...]:
    """Let every variant's server prove itself that has not yet, keep what was proved, and give what was found.

    A server that runs already proves itself each time: who knows what became of it. A server that does not start is
    only told: the run will try it again.

    Raises:
        StudyError: A variant's model is another one than the records on disk came from.
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    known, said = read_proofs(folder), read_facts(folder)
    current = {
        variant.name
        for variant in study.variants
        if variant.base_url is None
        and variant.name in said
        and variant.name in known
        and known[variant.name].settings == settings_of(study, variant, needed)
    }
    lacking = {name: spec for name, spec in specs.items() if name not in current}
    tried = try_servers(study, lacking, asks, folder / "logs", needed=needed, say=say)
    everything = Tried(
        facts={**{name: said[name] for name in current}, **tried.facts},
        proofs={**{name: known[name] for name in current}, **tried.proofs},
        problems=tried.problems,
    )
    found = judged(study, asks, everything)
    keep(folder, study, tried, found, force=force)
    return found


def try_servers(
    study: Study, specs: Mapping[str, ServerSpec], asks: tuple[Ask, ...], logs: Path, *, needed: int, say: Say
) -> Tried:
    """Start the servers of these variants, look at each, and let it prove itself.

    Args:
        study: The study they stand in.
        specs: What to start, by variant.
        asks: The study's questions.
        logs: Folder for the servers' logs.
        needed: Tokens of context that the servers are started with where a variant does not say.
        say: Hears what goes on.

    Raises:
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    check_ahead(study, specs)
    settings = {v.name: settings_of(study, v, needed) for v in study.variants}
    try:
        return asyncio.run(until_terminated(_try_all(study, specs, asks, logs, settings=settings, say=say)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _try_all(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    logs: Path,
    *,
    settings: Mapping[str, str],
    say: Say,
) -> Tried:
    facts: dict[str, ServerFacts] = {}
    proofs: dict[str, Proofs] = {}
    problems: dict[str, str] = {}

    async def one(name: str, opened: Opened) -> None:
        try:
            async with opened(name) as server:
                seen = await look(server, study.sampling)
                proofs[name] = await prove(server, study, asks=asks, settings=settings[name])
                facts[name] = seen
        except ServerError as error:
            problems[name] = str(error)
            say(f"{name}: {str(error).partition(chr(10))[0]}")
        else:
            say(f"{name}: checked in {proofs[name].seconds:.0f} s")

    async with doors(study, specs, logs) as opened:
        for together in [list(specs)] if study.parallel else [[name] for name in specs]:
            async with asyncio.TaskGroup() as group:
                for name in together:
                    group.create_task(one(name, opened))
    return Tried(facts=facts, proofs=proofs, problems=problems)


def judged(study: Study, asks: Iterable[Ask], tried: Tried) -> tuple[Check, ...]:
    """Apply the rules that need no records."""
    asked = {ask.key: ask.question for ask in asks}
    return before(CheckInput(study=study, facts=tried.facts, proofs=tried.proofs, asked=asked))


def keep(folder: Path, study: Study, tried: Tried, found: Iterable[Check], *, force: bool) -> None:
    """Write down who answers and what was proved, but, unless forced, not what blocks: somebody may mend it.

    Raises:
        StudyError: Another server answered for a variant before.
    """
    blamed = {check.variant for check in found if check.severity == "block"}
    if blamed & {None, study.baseline}:
        blamed |= set(tried.facts)
    elif blamed:
        blamed.add(study.baseline)  # what a variant differs from
    for name, facts in tried.facts.items():
        if force or name not in blamed:
            records = journal.read(folder / "records" / f"{name}.jsonl").values()
            keep_facts(folder, name, facts, known=any(record.answer for record in records))
            keep_proofs(folder, name, tried.proofs[name])


def unanswered(folder: Path, study: Study, asks: Iterable[Ask]) -> bool:
    """Whether a variant has no answer yet to one of these questions."""
    keys = {ask.key for ask in asks}
    kept = [journal.read(folder / "records" / f"{variant.name}.jsonl") for variant in study.variants]
    return any(keys - {key for key, record in records.items() if record.answer} for records in kept)
