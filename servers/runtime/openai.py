"""Any server that runs already and speaks OpenAI's protocol."""

from msgspec.structs import asdict, replace

from servers.request import openai_request, template_switch
from servers.runtime.llama_props import entry, from_props
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into OpenAI's format.

    Which further keys an unknown server takes is not known, so only what the study sets is sent.
    """
    del reuse
    more = {**asdict(sampling), **template_switch(server.spec, prompt)}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the values that the study does not set, where they matter: an unknown server's own defaults hold.

    At temperature 0 the likeliest token is taken, whatever they are.
    """
    del spec
    if sampling.temperature == 0:
        return ()
    unset = [name for name in ("top_p", "top_k", "min_p") if getattr(sampling, name) is None]
    if not unset:
        return ()
    return (f"not sent, so that this server's own defaults rule: {', '.join(unset)}",)


async def facts(server: Server) -> ServerFacts:
    """Read /v1/models and /props; what a server of an unknown kind does not report is None."""
    listed, props = await entry(server), await from_props(server)
    named = replace(props, model_id=listed.text("id"), context=props.context or listed.number("max_model_len"))
    if listed.text("id"):
        return named
    unlisted = f"the server's list of models has no {server.model!r}: that it answers as this model rests on your word"
    return replace(named, unmet=(unlisted,))
