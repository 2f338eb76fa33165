"""Keep a server up in the foreground, until somebody ends it."""

import asyncio
import json
import shlex
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from servers.launch import alive, launch
from servers.runtimes import request
from servers.spec import Prompt, Sampling, Server, ServerError, ServerSpec

T = TypeVar("T")
_LOOK_EVERY_S = 0.5


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Await, and let a signal to terminate end it as Ctrl-C does: servers stopped, files closed.

    Raises:
        asyncio.CancelledError: A signal came.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task and signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, task.cancel)
    return await work


async def serve(spec: ServerSpec, *, log: Path, port: int | None, say: Callable[[str], object]) -> None:
    """Start a server, say where it answers and how to ask it, and keep it until it is ended or dies.

    Raises:
        ServerError: It cannot be started, or it died.
        asyncio.CancelledError: A signal came; the server is stopped.
    """
    async with launch(spec, log=log, port=port) as server:
        say(f"{server.engine} serves {spec.model}")
        say(f"at {server.base_url}, model {server.model}; its log is {log}")
        say(f"\n{curl(server)}\n")
        say("Ctrl-C ends it.")
        while alive(server):  # noqa: ASYNC110 - a process tells nobody that it ended
            await asyncio.sleep(_LOOK_EVERY_S)
    raise ServerError(f"The server died: its log is {log}.")


def curl(server: Server) -> str:
    """Return a command line that asks the server something, as whichquant would ask it."""
    prompt = Prompt(
        messages=({"role": "user", "content": "Which is heavier, a pound of lead or a pound of feathers?"},)
    )
    url, body = request(server, prompt, Sampling(max_tokens=256), stream=False)
    return f"curl -s {shlex.quote(url)} -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}"
