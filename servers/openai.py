"""Any server that runs already and speaks OpenAI's protocol."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

from servers.ask import ask, root
from servers.request import headers
from servers.spec import Server, ServerError, ServerFacts, ServerSpec

_OWNERS = {"llamacpp": "llama-server", "omlx": "oMLX", "vllm": "vLLM", "library": "Ollama"}
"""What /v1/models says in `owned_by`."""


def normal(base_url: str) -> str:
    """Return the address without a slash at its end, and with /v1 where it has no path.

    Raises:
        ServerError: It is no http address.
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ServerError(f"base_url {base_url!r} is no address: write it like http://127.0.0.1:8080/v1.")
    return parts._replace(path=parts.path.rstrip("/") or "/v1", query="", fragment="").geturl()


async def attach(spec: ServerSpec) -> Server:
    """Take a server that runs already.

    Raises:
        ServerError: Nothing answers there, it wants another key, or it has no list of models.
    """
    base_url = normal(spec.base_url or "")
    heard = await ask(f"{base_url}/models", headers=headers(spec))
    if heard.status == 0:
        raise ServerError(f"Nothing answers at {base_url}: is the server running?")
    if heard.status in (401, 403):
        raise ServerError(f"The server at {base_url} answers {heard.status}: {_key_advice(spec)}")
    if heard.status == 503:
        raise ServerError(f"The server at {base_url} answers 503: it is still loading, or overloaded; try again soon.")
    if heard.status != 200 or not isinstance(heard.body, dict):
        raise ServerError(
            f"{base_url}/models answers {heard.status} without a list of models: "
            "is base_url right, up to and including /v1?"
        )
    return Server(spec=spec, base_url=base_url, model=spec.model, engine=f"running already at {base_url}")


async def facts(server: Server) -> ServerFacts:
    """Look at /v1/models, /props and /api/version; read shapes, as LM Studio answers 200 to everything."""
    key = headers(server.spec)
    top = root(server.base_url)
    listed = (await ask(f"{server.base_url}/models", headers=key)).get("data")
    models = [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []
    mine: dict[str, Any] = next((model for model in models if model.get("id") == server.model), {})
    props = await ask(f"{top}/props", headers=key)
    ollama = (await ask(f"{top}/api/version", headers=key)).get("version")
    template = props.get("chat_template")
    owner = str(mine.get("owned_by", ""))
    name = "llama-server" if props.get("build_info") else "Ollama" if ollama else _OWNERS.get(owner)
    return ServerFacts(
        runtime=server.spec.runtime,
        engine=f"{name}, {server.engine}" if name else server.engine,
        version=props.get("build_info") or ollama,
        model_id=mine.get("id"),
        model_path=props.get("model_path"),
        context=props.get("default_generation_settings", "n_ctx") or mine.get("max_model_len"),  # the latter: vLLM
        slots=props.get("total_slots"),
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None,
    )


def _key_advice(spec: ServerSpec) -> str:
    if spec.api_key_env is None:
        return "it wants a key; put the key into an environment variable and name that in api_key_env."
    if not headers(spec):
        return f"it wants a key; set the environment variable {spec.api_key_env}."
    return f"it does not take the key in the environment variable {spec.api_key_env}."
