"""Ask one question, and ask it again after a failure that may pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from evaluator.ask.client import ask_once
from evaluator.ask.reply import OnToken
from evaluator.records import Answer, Failure, FailureKind

TRANSIENT: frozenset[FailureKind] = frozenset({"unreachable", "dropped", "overloaded", "server_error"})
ATTEMPTS = 4

Sleep = Callable[[float], Awaitable[None]]


async def ask(
    http: httpx2.AsyncClient,
    url: str,
    body: dict[str, Any],
    *,
    sleep: Sleep = asyncio.sleep,
    on_token: OnToken = lambda: None,
) -> tuple[Answer | Failure, tuple[Failure, ...]]:
    """Ask, and ask again after a transient failure, at most `ATTEMPTS` times.

    Returns the last outcome, and the transient failures before it.
    """
    before: list[Failure] = []

    def note(state: RetryCallState) -> None:
        before.append(state.outcome.result())  # type: ignore[union-attr]  # set whenever an attempt has ended

    retrying = AsyncRetrying(
        retry=retry_if_result(lambda outcome: isinstance(outcome, Failure) and outcome.kind in TRANSIENT),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=20),
        before_sleep=note,
        retry_error_callback=lambda state: state.outcome.result(),  # type: ignore[union-attr]
        sleep=sleep,
    )
    outcome: Answer | Failure = await retrying(ask_once, http, url, body, on_token)
    return outcome, tuple(before)
