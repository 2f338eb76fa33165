"""Make a server answer for as long as it is needed, and leave nothing behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from servers import llama_server, mlx_lm, openai, process
from servers.spec import RuntimeName, Server, ServerError, ServerFacts, ServerSpec

_PORTS_TO_TRY = 3


class Runtime(Protocol):
    """A kind of server: a module that can ask it who it is."""

    async def facts(self, server: Server, /) -> ServerFacts:
        """Ask a server who it is."""


class Startable(Runtime, Protocol):
    """A kind of server that we can start."""

    def find(self, spec: ServerSpec, /) -> tuple[str, tuple[str, ...]]:
        """Choose the program: in words, and the beginning of its command."""

    def command(self, spec: ServerSpec, port: int, /) -> tuple[str, ...]:
        """Build the command line."""

    def environment(self, spec: ServerSpec, /) -> dict[str, str]:
        """Return the variables it needs."""

    def model_name(self, spec: ServerSpec, /) -> str:
        """Return what goes into a request's `model`."""

    async def ready(self, server: Server, /) -> bool:
        """Ask once whether it answers."""


RUNTIMES: dict[RuntimeName, Runtime] = {"llama_server": llama_server, "mlx_lm": mlx_lm, "openai": openai}
_STARTABLE: dict[RuntimeName, Startable] = {"llama_server": llama_server, "mlx_lm": mlx_lm}


@asynccontextmanager
async def launch(spec: ServerSpec, *, log: Path) -> AsyncIterator[Server]:
    """Start the server of a spec, or take the one that runs at its `base_url`, and stop what was started.

    Args:
        spec: What to start, or where it runs.
        log: File that the server's output is appended to.

    Raises:
        ServerError: It cannot be started or reached.
    """
    if spec.base_url is not None:
        yield await openai.attach(spec)
        return
    if spec.runtime not in _STARTABLE:
        raise ServerError(f"The runtime {spec.runtime} is never launched: give the base_url of a server that runs.")
    server, child = await _start(spec, _STARTABLE[spec.runtime], log)
    try:
        yield server
    finally:
        await process.stop(child)


def alive(server: Server) -> bool:
    """Whether the process that we started still runs; of a server that we did not start, nothing is known: True."""
    return server.pid is None or process.running(server.pid)


async def _start(spec: ServerSpec, runtime: Startable, log: Path) -> tuple[Server, process.Child]:
    for attempt in range(1, _PORTS_TO_TRY + 1):
        port = process.free_port()
        child = process.start(runtime.command(spec, port), runtime.environment(spec), log)
        server = Server(
            spec=spec,
            base_url=f"http://127.0.0.1:{port}/v1",
            model=runtime.model_name(spec),
            engine=runtime.find(spec)[0],
            command=child.command,
            pid=child.guard.pid,
            log=log,
        )
        try:
            await process.wait_ready(child, partial(runtime.ready, server), timeout=spec.startup_seconds)
        except process.PortTakenError:
            await process.stop(child)
            if attempt == _PORTS_TO_TRY:
                raise
        except BaseException:  # an interrupt while it loads must not leave it loading
            await process.stop(child)
            raise
        else:
            return server, child
    raise AssertionError
