"""mlx_lm.server: MLX weights from a directory or the Hugging Face hub."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

from msgspec.structs import replace

from servers.errors import ServerError, SpecError
from servers.http import fetch, root
from servers.request import headers, openai_request, sampling_values, template_switch
from servers.runtime import mlx_model
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec, one_at_a_time
from servers.weights import disk
from servers.weights.disk import directory_at
from servers.wording import waiting

_PACKAGES = "mlx-lm" if sys.platform == "darwin" else "mlx-lm 'mlx[cpu]'"
INSTALL = f"""\
mlx_lm was not found, neither as a package nor as mlx_lm.server on PATH. Install it:
  pip install {_PACKAGES}"""
_MAX_TOKENS = "32768"
"""Only for requests that name no limit, which ours never do; its own default is 512."""
_BITS = {"q8_0": "8", "q4_0": "4"}
_FINGERPRINT = re.compile(r"(\d[^-]*)-(\d[^-]*)-")
_ONE_TOKEN_SECONDS = 60
_SLIDING = ("gemma2", "gemma3", "gemma4")


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, this Python's mlx_lm, or mlx_lm.server on PATH.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    if spec.binary is None and importlib.util.find_spec("mlx_lm"):
        version = importlib.metadata.version("mlx-lm")
        return f"mlx_lm.server {version} ({sys.executable})", (sys.executable, "-P", "-m", "mlx_lm", "server")
    return disk.find("mlx_lm.server", spec.binary, INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Make the directory of the hub's cache, without which the server's /v1/models is empty."""
    from huggingface_hub import constants  # noqa: PLC0415 - heavy

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
    # A hub name is owner/name; anything rooted, or with a dot or a tilde in front, can only be a path.
    rooted = spec.model[:1] in "/.~"
    model = mlx_model.directory(spec.model, "mlx_lm") if rooted else directory_at(spec.model)
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
    health = await fetch(f"{root(server.base_url)}/health", seconds=5)
    if health.status == 503:
        raise ServerError("mlx_lm.server could not load the model.")
    if health.status != 200:
        return False
    body = {"model": server.model, "prompt": "Hello", "max_tokens": 1}
    return (await fetch(f"{server.base_url}/completions", post=body, seconds=10)).status == 200


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into mlx_lm.server's format; every sampling value is sent but the seed of concurrent requests."""
    del reuse
    # It takes a request with a seed out of the batch: all would wait in line.
    seed = () if one_at_a_time(server.spec) else ("seed",)
    more = {**sampling_values(sampling, without=seed), **template_switch(server.spec, prompt)}
    # It finds texts to stop at by their tokens, and where these are others in the reply, it cuts them out of the text
    # and goes on (0.32): "\ndef " is gone from before the name of the next function. So it is sent none.
    return openai_request(server, replace(prompt, stop=()), stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the seed where requests are concurrent."""
    if sampling.seed is None or one_at_a_time(spec):
        return ()
    return ("the seed is not sent: mlx_lm.server would answer one question at a time (with concurrency 1 it is sent)",)


async def facts(server: Server) -> ServerFacts:
    """Read /v1/models, and the versions in a reply of one token; this server reports nothing else.

    The type of its cache is reported nowhere, in no log either.
    """
    spec, launched = server.spec, bool(server.command)
    named, path = _meant(spec.model), _directory(spec.model) if launched else None
    models = (await fetch(f"{server.base_url}/models", headers=headers(spec))).objects("data")
    ids = [name for model in models if (name := model.text("id"))]
    # Only the model that it was started with is listed by its path, and answers; the others are all of the hub's cache.
    started = next((name for name in ids if Path(name).is_absolute()), None)
    slots = 1 if "--kv-bits" in _flags(server.command) else spec.slots  # with these bits it takes one after the other
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=await _version(server),
        model_id=started or next((name for name in ids if name in named), None),
        model_path=str(path) if path else started,
        slots=slots if launched else None,
        thinking=spec.thinking if launched else None,
        command=server.command,
        unmet=waiting("mlx_lm.server", slots, spec.asked_slots) if launched else _doubts(spec, started),
    )


def _doubts(spec: ServerSpec, started: str | None) -> tuple[str, ...]:
    """Return doubts whether a server that runs already has the model that is meant."""
    if started is None:
        problem = "mlx_lm.server does not report which model it has loaded, and answers to any name"
        return (f"{problem}: that it is {spec.model} rests on your word",)
    if started in _meant(spec.model) or spec.model in ("", "default_model"):
        return ()
    return (f"mlx_lm.server was started with {started}, and answers with that, not with {spec.model}",)


def _meant(model: str) -> tuple[str, str]:
    """Return a model's name, and its path as the server would list it."""
    name = str(directory_at(model) or model)
    return name, os.path.realpath(name)


async def _version(server: Server) -> str | None:
    """Return the versions of mlx_lm and of mlx under it, with which the fingerprint of every reply begins."""
    url, body = request(server, Prompt(text="Hello"), Sampling(max_tokens=1), stream=False)
    reply = await fetch(url, headers=headers(server.spec), post=body, seconds=_ONE_TOKEN_SECONDS)
    versions = _FINGERPRINT.match(reply.text("system_fingerprint") or "")
    return f"mlx_lm {versions[1]}, mlx {versions[2]}" if versions else None


def _directory(model: str) -> Path | None:
    """Return where a model lies: the directory of that name, or the hub's copy of it."""
    if path := directory_at(model):
        return path
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - heavy
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        config = try_to_load_from_cache(model, "config.json")
    except HFValidationError:  # no hub's name
        return None
    return Path(config).parent if isinstance(config, str) else None


def _flags(command: tuple[str, ...]) -> set[str]:
    return {word.partition("=")[0] for word in command}


def _kv_bits(spec: ServerSpec, model: Path | None) -> str | None:
    if spec.kv_cache in (None, "f16"):
        return None
    if spec.kv_cache not in _BITS:
        raise SpecError(f"mlx_lm.server has no KV cache of type {spec.kv_cache}: it takes f16, q8_0 and q4_0.")
    if model is not None and _slides(mlx_model.config(model)):
        raise SpecError(
            f"mlx_lm.server cannot quantize the KV cache of {spec.model}: the model has sliding-window layers, "
            "whose cache mlx_lm does not quantize. Leave kv_cache out, or run this variant on llama_server."
        )
    return _BITS[spec.kv_cache]


def _slides(config: mlx_model.Config) -> bool:
    """Whether layers attend through a sliding window."""
    return any(
        part.sliding_window is not None
        or "sliding_attention" in (part.layer_types or ())
        or (part.model_type or "").startswith(_SLIDING)
        for part in config.parts
    )
