"""The servers of a study: what to start for each variant, opened for as long as it is asked, and looked at."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from evaluator.errors import ServerLost, StudyError
from evaluator.store.proofs import keep_proofs, read_proofs
from evaluator.study.file import LoadedStudy
from evaluator.study.study import Study, Variant
from evaluator.study.yaml import line_of
from servers.attach import attach
from servers.errors import ModelError, ServerError, SpecError
from servers.launch import check, launch
from servers.llama_router import Router, is_routed, router
from servers.llama_router import check as check_router
from servers.probe import probe
from servers.runtime.table import RUNTIMES, STARTABLE, TESTED, unsent
from servers.slots import with_slots
from servers.spec import NAMED_BY_SERVER, Sampling, Server, ServerFacts, ServerSpec
from servers.weights.source import check as check_model
from servers.weights.source import resolve


class OpenServer(Protocol):
    """Opens a variant's server by the variant's name, for as long as the context lasts."""

    def __call__(self, name: str, /, *, slots: int | None = None) -> AbstractAsyncContextManager[Server]:
        """Open it; one that is started for this variant alone with so many slots, if they are given."""


class _SharedRouter:
    """llama-server's router, started when the first variant that it serves is opened."""

    def __init__(self, specs: Mapping[str, ServerSpec], log: Path, *, at_once: int) -> None:
        self.specs, self._log, self._at_once = specs, log, at_once
        self._starting = asyncio.Lock()
        self._router: Router | None = None

    @asynccontextmanager
    async def open(self, name: str, stack: AsyncExitStack) -> AsyncIterator[Server]:
        async with self._starting:
            if self._router is None:
                started = router(self.specs, log=self._log, at_once=self._at_once)
                self._router = await stack.enter_async_context(started)
        server = await self._router.server(name)
        try:
            yield server
        except ServerLost:  # the router may hold a model that hangs, and would hand it out again
            await self._router.stop()
            raise


@asynccontextmanager
async def open_servers(study: Study, specs: Mapping[str, ServerSpec], logs: Path) -> AsyncIterator[OpenServer]:
    """Give the way to each variant's server: one of its own, or llama-server's router for all that it can serve."""
    routed = _routed(study, specs)
    shared = _SharedRouter(routed, logs / "router.log", at_once=len(routed) if study.parallel else 1)
    async with AsyncExitStack() as stack:

        def open_server(name: str, /, *, slots: int | None = None) -> AbstractAsyncContextManager[Server]:
            if name in routed:
                return shared.open(name, stack)
            return launch(replace(specs[name], slots=slots or specs[name].slots), log=logs / f"{name}.log")

        yield open_server


def _routed(study: Study, specs: Mapping[str, ServerSpec]) -> dict[str, ServerSpec]:
    """Return the variants that share llama-server's router."""
    return {name: spec for name, spec in specs.items() if _shares_router(study, spec)}


def _shares_router(study: Study, spec: ServerSpec) -> bool:
    return study.router and is_routed(spec)


def stays_loaded(study: Study, spec: ServerSpec) -> bool:
    """Whether a variant's server is a process of its own, which may stay while others are started and asked."""
    return (
        not study.parallel and spec.base_url is None and spec.runtime in STARTABLE and not _shares_router(study, spec)
    )


def with_flags(spec: ServerSpec, flags: Sequence[str]) -> ServerSpec:
    """Start a server with further flags; what the study itself gives comes last, so that it wins."""
    return replace(spec, args=(*flags, *spec.args)) if spec.base_url is None else spec


def check_ahead(study: Study, specs: Mapping[str, ServerSpec]) -> None:
    """See what can be seen of servers without starting them: one of the last must not fail after hours.

    Raises:
        ServerError: One cannot be started.
    """
    for error in cannot_start(study, specs).values():
        raise error
    if routed := _routed(study, specs):
        check_router(routed)


def cannot_start(study: Study, specs: Mapping[str, ServerSpec]) -> dict[str, ServerError]:
    """Say which servers cannot be started, as far as that shows without starting them: by variant, why."""
    routed = _routed(study, specs)
    errors: dict[str, ServerError] = {}
    for name, spec in specs.items():
        try:
            if name in routed:
                check_router({name: spec})
            else:
                check(spec)
        except ServerError as error:
            errors[name] = type(error)(error.problem, source=name, key=error.key, remedy=error.remedy)
    return errors


async def describe_server(server: Server, sampling: Sampling) -> ServerFacts:
    """Ask a server who it is, and add what of a study it cannot be sent, and how its kind was tested."""
    facts = await probe(server)
    return msgspec.structs.replace(
        facts,
        thinking=server.spec.thinking if facts.thinking is None else facts.thinking,
        unsent=unsent(server, sampling),
        adapter=TESTED[server.spec.runtime],
    )


_SAME = ("model_id", "model_path", "model_bytes", "model_sha256", "context", "chat_template_sha256", "version")
"""What a server says of itself for little, and what must not change while it is asked."""


async def note_changes(folder: Path, variant: str, server: Server, before: ServerFacts) -> None:
    """Ask a server once more who it is, and write down what is another than it was before the questions.

    Nothing is written of a variant that proved nothing.
    """
    if (proofs := read_proofs(folder).get(variant)) is None:
        return
    found = differences(before, await RUNTIMES[server.spec.runtime].facts(server))
    if new := [sentence for sentence in found if sentence not in proofs.changed]:
        keep_proofs(folder, variant, replace(proofs, changed=(*proofs.changed, *new)))


def differences(before: ServerFacts, after: ServerFacts) -> tuple[str, ...]:
    """Say what a server says otherwise than before, one sentence each; silence is no difference."""
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _SAME]
    return tuple(
        f"its {name} was {old} before the questions, and {new} after them"
        for name, old, new in pairs
        if None not in (old, new) and old != new
    )


def check_models(loaded: LoadedStudy, *, only: str | None = None) -> None:
    """Refuse models that are not there before anything starts: of one variant, or of all.

    Raises:
        StudyError: A model is not there, or is of the wrong kind.
    """
    for error in unusable_models(loaded, only=only).values():
        raise error


def unusable_models(loaded: LoadedStudy, *, only: str | None = None) -> dict[str, StudyError]:
    """Say which models are not there, or of the wrong kind: by variant, why."""
    errors: dict[str, StudyError] = {}
    for i, variant in enumerate(loaded.study.variants):
        if only not in (None, variant.name):
            continue
        if variant.base_url is None and variant.runtime is not None and variant.runtime not in NAMED_BY_SERVER:
            try:
                check_model(variant.model, runtime=variant.runtime, base=loaded.base)
            except ModelError as error:
                key = f"variants[{i}].model"
                errors[variant.name] = StudyError(
                    error.problem,
                    source=loaded.source,
                    line=line_of(loaded.text, key),
                    key=key,
                    remedy=error.remedy,
                )
    return errors


async def with_only_models(loaded: LoadedStudy) -> LoadedStudy:
    """Name the model of each variant that runs already and names none: the only one that its server has.

    A server that cannot be reached is left as it is, and found when all are tried.

    Raises:
        StudyError: It has several.
    """
    variants = []
    for i, variant in enumerate(loaded.study.variants):
        model = variant.model
        if variant.base_url is not None and not model:
            try:
                model = (await attach(server_spec(loaded, variant, context=0))).spec.model
            except SpecError as error:
                key = f"variants[{i}].base_url"
                line = line_of(loaded.text, key)
                raise StudyError(error.problem, source=loaded.source, line=line, key=key, remedy=error.remedy) from None
            except ServerError:
                pass
        variants.append(replace(variant, model=model))
    return replace(loaded, study=replace(loaded.study, variants=tuple(variants)))


def server_spec(loaded: LoadedStudy, variant: Variant, *, context: int) -> ServerSpec:
    """Say what to start for a variant, its model fetched if need be.

    Args:
        loaded: The study it stands in.
        variant: One of the study's.
        context: Tokens that the longest question needs, where the variant does not say.

    Raises:
        ModelError: The model cannot be had from the hub; with the line of the study that names it.
    """
    runtime = variant.runtime or "openai"
    model = variant.model
    if variant.base_url is None and runtime not in NAMED_BY_SERVER:
        try:
            model = str(resolve(variant.model, runtime=runtime, base=loaded.base))
        except ModelError as error:
            key = f"variants[{loaded.study.variants.index(variant)}].model"
            line = line_of(loaded.text, key)
            problem, remedy = error.problem, error.remedy
            raise ModelError(problem, source=loaded.source, line=line, key=key, remedy=remedy) from error
    given = loaded.study.concurrency
    spec = ServerSpec(
        runtime=runtime,
        model=model,
        base_url=variant.base_url,
        binary=variant.binary,
        context=variant.context or context,
        slots=given if isinstance(given, int) else 1,
        thinking=variant.thinking,
        kv_cache=variant.kv_cache,
        args=variant.args,
        api_key_env=variant.api_key_env,
    )
    together = len(loaded.study.variants) if loaded.study.parallel else 1
    return spec if isinstance(given, int) else with_slots(spec, sharing=together)
