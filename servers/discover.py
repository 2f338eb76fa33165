"""Find the servers that run on this machine: of which kind, and with which models."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx2
from msgspec.structs import replace

from servers import served
from servers.errors import ServerError
from servers.http import connect, fetch_with, root, trusts_environment
from servers.request import normal_url
from servers.secrets import hide
from servers.shapes import MODELS, NAMES, PAGES, ListedModel, Running, identify

__all__ = ["NAMES", "PORTS", "ListedModel", "Running", "discover", "recognise", "usual_addresses"]

PORTS: tuple[int, ...] = (8080, 8000, 1234, 11434, 8081, 8001, 1337, 5000, 5001)
"""llama-server and mlx_lm, oMLX and vLLM, LM Studio, Ollama; the second server that people start beside one of the
first two; Jan; text-generation-webui and TabbyAPI; KoboldCpp."""

_CONNECT_SECONDS = 0.5
"""A machine at hand takes a connection within milliseconds; one that drops what is sent to it never does."""


async def discover(
    places: Sequence[str] | None = None, *, headers: dict[str, str] | None = None, seconds: float = 1.5
) -> tuple[Running, ...]:
    """Look at several addresses at once; what is no model server is left out, and what answers twice is listed once.

    Args:
        places: Addresses up to and including `/v1`; None looks at the usual ports of this machine.
        headers: Those with the key; sent only where one is wanted.
        seconds: For all of it, where nothing answers.

    Raises:
        ServerError: The proxy that the environment names cannot be used.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    there = await _reachable(usual_addresses() if places is None else places, min(seconds, _CONNECT_SECONDS))
    left = end - clock()
    async with AsyncExitStack() as stack:
        clients: dict[bool, httpx2.AsyncClient] = {}
        for place in there:
            if (trusts := trusts_environment(place)) not in clients:
                clients[trusts] = await stack.enter_async_context(connect(place))
        recognised = await asyncio.gather(
            # Nobody named the places of another machine that are looked at as a matter of course.
            *(
                _recognise_with_key(
                    clients[trusts_environment(place)], place, headers if here or places else None, left
                )
                for place, here in there.items()
            )
        )
    servers: dict[tuple[object, Running], Running] = {}
    for here, running in zip(there.values(), recognised, strict=True):
        if running is not None:
            # Of one machine, the port says which server it is, whatever the machine is called.
            where = urlsplit(running.base_url).port if here else running.base_url
            servers.setdefault((where, replace(running, base_url="")), running)
    return tuple(servers.values())


async def _reachable(places: Sequence[str], seconds: float) -> dict[str, bool]:
    """Return the addresses where something takes connections, and whether each led to this machine."""
    unique = tuple(dict.fromkeys(places))
    reached = await asyncio.gather(*(_reach(place, seconds) for place in unique))
    return {place: here for place, here in zip(unique, reached, strict=True) if here is not None}


def usual_addresses() -> tuple[str, ...]:
    """Return the addresses of this machine at which model servers are found: usual ones, and those that are known.

    Known are the one that OLLAMA_HOST names, and those of servers that `whichquant serve` keeps up.
    """
    local = (f"http://{host}:{port}/v1" for host in ("127.0.0.1", "[::1]") for port in PORTS)
    return tuple(dict.fromkeys((*local, *_ollama_host(os.environ.get("OLLAMA_HOST", "")), *served.addresses())))


async def recognise(base_url: str, headers: dict[str, str] | None = None, *, seconds: float = 5) -> Running | None:
    """Find out which kind of server answers at an address; None when none does, or it is no model server.

    Raises:
        ServerError: The proxy that the environment names cannot be used.
    """
    async with connect(base_url) as client:
        return await _recognise(client, base_url, headers, seconds)


async def _recognise(
    client: httpx2.AsyncClient, base_url: str, headers: dict[str, str] | None, seconds: float
) -> Running | None:
    addresses = {MODELS: f"{base_url}/models"} | {page: root(base_url) + page for page in PAGES}
    replies = await asyncio.gather(
        *(fetch_with(client, url, headers=headers, seconds=seconds) for url in addresses.values())
    )
    running = identify(base_url, dict(zip(addresses, replies, strict=True)))
    return replace(running, key_refused=True) if running and running.wants_key and headers else running


async def _recognise_with_key(
    client: httpx2.AsyncClient, place: str, headers: dict[str, str] | None, seconds: float
) -> Running | None:
    """Recognise a server, sending the key only where one is wanted."""
    running = hide(await _recognise(client, place, None, seconds), headers or {})
    if running is None or not running.wants_key or not headers:
        return running
    again = await _recognise(client, place, headers, seconds)
    return replace(again or running, wants_key=True)


async def _reach(place: str, seconds: float) -> bool | None:
    """Open a connection and close it again: whether it led to this machine; None where it led nowhere."""
    parts = urlsplit(place)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, UnicodeError):  # refused, no such name, time is up; a name that can be none
        return None
    local, remote = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
    writer.transport.abort()
    return bool(local and remote and local[0] == remote[0])


def _ollama_host(value: str) -> tuple[str, ...]:
    """Read OLLAMA_HOST as Ollama does: scheme and port may be left out, and 0.0.0.0 is all of this machine."""
    scheme, there, rest = value.strip().strip("\"'").rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port or ({"http": 80, "https": 443}.get(scheme, 11434) if there else 11434)
    except ValueError:
        return ()
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    place = f"{scheme or 'http'}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}/v1"
    try:
        return (normal_url(place),) if rest else ()
    except ServerError:
        return ()
