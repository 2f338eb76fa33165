"""Ollama: an instance of our own with the user's models, or one that runs already, both through its native API.

Its /v1 drops num_ctx, think, top_k and min_p. Names of fields, log lines and behaviour: source of Ollama 0.33.0-rc2.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from servers.ask import NOTHING, Heard, ask, root
from servers.disk import file_at, program
from servers.hashing import template_sha256
from servers.request import drawn, headers
from servers.spec import Prompt, Request, Sampling, Server, ServerError, ServerFacts, ServerSpec
from servers.weights import types_in_words

INSTALL = """\
Ollama was not found: there is no ollama on PATH. Install it:
  brew install ollama
  curl -fsSL https://ollama.com/install.sh | sh"""
_KV_TYPES = ("f16", "q8_0", "q4_0")
_SHOWN = 12
# A line of a Modelfile as /api/show prints it; the first names the weights, further ones a projector.
_FROM = re.compile(r"^FROM (\S.*[/\\]sha256-([0-9a-f]{64}))\s*$", re.MULTILINE)
_RENDERER = re.compile(r"^RENDERER ", re.MULTILINE)
# Ollama logs the command of the llama-server below it, and then, at verbosity 4, what that writes.
_ENGINE = 'msg="starting llama-server"'
_SLOTS = re.compile(r" -np (\d+) ")
_CACHE = re.compile(r"llama_kv_cache: size.*?K \((\w+)\).*?V \((\w+)\)")


class _Weights(NamedTuple):
    path: str | None = None
    sha256: str | None = None
    bytes: int | None = None


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, or the one on PATH.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    if spec.binary is not None:
        return program(spec.binary)
    if binary := shutil.which("ollama"):
        return f"ollama on PATH ({binary})", (binary,)
    raise ServerError(INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Write nothing: all is said by the environment and by requests."""
    del spec, folder


def command(spec: ServerSpec, port: int, folder: Path) -> tuple[str, ...]:
    """Build the command line, to which Ollama takes no flags.

    Raises:
        ServerError: There is no program, the model is a path, or there are arguments.
    """
    del port, folder
    if spec.model.startswith(("/", ".", "~")) or spec.model.lower().endswith(".gguf"):
        raise ServerError(
            f"{spec.model} is a path, and Ollama knows models by name only: make it one with `ollama create` "
            "(from a Modelfile with the line `FROM` and this path), or use the runtime llama_server."
        )
    if spec.args:
        raise ServerError(
            f"`ollama serve` takes no arguments, so {' '.join(spec.args)} cannot be handed to it: "
            "remove args, and set Ollama's environment variables before you start whichquant."
        )
    return (*find(spec)[1], "serve")


def environment(spec: ServerSpec, port: int) -> dict[str, str]:
    """Return the variables that say what is asked; where models lie (OLLAMA_MODELS) stays as the user has it.

    Raises:
        ServerError: Ollama has no such type of KV cache.
    """
    variables = {
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_NUM_PARALLEL": str(spec.slots),
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_KEEP_ALIVE": "-1",
        # Else it deletes at its start what no manifest names from the user's models: a pull that is under way.
        "OLLAMA_NOPRUNE": "1",
        # A name that ends in `cloud` would be answered by ollama.com.
        "OLLAMA_NO_CLOUD": "1",
    }
    if spec.context is not None:
        variables["OLLAMA_CONTEXT_LENGTH"] = str(spec.context)  # for each slot: Ollama multiplies
    if spec.kv_cache is not None:
        if spec.kv_cache not in _KV_TYPES:
            raise ServerError(
                f"Ollama has no KV cache of type {spec.kv_cache}: it takes {', '.join(_KV_TYPES)}, and some versions "
                "silently use f16 for any other."
            )
        variables["OLLAMA_KV_CACHE_TYPE"] = spec.kv_cache
        if spec.kv_cache != "f16":
            variables["OLLAMA_FLASH_ATTENTION"] = "1"  # llama.cpp quantizes values only under flash attention
    return variables


def model_name(spec: ServerSpec) -> str:
    """Return the name as `ollama list` shows it."""
    return spec.model


async def ready(server: Server) -> bool:
    """Whether it answers, has the model, and has loaded it.

    Raises:
        ServerError: It has no such model, or cannot load it.
    """
    if (await _asked(server, "/api/version", seconds=5)).text("version") is None:
        return False
    tags = await _asked(server, "/api/tags")
    if tags.status != 200:
        return False
    if _ours(tags, server.model) is NOTHING:
        names = [name for model in _models(tags) if (name := model.text("name"))]
        listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise ServerError(
            f'Ollama has no model "{server.model}"; it has {listed or "none"}. Fetch it: ollama pull {server.model}\n'
            "Where Ollama runs as a service with models of its own, name their folder in the environment variable "
            "OLLAMA_MODELS, or give that service's base_url."
        )
    return (await _load(server)).status == 200


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool) -> Request:
    """Put a prompt into Ollama's words: chat to /api/chat, raw text to /api/generate.

    All that shapes the draw is said, over what the model's Modelfile says. What does not fit into the context is an
    error: by default Ollama drops the prompt's beginning, and shifts it out while the model writes.
    """
    options = {
        **_runner(server.spec),
        **drawn(sampling, without=("max_tokens",)),
        "num_predict": sampling.max_tokens,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
    if prompt.stop:  # an empty list would take away the Modelfile's ends of turn
        options["stop"] = list(prompt.stop)
    body: dict[str, Any] = {"model": server.model}
    body |= {"messages": list(prompt.messages)} if prompt.chat else {"prompt": prompt.text, "raw": True}
    # Silence means true where the model can think, and would make Ollama look for thinking in raw text too.
    think = server.spec.thinking if prompt.chat else False
    if think is not None:
        body["think"] = think
    body |= {"stream": stream, "truncate": False, "shift": False, "keep_alive": _keep(server), "options": options}
    return Request(root(server.base_url) + ("/api/chat" if prompt.chat else "/api/generate"), body)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name what only Ollama's own start decides, of an Ollama that runs already; the rest is in every request."""
    del sampling
    if spec.base_url is None:
        return ()
    sentences = []
    if spec.kv_cache is not None:
        sentences.append(
            f"kv_cache {spec.kv_cache} is not sent, and which one is in use cannot be read: "
            "Ollama takes it at its start (OLLAMA_KV_CACHE_TYPE)"
        )
    if spec.slots > 1:
        sentences.append(
            f"concurrency {spec.slots} is not sent: Ollama takes it at its start (OLLAMA_NUM_PARALLEL, 1 by default), "
            "and lets further questions wait"
        )
    return tuple(sentences)


async def facts(server: Server) -> ServerFacts:
    """Load the model as the requests will, then read what Ollama says of it and, where it is ours, its log.

    Raises:
        ServerError: Ollama says that it cannot load the model.
    """
    show = await _asked(server, "/api/show", {"model": server.model})
    if show.text("remote_host") is None:
        await _load(server)
    listed = _ours(await _asked(server, "/api/tags"), server.model)
    running = _ours(await _asked(server, "/api/ps"), server.model)
    weights, parameters = _weights(show, listed), show.number("model_info", "general.parameter_count")
    slots, kv_cache = _engine(server)
    known = ServerFacts(
        runtime=server.spec.runtime,
        engine=server.engine,
        version=(await _asked(server, "/api/version")).text("version"),
        model_id=listed.text("name"),
        model_path=weights.path,
        model_bytes=weights.bytes,
        model_sha256=weights.sha256,
        parameters=parameters,
        quantization=_quantization(show),
        bits_per_weight=8 * weights.bytes / parameters if weights.path and weights.bytes and parameters else None,
        context=running.number("context_length"),
        slots=slots,
        thinking=server.spec.thinking if server.command else None,
        thinking_default=True if _thinks(show) else None,
        kv_cache=kv_cache,
        chat_template_sha256=_template(show),
        command=server.command,
    )
    return replace(known, unmet=tuple(_unmet(server, show, known)))


async def _asked(server: Server, path: str, post: dict[str, Any] | None = None, *, seconds: float = 10) -> Heard:
    return await ask(root(server.base_url) + path, headers=headers(server.spec), post=post, seconds=seconds)


async def _load(server: Server) -> Heard:
    """Have the model loaded; done at once where it is.

    Another context, or context shift, than the requests will ask for would make Ollama load it anew at the first of
    them. The time is long because Ollama breaks off a load whose client goes away.
    """
    body = {"model": server.model, "stream": False, "shift": False, "keep_alive": _keep(server)}
    options = {"options": _runner(server.spec)}
    heard = await _asked(server, "/api/generate", {**body, **options}, seconds=server.spec.startup_seconds)
    if heard.status != 200 and (error := heard.text("error")):
        raise ServerError(f"Ollama cannot load {server.model}: {error}")
    return heard


def _runner(spec: ServerSpec) -> dict[str, int]:
    """Return the options with which the model is loaded."""
    return {} if spec.context is None else {"num_ctx": spec.context}


def _keep(server: Server) -> int | str:
    """Return how long the model stays loaded: for ever in an instance of our own, for a long pause in the user's."""
    return -1 if server.command else "30m"


def _models(page: Heard) -> list[Heard]:
    models = page.get("models")
    return [Heard(200, model) for model in models] if isinstance(models, list) else []


def _ours(page: Heard, model: str) -> Heard:
    """Return the model's entry on a page of models; a name without a tag means the tag `latest`."""
    names = (model, f"{model}:latest")
    return next((entry for entry in _models(page) if entry.get("name") in names), NOTHING)


def _weights(show: Heard, listed: Heard) -> _Weights:
    """Say where the weights lie. Files are named by their SHA-256, so that one of that name here is these weights."""
    total = listed.number("size")  # of all files of the model: weights, projector, licence
    files = _FROM.findall(show.text("modelfile") or "")
    if not files:
        return _Weights(bytes=total)
    path, sha256 = files[0]
    if local := file_at(path):
        return _Weights(path, sha256, local.stat().st_size)
    return _Weights(path, sha256, total if len(files) == 1 else None)


def _quantization(show: Heard) -> str | None:
    """Return the level and, where tensors are listed, how many matrices there are of each type."""
    listed = show.get("tensors")
    tensors = [Heard(200, tensor) for tensor in listed] if isinstance(listed, list) else []
    types = [tensor.text("type") for tensor in tensors if tensor.get("shape", 1) is not None]
    return types_in_words(show.text("details", "quantization_level"), Counter(filter(None, types)))


def _template(show: Heard) -> str | None:
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
        _, started, last = log.read().decode(errors="replace").rpartition(_ENGINE)
    slots, cache = (_SLOTS.search(last), _CACHE.search(last)) if started else (None, None)
    kinds = dict.fromkeys(cache.groups()) if cache else ()
    return (int(slots[1]) if slots else None), ("/".join(kinds) or None)


def _capabilities(show: Heard) -> list[Any] | None:
    found = show.get("capabilities")
    return found if isinstance(found, list) else None


def _thinks(show: Heard) -> bool:
    """Whether Ollama counts the model among those that think; it then does unless a request says otherwise."""
    return "thinking" in (_capabilities(show) or ())


def _unmet(server: Server, show: Heard, known: ServerFacts) -> Iterator[str]:
    spec, mlx = server.spec, show.text("details", "format") == "safetensors"
    if remote := show.text("remote_host"):
        yield f"{server.model} does not run on this server but at {remote}"
    if spec.context is not None and known.context is not None and known.context < spec.context:
        yield f"Ollama gives this model {known.context} tokens of context, not {spec.context}"
    if known.slots is not None and known.slots < spec.slots:
        yield f"Ollama works on {known.slots} question(s) of this model at once, not on {spec.slots}"
    if mlx and spec.slots > 1:
        yield f"Ollama's MLX engine works on one question at once, not on {spec.slots}"
    if mlx and spec.kv_cache not in (None, "f16"):
        yield f"Ollama's MLX engine has no KV cache of type {spec.kv_cache}: it ignores the setting"
    if spec.thinking and _capabilities(show) is not None and not _thinks(show):
        yield (
            "Ollama does not count this model among those that think, and answers every question with error 400: "
            "leave thinking out, or set it to false"
        )
    if show.text("system") or show.get("messages"):
        yield "the model's Modelfile puts a system prompt or messages of its own before every chat question"
