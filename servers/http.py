"""Small requests to a server: whether it answers, and what its pages hold."""

import asyncio
import functools
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import msgspec

from servers.errors import ServerError
from servers.secrets import hide, reveal

_SHOWN = 200
_LONGEST = 8 << 20
"""Bytes of a page; a server that sends more is no model server."""


class HttpReply(NamedTuple):
    """What came back for one request, without the key that was sent."""

    status: int
    body: Any
    """Decoded JSON; None where it is none."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Names in lower case."""
    raw: str = ""
    """The first characters of the body, for servers that answer in plain text."""

    def get(self, *path: str | int) -> Any:  # noqa: ANN401 - JSON
        """Follow keys and indices into the body; None where they lead nowhere."""
        value = self.body
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def objects(self, *path: str | int) -> "list[HttpReply]":
        """Follow keys and indices to a list, and return the objects in it; none where there is no list."""
        items = self.get(*path)
        return [
            HttpReply(self.status, item)
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict)
        ]

    def text(self, *path: str | int) -> str | None:
        """Follow keys and indices to a text; None where there is none, or an empty one."""
        value = self.get(*path)
        return value if isinstance(value, str) and value else None

    def number(self, *path: str | int) -> int | None:
        """Follow keys and indices to a whole number from 1 to 2^63 - 1; None where there is none."""
        value = self.get(*path)
        return value if type(value) is int and 0 < value < 2**63 else None  # isinstance takes True for a number


NO_REPLY = HttpReply(0, None)
"""Nothing answered."""


async def fetch(
    url: str, *, headers: dict[str, str] | None = None, post: dict[str, Any] | None = None, seconds: float = 10
) -> HttpReply:
    """Send one GET, or one POST of JSON, and return what came back; `NO_REPLY` when nothing answered.

    Raises:
        ServerError: The proxy that the environment names cannot be used.
    """
    async with connect(url) as client:
        return await fetch_with(client, url, headers=headers, post=post, seconds=seconds)


def connect(url: str) -> httpx2.AsyncClient:
    """Make a client for requests to one server; it sets no limit of time itself.

    Raises:
        ServerError: The proxy that the environment names cannot be used.
    """
    try:
        return httpx2.AsyncClient(timeout=None, trust_env=trusts_environment(url), verify=tls())
    # Raised while it reads the proxy: an unknown scheme, SOCKS, for which it lacks a package, no address.
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise ServerError(
            f"The proxy for {urlsplit(url).hostname} that the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) "
            "cannot be used",
            remedy="make it an http:// address, or name the host in NO_PROXY.",
        ) from error


async def fetch_with(
    client: httpx2.AsyncClient,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    post: dict[str, Any] | None = None,
    seconds: float,
) -> HttpReply:
    """Do what `fetch` does through a client that exists already; `NO_REPLY` when nothing answered in time."""
    sent = headers or {}
    body_sent = None if post is None else reveal(post, sent)
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("GET" if post is None else "POST", url, headers=sent, json=body_sent) as response,
        ):
            content = b""
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _LONGEST:
                    return NO_REPLY
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
        return NO_REPLY
    try:
        body = msgspec.json.decode(content)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        body = None
    names = hide({name.lower(): value for name, value in response.headers.items()}, sent)
    raw = hide(content.decode(errors="replace"), sent)[:_SHOWN]
    return HttpReply(response.status_code, hide(body, sent), names, raw)


@functools.cache
def tls() -> ssl.SSLContext:
    """Read the certificates once: it takes longer than a question."""
    return httpx2.create_ssl_context()


def trusts_environment(url: str) -> bool:
    """Whether requests to this address go through the proxy that the environment names.

    Requests to this machine never do.
    """
    host = (urlsplit(url).hostname or "").removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
    # 0.0.0.0, under which servers announce themselves, is this machine too.
    return not (address.is_loopback or address.is_unspecified)


def root(base_url: str) -> str:
    """Return the address without its `/v1`, where servers keep their own pages."""
    return base_url.rstrip("/").removesuffix("/v1")
