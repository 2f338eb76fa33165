"""Run a server for as long as it is needed, and leave nothing behind."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from servers import process
from servers.attach import attach
from servers.discover import NAMES
from servers.errors import ServerError, SpecError
from servers.runtime.table import CONTROLLED, STARTABLE, Startable
from servers.spec import Server, ServerSpec
from servers.usage import graphics


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
        if port is not None:
            raise ServerError(f"{NAMES[spec.runtime]} chooses its own port", remedy="leave the port out.")
        async with CONTROLLED[spec.runtime].loaded(spec, log) as server:
            yield server
    elif spec.runtime in STARTABLE:
        with _scratch() as folder:
            server, child = await _start(spec, STARTABLE[spec.runtime], log, port, folder)
            try:
                yield server
            finally:
                await process.stop(child)
    else:
        raise ServerError(
            f"The runtime {spec.runtime} is never launched", remedy="give the base_url of a server that runs."
        )


def check(spec: ServerSpec) -> None:
    """Check, as far as possible without starting it, whether a server can be started.

    Raises:
        ServerError: Its program is missing, or it cannot do what the spec asks.
    """
    if spec.base_url is not None or spec.runtime not in (*STARTABLE, *CONTROLLED):
        return
    _refuse_address_flags(spec)
    if spec.runtime in CONTROLLED:
        CONTROLLED[spec.runtime].check(spec)
        return
    runtime = STARTABLE[spec.runtime]
    with _scratch() as folder:
        runtime.prepare(spec, folder)
        runtime.command(spec, 0, folder)
        runtime.environment(spec, 0)


def alive(server: Server) -> bool:
    """Whether the process that we started still runs; of a server that we did not start, nothing is known: True."""
    return server.pid is None or process.running(server.pid)


def _refuse_address_flags(spec: ServerSpec) -> None:
    for word in spec.args:
        if word.partition("=")[0] in ("--host", "--port"):
            raise SpecError(
                f"{word} in args: whichquant chooses the port, and its servers listen on 127.0.0.1 only. "
                "For a server elsewhere give its base_url."
            )


def _copy_beside_log(folder: Path, log: Path) -> None:
    """Copy the files that a server reads at its start beside its log: the folder is removed afterwards."""
    with contextlib.suppress(OSError):  # a log that cannot be written is reported by the start
        log.parent.mkdir(parents=True, exist_ok=True)
        for file in folder.rglob("*.*"):
            if file.is_file() and not any(part.is_symlink() for part in (file, *file.parents)):
                shutil.copyfile(file, log.with_name(f"{log.stem}.{file.name}"))


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a temporary folder, under its real path, which servers report: on macOS it lies behind a link."""
    with tempfile.TemporaryDirectory(prefix="whichquant-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


async def _start(
    spec: ServerSpec, runtime: Startable, log: Path, port: int | None, folder: Path
) -> tuple[Server, process.Child]:
    _refuse_address_flags(spec)
    engine, model = runtime.find(spec)[0], runtime.model_name(spec)
    runtime.prepare(spec, folder)
    _copy_beside_log(folder, log)
    before = await asyncio.to_thread(graphics.in_use)

    def server(child: process.Child, at: int) -> Server:
        return Server(
            spec=spec,
            base_url=f"http://127.0.0.1:{at}/v1",
            model=model,
            engine=engine,
            command=child.command,
            pid=child.guard.pid,
            log=log,
            log_start=child.log_start,
            gpu_in_use_before=before,
        )

    began = time.monotonic()
    child, at = await process.started(
        lambda at: runtime.command(spec, at, folder),
        partial(runtime.environment, spec),
        log,
        ready=lambda child, at: runtime.ready(server(child, at)),
        seconds=spec.startup_seconds,
        port=port,
        folder=folder,
    )
    return replace(server(child, at), load_s=round(time.monotonic() - began, 3)), child
