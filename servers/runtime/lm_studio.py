"""LM Studio: a model that whichquant loads by its program lms, or a server that runs already."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from servers.errors import ServerError, SpecError
from servers.http import NO_REPLY, HttpReply, fetch, root
from servers.request import headers, openai_request, sampling_values
from servers.runtime import lms
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec
from servers.wording import listed, waiting

_IDLE = "86400"
"""Seconds without a request after which LM Studio unloads by itself: it does not notice that whichquant was killed."""
_MLX = "mlx"


def check(spec: ServerSpec) -> None:
    """Check that lms is installed, and that it can set what the study asks.

    Raises:
        ServerError: It is not, or it cannot.
    """
    if spec.kv_cache is not None:
        raise SpecError(
            f"LM Studio's KV cache cannot be set to {spec.kv_cache} from outside, neither by lms nor over HTTP",
            remedy="leave kv_cache out, or run this variant on llama_server.",
        )
    lms.find(spec)


@asynccontextmanager
async def loaded(spec: ServerSpec, log: Path) -> AsyncIterator[Server]:
    """Load a model under a name of its own, and unload it on every way out; a server that ran already is left running.

    Args:
        spec: Its model is a key as `lms ls` shows it.
        log: File that the output of lms is appended to.

    Raises:
        ServerError: There is no lms, the study asks for what it cannot set, or a step of it failed.
    """
    check(spec)
    engine, program = lms.find(spec)
    tool = lms.writing_to(log, program)
    name = f"whichquant-{secrets.token_hex(4)}"
    async with lms.serving(tool) as port:
        base_url = f"http://127.0.0.1:{port}/v1"
        arguments = _load_arguments(spec, await _downloaded(spec, base_url), name)
        try:
            began = time.monotonic()
            await lms.run(tool, *arguments, seconds=spec.startup_seconds)
            load_s = round(time.monotonic() - began, 3)
            await _check(spec, base_url, name)
            yield Server(
                spec=spec,
                base_url=base_url,
                model=name,
                engine=engine,
                command=(*program, *arguments),
                log=log,
                log_start=tool.log_start,
                load_s=load_s,
            )
        finally:
            await lms.clean_up(tool, "unload", name)


def _load_arguments(spec: ServerSpec, model: HttpReply, name: str) -> tuple[str, ...]:
    """Build the arguments of `lms load`; what the study adds comes last, so that it wins."""
    flags = ["--identifier", name, "--gpu", "max", "--parallel", str(spec.slots), "--ttl", _IDLE]
    if room := _room(spec, model):
        flags += ["--context-length", str(room)]
    # Without -y it asks which model is meant; with it, it takes the first whose key resembles the one given.
    return ("load", model.text("key") or spec.model, *flags, "-y", *spec.args)


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into the format of LM Studio's REST API v0, whose replies also have stop reason and speed."""
    del reuse
    plain = {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    more: dict[str, Any] = {**sampling_values(sampling, without=("min_p",)), **plain}
    if prompt.chat and server.spec.thinking is not None:
        # chat_template_kwargs do not reach the template.
        more["reasoning_effort"] = "medium" if server.spec.thinking else "none"
    return openai_request(server, prompt, stream=stream, more=more, base=_v0(server))


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name min_p, unless it is asked for nowhere and nothing is drawn."""
    del spec
    if sampling.min_p is None and sampling.temperature == 0:
        return ()
    return ("min_p is not sent, because LM Studio does not take it here: its own setting for the model rules",)


async def facts(server: Server) -> ServerFacts:
    """Read the lists of models and the runtime's name in a reply; first load a model that is not loaded at all.

    Loaded by its first question it would get LM Studio's default context.

    Raises:
        ServerError: It could not be loaded.
    """
    spec = server.spec
    entry = await _entry_v1(server)
    if entry.get("loaded_instances") == []:
        await _load(server, entry)
        entry = await _entry_v1(server)
    post = {"model": server.model, "prompt": "Hello", "max_tokens": 1, "temperature": 0, "stream": False}
    reply = await fetch(f"{_v0(server)}/completions", headers=headers(spec), post=post, seconds=spec.startup_seconds)
    older = await _entry_v0(server)
    instances = entry.objects("loaded_instances")
    instance = next((item for item in instances if item.get("id") == server.model), (instances or [NO_REPLY])[0])
    quantization = entry.text("quantization", "name") or older.text("quantization")
    form = entry.text("format") or older.text("compatibility_type")
    default = entry.text("capabilities", "reasoning", "default")
    loaded = instance.number("config", "context_length") or older.number("loaded_context_length")
    slots = instance.number("config", "parallel")
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=" ".join(filter(None, (reply.text("runtime", "name"), reply.text("runtime", "version")))) or None,
        model_id=entry.text("key") or older.text("id"),
        model_bytes=entry.number("size_bytes"),
        quantization=f"{quantization} ({form})" if quantization and form else quantization,
        context=loaded // _sharing(spec, form, slots) if loaded else None,
        slots=slots,
        thinking_default=None if default is None else default != "off",
        command=server.command,
        unmet=(*_thinking_unmet(spec, entry), *_size_unmet(server, form, loaded, slots)),
    )


def _thinking_unmet(spec: ServerSpec, entry: HttpReply) -> list[str]:
    # Without capabilities nothing is known; a model that does not think has some, but no reasoning among them.
    if spec.thinking is None or not isinstance(entry.get("capabilities"), dict):
        return []
    options = entry.get("capabilities", "reasoning", "allowed_options")
    allowed = [str(option) for option in options] if isinstance(options, list) else []
    if spec.thinking and not set(allowed) - {"off"}:
        return ["thinking cannot be turned on: LM Studio has no reasoning setting for this model"]
    if not spec.thinking and allowed and "off" not in allowed:
        return [f"thinking cannot be turned off: of this model, LM Studio allows {', '.join(allowed)}"]
    return []


def _sharing(spec: ServerSpec, form: str | None, slots: int | None) -> int:
    """Return how many of our requests share the context that a model is loaded with.

    llama.cpp's engine has one cache for all that are in flight, of which one alone may take everything (lmstudio-js,
    LLMLoadModelConfig.useUnifiedKvCache); where the user turned that off, each has more than is counted on here, and no
    page shows it. MLX's engine gives each a cache of that length (mlx-engine, load_model's max_kv_size).
    """
    return 1 if form == _MLX else min(spec.slots, slots or 1)


def _size_unmet(server: Server, form: str | None, loaded: int | None, slots: int | None) -> list[str]:
    unmet, spec, sharing = [], server.spec, _sharing(server.spec, form, slots)
    if loaded and spec.context and loaded // sharing < spec.context:
        for_all = f" for {sharing} questions at once," if sharing > 1 else ""
        fewer = "set a lower concurrency" if loaded >= spec.context else "set smaller max_tokens"
        larger = "" if server.command else "load it again in LM Studio with a larger one, or "
        unmet.append(
            f"the model is loaded with a context of {loaded} tokens{for_all} where {spec.context} are needed"
            f"{' for each' if for_all else ''}: {larger}{fewer}"
        )
    return [*unmet, *waiting("LM Studio", slots, spec.asked_slots)]


def _v0(server: Server) -> str:
    return f"{root(server.base_url)}/api/v0"


def _room(spec: ServerSpec, model: HttpReply) -> int | None:
    """Return the context to load with: enough for all requests in flight, and no more than the model has."""
    if spec.context is None:
        return None
    needed = spec.context * _sharing(spec, model.text("format"), spec.slots)
    return min(needed, model.number("max_context_length") or needed)


async def _listed(spec: ServerSpec, base_url: str) -> tuple[HttpReply, list[HttpReply]]:
    """Return /api/v1/models, whole and model by model; there are none before LM Studio 0.4."""
    reply = await fetch(f"{root(base_url)}/api/v1/models", headers=headers(spec))
    return reply, reply.objects("models")


async def _entry_v1(server: Server) -> HttpReply:
    """Return the entry of /api/v1/models for our model: the one that is loaded under its name, or has it as its key."""
    _, models = await _listed(server.spec, server.base_url)
    for model in models:
        if any(instance.get("id") == server.model for instance in model.objects("loaded_instances")):
            return model
    keyed = (model for model in models if server.model in (model.get("key"), model.get("selected_variant")))
    return next(keyed, NO_REPLY)


async def _entry_v0(server: Server) -> HttpReply:
    """Return the entry of /api/v0/models for our model."""
    models = (await fetch(f"{_v0(server)}/models", headers=headers(server.spec))).objects("data")
    return next((model for model in models if model.get("id") == server.model), NO_REPLY)


async def _load(server: Server, model: HttpReply) -> None:
    """Load over HTTP, as nothing else is known to reach a server that we did not start."""
    spec = server.spec
    post = {"model": model.text("key") or server.model}
    size = {"context_length": room} if (room := _room(spec, model)) else {}
    url = f"{root(server.base_url)}/api/v1/models/load"
    reply = await fetch(url, headers=headers(spec), post={**post, **size}, seconds=spec.startup_seconds)
    # It answers 200 to what it does not know.
    if reply.get("status") != "loaded":
        words = reply.text("error", "message") or reply.text("error") or reply.raw or "no answer"
        raise ServerError(f"LM Studio could not load {server.model} ({words})", remedy="load it there, then try again.")


async def _downloaded(spec: ServerSpec, base_url: str) -> HttpReply:
    """Return LM Studio's entry for the model that the study names; `NO_REPLY` where it has no such list.

    `lms load` would take a model whose key only resembles the one given.
    """
    reply, models = await _listed(spec, base_url)
    if reply.status == 0:
        raise ServerError(f"LM Studio's server does not answer at {base_url}", remedy="let it listen on localhost.")
    if reply.status in (401, 403):
        raise ServerError(
            f"LM Studio's server wants a token (it answers {reply.status})",
            remedy="put one into an environment variable and name that in api_key_env.",
        )
    for model in models:
        if spec.model in (model.get("key"), model.get("selected_variant")):
            return model
    for model in models:
        variants = model.get("variants")
        if isinstance(variants, list) and spec.model in variants:
            raise ServerError(
                f"LM Studio loads only the selected variant of {model.get('key')}, {model.get('selected_variant')}",
                remedy=f"select {spec.model} under My Models first.",
            )
    if models:
        keys = [str(model.get("key")) for model in models if model.get("type") != "embedding"]
        raise ServerError(f'LM Studio has no model "{spec.model}"; it has {listed(keys)}.')
    return NO_REPLY


async def _check(spec: ServerSpec, base_url: str, name: str) -> None:
    """Make sure that the server has the model that lms reports as loaded."""
    _, models = await _listed(spec, base_url)
    with_ours = [model for model in models if any(item.get("id") == name for item in model.objects("loaded_instances"))]
    meant = [model for model in with_ours if spec.model in (model.get("key"), model.get("selected_variant"))]
    if models and not meant:
        got = with_ours[0].text("key") if with_ours else None
        raise ServerError(f"lms was to load {spec.model}, but the server has {got or 'nothing'} under the name {name}.")
