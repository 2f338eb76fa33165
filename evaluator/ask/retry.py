"""Ask one question, and ask it again after a failure that may pass."""

import random
from typing import Any

from msgspec.structs import replace
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from evaluator.ask.client import Http, ask_once
from evaluator.ask.reply import OnToken
from evaluator.ask.traffic import Traffic
from evaluator.ask.waits import Wait, reason_to_wait
from evaluator.records import Answer, Failure, FailureKind

TRANSIENT: frozenset[FailureKind] = frozenset({"unreachable", "dropped", "overloaded", "server_error", "broken_off"})
ATTEMPTS = 4
"""Of failures like others; where the server asks to wait, time counts."""
_MOST_S, _MOST_LOADING_S = 20.0, 5.0
"""Between two attempts."""
_LEAST_S = 0.5
_WORDS: dict[Wait, str] = {
    "loading": "its model is loading, asked again in",
    "busy": "the server is busy, asked again in",
    "early": "the server asks to wait:",
}


async def ask(
    http: Http,
    url: str,
    body: dict[str, Any],
    traffic: Traffic,
    *,
    attempts: int = ATTEMPTS,
    on_token: OnToken = lambda: None,
    stop: tuple[str, ...] = (),
) -> tuple[Answer | Failure, tuple[Failure, ...]]:
    """Ask, and ask again after a transient failure; the caller has taken a place of the traffic.

    A failure like others may happen so many times. Where the server asks to wait, it is waited for as long as the
    traffic allows; where it is busy with other requests of ours, until one of them is done.

    Returns the last outcome, and the transient failures before it.
    """
    before: list[Failure] = []

    async def once() -> Answer | Failure:
        while True:
            outcome = await _sent(http, url, body, traffic, on_token=on_token, stop=stop)
            if isinstance(outcome, Answer) or reason_to_wait(outcome) != "busy" or not traffic.others:
                return outcome
            began = traffic.clock()
            asked = _asked(outcome, traffic.silence)
            await traffic.step_aside(asked or 0.0)
            before.append(replace(outcome, waited_s=round(traffic.clock() - began, 3)))

    def is_enough(state: RetryCallState) -> bool:
        if why := reason_to_wait(_failure(state)):
            return traffic.left(why) <= 0
        return sum(reason_to_wait(failure) is None for failure in before) + 1 >= attempts

    def note(state: RetryCallState) -> None:
        failure, seconds = _failure(state), state.upcoming_sleep
        before.append(replace(failure, waited_s=round(seconds, 3)))
        if why := reason_to_wait(failure):
            traffic.on_wait(_WORDS[why], seconds)

    first = await once()
    if not _may_pass(first):
        return first, tuple(before)
    known = [first]

    async def again() -> Answer | Failure:
        return known.pop() if known else await once()

    retrying = AsyncRetrying(
        retry=retry_if_result(_may_pass),
        stop=is_enough,
        wait=lambda state: _seconds(state, traffic),
        before_sleep=note,
        retry_error_callback=lambda state: _given_up(_failure(state), traffic),
        sleep=traffic.sleep,
    )
    outcome: Answer | Failure = await retrying(again)
    return outcome, tuple(before)


def _may_pass(outcome: Answer | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.kind in TRANSIENT


async def _sent(
    http: Http,
    url: str,
    body: dict[str, Any],
    traffic: Traffic,
    *,
    on_token: OnToken,
    stop: tuple[str, ...],
) -> Answer | Failure:
    def token() -> None:
        traffic.worked()
        on_token()

    await traffic.spaced()
    with traffic.sending():
        outcome = await ask_once(http, url, body, token, stop=stop)
        if isinstance(outcome, Answer):
            traffic.worked()
        elif outcome.kind != "timeout":
            traffic.saw_activity()
            traffic.last_refusal = outcome.message if outcome.status else traffic.last_refusal
    return outcome


def _failure(state: RetryCallState) -> Failure:
    failure: Failure = state.outcome.result()  # type: ignore[union-attr]  # set whenever an attempt has ended
    return failure


def _seconds(state: RetryCallState, traffic: Traffic) -> float:
    """Return how long to wait before the next attempt."""
    failure = _failure(state)
    why = reason_to_wait(failure)
    most = _MOST_LOADING_S if why == "loading" else _MOST_S
    seconds = wait_exponential_jitter(multiplier=_LEAST_S, max=most)(state)
    if why is None:
        return seconds
    asked = _asked(failure, traffic.bound(why))
    return min(seconds if asked is None else asked, max(0.0, traffic.left(why)))


def _asked(failure: Failure, bound: float) -> float | None:
    """Return how long the server asks to wait, and a little more: not all are to come back at once.

    None where it does not say, or asks for longer than we wait.
    """
    if failure.retry_after is None or failure.retry_after > bound:
        return None
    return max(_LEAST_S, failure.retry_after) + random.random()  # noqa: S311 - nothing is kept secret by it


def _given_up(failure: Failure, traffic: Traffic) -> Failure:
    """Say how long the server was waited for, if it was."""
    if (why := reason_to_wait(failure)) is None:
        return failure
    bound = traffic.bound(why)
    waited = f"asked again for {bound:.0f} s"
    if failure.retry_after is not None and failure.retry_after > bound:
        waited = f"it asks to wait {failure.retry_after:.0f} s; it was {waited}"
    return replace(failure, kind="overloaded", message=f"{failure.message} ({waited})")
