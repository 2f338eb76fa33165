"""Read the facts of a model off Ollama's pages and, where whichquant started it, its log.

Names of fields, log lines and behaviour: source of Ollama 0.33.0-rc2.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from servers.http import NO_REPLY, HttpReply
from servers.runtime.llama_log import cache_type
from servers.spec import Server, ServerFacts
from servers.weights.disk import file_at
from servers.weights.facts import types_in_words
from servers.weights.hashing import template_sha256
from servers.wording import waiting

# A line of a Modelfile as /api/show prints it; the first names the weights, further ones a projector.
_FROM = re.compile(r"^FROM (\S.*[/\\]sha256-([0-9a-f]{64}))\s*$", re.MULTILINE)
_RENDERER = re.compile(r"^RENDERER ", re.MULTILINE)
# Ollama logs the command of the llama-server below it, and then, at verbosity 4, what that writes.
_ENGINE = b'msg="starting llama-server"'
_SLOTS = re.compile(rb" -np (\d+) ")


class _Weights(NamedTuple):
    path: str | None = None
    sha256: str | None = None
    bytes: int | None = None


def facts_of_pages(
    server: Server, *, version: HttpReply, show: HttpReply, tags: HttpReply, ps: HttpReply
) -> ServerFacts:
    """Read the pages of a server that has loaded the model.

    Args:
        server: Whose pages they are.
        version: /api/version.
        show: /api/show, of the model.
        tags: /api/tags: all its models.
        ps: /api/ps: those that are loaded.
    """
    listed, running = entry(tags, server.model), entry(ps, server.model)
    weights = _weights(show, listed)
    slots, kv_cache = _engine(server)
    known = ServerFacts(
        runtime=server.spec.runtime,
        engine=server.engine,
        version=version.text("version"),
        model_id=listed.text("name"),
        model_path=weights.path,
        model_bytes=weights.bytes,
        model_sha256=weights.sha256,
        parameters=show.number("model_info", "general.parameter_count"),
        quantization=_quantization(show),
        context=running.number("context_length"),
        slots=slots,
        thinking=server.spec.thinking if server.command else None,
        thinking_default=True if _thinks(show) else None,
        kv_cache=kv_cache,
        chat_template_sha256=_template(show),
        command=server.command,
    )
    return replace(known, unmet=tuple(_unmet(server, show, known)))


def entry(page: HttpReply, model: str) -> HttpReply:
    """Return the model's entry on a page of models; a name without a tag means the tag `latest`."""
    names = (model, f"{model}:latest")
    return next((entry for entry in page.objects("models") if entry.get("name") in names), NO_REPLY)


def _weights(show: HttpReply, listed: HttpReply) -> _Weights:
    """Return where the weights lie. Files are named by their SHA-256, so a file of that name here is these weights."""
    total = listed.number("size")  # of all files of the model: weights, projector, licence
    files = _FROM.findall(show.text("modelfile") or "")
    if not files:
        return _Weights(bytes=total)
    path, sha256 = files[0]
    if local := file_at(path):
        return _Weights(path, sha256, local.stat().st_size)
    return _Weights(path, sha256, total if len(files) == 1 else None)


def _quantization(show: HttpReply) -> str | None:
    """Return the level and, where tensors are listed, how many matrices there are of each type."""
    types = [tensor.text("type") for tensor in show.objects("tensors") if tensor.get("shape", 1) is not None]
    return types_in_words(show.text("details", "quantization_level"), Counter(filter(None, types)))


def _template(show: HttpReply) -> str | None:
    """Return the template's hash, be it Ollama's or the GGUF's; None where a renderer in Ollama's code replaces it."""
    replaced = _RENDERER.search(show.text("modelfile") or "")
    return None if replaced else template_sha256(show.text("template"))


def _engine(server: Server) -> tuple[int | None, str | None]:
    """Read slots and type of the KV cache from the log of an instance of our own.

    The first cache after the last start is the model's: a draft model's comes after it.
    """
    if server.log is None:
        return None, None
    with server.log.open("rb") as log:
        log.seek(server.log_start)
        _, started, last = log.read().rpartition(_ENGINE)
    if not started:
        return None, None
    slots = _SLOTS.search(last)
    return (int(slots[1]) if slots else None), cache_type(last)


def _capabilities(show: HttpReply) -> list[Any] | None:
    capabilities = show.get("capabilities")
    return capabilities if isinstance(capabilities, list) else None


def _thinks(show: HttpReply) -> bool:
    """Whether Ollama counts the model among those that think; it then does unless a request sets it."""
    return "thinking" in (_capabilities(show) or ())


def _unmet(server: Server, show: HttpReply, known: ServerFacts) -> Iterator[str]:
    spec, mlx = server.spec, show.text("details", "format") == "safetensors"
    if remote := show.text("remote_host"):
        yield f"{server.model} does not run on this server but at {remote}"
    if spec.context is not None and known.context is not None and known.context < spec.context:
        yield f"Ollama gives this model {known.context} tokens of context, not {spec.context}"
    yield from (
        waiting("Ollama's MLX engine", 1, spec.asked_slots) if mlx else waiting("Ollama", known.slots, spec.asked_slots)
    )
    if mlx and spec.kv_cache not in (None, "f16"):
        yield f"Ollama's MLX engine has no KV cache of type {spec.kv_cache}: it ignores the setting"
    if spec.thinking and _capabilities(show) is not None and not _thinks(show):
        yield (
            "Ollama does not count this model among those that think, and answers every question with error 400: "
            "leave thinking out, or set it to false"
        )
    if show.text("system") or show.get("messages"):
        yield "the model's Modelfile puts a system prompt or messages of its own before every chat question"
