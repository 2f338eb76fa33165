"""Compare the client's CPU time with the openai SDK's, on the same streamed replies of one fake server.

Run by `make bench`. Prints a ratio: it means something on the machine and in the run that printed it only.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from openai import AsyncOpenAI

from evaluator.ask import client
from evaluator.records import Answer
from servers.fake import FakeServer, Reply

REPLIES, CHUNKS = 60, 300
MESSAGE = "Say it."


async def ours(base_url: str) -> int:
    """Read one reply with evaluator.ask.client; give its length."""
    body = {"model": "fake", "messages": [{"role": "user", "content": MESSAGE}], "stream": True}
    async with client.connect(base_url, concurrency=1, silence=30) as http:
        total = 0
        for _ in range(REPLIES):
            answer = await client.ask_once(http, f"{base_url}/chat/completions", body)
            assert isinstance(answer, Answer)
            total += len(answer.text)
        return total


async def theirs(base_url: str) -> int:
    """Read one reply with the openai SDK; give its length."""
    async with AsyncOpenAI(base_url=base_url, api_key="none") as sdk:
        total = 0
        for _ in range(REPLIES):
            stream = await sdk.chat.completions.create(
                model="fake", messages=[{"role": "user", "content": MESSAGE}], stream=True
            )
            async for chunk in stream:
                total += len(chunk.choices[0].delta.content or "") if chunk.choices else 0
        return total


def timed(read: Callable[[str], Awaitable[int]], base_url: str) -> float:
    """Give the CPU seconds of reading all replies."""

    async def measure() -> float:
        await read(base_url)  # warm up: imports, connections
        before = time.thread_time()  # of this thread alone: the fake server has its own
        assert await read(base_url) == REPLIES * CHUNKS * 4
        return time.thread_time() - before

    return asyncio.run(measure())


def main() -> None:
    """Print both times and their ratio."""
    with FakeServer(Reply(text="word" * CHUNKS, piece=4)) as fake:
        mine, sdk = timed(ours, fake.base_url), timed(theirs, fake.base_url)
    print(f"{REPLIES} streamed replies of {CHUNKS} chunks")
    print(f"whichquant  {1000 * mine / REPLIES:.2f} ms of CPU a reply")
    print(f"openai SDK  {1000 * sdk / REPLIES:.2f} ms of CPU a reply")
    print(f"ratio       {sdk / mine:.1f}")


if __name__ == "__main__":
    main()
