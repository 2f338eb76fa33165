"""Ask a running server who it is."""

import asyncio
from pathlib import Path

import msgspec

from servers.hashing import weights
from servers.launch import RUNTIMES
from servers.spec import Server, ServerFacts


async def probe(server: Server) -> ServerFacts:
    """Return what the server says of itself, with size and SHA-256 of its weights where they lie on this machine.

    Raises:
        ServerError: The weights of a server we launched cannot be read.
    """
    facts = await RUNTIMES[server.spec.runtime].facts(server)
    # A path that a running server names may be one on another machine.
    if not server.command or facts.model_path is None:
        return facts
    measured = await asyncio.to_thread(weights, Path(facts.model_path))
    return msgspec.structs.replace(facts, model_bytes=measured.bytes, model_sha256=measured.sha256)
