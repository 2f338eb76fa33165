"""A bare loop: the requests of a run sent again by httpx2 with nothing around it, at the same number in flight."""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from evaluator.records import Record
from servers.ports import free_port
from tests.bench.runs import ROOT, Speed

_TOKENS = re.compile(rb'"(?:completion_tokens|eval_count)":\s*(\d+)')
STARTUP_S = 300


def ask_again(base_url: str, records: Sequence[Record], in_flight: int) -> Speed:
    """Send what was sent, streamed where it was streamed, and read each reply to its end without looking at it."""
    return asyncio.run(_ask_all(base_url, [record.request for record in records], in_flight))


async def _ask_all(base_url: str, bodies: Sequence[dict[str, Any]], in_flight: int) -> Speed:
    waiting, tokens = iter(bodies), []

    async def work(http: httpx2.AsyncClient) -> None:
        for body in waiting:
            url = f"{base_url}/{'chat/completions' if 'messages' in body else 'completions'}"
            tokens.append(await _ask(http, url, body))

    limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx2.AsyncClient(timeout=600, limits=limits, trust_env=False) as http:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(work(http))
        return Speed(len(bodies), sum(tokens), time.perf_counter() - begun)


async def _ask(http: httpx2.AsyncClient, url: str, body: dict[str, Any]) -> int:
    """Ask until it is answered: llama-server closes connections between two requests, mlx_lm's takes few at once."""
    while True:
        try:
            async with http.stream("POST", url, json=body) as response:
                response.raise_for_status()
                reply = b"".join([piece async for piece in response.aiter_bytes()])
        except httpx2.TransportError:
            continue
        found = _TOKENS.findall(reply)
        return int(found[-1]) if found else 0


@contextmanager
def started(command: Sequence[str], log: Path) -> Iterator[str]:
    """Start a server by the command of a run, at a port of its own; give its address up to /v1."""
    words = list(command)
    port = free_port()
    words[words.index("--port") + 1] = str(port)
    with log.open("ab") as out, subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTUP_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx2.get(f"{address}/health", timeout=5, trust_env=False).status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-1000:]}")
