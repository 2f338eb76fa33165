"""mlx_lm.server: MLX weights from a directory or the Hugging Face hub."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from msgspec import Struct

from servers.ask import ask, root
from servers.disk import directory_at, expand, program
from servers.request import drawn, headers, openai_request, template_switch
from servers.spec import Prompt, Request, Sampling, Server, ServerError, ServerFacts, ServerSpec

INSTALL = """\
mlx_lm was not found, neither as a package nor as mlx_lm.server on PATH. Install it:
  pip install 'whichquant[mlx]'"""
_MAX_TOKENS = "32768"
"""Only for requests that name no limit, which ours never do; its own default is 512."""
_BITS = {"q8_0": "8", "q4_0": "4"}
_SLIDING = ("gemma2", "gemma3", "gemma4")


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, this Python's mlx_lm, or mlx_lm.server on PATH.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    if spec.binary is not None:
        return program(spec.binary)
    if importlib.util.find_spec("mlx_lm"):
        version = importlib.metadata.version("mlx-lm")
        return f"mlx_lm.server {version} ({sys.executable})", (sys.executable, "-P", "-m", "mlx_lm", "server")
    if binary := shutil.which("mlx_lm.server"):
        return f"mlx_lm.server on PATH ({binary})", (binary,)
    raise ServerError(INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Make the directory of the hub's cache, without which the server's /v1/models is empty."""
    del spec, folder
    with contextlib.suppress(OSError):
        Path(constants.HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)


def command(spec: ServerSpec, port: int, folder: Path) -> tuple[str, ...]:
    """Build the command line; what the study adds comes last, so that it wins.

    There is no flag for the context: it is as long as memory lasts.

    Raises:
        ServerError: There is no program, no model, or no such KV cache for this model.
    """
    del folder
    model = directory_at(spec.model)
    # A hub name is owner/name; anything rooted, or with a dot or a tilde in front, can only be a path.
    if spec.model[:1] in "/.~" and not (model and (model / "config.json").is_file()):
        raise ServerError(
            f"There is no MLX model in {expand(spec.model)}: mlx_lm needs a directory with a config.json."
        )
    slots = str(spec.slots)
    flags = ["--model", str(model or spec.model), "--host", "127.0.0.1", "--port", str(port)]
    flags += ["--max-tokens", _MAX_TOKENS, "--decode-concurrency", slots, "--prompt-concurrency", slots]
    if spec.thinking is not None:
        flags += ["--chat-template-args", json.dumps({"enable_thinking": spec.thinking})]
    if bits := _kv_bits(spec, model):
        # Without the start it leaves the first 5,000 tokens unquantized: nearly every answer.
        flags += ["--kv-bits", bits, "--quantized-kv-start", "0"]
    return (*find(spec)[1], *flags, *spec.args)


def environment(spec: ServerSpec, port: int) -> dict[str, str]:
    """Return variables for the server."""
    del port
    offline = {"HF_HUB_OFFLINE": "1"} if directory_at(spec.model) else {}
    return {"PYTHONUNBUFFERED": "1", **offline}


def model_name(spec: ServerSpec) -> str:
    """Return the one name that is safe: any other makes the server drop its model and look on the hub."""
    del spec
    return "default_model"


async def ready(server: Server) -> bool:
    """Whether one token comes: /health is well before the model is loaded.

    Raises:
        ServerError: The model could not be loaded; the process lives on regardless.
    """
    health = await ask(f"{root(server.base_url)}/health", seconds=5)
    if health.status == 503:
        raise ServerError("mlx_lm.server could not load the model.")
    if health.status != 200:
        return False
    body = {"model": server.model, "prompt": "Hello", "max_tokens": 1}
    return (await ask(f"{server.base_url}/completions", post=body, seconds=10)).status == 200


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool) -> Request:
    """Put a prompt into mlx_lm.server's words; every sampling value is said but the seed of concurrent requests."""
    # It takes a request with a seed out of the batch: all would wait in line.
    seed = () if server.spec.slots == 1 else ("seed",)
    more = {**drawn(sampling, without=seed), **template_switch(server.spec, prompt)}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the seed where requests are concurrent."""
    if sampling.seed is None or spec.slots == 1:
        return ()
    return ("the seed is not sent: mlx_lm.server would answer one question at a time (set concurrency: 1)",)


async def facts(server: Server) -> ServerFacts:
    """Read /v1/models; all else is known only of a server that we launched, as this one says nothing of itself.

    The type of the cache is known where we quantize it: else mlx_lm takes the model's own, f16 or not.
    """
    models = await ask(f"{server.base_url}/models", headers=headers(server.spec))
    spec, launched = server.spec, bool(server.command)
    ours = importlib.util.find_spec("mlx_lm") and server.command[:1] == (sys.executable,)
    path = _directory(spec.model) if launched else None
    listed = _listed(models.get("data"), str(directory_at(spec.model) or spec.model))
    bits, start = (_last(server.command, flag) for flag in ("--kv-bits", "--quantized-kv-start"))
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=importlib.metadata.version("mlx-lm") if ours else None,
        model_id=listed,
        model_path=str(path) if path else listed if listed and Path(listed).is_absolute() else None,
        slots=1 if bits else spec.slots if launched else None,  # --kv-bits serves one request at a time
        thinking=spec.thinking if launched else None,
        kv_cache=next((kind for kind, width in _BITS.items() if width == bits and start == "0"), None),
        command=server.command,
    )


def _directory(model: str) -> Path | None:
    """Return where a model lies: the directory of that name, or the hub's copy of it."""
    if path := directory_at(model):
        return path
    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:  # no hub's name
        return None
    return Path(found).parent if isinstance(found, str) else None


def _last(command: tuple[str, ...], flag: str) -> str | None:
    """Return the value that a flag has, the last of several."""
    values = [value for word, value in pairwise(command) if word == flag]
    values += [word.partition("=")[2] for word in command if word.startswith(f"{flag}=")]
    return values[-1] if values else None


def _kv_bits(spec: ServerSpec, model: Path | None) -> str | None:
    if spec.kv_cache in (None, "f16"):
        return None
    if spec.kv_cache not in _BITS:
        raise ServerError(f"mlx_lm.server has no KV cache of type {spec.kv_cache}: it takes f16, q8_0 and q4_0.")
    if model is not None and _slides(_config(model)):
        raise ServerError(
            f"mlx_lm.server cannot quantize the KV cache of {spec.model}: the model has sliding-window layers, "
            "whose cache mlx_lm does not quantize. Leave kv_cache out, or run this variant on llama_server."
        )
    return _BITS[spec.kv_cache]


class _Config(Struct, frozen=True):
    """The few keys of a model's config.json that matter here; multimodal models have them in their text_config."""

    model_type: str | None = None
    sliding_window: Any = None
    layer_types: tuple[str, ...] | None = None
    text_config: "_Config | None" = None


def _slides(config: _Config) -> bool:
    """Whether layers attend through a sliding window."""
    return any(
        part.sliding_window is not None
        or "sliding_attention" in (part.layer_types or ())
        or (part.model_type or "").startswith(_SLIDING)
        for part in (config, config.text_config or _Config())
    )


def _config(model: Path) -> _Config:
    file = model / "config.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Config)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ServerError(f"{file} cannot be read ({error}): fetch or convert the model again.") from error


def _listed(models: object, name: str) -> str | None:
    """Return the name if the server lists it; it lists all of the hub's cache besides."""
    ids = [model.get("id") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    return next((str(found) for found in ids if found in (name, os.path.realpath(name))), None)
