"""Requests to one server: first come, first served, and never more at once than it takes."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask import retry
from evaluator.ask.traffic import Traffic
from evaluator.records import Answer, Failure

NOBODY: Any = None
"""In place of a client: nothing is sent."""
BUSY = Failure(kind="overloaded", status=503, message="HTTP 503: Server is busy")


class Slots:
    """A server with so many slots, that refuses what comes while all of them work."""

    def __init__(self, slots: int, turns: list[int]) -> None:
        self._slots, self._turns = slots, turns
        self.working = self.refused = self.answered = 0

    async def ask_once(self, *_: Any, **_more: Any) -> Answer | Failure:
        if self.working >= self._slots:
            self.refused += 1
            await asyncio.sleep(0)
            return BUSY
        self.working += 1
        for _turn in range(self._turns[self.answered % len(self._turns)]):
            await asyncio.sleep(0)
        self.working -= 1
        self.answered += 1
        return Answer(text="", duration_s=0.0)


async def ask_all(server: Slots, traffic: Traffic, *, senders: int, questions: int) -> list[Answer | Failure]:
    queue = iter(range(questions))
    outcomes: list[Answer | Failure] = []

    async def send() -> None:
        while True:
            async with traffic:
                if next(queue, None) is None:
                    return
                outcome, _ = await retry.ask(NOBODY, "", {}, traffic)
            outcomes.append(outcome)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "ask_once", server.ask_once)
        async with asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(send())
    return outcomes


async def at_slots(server: Slots, *, senders: int, questions: int) -> tuple[int, list[str]]:
    """Ask all, and say with how many at once in the end, and what was shown."""
    shown: list[str] = []

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    traffic = Traffic(senders, silence=60, sleep=sleep, on_wait=lambda text, _seconds: shown.append(text))
    outcomes = await ask_all(server, traffic, senders=senders, questions=questions)
    assert [isinstance(outcome, Answer) for outcome in outcomes] == [True] * questions
    return traffic.at_once, shown


@settings(deadline=None, max_examples=60)
@given(
    slots=st.integers(1, 8),
    senders=st.integers(1, 16),
    questions=st.integers(1, 40),
    turns=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_a_server_with_any_number_of_slots_answers_all(
    slots: int, senders: int, questions: int, turns: list[int]
) -> None:
    server = Slots(slots, turns)

    at_once, _ = asyncio.run(at_slots(server, senders=senders, questions=questions))

    assert 1 <= at_once <= senders
    if senders <= slots:
        assert (at_once, server.refused) == (senders, 0)


@pytest.mark.parametrize("slots", [1, 2, 3, 8])
@pytest.mark.parametrize("senders", [1, 2, 4, 8, 64])
async def test_a_server_that_refuses_at_once_is_asked_with_as_many_as_it_has_slots(slots: int, senders: int) -> None:
    server = Slots(slots, turns=[9])

    at_once, shown = await at_slots(server, senders=senders, questions=3 * senders)

    assert at_once == min(slots, senders)
    assert [text for text in shown if "at a time" in text] == (
        [f"the server is busy: asked {slots} at a time, not {senders}"] if slots < senders else []
    )


async def test_places_are_given_in_the_order_of_asking() -> None:
    traffic, order = Traffic(2, silence=60), list[int]()

    async def one(number: int) -> None:
        async with traffic:
            order.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(9):
            group.create_task(one(number))

    assert order == list(range(9))


async def test_who_stops_waiting_for_a_place_takes_none_away() -> None:
    traffic = Traffic(1, silence=60)

    async def one() -> None:
        async with traffic:
            await asyncio.sleep(0)

    async with traffic:
        waiting = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # its turn had come
    await asyncio.gather(*waiting, return_exceptions=True)

    assert [task.cancelled() for task in waiting] == [True, True, False]
    async with asyncio.timeout(1), traffic:
        assert traffic.others == 0


async def test_who_is_stopped_while_stepping_aside_leaves_no_place_too_many() -> None:
    traffic = Traffic(2, silence=60)

    async def aside() -> None:
        async with traffic:
            await traffic.step_aside(3600)

    async with traffic:
        task = asyncio.create_task(aside())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert traffic.others == 0
    assert traffic.at_once == 1


@pytest.mark.parametrize(
    ("steps", "silent"),
    [
        pytest.param([("send", 0), ("wait", 5)], 5.0, id="nothing-comes"),
        pytest.param([("send", 0), ("wait", 5), ("hear", 0), ("wait", 2)], 2.0, id="something-came"),
        pytest.param([("send", 0), ("wait", 1), ("hear", 0), ("end", 0), ("wait", 9)], 0.0, id="nothing-is-asked"),
        pytest.param([("send", 0), ("wait", 5), ("end", 0), ("wait", 90)], 5.0, id="a-pause-after-silence"),
        pytest.param(
            [("send", 0), ("wait", 5), ("end", 0), ("wait", 90), ("send", 0), ("wait", 1)], 6.0, id="asked-again"
        ),
        pytest.param(
            [("send", 0), ("hear", 0), ("end", 0), ("wait", 90), ("send", 0), ("wait", 1)], 1.0, id="a-back-off"
        ),
    ],
)
def test_a_server_is_silent_only_while_it_is_asked(steps: list[tuple[str, float]], silent: float) -> None:
    now = 100.0
    traffic = Traffic(1, silence=60, clock=lambda: now)
    sending: Any = None
    for what, seconds in steps:
        now += seconds
        if what == "send":
            sending = traffic.sending()
            sending.__enter__()
        elif what == "end":
            sending.__exit__(None, None, None)
        elif what == "hear":
            traffic.saw_activity()

    assert traffic.silent_s() == silent
