"""llama-server's router mode: one server for many variants, each loaded when it is asked for.

The router is a llama-server without a model. It reads what its models are from an INI file, a section for each, starts
a llama-server of its own for each that is asked for, and hands requests on by their `model`. So variants may differ in
all that flags can say: context, slots, KV cache, thinking. Seen with llama.cpp b10434.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from servers import process
from servers.errors import ServerError, SpecError
from servers.http import fetch
from servers.runtime import llama_server
from servers.runtime.llama_preset import own_log, section, settings
from servers.spec import Server, ServerSpec
from servers.start_errors import cause
from servers.usage import graphics

_WHEEL = "servers.runtime.xllamacpp_server"
_LOADED = ("loaded", "sleeping")
_PAUSE = 0.2
_LOAD_SECONDS = 60.0
"""For the answer to /models/load: it comes when the model to be given up has ended, which may take 10 s."""
_LINES_WITH_CAUSE = 60


class Running(NamedTuple):
    """A router's process and its address."""

    child: process.Child
    root: str


class Router:
    """One llama-server for many variants."""

    def __init__(self, specs: Mapping[str, ServerSpec], log: Path, engine: str, command: Sequence[str]) -> None:
        self._specs = specs
        self._log = log
        self._engine = engine
        self._command = tuple(command)
        self._starting = asyncio.Lock()
        self._running: Running | None = None
        self._gpu_in_use_before: tuple[int, ...] = ()

    async def server(self, name: str) -> Server:
        """Load a variant, where need be in place of the least recently used one.

        A router that has died is started again, at another address.

        Raises:
            ServerError: It cannot be loaded, or not within its `startup_seconds`; with the end of the log.
        """
        spec = self._specs[name]
        child, root = await self.start()
        try:
            await _load(child, root, name, spec)
        except ServerError:
            if process.alive(child):
                raise
            child, root = await self.start()  # it died while this was asked, or a moment before
            await _load(child, root, name, spec)
        return Server(
            spec=spec,
            base_url=f"{root}/v1",
            model=name,
            engine=self._engine,
            command=child.command,
            pid=child.guard.pid,
            log=own_log(self._log, name),
            gpu_in_use_before=self._gpu_in_use_before,
        )

    async def start(self) -> Running:
        """Start the router if it does not run; no model is loaded yet.

        Raises:
            ServerError: It does not answer.
        """
        async with self._starting:
            if self._running is None or not process.alive(self._running.child):
                await self.stop()
                self._running = await self._start_process()
            return self._running

    async def stop(self) -> None:
        """End the router and all that it started."""
        if self._running is not None:
            await process.stop(self._running.child)

    async def _start_process(self) -> Running:
        self._gpu_in_use_before = await asyncio.to_thread(graphics.in_use)
        child, port = await process.started(
            lambda port: (*self._command, "--port", str(port)),
            lambda port: llama_server.environment(next(iter(self._specs.values())), port),
            self._log,
            ready=lambda _, port: _is_ready(_root(port)),
            seconds=max(spec.startup_seconds for spec in self._specs.values()),
        )
        return Running(child, _root(port))


def _root(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@asynccontextmanager
async def router(specs: Mapping[str, ServerSpec], *, log: Path, at_once: int = 1) -> AsyncIterator[Router]:
    """Start one llama-server for many variants, and stop it with all of its models.

    Args:
        specs: The variants by name: letters, digits, dots, dashes.
        log: File that the router's output, and that of its models, is appended to; each variant has its own beside it.
        at_once: How many models may be loaded at a time; one more replaces the least recently used.

    Raises:
        ServerError: There is no llama-server, a variant cannot be expressed in its flags, or it does not start.
    """
    engine, program, sections = _plan(specs, log)
    # Beside the log, for those who want to repeat a run.
    preset = log.with_suffix(".ini")
    log.parent.mkdir(parents=True, exist_ok=True)
    preset.write_text("\n".join(sections), encoding="utf-8")
    flags = ("--models-preset", str(preset), "--models-max", str(at_once), "--host", "127.0.0.1")
    running = Router(specs, log, f"{engine}, router mode", (*program, *flags))
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


def is_routed(spec: ServerSpec) -> bool:
    """Whether a router can serve it: a llama-server that we start."""
    return spec.runtime == "llama_server" and spec.base_url is None


def check(specs: Mapping[str, ServerSpec]) -> None:
    """Check, without starting it, whether one router can serve all of these.

    Raises:
        ServerError: See `router`.
    """
    _plan(specs, Path("router.log"))


def _plan(specs: Mapping[str, ServerSpec], log: Path) -> tuple[str, tuple[str, ...], list[str]]:
    """Return the program, in words and as the beginning of a command, and each variant's section of the preset."""
    sections = [section(name, settings(spec, own_log(log, name))) for name, spec in specs.items()]
    return (*_program(specs), sections)


def _program(specs: Mapping[str, ServerSpec]) -> tuple[str, tuple[str, ...]]:
    """Choose the one program for all variants."""
    (first, chosen), *others = specs.items()
    for name, spec in specs.items():
        if not is_routed(spec):
            raise SpecError(f"Router mode is llama-server's own: {name} cannot be part of it.")
    for name, spec in others:
        if spec.binary != chosen.binary:
            raise SpecError(
                f"A router has one program, but binary is {chosen.binary or 'not set'} for {first} "
                f"and {spec.binary or 'not set'} for {name}."
            )
    engine, program = llama_server.find(chosen)
    if _WHEEL in program:
        raise ServerError(
            "Router mode needs the program llama-server: the xllamacpp wheel serves one model only. Install it:\n"
            f"  {llama_server.PROGRAM_INSTALL}"
        )
    return engine, program


async def _load(child: process.Child, root: str, name: str, spec: ServerSpec) -> None:
    deadline, began = time.monotonic() + spec.startup_seconds, False
    while True:
        status = await _status(root, name)
        if status.get("value") in _LOADED:
            return
        if began and status.get("failed"):
            await asyncio.sleep(_PAUSE)  # the log is written by a thread of its own, and may lag behind
            raise ServerError(_failure(child, spec, f"llama-server could not load {name}."))
        if not process.alive(child):
            raise ServerError(process.failure(child, f"The router ended while it loaded {name}."))
        if time.monotonic() > deadline:
            raise ServerError(_failure(child, spec, f"{name} was not loaded within {spec.startup_seconds:g} s."))
        if status.get("value") == "unloaded":
            # Refused, and asked again, while every model that could make room is at work.
            posted = await fetch(f"{root}/models/load", post={"model": name}, seconds=_LOAD_SECONDS)
            began = began or posted.status == 200
        await asyncio.sleep(_PAUSE)


async def _is_ready(root: str) -> bool:
    """Whether it answers as a router."""
    return bool((await fetch(f"{root}/props", seconds=5)).get("role") == "router")


async def _status(root: str, name: str) -> Mapping[str, Any]:
    models = (await fetch(f"{root}/v1/models")).objects("data")
    status = next((model.get("status") for model in models if model.get("id") == name), None)
    return status if isinstance(status, dict) else {}


def _failure(child: process.Child, spec: ServerSpec, sentence: str) -> str:
    """Describe what went wrong, with the command that serves this variant alone: the one to try by hand."""
    why = cause("\n".join(process.tail(child, _LINES_WITH_CAUSE)))
    alone = llama_server.command(spec, 8080, Path())
    return process.failure(child._replace(command=alone), f"{sentence} {why}" if why else sentence)
