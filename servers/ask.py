"""Ask a server one small thing: is it there, and what does it say of itself."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import msgspec

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Heard(NamedTuple):
    """What came back."""

    status: int
    body: Any
    """Decoded JSON; None where it is none."""

    def get(self, *path: str | int) -> Any:  # noqa: ANN401 - JSON
        """Follow keys and indices into the body; None where they lead nowhere."""
        found = self.body
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


NOTHING = Heard(0, None)
"""Nobody answered."""


async def ask(
    url: str, *, headers: dict[str, str] | None = None, post: dict[str, Any] | None = None, seconds: float = 10
) -> Heard:
    """Send one GET, or one POST of JSON, and return what came back; `NOTHING` when nobody answered."""
    # A proxy that the environment names has no business between us and this machine.
    away = urlsplit(url).hostname not in _LOOPBACK
    async with httpx2.AsyncClient(timeout=seconds, trust_env=away, headers=headers) as client:
        try:
            response = await (client.get(url) if post is None else client.post(url, json=post))
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return NOTHING
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        body = None
    return Heard(response.status_code, body)


def root(base_url: str) -> str:
    """Return the address without its `/v1`, where servers keep their own pages."""
    return base_url.rstrip("/").removesuffix("/v1")
