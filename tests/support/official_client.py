"""OpenAI's own client for Python, which takes a second to import: only where it is used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def official_client(base_url: str, *, timeout: float = 60) -> "AsyncOpenAI":
    """Make a client that asks once and does not retry; `timeout` is in seconds."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - slow to import

    return AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=timeout)
