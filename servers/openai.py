"""Any server that runs already and speaks OpenAI's protocol."""

import re
from urllib.parse import urlsplit

from msgspec.structs import asdict, replace

from servers.props import entry, from_props
from servers.request import openai_request, template_switch
from servers.spec import Prompt, Request, Sampling, Server, ServerError, ServerFacts, ServerSpec

_HIDING = "@?#"
"""What stands before the first, or behind the others, may be a password or a key, and is never shown."""
_SPACE = re.compile(r"\s")


def normal(base_url: str) -> str:
    """Return the address without a slash at its end, and with /v1 where it has no path.

    Raises:
        ServerError: It is no http address, or holds what may be a password or a key.
    """
    written = base_url.strip()
    hiding = any(sign in written for sign in _HIDING)
    try:
        parts = urlsplit(written)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without a partner, a port above 65535
        sound = False
    if not sound or _SPACE.search(written):
        shown = "" if hiding else f" {written!r}"
        raise ServerError(f"base_url{shown} is no address: write it like http://127.0.0.1:8080/v1.")
    if "@" in parts.netloc or "?" in written or "#" in written:
        raise ServerError(
            "base_url holds a user name, a password, or more behind a ? or #, which would be kept with the results: "
            "leave that out, put the key into an environment variable and name it in api_key_env."
        )
    return parts._replace(path=parts.path.rstrip("/") or "/v1").geturl()


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
    told = f"the server's list of models has no {server.model!r}: that it answers as this model rests on your word"
    return replace(named, unmet=(told,))
