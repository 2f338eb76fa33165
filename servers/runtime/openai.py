"""Any server that runs already and speaks OpenAI's protocol."""

from msgspec.structs import asdict, replace

from servers.request import openai_request, template_switch
from servers.runtime.llama_props import entry, from_props
from servers.spec import Prompt, Request, Sampling, Server, ServerFacts, ServerSpec


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool) -> Request:
    """Put a prompt into OpenAI's words.

    Of an unknown server nobody knows which further keys it takes, so only what the study sets is sent.
    """
    more = {**asdict(sampling), **template_switch(server.spec, prompt)}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name the values that the study leaves open: an unknown server's own rule there."""
    del spec
    silent = [name for name in ("top_p", "top_k", "min_p") if getattr(sampling, name) is None]
    if not silent:
        return ()
    return (f"{', '.join(silent)} not sent, so this server's own defaults rule: set them in sampling to send them",)


async def facts(server: Server) -> ServerFacts:
    """Look at /v1/models and /props; None where a server of an unknown kind says nothing."""
    mine, props = await entry(server), await from_props(server)
    named = replace(props, model_id=mine.text("id"), context=props.context or mine.number("max_model_len"))
    if mine.text("id"):
        return named
    unlisted = f"the server's list of models has no {server.model!r}: that it answers as this model rests on your word"
    return replace(named, unmet=(unlisted,))
