"""What llama.cpp's server reports on /props, and of its model on /v1/models."""

from typing import NamedTuple
from urllib.parse import urlencode

from servers.http import NO_REPLY, HttpReply, fetch, root
from servers.request import headers
from servers.spec import Server, ServerFacts
from servers.weights.hashing import template_sha256


async def from_props(server: Server) -> ServerFacts:
    """Read /props; of a server that has no such page only its runtime and engine are known."""
    # A router needs to know which model; a server with one model ignores it.
    which = f"?{urlencode({'model': server.model})}" if server.spec.runtime == "llama_server" else ""
    props = await fetch(f"{root(server.base_url)}/props{which}", headers=headers(server.spec))
    return ServerFacts(
        runtime=server.spec.runtime,
        engine=server.engine,
        version=props.text("build_info"),
        model_path=props.text("model_path"),
        context=props.number("default_generation_settings", "n_ctx"),
        slots=props.number("total_slots"),
        chat_template_sha256=template_sha256(props.text("chat_template")),
    )


class Listed(NamedTuple):
    """What /v1/models reports of the model that is asked."""

    id: str | None
    parameters: int | None
    bytes: int | None
    """Of the tensors alone, a little less than their files."""

    @property
    def bits_per_weight(self) -> float | None:
        """Computed, where both numbers are known."""
        return 8 * self.bytes / self.parameters if self.bytes and self.parameters else None


async def from_models(server: Server) -> Listed:
    """Read /v1/models; of several models the one that is asked, of one only that one, whatever its name."""
    model = await entry(server, any_name=True)
    return Listed(model.text("id"), model.number("meta", "n_params"), model.number("meta", "size"))


async def entry(server: Server, *, any_name: bool = False) -> HttpReply:
    """Return the entry of /v1/models for the model that is asked; `NO_REPLY` where it is not listed.

    Args:
        server: Whom to ask.
        any_name: Whether a server's only model counts as the one that is asked, whatever its name.
    """
    models = (await fetch(f"{server.base_url}/models", headers=headers(server.spec))).objects("data")
    only = models[0] if any_name and len(models) == 1 else NO_REPLY
    return next((model for model in models if model.get("id") == server.model), only)
