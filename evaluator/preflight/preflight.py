"""The first step of a run: every variant's server is started, looked at, and proves what the study asks of it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from evaluator.ask.servers import OpenServer, check_ahead, describe_server, open_servers
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import before
from evaluator.events import Checking
from evaluator.preflight.alone import TIMES, measure_alone
from evaluator.preflight.arranging import Arranging, keep_arranged
from evaluator.preflight.probes import prove, share_of
from evaluator.preflight.settings import settings_of
from evaluator.store.facts import keep_facts, read_facts
from evaluator.store.folder import logs_path
from evaluator.store.proofs import Proofs, keep_proofs, read_proofs
from evaluator.store.resources import Measured, keep_measured
from evaluator.store.serving import Arranged
from evaluator.study.requests import Ask
from evaluator.study.study import Study, Variant
from servers import signals
from servers.errors import ServerError
from servers.spec import Server, ServerFacts, ServerSpec
from servers.usage.meter import taken_now
from servers.usage.reported import kv_cache_bytes

T = TypeVar("T")


OnStep = Callable[[Checking], None]


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
    measured: Mapping[str, Measured] = {}
    """By variant how fast its server loads, and answers one request alone; of those that were tried now."""
    arranged: Mapping[str, tuple[Arranged, ...]] = {}
    """By variant what each order of the questions costs its server; of those of which it was found out now."""

    @property
    def blocked(self) -> bool:
        """Whether a finding blocks the claim of the study; a server that does not start is one."""
        return any(check.severity == "block" for check in self.checks)


def check_lacking(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    folder: Path,
    *,
    wanted: Mapping[str, Collection[object]],
    needed: int,
    force: bool,
    on_step: OnStep,
) -> tuple[Preflight, frozenset[str]]:
    """Let every server prove itself that will be asked and has not yet; give what is known, and who was tried now.

    Nothing is judged yet.

    A server that runs already proves itself each time: who knows what became of it. One that needs more context than
    before is tried with longer prompts only.

    Args:
        study: The study they stand in.
        specs: What to start, by variant.
        asks: The study's questions.
        folder: The run's.
        wanted: Variants that have something to be asked, and what.
        needed: Tokens of context that the servers are started with where a variant does not say.
        force: Whether the others are tried even if one does not start.
        on_step: Called with how it goes on.

    Raises:
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    facts = read_facts(folder)
    proofs = {name: proofs for name, proofs in read_proofs(folder).items() if name in facts}
    earlier = {variant.name: proofs[variant.name] for variant in study.variants if _still_holds(study, variant, proofs)}
    lacking = {
        name: spec
        for name, spec in specs.items()
        if name in wanted and (name not in earlier or earlier[name].context < needed)
    }
    earlier, logs = _only(earlier, lacking), logs_path(folder)
    questions = {name: len(keys) for name, keys in wanted.items()}
    tried = try_servers(
        study, lacking, asks, logs, needed=needed, force=force, on_step=on_step, earlier=earlier, questions=questions
    )
    known = {variant.name for variant in study.variants} - lacking.keys()
    everything = replace(
        tried, facts={**_only(facts, known), **tried.facts}, proofs={**_only(proofs, known), **tried.proofs}
    )
    return everything, frozenset(tried.facts)


def _still_holds(study: Study, variant: Variant, proofs: Mapping[str, Proofs]) -> bool:
    """Whether a server that we start proved itself before with the settings of now."""
    known = proofs.get(variant.name)
    return variant.base_url is None and known is not None and known.settings == settings_of(study, variant)


def _only(by_variant: Mapping[str, T], names: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in by_variant.items() if name in names}


def try_servers(
    study: Study,
    specs: Mapping[str, ServerSpec],
    asks: tuple[Ask, ...],
    logs: Path,
    *,
    needed: int,
    force: bool,
    on_step: OnStep,
    earlier: Mapping[str, Proofs] = {},
    questions: Mapping[str, int] = {},
) -> Preflight:
    """Start the servers of these variants, look at each, and let it prove itself; nothing is judged yet.

    Whether all of them start is found out first: it takes seconds, and the rest minutes.

    Args:
        study: The study they stand in.
        specs: What to start, by variant.
        asks: The study's questions.
        logs: Folder for the servers' logs.
        needed: Tokens of context that the servers are started with where a variant does not say.
        force: Whether the others are tried even if one does not start.
        on_step: Called with how it goes on.
        earlier: By variant what its server proved with less context: of these only long prompts are tried.
        questions: By variant how many will be asked next: the check takes a tenth of that, unless what can block takes
            more. Where it is not said, everything is tried.

    Raises:
        ServerError: A server cannot be started, as is found before any is.
        KeyboardInterrupt: The user stopped it.
    """
    check_ahead(study, specs)
    tries = _Tries(study, asks, needed, earlier, questions, force=force, on_step=on_step)
    signals.run(tries.run(specs, logs))
    return Preflight(
        study=study,
        facts=tries.facts,
        proofs=tries.proofs,
        problems=tries.problems,
        checks=(),
        measured=tries.measured,
        arranged=tries.arranging.tried,
    )


class _Tries:
    """The servers of a study, tried one after the other or, where the study asks them so, all at once."""

    def __init__(
        self,
        study: Study,
        asks: tuple[Ask, ...],
        needed: int,
        earlier: Mapping[str, Proofs],
        questions: Mapping[str, int],
        *,
        force: bool,
        on_step: OnStep,
    ) -> None:
        self._study, self._asks, self._needed, self._earlier = study, asks, needed, earlier
        self._force, self._on_step, self._questions = force, on_step, questions
        self._settings = {variant.name: settings_of(study, variant) for variant in study.variants}
        self.facts: dict[str, ServerFacts] = {}
        self.proofs: dict[str, Proofs] = {}
        self.problems: dict[str, str] = {}
        self.measured: dict[str, Measured] = {}
        self.arranging = Arranging(study, asks)
        self._load_s: dict[str, float] = {}
        """By variant, of the first start: later ones find the model's file in the machine's memory."""
        self._alone = asyncio.Lock()

    async def run(self, specs: Mapping[str, ServerSpec], logs: Path) -> None:
        specs = {name: replace(spec, verbose=True) for name, spec in specs.items()}
        async with open_servers(self._study, specs, logs) as open_server:
            if self._study.parallel:
                await self._try_together(list(specs), open_server)
                for name, spec in specs.items():
                    await self._try_flags(name, spec, logs)
                return
            first, *others = specs or [""]
            for name in others:
                await self._start(name, open_server)
            if self.problems and not self._force:
                await self._start(first, open_server)
                return
            for name, spec in specs.items():
                if name not in self.problems:
                    await self._try_together([name], open_server)
                    await self._try_flags(name, spec, logs)

    async def _start(self, name: str, open_server: OpenServer) -> None:
        """See whether a server starts, and stop it again."""
        self._on_step(Checking(name, "starting its server"))
        began = time.monotonic()
        try:
            async with open_server(name) as server:
                self._note_load(name, server)
                self._on_step(Checking(name, f"its server starts, in {time.monotonic() - began:.0f} s", ended=True))
        except ServerError as error:
            self._failed(name, error)

    async def _try_together(self, names: Sequence[str], open_server: OpenServer) -> None:
        """Start servers, and when all have started or failed, let them prove themselves."""
        started, proved = asyncio.Barrier(len(names)), asyncio.Barrier(len(names))
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._try(name, open_server, started, proved))

    async def _try(self, name: str, open_server: OpenServer, started: asyncio.Barrier, proved: asyncio.Barrier) -> None:
        """Try one server, in step with the others; one that fails lets the others go on."""
        waits = [started, proved]
        self._on_step(Checking(name, "starting its server"))
        try:
            async with open_server(name) as server:
                self._note_load(name, server)
                await waits.pop(0).wait()
                if not self.problems or self._force:
                    await self._prove(name, server)
                await waits.pop(0).wait()
                if name in self.proofs:
                    await self._measure(name, server)
        except ServerError as error:
            self._failed(name, error)
            for barrier in waits:
                await barrier.wait()

    async def _prove(self, name: str, server: Server) -> None:
        self._on_step(Checking(name, "reading what its server and files say"))
        described = await describe_server(server, self._study.sampling)

        def on_request(done: int, planned: int, what: str) -> None:
            self._on_step(Checking(name, "checking", done, planned, what=what))

        def on_wait(text: str, seconds: float) -> None:
            self._on_step(Checking(name, f"{text} {seconds:.0f} s" if seconds else text))

        proofs = await prove(
            server,
            self._study,
            asks=self._asks,
            settings=self._settings[name],
            context=self._needed,
            earlier=self._earlier.get(name),
            questions=self._questions.get(name),
            on_step=on_request,
            on_wait=on_wait,
        )
        self.facts[name], self.proofs[name] = described, proofs

    def _note_load(self, name: str, server: Server) -> None:
        if server.load_s is not None:
            self._load_s.setdefault(name, server.load_s)

    async def _measure(self, name: str, server: Server) -> None:
        """Measure what can be measured only while no questions are asked, of one server at a time."""
        async with self._alone:
            self._on_step(Checking(name, "measuring the speed of one request alone"))
            alone = await measure_alone(server, self._study, self.facts[name], times=self._times(name))
        with contextlib.suppress(OSError):
            taken = await taken_now(server, by_itself=not self._study.parallel)
            usage = replace(taken, load_s=self._load_s.get(name), kv_cache_bytes=kv_cache_bytes(server))
            self.measured[name] = Measured(usage=usage, alone=alone)
            if self.arranging.is_worth_it:
                self._on_step(Checking(name, "measuring what of a prompt its server keeps"))
                await self.arranging.measure(name, server, usage.kv_cache_bytes)
        self._on_step(Checking(name, f"checked in {self.proofs[name].seconds:.0f} s", ended=True))

    async def _try_flags(self, name: str, spec: ServerSpec, logs: Path) -> None:
        """Start a server once more, with flags that may let it keep more of a prompt."""
        if flags := self.arranging.worth_trying(name, spec):
            self._on_step(Checking(name, f"measuring the same with {' '.join(flags)}"))
            await self.arranging.measure_with(name, spec, flags, log=logs / f"{name}.log")
            self._on_step(Checking(name, "measured", ended=True))

    def _times(self, name: str) -> int:
        """Say how often the speed alone is measured: once where the check has taken its share of the run already."""
        proofs = self.proofs[name]
        share = share_of(self._questions.get(name), proofs.question_s, self._study.tried_at_once)
        return TIMES if proofs.seconds < share else 1

    def _failed(self, name: str, error: ServerError) -> None:
        self.problems[name] = str(error)
        self._on_step(Checking(name, str(error).partition("\n")[0], ended=True))


def judged(preflight: Preflight, asks: Sequence[Ask]) -> Preflight:
    """Apply the rules that need no records."""
    asked = {ask.key: ask.question for ask in asks}
    given = CheckInput(
        study=preflight.study,
        facts=preflight.facts,
        proofs=preflight.proofs,
        asked=asked,
        problems=preflight.problems,
    )
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
            if name in preflight.measured:
                keep_measured(folder, name, preflight.measured[name])
    keep_arranged(folder, preflight.study, preflight.arranged)
