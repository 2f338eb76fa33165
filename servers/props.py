"""What llama.cpp's server says of itself on /props."""

from servers.ask import ask, root
from servers.hashing import template_sha256
from servers.request import headers
from servers.spec import Server, ServerFacts


async def from_props(server: Server) -> ServerFacts:
    """Read /props; of a server that has no such page only its runtime and engine are known."""
    props = await ask(f"{root(server.base_url)}/props", headers=headers(server.spec))
    return ServerFacts(
        runtime=server.spec.runtime,
        engine=server.engine,
        version=props.text("build_info"),
        model_path=props.text("model_path"),
        context=props.number("default_generation_settings", "n_ctx"),
        slots=props.number("total_slots"),
        chat_template_sha256=template_sha256(props.text("chat_template")),
    )
