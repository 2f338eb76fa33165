"""How long a server is waited for, whatever it says: with a clock of our own and a server that is a list of replies."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask import retry
from evaluator.ask.retry import ATTEMPTS
from evaluator.ask.traffic import Traffic
from evaluator.records import Answer, Failure, FailureKind

SILENCE, STARTUP = 60.0, 300.0
NOBODY: Any = None
"""In place of a client: nothing is sent."""
ANSWER = Answer(text="yes", duration_s=1.0)
ORDINARY_S = (ATTEMPTS - 1) * 21.0
"""The most that failures like others are waited for."""


def refused(status: int, message: str = "", retry_after: float | None = None) -> Failure:
    kind: FailureKind = "overloaded" if status in (429, 503) else "server_error"
    return Failure(kind=kind, status=status, message=f"HTTP {status}: {message}", retry_after=retry_after)


class World:
    """A server that answers by a clock that only waiting moves."""

    def __init__(self, reply: Callable[[float, int], Answer | Failure]) -> None:
        self.now, self.requests, self.shown = 1000.0, 0, list[tuple[str, float]]()
        self._reply = reply
        self.began = self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def ask_once(self, *_: Any, **_more: Any) -> Answer | Failure:
        self.requests += 1
        return self._reply(self.now - self.began, self.requests)

    def ask(self) -> tuple[Answer | Failure, tuple[Failure, ...]]:
        async def asked() -> Any:
            traffic = Traffic(
                1,
                silence=SILENCE,
                startup=STARTUP,
                clock=lambda: self.now,
                sleep=self.sleep,
                on_wait=lambda text, seconds: self.shown.append((text, seconds)),
            )
            async with traffic:
                return await retry.ask(NOBODY, "", {}, traffic)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(retry, "ask_once", self.ask_once)
            return asyncio.run(asked())  # type: ignore[no-any-return]

    @property
    def waited(self) -> float:
        return self.now - self.began


def in_turn(*replies: Answer | Failure) -> Callable[[float, int], Answer | Failure]:
    return lambda _now, number: replies[min(number, len(replies)) - 1]


LOADING, BUSY, EARLY = refused(503, "Loading model"), refused(503, "busy"), refused(429, "slow down", 12.0)
TIMES = st.one_of(st.none(), st.floats(0, 2 * SILENCE), st.sampled_from([0.0, 0.001, SILENCE, 99999999999.0, 1e300]))
WAITS = st.builds(
    refused, st.sampled_from([429, 503, 500]), st.sampled_from(["server busy", "Loading model", "queue full"]), TIMES
)


@settings(deadline=None)
@given(st.lists(WAITS, min_size=1), st.floats(0, SILENCE - 0.01))
def test_whatever_it_says_before_the_answer_is_had_if_it_comes_in_time(said: list[Failure], ready: float) -> None:
    world = World(lambda now, number: ANSWER if now >= ready else said[(number - 1) % len(said)])

    outcome, before = world.ask()

    assert outcome == ANSWER
    assert len(before) == world.requests - 1
    assert sum(failure.waited_s or 0 for failure in before) == pytest.approx(world.waited, abs=0.01 * world.requests)


@settings(deadline=None)
@given(st.lists(st.one_of(WAITS, st.just(refused(500, "always"))), min_size=1))
def test_whatever_it_says_for_ever_it_is_given_up_in_time_and_not_overrun(said: list[Failure]) -> None:
    world = World(lambda _now, number: said[(number - 1) % len(said)])

    outcome, _ = world.ask()

    assert isinstance(outcome, Failure)
    assert world.waited <= SILENCE + STARTUP + ORDINARY_S
    assert world.requests <= 2 * (world.waited + 1) + ATTEMPTS


@settings(deadline=None)
@given(seconds=st.floats(0.5, SILENCE - 2), status=st.sampled_from([429, 500, 503]))
def test_what_the_server_asks_for_is_kept_to(seconds: float, status: int) -> None:
    world = World(in_turn(refused(status, "busy", seconds), ANSWER))

    outcome, before = world.ask()

    assert outcome == ANSWER
    assert world.requests == 2
    assert seconds <= world.waited <= seconds + 1
    assert before[0].retry_after == seconds


@pytest.mark.parametrize(
    ("replies", "kind", "says", "least", "most"),
    [
        pytest.param([BUSY], "overloaded", "busy (asked again for 60 s)", SILENCE, SILENCE, id="busy"),
        pytest.param([EARLY], "overloaded", "(asked again for 60 s)", SILENCE, SILENCE, id="asks-to-wait"),
        pytest.param(
            [LOADING], "overloaded", "Loading model (asked again for 300 s)", STARTUP, STARTUP, id="loads-for-ever"
        ),
        pytest.param(
            [refused(503, "x", 99999999999.0)],
            "overloaded",
            "x (it asks to wait 99999999999 s; it was asked again for 60 s)",
            SILENCE,
            SILENCE,
            id="asks-to-wait-for-ever",
        ),
        pytest.param([refused(500, "always")], "server_error", "HTTP 500: always", 3.5, ORDINARY_S, id="500"),
        pytest.param(
            [BUSY, refused(500, "always")], "server_error", "HTTP 500: always", 3.5, SILENCE, id="busy-then-500"
        ),
        pytest.param([refused(503, "failed to load")], "overloaded", "failed to load", 3.5, ORDINARY_S, id="broken"),
    ],
)
def test_what_is_given_up_is_given_up_with_the_servers_words(
    replies: list[Failure], kind: str, says: str, least: float, most: float
) -> None:
    world = World(in_turn(*replies))

    outcome, _ = world.ask()

    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.message.endswith(says)) == (kind, True), outcome.message
    assert least <= world.waited <= most + 0.01


@pytest.mark.parametrize(
    ("replies", "shown"),
    [
        pytest.param([EARLY, ANSWER], ["the server asks to wait:"], id="asks-to-wait"),
        pytest.param([BUSY, ANSWER], ["the server is busy, asked again in"], id="busy"),
        pytest.param([LOADING, LOADING, ANSWER], ["its model is loading, asked again in"] * 2, id="loading"),
        pytest.param([refused(500, "once"), ANSWER], [], id="a-failure-like-others"),
    ],
)
def test_a_wait_is_shown_with_its_seconds(replies: list[Answer | Failure], shown: list[str]) -> None:
    world = World(in_turn(*replies))

    _, before = world.ask()

    assert [text for text, _ in world.shown] == shown
    waited = [failure.waited_s for failure in before][: len(shown)]
    assert [seconds for _, seconds in world.shown] == pytest.approx(waited, abs=0.001)


def test_a_model_that_loads_is_no_failed_attempt() -> None:
    world = World(in_turn(*[LOADING] * 20, *[refused(500, "odd")] * (ATTEMPTS - 1), ANSWER))

    outcome, before = world.ask()

    assert outcome == ANSWER
    assert len(before) == 20 + ATTEMPTS - 1
