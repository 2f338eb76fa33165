"""What requests to all servers have in common: the OpenAI body, the sampling values, the key."""

import os
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from servers.errors import ServerError, SpecError
from servers.spec import Prompt, Request, Sampling, Server, ServerSpec

_NEUTRAL: Mapping[str, float] = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
"""Values that do not change the sampling; sent where the study sets none, because the servers' defaults differ."""


def openai_request(
    server: Server, prompt: Prompt, *, stream: bool, more: Mapping[str, Any], base: str | None = None
) -> Request:
    """Build a request in OpenAI's format.

    Args:
        server: Whom to ask.
        prompt: What to show; chat goes to /chat/completions, raw text to /completions.
        stream: Whether the reply is to come in pieces, with the token counts at its end.
        more: Sampling and what else this server takes; None is not sent.
        base: Address in place of the server's `base_url`.
    """
    body: dict[str, Any] = {"model": server.model}
    body |= {"messages": list(prompt.messages)} if prompt.chat else {"prompt": prompt.text}
    body |= {name: value for name, value in more.items() if value is not None}
    if prompt.stop:
        body["stop"] = list(prompt.stop)
    body["stream"] = stream
    if stream:
        body["stream_options"] = {"include_usage": True}
    return Request((base or server.base_url) + ("/chat/completions" if prompt.chat else "/completions"), body)


def sampling_values(sampling: Sampling, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return every sampling value, neutral where the study is silent; the seed only if there is one.

    Args:
        sampling: The study's.
        without: Names that this server does not take.
    """
    values: dict[str, Any] = {
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
    }
    filled = {name: _NEUTRAL.get(name) if value is None else value for name, value in values.items()}
    return {name: value for name, value in filled.items() if value is not None and name not in without}


def template_switch(spec: ServerSpec, prompt: Prompt) -> dict[str, Any]:
    """Return the switch for thinking as most chat templates know it; nothing where the model's default rules."""
    if not prompt.chat or spec.thinking is None:
        return {}
    return {"chat_template_kwargs": {"enable_thinking": spec.thinking}}


def headers(spec: ServerSpec) -> dict[str, str]:
    """Return the headers that carry the key; none when the study names no variable or it is empty.

    Raises:
        ServerError: What the variable holds can be no key.
    """
    return bearer(spec.api_key_env)


def bearer(variable: str | None) -> dict[str, str]:
    """Return the headers that carry the key in an environment variable; none without one, or where it is empty.

    Raises:
        SpecError: It is no name of a variable: it may be the key itself.
        ServerError: What the variable holds can be no key.
    """
    if not variable:
        return {}
    if not _VARIABLE.fullmatch(variable):
        raise SpecError(
            "api_key_env (--api-key-env) holds no name of an environment variable",
            remedy="put the key into one and name that: letters, digits and _ only.",
        )
    # A key that was read from a file brings the end of its line along.
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ServerError(
            f"The key in the environment variable {variable} cannot be sent: "
            "it holds characters other than printable ASCII, so copy it again."
        )
    return {"Authorization": f"Bearer {key}"} if key else {}


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDING = "@?#"
"""Text before the first, or behind the others, may be a password or a key, and is never shown."""
_SPACE = re.compile(r"\s")


def normal_url(base_url: str) -> str:
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
        raise ServerError(f"base_url{shown} is no address", remedy="write it like http://127.0.0.1:8080/v1.")
    if "@" in parts.netloc or "?" in written or "#" in written:
        raise ServerError(
            "base_url holds a user name, a password, or more behind a ? or #, which would be kept with the results",
            remedy="leave that out, put the key into an environment variable and name it in api_key_env.",
        )
    return parts._replace(path=parts.path.rstrip("/") or "/v1").geturl()
