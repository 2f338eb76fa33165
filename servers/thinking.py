"""Find out whether the switch for thinking reaches the prompt that the model is shown."""

import asyncio
from typing import Any, NamedTuple

from msgspec.structs import replace

from servers.errors import ServerError
from servers.http import fetch, root
from servers.request import headers
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerSpec

_MESSAGES = ({"role": "user", "content": "What is 2 + 2?"},)
_SECONDS = 60
"""A server may load its model at the first request."""


class Switch(NamedTuple):
    """What the switch does. None is unknown."""

    works: bool | None = None
    """Whether the prompt is another with thinking on than with thinking off."""
    default: bool | None = None
    """Whether the model thinks when a request does not say; where we set thinking at launch, this is it."""


async def switch(server: Server) -> Switch:
    """Render one chat with thinking on, off, and not set, and compare.

    llama-server shows the prompts, so equal ones prove that the switch does nothing. Of any other server only the
    number of a prompt's tokens is known, for up to three requests of one token: other numbers prove other prompts,
    equal ones prove nothing. A server of an unknown kind, which may take money for each, is spared these where the
    study does not set thinking.
    """
    exact = server.spec.runtime == "llama_server"
    if is_spared(server.spec):
        return Switch()
    measure = _rendered if exact else prompt_tokens
    try:
        on, off = await measure(server, thinking=True), await measure(server, thinking=False)
        if on is None or off is None:
            return Switch()
        if on == off:
            return Switch(works=False if exact else None)
        plain = await measure(server, thinking=None)
    except ServerError:  # no key, no proxy: the next request will report it
        return Switch()
    return Switch(works=True, default=True if plain == on else False if plain == off else None)


async def _rendered(server: Server, *, thinking: bool | None) -> str | None:
    body: dict[str, Any] = {"model": server.model, "messages": list(_MESSAGES)}  # the name is for a router
    if thinking is not None:
        body |= {"chat_template_kwargs": {"enable_thinking": thinking}}
    url = f"{root(server.base_url)}/apply-template"
    reply = await fetch(url, headers=headers(server.spec), post=body, seconds=_SECONDS)
    return reply.text("prompt") if reply.status == 200 else None


async def token_counts(server: Server) -> dict[str, int]:
    """Count the tokens of one chat with thinking "on", "off" and "unsaid", by a request of one token each.

    What is not known is left out. Of a server of an unknown kind nothing is asked where the study is silent: see
    `switch`.

    Raises:
        ServerError: What is to be the key can be none, or the proxy cannot be used.
    """
    if is_spared(server.spec):
        return {}
    ways: dict[str, bool | None] = {"on": True, "off": False, "unsaid": None}
    counted = await asyncio.gather(*(prompt_tokens(server, thinking=thinking) for thinking in ways.values()))
    return {way: count for way, count in zip(ways, counted, strict=True) if count is not None}


def is_spared(spec: ServerSpec) -> bool:
    """Whether a server is asked nothing about thinking: it may take money for it, and the study does not care."""
    return spec.runtime == "openai" and spec.thinking is None


async def prompt_tokens(server: Server, *, thinking: bool | None) -> int | None:
    """Count the tokens of one chat; None where the server does not report them.

    Raises:
        ServerError: What is to be the key can be none, or the proxy cannot be used.
    """
    asked = replace(server, spec=replace(server.spec, thinking=thinking))
    url, body = request(asked, Prompt(messages=_MESSAGES), Sampling(max_tokens=1), stream=False)
    reply = await fetch(url, headers=headers(server.spec), post=body, seconds=_SECONDS)
    if reply.status != 200:
        return None
    return reply.number("usage", "prompt_tokens") or reply.number("prompt_eval_count")
