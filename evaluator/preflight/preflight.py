"""The first step of a run: every variant's server is started, looked at, and proves what the study asks of it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from evaluator.ask.servers import OpenServer, check_ahead, describe_server, open_servers
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import before
from evaluator.preflight.probes import prove
from evaluator.preflight.settings import settings_of
from evaluator.store.facts import keep_facts, read_facts
from evaluator.store.folder import logs_path
from evaluator.store.proofs import Proofs, keep_proofs, read_proofs
from evaluator.study.requests import Ask
from evaluator.study.study import Study
from servers import signals
from servers.errors import ServerError
from servers.spec import ServerFacts, ServerSpec

OnText = Callable[[str], None]


class Preflight(Struct, frozen=True, kw_only=True):
    """What came of trying the servers of a study before its first question."""

    study: Study
    facts: Mapping[str, ServerFacts]
    """By variant what its server says of itself."""
    proofs: Mapping[str, Proofs]
    """By variant what its server did."""
    problems: Mapping[str, str]
    """By variant why its server could not be started, or was lost."""
    checks: tuple[Check, ...]
    """What was found, for all variants together."""

    @property
    def blocked(self) -> bool:
        """Whether a finding blocks the claim of the study."""
        return any(check.severity == "block" for check in self.checks)


def check_lacking(
    study: Study, specs: Mapping[str, ServerSpec], asks: tuple[Ask, ...], folder: Path, *, needed: int, on_text: OnText
) -> tuple[Preflight, frozenset[str]]:
    """Let every variant's server prove itself that has not yet; give what is known of all, and who was tried now.

    A server that runs already proves itself each time: who knows what became of it. A server that does not start is
    only reported: the run will try it again.

    Raises:
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    proofs, facts = read_proofs(folder), read_facts(folder)
    current = {
        variant.name
        for variant in study.variants
        if variant.base_url is None
        and variant.name in facts
        and variant.name in proofs
        and proofs[variant.name].settings == settings_of(study, variant, needed)
    }
    lacking = {name: spec for name, spec in specs.items() if name not in current}
    tried = try_servers(study, lacking, asks, logs_path(folder), needed=needed, on_text=on_text)
    everything = replace(
        tried,
        facts={**{name: facts[name] for name in current}, **tried.facts},
        proofs={**{name: proofs[name] for name in current}, **tried.proofs},
    )
    return judged(everything, asks), frozenset(tried.facts)


def try_servers(
    study: Study, specs: Mapping[str, ServerSpec], asks: tuple[Ask, ...], logs: Path, *, needed: int, on_text: OnText
) -> Preflight:
    """Start the servers of these variants, look at each, and let it prove itself; nothing is judged yet.

    Args:
        study: The study they stand in.
        specs: What to start, by variant.
        asks: The study's questions.
        logs: Folder for the servers' logs.
        needed: Tokens of context that the servers are started with where a variant does not say.
        on_text: Called with how it goes on, in words.

    Raises:
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    check_ahead(study, specs)
    settings = {variant.name: settings_of(study, variant, needed) for variant in study.variants}
    return signals.run(_try_all(study, specs, asks, logs, settings=settings, on_text=on_text))


async def _try_all(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    logs: Path,
    *,
    settings: Mapping[str, str],
    on_text: OnText,
) -> Preflight:
    facts: dict[str, ServerFacts] = {}
    proofs: dict[str, Proofs] = {}
    problems: dict[str, str] = {}

    async def try_one(name: str, open_server: OpenServer) -> None:
        try:
            async with open_server(name) as server:
                described = await describe_server(server, study.sampling)
                proofs[name] = await prove(server, study, asks=asks, settings=settings[name])
                facts[name] = described
        except ServerError as error:
            problems[name] = str(error)
            on_text(f"{name}: {str(error).partition(chr(10))[0]}")
        else:
            on_text(f"{name}: checked in {proofs[name].seconds:.0f} s")

    async with open_servers(study, specs, logs) as open_server:
        for together in [list(specs)] if study.parallel else [[name] for name in specs]:
            async with asyncio.TaskGroup() as group:
                for name in together:
                    group.create_task(try_one(name, open_server))
    return Preflight(study=study, facts=facts, proofs=proofs, problems=problems, checks=())


def judged(preflight: Preflight, asks: Sequence[Ask]) -> Preflight:
    """Apply the rules that need no records."""
    asked = {ask.key: ask.question for ask in asks}
    given = CheckInput(study=preflight.study, facts=preflight.facts, proofs=preflight.proofs, asked=asked)
    return replace(preflight, checks=before(given))


def keep(preflight: Preflight, folder: Path, *, tried: Collection[str], answered: Collection[str], force: bool) -> None:
    """Write down who answers and what was proved, but, unless forced, not what blocks: somebody may mend it.

    Args:
        preflight: What is known.
        folder: Of the run.
        tried: Variants whose servers were tried now.
        answered: Variants with answers on disk.
        force: Whether what blocks is written down, too.

    Raises:
        StudyError: Another server answered for a variant before.
    """
    blamed = {check.variant for check in preflight.checks if check.severity == "block"}
    baseline = preflight.study.baseline
    if blamed & {None, baseline}:
        blamed |= set(tried)
    elif blamed:
        blamed.add(baseline)  # what a variant differs from
    for name in tried:
        if force or name not in blamed:
            keep_facts(folder, name, preflight.facts[name], known=name in answered)
            keep_proofs(folder, name, preflight.proofs[name])
