"""Ask an instant server through one client, and print the CPU seconds a question; run by `tests.bench.client`.

python -P tests/bench/asking.py SIDE URL QUESTIONS stream|whole

The package that is measured is the one that PYTHONPATH names.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

IN_FLIGHT = 32
WARM = 64
"""Questions before the clock starts, for clients that have no start of their own."""


def cpu_s() -> float:
    """Return the CPU seconds of this process and all its threads."""
    spent = os.times()
    return spent.user + spent.system


def whichquant(url: str, questions: int, *, stream: bool) -> float:
    """Run a study as on a terminal: asked, recorded, graded and shown; start-up and report are not counted."""
    _run(url, WARM, stream=stream)  # modules are loaded, certificates read
    return _run(url, questions, stream=stream)


def _run(url: str, questions: int, *, stream: bool) -> float:
    from rich.console import Console  # noqa: PLC0415 - each side imports its own only

    from evaluator.events import Analysing, Event, Graded, Planned  # noqa: PLC0415
    from evaluator.pipeline import run_study  # noqa: PLC0415
    from evaluator.report.display import Display  # noqa: PLC0415

    study: dict[str, Any] = {
        "study": "bench",
        "baseline": "a",
        "variants": [{"name": "a", "model": "instant", "base_url": url}],
        "benchmarks": {"mmlu_pro": {"questions": questions, "shots": 5, "margin": 2}},
        "decide": {"noise_floor": 0},
        "concurrency": IN_FLIGHT,
        "stream": stream,
    }
    at: list[float] = []
    graded: list[str] = []

    def on_event(event: Event) -> None:
        display(event)
        if isinstance(event, Planned | Analysing):
            at.append(cpu_s())
        if isinstance(event, Graded):
            graded.append(event.grade.outcome)

    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        Display(Console(file=nowhere, force_terminal=True, width=120, height=40)) as display,
    ):
        run_study(study, runs=folder, check=False, on_event=on_event)
    assert len(graded) == questions, len(graded)
    assert {"correct", "wrong"} >= set(graded), set(graded)
    return (at[1] - at[0]) / questions


def prompts(questions: int) -> list[dict[str, Any]]:
    """Build bodies as long as 5-shot MMLU-Pro's."""
    example = "Question: which of these is it?\nOptions:\nA. one\nB. another\nAnswer: Let's think step by step. " * 10
    return [
        {
            "model": "instant",
            "messages": [{"role": "user", "content": f"{example * 5}Question {i}"}],
            "max_tokens": 4096,
        }
        for i in range(questions)
    ]


def httpx2_bare(url: str, questions: int, *, stream: bool) -> float:
    """Send and read with httpx2 as it comes; nothing is decoded."""
    import httpx2  # noqa: PLC0415

    async def all_of_them() -> float:
        limits = httpx2.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with httpx2.AsyncClient(timeout=60, limits=limits, trust_env=False) as http:

            async def one(body: dict[str, Any]) -> None:
                async with http.stream("POST", f"{url}/chat/completions", json={**body, "stream": stream}) as response:
                    assert sum([len(piece) async for piece in response.aiter_bytes()])

            return await timed(one, questions)

    return asyncio.run(all_of_them())


def httpcore2_bare(url: str, questions: int, *, stream: bool) -> float:
    """Send and read with httpx2's lower layer as it comes; nothing is decoded."""
    import httpcore2  # noqa: PLC0415
    import msgspec  # noqa: PLC0415

    async def all_of_them() -> float:
        async with httpcore2.AsyncConnectionPool(max_connections=IN_FLIGHT) as http:

            async def one(body: dict[str, Any]) -> None:
                content = msgspec.json.encode({**body, "stream": stream})
                async with http.stream("POST", f"{url}/chat/completions", content=content) as response:
                    assert sum([len(piece) async for piece in response.aiter_stream()])

            return await timed(one, questions)

    return asyncio.run(all_of_them())


async def timed(one: Any, questions: int) -> float:
    """Ask all questions, so many in flight; give the CPU seconds of one."""

    async def sender(bodies: Any) -> None:
        for body in bodies:
            await one(body)

    warm, bodies = iter(prompts(WARM)), iter(prompts(questions))
    await asyncio.gather(*(sender(warm) for _ in range(IN_FLIGHT)))
    before = cpu_s()
    await asyncio.gather(*(sender(bodies) for _ in range(IN_FLIGHT)))
    return (cpu_s() - before) / questions


SIDES = {"whichquant": whichquant, "httpx2": httpx2_bare, "httpcore2": httpcore2_bare}

if __name__ == "__main__":
    _, side, url, questions, how = sys.argv
    print(SIDES[side](url, int(questions), stream=how == "stream"))
