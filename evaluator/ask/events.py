"""Take a stream of bytes apart into the JSON of its events: OpenAI's behind `data:`, Ollama's one object a line."""

from collections.abc import AsyncIterator


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give each event's JSON; comments and other fields are passed over.

    One event is one line here, as every OpenAI-compatible server sends it behind `data:`, and Ollama bare.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith((b"data:", b"{")):
                yield line.removeprefix(b"data:").strip()
    if rest.startswith((b"data:", b"{")):
        yield rest.removeprefix(b"data:").strip()
