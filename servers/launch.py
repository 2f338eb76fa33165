"""Make a server answer for as long as it is needed, and leave nothing behind."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from servers import process
from servers.attach import attach
from servers.runtimes import CONTROLLED, STARTABLE, Startable
from servers.spec import Server, ServerError, ServerSpec

_PORTS_TO_TRY = 3


@asynccontextmanager
async def launch(spec: ServerSpec, *, log: Path, port: int | None = None) -> AsyncIterator[Server]:
    """Start the server of a spec, or take the one that runs at its `base_url`, and stop what was started.

    Args:
        spec: What to start, or where it runs.
        log: File that the server's output is appended to.
        port: Where on 127.0.0.1 it is to listen; None chooses a free one.

    Raises:
        ServerError: It cannot be started or reached.
    """
    if spec.base_url is not None:
        yield await attach(spec)
    elif spec.runtime in CONTROLLED:
        async with CONTROLLED[spec.runtime].loaded(spec, log) as server:
            yield server
    elif spec.runtime in STARTABLE:
        with tempfile.TemporaryDirectory(prefix="whichquant-", ignore_cleanup_errors=True) as folder:
            server, child = await _start(spec, STARTABLE[spec.runtime], log, port, Path(folder))
            try:
                yield server
            finally:
                await process.stop(child)
    else:
        raise ServerError(f"The runtime {spec.runtime} is never launched: give the base_url of a server that runs.")


def alive(server: Server) -> bool:
    """Whether the process that we started still runs; of a server that we did not start, nothing is known: True."""
    return server.pid is None or process.running(server.pid)


async def _start(
    spec: ServerSpec, runtime: Startable, log: Path, port: int | None, folder: Path
) -> tuple[Server, process.Child]:
    tries = _PORTS_TO_TRY if port is None else 1
    for attempt in range(1, tries + 1):
        at = port or process.free_port()
        runtime.prepare(spec, folder)
        child = process.start(runtime.command(spec, at, folder), runtime.environment(spec, at), log)
        server = Server(
            spec=spec,
            base_url=f"http://127.0.0.1:{at}/v1",
            model=runtime.model_name(spec),
            engine=runtime.find(spec)[0],
            command=child.command,
            pid=child.guard.pid,
            log=log,
            log_start=child.log_start,
        )
        try:
            await process.wait_ready(child, partial(runtime.ready, server), timeout=spec.startup_seconds)
        except process.PortTakenError:
            await process.stop(child)
            if attempt == tries:
                raise
        except BaseException:  # an interrupt while it loads must not leave it loading
            await process.stop(child)
            raise
        else:
            return server, child
    raise AssertionError
