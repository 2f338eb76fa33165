"""Keep a server running in the foreground until it is ended."""

import asyncio
import json
import shlex
from collections.abc import Callable
from pathlib import Path

from servers import process
from servers.errors import ServerError
from servers.http import fetch
from servers.launch import alive, launch
from servers.request import headers
from servers.runtime.table import request
from servers.served import announced
from servers.spec import Prompt, Sampling, Server, ServerSpec

_LOOK_EVERY_S = 0.5


async def serve(spec: ServerSpec, *, log: Path, port: int | None, say: Callable[[str], object]) -> None:
    """Start a server, report its address and how to ask it, and keep it until it is ended or dies.

    Raises:
        ServerError: It cannot be started, or it died.
        asyncio.CancelledError: A signal came; the server is stopped.
    """
    say(f"starting {spec.runtime} with {spec.model}; its log is {log}")
    async with launch(spec, log=log, port=port) as server:
        with announced(server.base_url):
            say(f"{server.engine} serves {spec.model}")
            say(f"at {server.base_url}, model {server.model}")
            say(f"\n{curl(server)}\n")
            say("Ctrl-C ends it.")
            while await _is_up(server):  # noqa: ASYNC110 - the end of a process is no event
                await asyncio.sleep(_LOOK_EVERY_S)
        why = process.describe_end(server.pid, log, server.log_start) if server.pid else f": its log is {log}"
    raise ServerError(f"The server is gone{why}.")


async def _is_up(server: Server) -> bool:
    """Whether a server still runs; one that is no child process of ours is asked."""
    if server.pid is not None:
        return alive(server)
    return (await fetch(f"{server.base_url}/models", headers=headers(server.spec))).status != 0


def curl(server: Server) -> str:
    """Return a command line that asks the server something, as whichquant would ask it."""
    prompt = Prompt(
        messages=({"role": "user", "content": "Which is heavier, a pound of lead or a pound of feathers?"},)
    )
    url, body = request(server, prompt, Sampling(max_tokens=256), stream=False)
    key = f' -H "Authorization: Bearer ${server.spec.api_key_env}"' if server.spec.api_key_env else ""
    return f"curl -s {shlex.quote(url)} -H 'Content-Type: application/json'{key} -d {shlex.quote(json.dumps(body))}"
