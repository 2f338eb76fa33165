"""How many in flight are found to be best, and when fewer are tried, without a server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask.ramp import FEW, Ramp, Watch
from tests.support.queueing import Curve, asked, watched

CURVES: dict[str, Curve] = {
    "grows to 4": lambda n: 60 * min(n, 4) ** 0.9,
    "grows to 8, then falls": lambda n: 60 * min(n, 8) ** 0.7 * (1 if n <= 8 else 0.7),
    "grows to the end": lambda n: 60 * n**0.6,
    "falls": lambda n: 60 * n**-0.4,
    "two are no more than one, four are": lambda n: 60 * (1 if n < 4 else 2),
}
LEVELS = (1, 2, 4, 8, 16)


@pytest.mark.parametrize(("cold", "share"), [(0.0, 0.9), (3.0, 0.75)], ids=["warm", "cold"])
@pytest.mark.parametrize("name", CURVES)
def test_the_number_found_is_nearly_as_fast_as_the_best(name: str, cold: float, share: float) -> None:
    curve = CURVES[name]
    for seed in range(4):
        ramp = Ramp(16)
        asked(ramp, curve, seed=seed, cold=cold)

        assert ramp.settled
        assert curve(ramp.level) >= share * max(map(curve, LEVELS)), (seed, ramp.found())


@pytest.mark.parametrize("name", CURVES)
def test_a_number_found_is_followed_by_the_reason_for_no_more(name: str) -> None:
    ramp = Ramp(16, why_most="it has 16 slots")
    asked(ramp, CURVES[name])
    found = ramp.found()

    assert found.how == "measured"
    assert found.number in {level.in_flight for level in found.curve}
    assert ("more tokens per second" in found.why) is (found.number < 16)
    assert ("it has 16 slots" in found.why) is (found.number == 16)


@settings(max_examples=60, deadline=None)
@given(
    most=st.integers(1, 20),
    start=st.integers(1, 20),
    questions=st.integers(1, 120),
    seed=st.integers(0, 99),
    name=st.sampled_from(sorted(CURVES)),
)
def test_no_more_are_in_flight_than_may_be_and_there_is_always_a_number(
    most: int, start: int, questions: int, seed: int, name: str
) -> None:
    ramp = Ramp(most, start=start)
    went = asked(ramp, CURVES[name], questions=questions, seed=seed)
    found = ramp.found()

    assert went.most <= most
    assert 1 <= found.number <= most
    assert [level.in_flight for level in found.curve] == sorted({level.in_flight for level in found.curve})
    assert found.how in ("measured", "few questions")


def test_finding_the_number_costs_little_against_having_known_it() -> None:
    known = asked(Ramp(16, start=16), CURVES["grows to the end"], questions=1000).seconds

    assert asked(Ramp(16), CURVES["grows to the end"], questions=1000).seconds < 1.15 * known


def test_a_busy_moment_at_the_beginning_does_not_end_the_search_early() -> None:
    ramp, now, replies = Ramp(16, why_most="it has 16 slots"), 0.0, 0
    while not ramp.settled and now < 900:
        early = replies < 20  # when 1 is as fast as 2 and 4, for once
        now, replies = now + 10 / (4 if early else ramp.level), replies + 1
        ramp.began(now, 0.1)
        ramp.arrived(now, 100)
        ramp.ended(now)

    assert (ramp.level, ramp.why) == (16, "it has 16 slots")


def test_without_a_stream_whole_replies_are_enough() -> None:
    ramp, now = Ramp(8), 0.0
    while not ramp.settled and now < 900:
        now += 10 / min(ramp.level, 4)
        ramp.began(now, None)
        ramp.arrived(now, 100)
        ramp.ended(now)

    assert ramp.level == 4


def test_a_refusal_ends_the_search_with_what_the_server_takes() -> None:
    ramp = Ramp(16, start=8)
    ramp.refused(5)

    assert (ramp.level, ramp.settled) == (5, True)
    assert ramp.found().why == "the server refused more"


def test_a_smaller_limit_ends_the_search_where_more_are_in_flight() -> None:
    ramp = Ramp(16, start=8)
    ramp.limit(12, "another server has 12 slots")
    assert not ramp.settled
    ramp.limit(4, "another server has 4 slots")

    assert (ramp.level, ramp.settled, ramp.found().why) == (4, True, "another server has 4 slots")


@pytest.mark.parametrize(("most", "expected"), [(2, 2), (16, FEW)])
def test_questions_that_end_at_once_leave_a_small_number(most: int, expected: int) -> None:
    ramp = Ramp(most)
    ramp.finish()

    assert (ramp.level, ramp.found().how) == (expected, "few questions")


def test_a_steady_server_is_left_alone() -> None:
    assert watched(Watch(8), lambda now, _n: 100 if now % 60 < 30 else 80, seconds=2000) == [8]


def test_a_server_that_collapses_under_many_is_asked_fewer() -> None:
    watch = Watch(8)
    levels = watched(watch, lambda now, n: 100 if now < 300 or n < 8 else 20, seconds=2000)

    assert levels == [8, 4]
    assert watch.number == 4


def test_a_machine_that_has_become_slow_keeps_its_number() -> None:
    watch = Watch(8)
    levels = watched(watch, lambda now, _n: 100 if now < 300 else 20, seconds=4000)

    assert levels == [8, 4, 8]
    assert watch.number == 8


def test_a_number_of_before_that_is_far_slower_now_is_doubted() -> None:
    assert watched(Watch(8, 100.0), lambda _now, n: 20 if n == 8 else 90, seconds=900)[:2] == [8, 4]
