"""Ollama: an instance of our own with the user's models, or one that runs already, both through its native API.

Its /v1 drops num_ctx, think, top_k and min_p. Names of fields, log lines and behaviour: source of Ollama 0.33.0-rc2.
"""

from pathlib import Path
from typing import Any

from servers.errors import ServerError, SpecError
from servers.http import NO_REPLY, HttpReply, fetch, root
from servers.request import headers, sampling_values
from servers.runtime.ollama_facts import entry, facts_of_pages
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec
from servers.weights import disk
from servers.wording import listed

INSTALL = """\
Ollama was not found: there is no ollama on PATH. Install it:
  brew install ollama
  curl -fsSL https://ollama.com/install.sh | sh"""
_KV_TYPES = ("f16", "q8_0", "q4_0")


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, or the one on PATH.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    return disk.find("ollama", spec.binary, INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Write nothing: the environment and requests hold everything."""
    del spec, folder


def command(spec: ServerSpec, port: int, folder: Path) -> tuple[str, ...]:
    """Build the command line, to which Ollama takes no flags.

    Raises:
        ServerError: There is no program, the model is a path, or there are arguments.
    """
    del port, folder
    if spec.model.startswith(("/", ".", "~")) or spec.model.lower().endswith(".gguf"):
        raise SpecError(
            f"{spec.model} is a path, and Ollama knows models by name only: make it one with `ollama create` "
            "(from a Modelfile with the line `FROM` and this path), or use the runtime llama_server."
        )
    if spec.args:
        raise SpecError(
            f"`ollama serve` takes no arguments, so {' '.join(spec.args)} cannot be handed to it",
            remedy="remove args, and set Ollama's environment variables before you start whichquant.",
        )
    return (*find(spec)[1], "serve")


def environment(spec: ServerSpec, port: int) -> dict[str, str]:
    """Return the variables that set what the study asks; where models lie (OLLAMA_MODELS) stays as the user has it.

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
            raise SpecError(
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
    if entry(tags, server.model) is NO_REPLY:
        names = [name for model in tags.objects("models") if (name := model.text("name"))]
        raise ServerError(
            f'Ollama has no model "{server.model}"; it has {listed(names) or "none"}. '
            f"Fetch it: ollama pull {server.model}\n"
            "Where Ollama runs as a service with models of its own, name their folder in the environment variable "
            "OLLAMA_MODELS, or give that service's base_url."
        )
    return (await _load(server)).status == 200


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into Ollama's format: chat to /api/chat, raw text to /api/generate.

    Every sampling value is sent, and overrules the model's Modelfile. What does not fit into the context is an
    error: by default Ollama drops the prompt's beginning, and shifts it out while the model writes.
    """
    del reuse
    options = {
        **_runner(server.spec),
        **sampling_values(sampling, without=("max_tokens",)),
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
    # Left out, it means true where the model can think, and would make Ollama look for thinking in raw text too.
    think = server.spec.thinking if prompt.chat else False
    if think is not None:
        body["think"] = think
    body |= {"stream": stream, "truncate": False, "shift": False, "keep_alive": _keep(server), "options": options}
    return Request(root(server.base_url) + ("/api/chat" if prompt.chat else "/api/generate"), body)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the concurrency of an Ollama that runs already; the rest is in every request, or in our own's start."""
    del sampling
    if spec.base_url is None or spec.slots == 1 or spec.slots_why:
        return ()
    at_start = f"concurrency {spec.slots} is not sent: Ollama takes it at its start (OLLAMA_NUM_PARALLEL, 1 by default)"
    return (f"{at_start}, and lets further questions wait",)


async def facts(server: Server) -> ServerFacts:
    """Load the model as the requests will, then read Ollama's pages and, of an instance of our own, its log.

    Raises:
        ServerError: Ollama cannot load the model.
    """
    show = await _asked(server, "/api/show", {"model": server.model})
    if show.text("remote_host") is None:
        await _load(server)
    version, tags, ps = [await _asked(server, page) for page in ("/api/version", "/api/tags", "/api/ps")]
    return facts_of_pages(server, version=version, show=show, tags=tags, ps=ps)


async def held_bytes(server: Server) -> tuple[int, int] | None:
    """Return what the loaded model takes of the machine's memory and of graphics memory, as Ollama estimates it."""
    loaded = entry(await _asked(server, "/api/ps"), server.model)
    size, on_cards = loaded.number("size"), 0 if loaded.get("size_vram") == 0 else loaded.number("size_vram")
    return None if size is None or on_cards is None or on_cards > size else (size - on_cards, on_cards)


async def _asked(server: Server, path: str, post: dict[str, Any] | None = None, *, seconds: float = 10) -> HttpReply:
    return await fetch(root(server.base_url) + path, headers=headers(server.spec), post=post, seconds=seconds)


async def _load(server: Server) -> HttpReply:
    """Have the model loaded; done at once where it is.

    Another context, or context shift, than the requests will ask for would make Ollama load it anew at the first of
    them. The time is long because Ollama breaks off a load whose client goes away.
    """
    body = {"model": server.model, "stream": False, "shift": False, "keep_alive": _keep(server)}
    options = {"options": _runner(server.spec)}
    reply = await _asked(server, "/api/generate", {**body, **options}, seconds=server.spec.startup_seconds)
    if reply.status != 200 and (error := reply.text("error")):
        raise ServerError(f"Ollama cannot load {server.model}: {error}")
    return reply


def _runner(spec: ServerSpec) -> dict[str, int]:
    """Return the options with which the model is loaded."""
    return {} if spec.context is None else {"num_ctx": spec.context}


def _keep(server: Server) -> int | str:
    """Return how long the model stays loaded: for ever in an instance of our own, for a long pause in the user's."""
    return -1 if server.command else "30m"
