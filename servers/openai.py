"""Any server that runs already and speaks OpenAI's protocol."""

from urllib.parse import urlsplit

from msgspec.structs import replace

from servers.ask import NOTHING, Heard, ask, root
from servers.props import from_props
from servers.request import headers
from servers.spec import Server, ServerError, ServerFacts, ServerSpec

_OWNERS = {"llamacpp": "llama-server", "omlx": "oMLX", "vllm": "vLLM", "library": "Ollama"}
"""What /v1/models says in `owned_by`."""


def normal(base_url: str) -> str:
    """Return the address without a slash at its end, and with /v1 where it has no path.

    Raises:
        ServerError: It is no http address, or holds a password.
    """
    try:
        parts = urlsplit(base_url.strip())
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without a partner, a port above 65535
        sound = False
    if not sound:
        # What stands before an @ may be a password.
        shown = base_url.rpartition("@")[2]
        raise ServerError(f"base_url {shown!r} is no address: write it like http://127.0.0.1:8080/v1.")
    if "@" in parts.netloc:
        raise ServerError(
            "base_url holds a user name or password, which would be kept with the results: "
            "put the key into an environment variable and name it in api_key_env."
        )
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
    listed = (await ask(f"{server.base_url}/models", headers=key)).get("data")
    models = [Heard(200, model) for model in listed] if isinstance(listed, list) else []
    mine = next((model for model in models if model.get("id") == server.model), NOTHING)
    props = await from_props(server)
    ollama = (await ask(f"{root(server.base_url)}/api/version", headers=key)).text("version")
    name = "llama-server" if props.version else "Ollama" if ollama else _OWNERS.get(mine.text("owned_by") or "")
    return replace(
        props,
        engine=f"{name}, {server.engine}" if name else server.engine,
        version=props.version or ollama,
        model_id=mine.text("id"),
        context=props.context or mine.number("max_model_len"),  # the latter: vLLM
    )


def _key_advice(spec: ServerSpec) -> str:
    if spec.api_key_env is None:
        return "it wants a key; put the key into an environment variable and name that in api_key_env."
    if not headers(spec):
        return f"it wants a key; set the environment variable {spec.api_key_env}."
    return f"it does not take the key in the environment variable {spec.api_key_env}."
