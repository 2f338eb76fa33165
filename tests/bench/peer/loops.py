"""Ask the prompts of a file with a bare loop of one library; run by tests.bench.peers in the peers' environment.

python tests/bench/peer/loops.py openai|httpx2|aiohttp URL FILE QUESTIONS stream|whole

Only the openai SDK decodes what it reads; the two others read to the end and look at nothing.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

IN_FLIGHT = 32
Body = dict[str, Any]
Ask = Callable[[Body], Awaitable[int]]


async def with_openai(url: str, bodies: list[Body]) -> list[int]:
    """Ask with the SDK."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - each loop imports its own library only

    async with AsyncOpenAI(base_url=url, api_key="none") as sdk:

        async def ask(body: Body) -> int:
            reply: Any = await sdk.chat.completions.create(**body)
            if not body["stream"]:
                return len(reply.choices[0].message.content or "")
            texts = [chunk.choices[0].delta.content or "" async for chunk in reply if chunk.choices]
            return len("".join(texts))

        return await all_of_them(ask, bodies)


async def with_httpx2(url: str, bodies: list[Body]) -> list[int]:
    """Ask with httpx2."""
    import httpx2  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx2.AsyncClient(timeout=60, limits=limits, trust_env=False) as http:

        async def ask(body: Body) -> int:
            async with http.stream("POST", f"{url}/chat/completions", json=body) as response:
                response.raise_for_status()
                return sum([len(piece) async for piece in response.aiter_bytes()])

        return await all_of_them(ask, bodies)


async def with_aiohttp(url: str, bodies: list[Body]) -> list[int]:
    """Ask with aiohttp."""
    import aiohttp  # noqa: PLC0415

    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as http:

        async def ask(body: Body) -> int:
            async with http.post(f"{url}/chat/completions", json=body) as response:
                return len(await response.read())

        return await all_of_them(ask, bodies)


async def all_of_them(ask: Ask, bodies: list[Body]) -> list[int]:
    """Ask all, so many in flight; give the length of each reply."""
    waiting, lengths = iter(bodies), []

    async def work() -> None:
        for body in waiting:
            length = await ask(body)
            lengths.append(length)

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return lengths


def main() -> None:
    """Ask, and check that all were answered."""
    _, library, url, file, questions, how = sys.argv
    lines = Path(file).read_text(encoding="utf-8").splitlines()[: int(questions)]
    bodies = [
        {
            "model": "instant",
            "messages": [{"role": "user", "content": json.loads(line)["prompt"]}],
            "temperature": 0,
            "max_tokens": 4096,
            "stream": how == "stream",
        }
        for line in lines
    ]
    loop = {"openai": with_openai, "httpx2": with_httpx2, "aiohttp": with_aiohttp}[library]
    lengths = asyncio.run(loop(url, bodies))
    assert len(lengths) == int(questions), len(lengths)
    assert min(lengths) > 0


if __name__ == "__main__":
    main()
