"""oMLX: MLX weights on Apple silicon, one model for each server, in folders of our own."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from servers.errors import ServerError, SpecError
from servers.http import NO_REPLY, HttpReply, fetch, root
from servers.request import headers, openai_request, sampling_values, template_switch
from servers.runtime import mlx_model
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec, one_at_a_time
from servers.weights import disk
from servers.weights.disk import directory_at, expand

INSTALL = """\
omlx was not found on PATH. It needs macOS on Apple silicon; install it there:
  brew tap jundot/omlx https://github.com/jundot/omlx && brew install omlx"""
_BITS = {"q8_0": 8, "q4_0": 4}
"""Its only quantized KV cache is TurboQuant; these are the widths that stand for a type of the study."""
_ENABLED = "TurboQuant KV cache enabled"
_CONVERTED = re.compile(r"TurboQuant: (?:converted )?(\d+)/(\d+) cache layers")
_LOGGING_VERSIONS = "0.4."
"""Beginning of the versions that are known to write the line above whenever they quantize a cache."""
_ONE_TOKEN_SECONDS = 60
_OWN, _MODELS = "omlx", "models"
"""Folders: of its settings, and of the model."""


def find(spec: ServerSpec) -> tuple[str, tuple[str, ...]]:
    """Choose the program: the one the study names, or the one on PATH.

    Returns:
        In words, and the beginning of the command.

    Raises:
        ServerError: There is none.
    """
    return disk.find("omlx", spec.binary, INSTALL)


def prepare(spec: ServerSpec, folder: Path) -> None:
    """Write the model's settings, and link the model into a folder where no other is.

    It reads both only at its start, and rewrites its settings itself: the user's own in ~/.omlx are never touched.

    Raises:
        ServerError: There is no model, or oMLX has no such KV cache.
    """
    model, name, bits = mlx_model.directory(spec.model, "oMLX"), model_name(spec), _kv_bits(spec)
    settings: dict[str, Any] = {
        # Any of these would overrule requests.
        "force_sampling": False,
        "forced_ct_kwargs": [],
        "thinking_budget_enabled": False,
        "turboquant_kv_enabled": bits is not None,
    }
    if bits is not None:
        settings["turboquant_kv_bits"] = bits
    if spec.thinking is not None:
        settings["enable_thinking"] = spec.thinking
    if spec.context is not None:
        # It would take any number, also one that the model was not made for.
        settings["max_context_window"] = min(spec.context, _longest(model) or spec.context)
    own, models = folder / _OWN, folder / _MODELS
    own.mkdir(exist_ok=True)
    models.mkdir(exist_ok=True)
    (own / "model_settings.json").write_bytes(msgspec.json.encode({"version": 1, "models": {name: settings}}))
    if not (models / name).is_symlink():
        (models / name).symlink_to(model.resolve(), target_is_directory=True)


def command(spec: ServerSpec, port: int, folder: Path) -> tuple[str, ...]:
    """Build the command line; what the study adds comes last, so that it wins.

    Raises:
        ServerError: There is no program.
    """
    flags = ["serve", "--host", "127.0.0.1", "--port", str(port)]
    flags += ["--base-path", str(folder / _OWN), "--model-dir", str(folder / _MODELS), "--no-hf-cache", "--no-cache"]
    # Left to itself it begins a stream with a made-up piece of a reply.
    flags += ["--max-concurrent-requests", str(spec.slots), "--sse-keepalive-mode", "comment"]
    return (*find(spec)[1], *flags, *spec.args)


def environment(spec: ServerSpec, port: int) -> dict[str, str]:
    """Return variables for the server; what the user set for another oMLX (a key, MCP tools, folders) is emptied."""
    del spec, port
    unset = {name: "" for name in os.environ if name.startswith("OMLX_")}  # to oMLX, empty is not set
    return {**unset, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}


def model_name(spec: ServerSpec) -> str:
    """Return the name of the model's directory, or of its repo where it lies in the hub's cache.

    oMLX goes by the name, too, when it chooses how to read a model's thinking: it must be the real one.
    """
    path = Path(expand(spec.model)).resolve()
    repo = path.parent.parent.name
    if path.parent.name == "snapshots" and repo.startswith("models--"):  # models--owner--name/snapshots/commit
        return repo.split("--", 2)[-1]
    return path.name.lstrip(".") or "model"  # it passes over hidden folders


async def ready(server: Server) -> bool:
    """Whether the model is loaded: asks for that as soon as the server answers.

    Raises:
        ServerError: The server does not list the model, or cannot load it.
    """
    health = await fetch(f"{root(server.base_url)}/health", seconds=5)
    if health.text("status") != "healthy":
        return False
    entry = await _listed(server)
    if entry.status == 0:
        return False
    # By its path, for another oMLX that has this port may have a model of this name.
    folder = server.command[server.command.index("--model-dir") + 1]
    if not _is_link(entry.text("model_path") or "", Path(folder, server.model)):
        raise ServerError(
            f"oMLX does not list {server.spec.model}: it is no model that it can serve, "
            "or another oMLX runs on this port."
        )
    return await _load(server, server.model)


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into oMLX's format; every sampling value is sent but the seed of concurrent requests.

    What a request does not set comes from the model's settings, or is 1.0 for temperature and 0.95 for top-p. The
    limit is sent as max_tokens: 0.4.1 does not know max_completion_tokens, and goes on to 32768.
    """
    del reuse
    seed = () if one_at_a_time(server.spec) else ("seed",)
    plain = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    more = {**sampling_values(sampling, without=seed), **plain, **template_switch(server.spec, prompt)}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the seed where requests are concurrent: each would set back the random numbers of all."""
    if sampling.seed is None or one_at_a_time(spec):
        return ()
    return ("the seed is not sent: oMLX draws for all requests in flight from one generator (set concurrency: 1)",)


async def facts(server: Server) -> ServerFacts:
    """Read /api/status and /v1/models/status, and ask for one token where only that shows what is obeyed.

    A model that a running oMLX has not loaded is loaded.

    Raises:
        ServerError: It cannot be loaded.
    """
    spec, launched = server.spec, bool(server.command)
    entry = await _listed(server)
    name = entry.text("id")
    # It looks at the template alone, whatever its settings say.
    default = entry.get("thinking_default") if launched and spec.thinking is None else None
    if name and entry.get("loaded") is False and not await _load(server, name):
        raise ServerError(f"oMLX at {server.base_url} stopped answering while it loaded {name}.")
    version = (await fetch(f"{root(server.base_url)}/api/status", headers=headers(spec))).text("version")
    kv_cache, unmet = await _kv_cache(server, version) if launched else (None, await _disobeys(server))
    path = directory_at(spec.model) if launched else None
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=version,
        model_id=name,
        model_path=str(path) if path else entry.text("model_path"),
        context=entry.number("max_context_window"),
        slots=spec.slots if launched else None,
        thinking=spec.thinking if launched else None,
        thinking_default=default if isinstance(default, bool) else None,
        kv_cache=kv_cache,
        command=server.command,
        unmet=unmet,
    )


def _is_link(path: str, link: Path) -> bool:
    """Whether oMLX means our link to the model: it follows links in the folder's name, but not the last."""
    return os.path.realpath(Path(path).parent) == os.path.realpath(link.parent) and Path(path).name == link.name


def _kv_bits(spec: ServerSpec) -> int | None:
    if spec.kv_cache in (None, "f16"):
        return None
    if spec.kv_cache not in _BITS:
        raise SpecError(
            f"oMLX has no KV cache of type {spec.kv_cache}: it takes f16, and q8_0 and q4_0, "
            "which stand for its TurboQuant at 8 and 4 bits."
        )
    return _BITS[spec.kv_cache]


def _longest(model: Path) -> int | None:
    """Return the tokens of context that a model was made for."""
    try:
        parts = mlx_model.config(model).parts
    except ServerError:  # which oMLX will say in its own words
        return None
    lengths = (part.max_position_embeddings or 0 for part in parts)
    return next((length for length in lengths if length > 0), None)


async def _listed(server: Server) -> HttpReply:
    """Return the entry of /v1/models/status for the server's model, which may have an alias."""
    reply = await fetch(f"{server.base_url}/models/status", headers=headers(server.spec))
    entries = (
        model for model in reply.objects("models") if server.model in (model.get("model_alias"), model.get("id"))
    )
    return next(entries, NO_REPLY._replace(status=reply.status))


async def _load(server: Server, name: str) -> bool:
    """Ask for a model to be loaded, and wait; False when the server goes away meanwhile."""
    url = f"{server.base_url}/models/{quote(name, safe='')}/load"
    reply = await fetch(url, headers=headers(server.spec), post={}, seconds=server.spec.startup_seconds)
    if reply.status in (0, 200):
        return reply.status == 200
    raise ServerError(f"oMLX could not load {name}: {reply.text('error', 'message') or reply.raw}")


async def _one_token(server: Server) -> HttpReply:
    # Where the limit is not obeyed, the stop ends it after a few tokens all the same.
    count = Prompt(text="1, 2, 3, 4, 5, 6,", stop=("9", "\n"))
    url, body = request(server, count, Sampling(max_tokens=1), stream=False)
    return await fetch(url, headers=headers(server.spec), post=body, seconds=_ONE_TOKEN_SECONDS)


async def _disobeys(server: Server) -> tuple[str, ...]:
    """Report where the user's own settings overrule what requests ask for; no page shows that without a login."""
    reply, forced = await _one_token(server), "force_sampling is on in its settings of this model"
    if reply.status == 0:
        return (f"oMLX did not end a reply of one token within {_ONE_TOKEN_SECONDS} s: it is busy, or {forced}",)
    if (reply.number("usage", "completion_tokens") or 0) > 1:
        return (f"oMLX does not obey the study's sampling: {forced}, turn it off there",)
    return ()


async def _kv_cache(server: Server, version: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the type of the KV cache, as the log shows it once a request was answered, and what is not as asked.

    Nothing else shows it: a setting that it does not follow gives no error.
    """
    asked = server.spec.kv_cache
    if asked in (None, "f16") or server.log is None:
        return asked, ()
    await _one_token(server)
    with server.log.open("rb") as log:
        log.seek(server.log_start)
        text = log.read().decode(errors="replace")
    if converted := _CONVERTED.findall(text):
        done, layers = converted[-1]
        # The last layer is spared by design, and from 0.4.5 on a sliding window spares its own layer, not all.
        rest = f"oMLX quantizes the KV cache of {done} of {layers} layers only, that of the others stays f16"
        return asked, () if done == layers else (rest,)
    if _ENABLED in text and (version or "").startswith(_LOGGING_VERSIONS):
        sentence = (
            f"oMLX {version} leaves the KV cache at f16 in spite of kv_cache: {asked}: it does not quantize that of "
            "a model with sliding-window layers or latent attention, and does not say so"
        )
        return "f16", (sentence,)
    return None, ()
