"""Attach to a server that runs already: find out its runtime, and which of its models is meant."""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

from msgspec.structs import replace

from servers.discover import NAMES, Running, recognise
from servers.errors import ServerError, SpecError
from servers.http import fetch, root
from servers.request import headers, normal_url
from servers.shapes import may_answer
from servers.spec import Server, ServerSpec
from servers.wording import listed

_LISTS_ALL: frozenset[str] = frozenset({"omlx", "ollama", "lm_studio", "vllm"})
"""Runtimes whose list of models is complete, and which do something else, or nothing, for a name that is not on it."""

_SHAKE_S = 5
"""For a handshake; a server that does not speak TLS ends it, or waits for a request's end."""


async def attach(spec: ServerSpec) -> Server:
    """Attach to a server that runs already.

    Returns:
        The server; its spec has the runtime that was recognised and the model that will be asked.

    Raises:
        ServerError: Nothing answers there, it wants another key, it is another runtime than the study names, it has no
            such model, or has several and the study names none.
    """
    base_url = normal_url(spec.base_url or "")
    await _answers(spec, base_url)
    running = await recognise(base_url, headers(spec))
    if running is None:
        raise ServerError(
            f"{base_url}/models holds no list of models", remedy="is base_url right, up to and including /v1?"
        )
    if running.wants_key:  # llama-server lists its models to everybody
        raise ServerError(f"The server at {base_url} does not answer questions", remedy=_key_advice(spec))
    if spec.runtime not in ("openai", running.runtime):
        raise SpecError(
            f"The server at {base_url} is {running.name}, not {NAMES[spec.runtime]}",
            remedy="change the runtime, or leave it out.",
        )
    model = _model(spec, running)
    # mlx_lm.server drops its model and asks the hub for any other name.
    asked_as = "default_model" if running.runtime == "mlx_lm" else model
    return Server(
        spec=replace(spec, runtime=running.runtime, base_url=base_url, model=model),
        base_url=base_url,
        model=asked_as,
        engine=f"{running.name} running already at {base_url}",
    )


async def _answers(spec: ServerSpec, base_url: str) -> None:
    reply = await fetch(f"{base_url}/models", headers=headers(spec))
    if reply.status in (0, 400):
        await _refuse_other_scheme(base_url)
    if reply.status == 0:
        raise ServerError(f"Nothing answers at {base_url}", remedy="is the server running?")
    if reply.status in (401, 403):
        raise ServerError(f"The server at {base_url} answers {reply.status}", remedy=_key_advice(spec))
    if reply.status == 503:
        raise ServerError(f"The server at {base_url} answers 503: it is still loading, or overloaded; try again soon.")
    # mlx_lm.server answers 200 with nothing in it where the hub's cache does not exist.
    empty = reply.status == 200 and not reply.raw
    if empty and (await fetch(f"{root(base_url)}/health", headers=headers(spec))).get("status") == "ok":
        return
    if reply.status != 200 or not isinstance(reply.body, dict):
        raise ServerError(
            f"{base_url}/models answers {reply.status} without a list of models",
            remedy="is base_url right, up to and including /v1?",
        )


async def _refuse_other_scheme(base_url: str) -> None:
    """Refuse an address whose server answers under the other scheme; no key is sent to find that out.

    Raises:
        ServerError: It answers without TLS, or with TLS only, or with a certificate that is not trusted.
    """
    scheme, rest = base_url.split("://", 1)
    parts = urlsplit(base_url)
    port = parts.port or (443 if scheme == "https" else 80)
    tls = await asyncio.to_thread(_speaks_tls, parts.hostname or "", port)
    if scheme == "http" and tls:
        raise ServerError(f"The server at {base_url} answers with TLS only", remedy=f"write https://{rest}.")
    if scheme == "https" and tls:
        problem = f"The server at {base_url} answers, and its certificate is not trusted here"
        raise ServerError(problem, remedy="name its authority's file in SSL_CERT_FILE.")
    if scheme == "https" and (await fetch(f"http://{rest}/models")).status:
        raise ServerError(f"The server at {base_url} answers, but without TLS", remedy=f"write http://{rest}.")


def _speaks_tls(host: str, port: int) -> bool:
    """Whether a server shakes hands as TLS does, whatever its certificate; nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_SHAKE_S) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):  # an SSLError is an OSError
        return False


def _model(spec: ServerSpec, running: Running) -> str:
    """Return the id of the model that is meant."""
    ids = [model.id for model in running.models]
    if running.runtime == "ollama" and f"{spec.model}:latest" in ids:
        return f"{spec.model}:latest"
    if not spec.model:
        return _only_model(running)
    # A llama-server with one model answers with it whatever the request's `model` is; one with several is a router.
    complete = running.runtime in _LISTS_ALL or (running.runtime == "llama_server" and len(ids) > 1)
    if complete and spec.model not in ids:
        raise SpecError(
            f'{running.name} at {running.base_url} has no model "{spec.model}"; it has {listed(ids) or "none"}.'
        )
    return spec.model


def _only_model(running: Running) -> str:
    """Return the id of the only model, or of the only one that is loaded."""
    ids = [model.id for model in running.models]
    loaded = [model.id for model in running.models if model.loaded]
    if len(ids) == 1:
        return ids[0]
    if len(answering := [model for model in ids if may_answer(model)]) == 1 and running.runtime != "mlx_lm":
        return answering[0]
    if len(loaded) == 1:
        return loaded[0]
    if not ids and running.runtime == "mlx_lm":
        return "default_model"
    if not ids:
        raise ServerError(f"{running.name} at {running.base_url} has no model", remedy="load one there.")
    problem = "has several models, name one (eval: --model)"
    raise SpecError(f"{running.name} at {running.base_url} {problem}: {listed(ids)}.")


def _key_advice(spec: ServerSpec) -> str:
    if spec.api_key_env is None:
        return "it wants a key; put it into an environment variable and name that in api_key_env (eval: --api-key-env)."
    if not headers(spec):
        return f"it wants a key; set the environment variable {spec.api_key_env}."
    return f"it does not take the key in the environment variable {spec.api_key_env}."
