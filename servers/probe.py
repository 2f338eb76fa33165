"""Ask a running server who it is, and look at its files and machine where they are ours to see."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from servers.machine import machine
from servers.runtime.table import RUNTIMES
from servers.spec import Server, ServerError, ServerFacts
from servers.thinking import switch
from servers.weights.facts import FileFacts, at_hand
from servers.weights.hashing import Weights, weights

_OTHER_TEMPLATE = ("--chat-template", "--chat-template-file")


async def probe(server: Server, *, chat: bool = True) -> ServerFacts:
    """Return what the server says of itself and, of what it does not say, what its files and this machine tell.

    Args:
        server: It answers.
        chat: Whether it will be asked chats, where the switch for thinking matters: that costs up to three requests.

    Raises:
        ServerError: The weights of a server we launched cannot be read.
    """
    facts = await RUNTIMES[server.spec.runtime].facts(server)
    model = at_hand(server, facts.model_path)
    found = await _of_files(server, facts, model) if model else {}
    facts = _filled(facts, found)
    # An address of this machine may be a tunnel's end, or a container's.
    if server.command or found:
        facts = _filled(facts, {"machine": await asyncio.to_thread(machine)})
    if not chat:
        return facts
    thinking = await switch(server)
    facts = _filled(facts, {"thinking_heard": thinking.heard, "thinking_default": thinking.default})
    deaf = server.spec.thinking is not None and thinking.heard is False
    return replace(facts, unmet=(*facts.unmet, _deaf(on=bool(server.spec.thinking)))) if deaf else facts


def _filled(facts: ServerFacts, found: dict[str, Any]) -> ServerFacts:
    """Fill in what is unknown yet."""
    return replace(facts, **{name: value for name, value in found.items() if getattr(facts, name) is None})


async def _of_files(server: Server, facts: ServerFacts, model: Path) -> dict[str, Any]:
    """Read what the files of a model tell; nothing where they prove not to be what this server serves."""
    told = await asyncio.to_thread(_told, model)
    if not server.command and facts.parameters is not None and told.parameters != facts.parameters:
        return {}  # a file of that name, and not the one behind a server in a container, or at a tunnel's other end
    try:
        measured = await _measured(facts, model)
    except ServerError:
        if server.command:
            raise
        return {}
    # Only of a server that we launched is it known that it uses the file's own template; Ollama never does.
    own = server.command and server.spec.runtime != "ollama"
    other = any(word.partition("=")[0] in _OTHER_TEMPLATE for word in server.command)
    template = told.chat_template_sha256 if own and not other else None
    found = {"model_bytes": measured.bytes, "model_sha256": measured.sha256}
    return {**asdict(told), "chat_template_sha256": template, **found}


async def _measured(facts: ServerFacts, model: Path) -> Weights:
    if facts.model_sha256 and facts.model_bytes:  # Ollama names its files by their sum
        return Weights(facts.model_bytes, facts.model_sha256)
    stop = threading.Event()
    try:
        return await asyncio.to_thread(weights, model, stop)
    finally:
        stop.set()  # for the one who is tired of waiting: the thread would go on to the end


def _told(model: Path) -> FileFacts:
    if model.is_dir():
        from servers.weights import mlx as weights_mlx  # noqa: PLC0415

        return weights_mlx.read(model)
    from servers.weights import gguf as weights_gguf  # noqa: PLC0415 - gguf and numpy take half a second

    return weights_gguf.read(model)


def _deaf(*, on: bool) -> str:
    said = f"thinking is set {'on' if on else 'off'}, but this model's chat template knows no enable_thinking"
    return f"{said}: the prompt stays as it is{'' if on else ', which is harmless if the model does not think'}"
