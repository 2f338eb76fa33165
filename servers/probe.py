"""Gather the facts of a running server: from its pages, and from its files and machine where they are on this one."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from servers.errors import ServerError
from servers.machine import machine
from servers.runtime.table import RUNTIMES
from servers.spec import Server, ServerFacts
from servers.thinking import switch
from servers.weights.facts import FileFacts, at_hand
from servers.weights.hashing import Weights, weights

_OTHER_TEMPLATE = ("--chat-template", "--chat-template-file")


async def probe(server: Server, *, chat: bool = True) -> ServerFacts:
    """Return what the server reports and, where it is silent, what its files and this machine show.

    Args:
        server: It answers.
        chat: Whether it will be asked chats, where the switch for thinking matters: that costs up to three requests.

    Raises:
        ServerError: The weights of a server we launched cannot be read.
    """
    facts = await RUNTIMES[server.spec.runtime].facts(server)
    model = at_hand(server, facts.model_path)
    from_files = await _facts_from_files(server, facts, model) if model else {}
    facts = _filled(facts, from_files)
    # An address of this machine may be a tunnel's end, or a container's.
    if server.command or from_files:
        facts = _filled(facts, {"machine": await asyncio.to_thread(machine)})
    if not chat:
        return facts
    thinking = await switch(server)
    facts = _filled(facts, {"thinking_heard": thinking.works, "thinking_default": thinking.default})
    if server.spec.thinking is None or thinking.works is not False:
        return facts
    return replace(facts, unmet=(*facts.unmet, switch_ignored(on=server.spec.thinking)))


def _filled(facts: ServerFacts, more: dict[str, Any]) -> ServerFacts:
    """Fill in what is unknown yet."""
    return replace(facts, **{name: value for name, value in more.items() if getattr(facts, name) is None})


async def _facts_from_files(server: Server, facts: ServerFacts, model: Path) -> dict[str, Any]:
    """Read what the files of a model show; nothing where they prove not to be what this server serves."""
    from_header = await asyncio.to_thread(_read_header, model)
    if not server.command and facts.parameters is not None and from_header.parameters != facts.parameters:
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
    template = from_header.chat_template_sha256 if own and not other else None
    size = {"model_bytes": measured.bytes, "model_sha256": measured.sha256}
    return {**asdict(from_header), "chat_template_sha256": template, **size}


async def _measured(facts: ServerFacts, model: Path) -> Weights:
    if facts.model_sha256 and facts.model_bytes:  # Ollama names its files by their sum
        return Weights(facts.model_bytes, facts.model_sha256)
    stop = threading.Event()
    try:
        return await asyncio.to_thread(weights, model, stop)
    finally:
        stop.set()  # where the wait was cancelled, the thread would go on to the end


def _read_header(model: Path) -> FileFacts:
    if model.is_dir():
        from servers.weights import mlx as weights_mlx  # noqa: PLC0415

        return weights_mlx.read(model)
    from servers.weights import gguf as weights_gguf  # noqa: PLC0415 - gguf and numpy take half a second

    return weights_gguf.read(model)


def switch_ignored(*, on: bool) -> str:
    """Return the sentence that the switch for thinking does not reach the prompt."""
    problem = f"thinking is set {'on' if on else 'off'}, but this model's chat template knows no enable_thinking"
    return f"{problem}: the prompt stays as it is{'' if on else ', which is harmless if the model does not think'}"
