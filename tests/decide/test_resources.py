"""What a variant costs: sums over its benchmarks, nothing where nothing is known, ratios only between what is alike."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.decide.resources import Resources, against_baseline, resources
from evaluator.records import Alone, Answer, Grade, Key, Outcome, Record
from evaluator.store.resources import Measured
from servers.spec import ServerFacts, Usage
from tests.support.outlined import outlined

BEGAN = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)


def asked(
    number: int, outcome: Outcome, *, tokens: int | None = 100, at: float = 0.0, takes: float = 10.0, **answer: Any
) -> tuple[Record, Grade]:
    """One question: begun so many seconds after the first, answered after so many."""
    key = Key("humaneval" if number % 2 else "mmlu_pro", str(number))
    started = (BEGAN + dt.timedelta(seconds=at)).isoformat()
    reply = Answer(text="x", completion_tokens=tokens, duration_s=takes, **answer)
    record = Record(key=key, variant="a", started=started, request={}, answer=None if outcome == "failed" else reply)
    return record, Grade(key=key, variant="a", outcome=outcome, extracted=None, why="")


def cost(*put: tuple[Record, Grade], measured: Measured | None = None, facts: ServerFacts | None = None) -> Resources:
    records, grades = [record for record, _ in put], [grade for _, grade in put]
    return resources("a", facts=facts, measured=measured, records=outlined(records).records, grades=grades, in_flight=4)


def test_all_benchmarks_count_together() -> None:
    both_at_once = cost(asked(1, "correct"), asked(2, "wrong", tokens=300))

    assert both_at_once.tokens_per_correct == 400
    assert both_at_once.seconds_per_correct == pytest.approx(10)
    assert both_at_once.tokens_per_second == pytest.approx(40)


@pytest.mark.parametrize(
    ("put", "tokens", "seconds"),
    [
        pytest.param([], None, None, id="nothing-asked"),
        pytest.param([asked(1, "wrong")], None, None, id="none-correct"),
        pytest.param([asked(1, "correct"), asked(2, "truncated", at=10)], 200, 20, id="cut-off-costs"),
        pytest.param([asked(1, "correct"), asked(2, "not_scored", at=10)], 100, 10, id="not-scored-costs-nothing"),
        pytest.param([asked(1, "correct"), asked(2, "failed", at=10)], 100, 10, id="failed-costs-nothing"),
        pytest.param([asked(1, "correct"), asked(2, "correct", at=500)], 100, 10, id="a-pause-costs-nothing"),
        pytest.param([asked(1, "correct", tokens=None)], None, 10, id="not-counted"),
        pytest.param([asked(1, "correct"), asked(2, "correct", tokens=None)], 100, 5, id="one-not-counted"),
    ],
)
def test_for_each_correct_answer(put: list[tuple[Record, Grade]], tokens: float | None, seconds: float | None) -> None:
    found = cost(*put)

    assert found.tokens_per_correct == tokens
    assert found.seconds_per_correct == (None if seconds is None else pytest.approx(seconds))


def test_what_was_measured_stands_beside_what_was_asked() -> None:
    usage = Usage(load_s=3, memory_bytes=500, memory_how="so", gpu_bytes=70, gpu_how="thus", kv_cache_bytes=9)
    alone = Alone(tokens_per_second=20)
    found = cost(
        measured=Measured(usage=usage, alone=alone),
        facts=ServerFacts(runtime="r", engine="e", model_bytes=300, bits_per_weight=4.5),
    )

    assert (found.load_s, found.memory_bytes, found.gpu_bytes, found.kv_cache_bytes) == (3, 500, 70, 9)
    assert (found.memory_how, found.gpu_how, found.alone) == ("so", "thus", alone)
    assert (found.file_bytes, found.bits_per_weight, found.all_memory_bytes) == (300, 4.5, 570)


def test_energy_is_mean_power_times_seconds() -> None:
    """Energy measured in one of two runs only is not spread over the answers of both."""
    measured = Measured(usage=Usage(energy_j=600, energy_of="all"), asked_s=20)

    found = cost(asked(1, "correct"), asked(2, "correct", at=100), measured=measured)

    assert found.energy_per_correct_j == pytest.approx(30 * 10)


def test_of_an_earlier_version_stands_what_its_records_hold() -> None:
    found = cost(asked(1, "correct", first_token_s=0.5))

    assert (found.load_s, found.memory_bytes, found.alone, found.energy_per_correct_j) == (None, None, None, None)
    assert (found.first_token_s, found.in_flight) == (0.5, 4)


FULL = Resources(
    variant="a",
    file_bytes=100,
    load_s=2.0,
    memory_bytes=100,
    memory_how="so",
    gpu_bytes=100,
    gpu_how="so",
    alone=Alone(tokens_per_second=10.0),
    in_flight=4,
    tokens_per_second=10.0,
    energy_per_correct_j=5.0,
    energy_of="all",
)


@pytest.mark.parametrize(
    ("changes", "ratios"),
    [
        pytest.param({"file_bytes": 50}, {"file_bytes": 0.5}, id="half"),
        pytest.param({"file_bytes": None}, {"file_bytes": None}, id="unknown"),
        pytest.param({"memory_how": "else"}, {"memory_bytes": None, "all_memory_bytes": None}, id="measured-otherwise"),
        pytest.param({"gpu_how": "else"}, {"gpu_bytes": None, "memory_bytes": 1.0}, id="graphics-measured-otherwise"),
        pytest.param({"energy_of": "else"}, {"energy_per_correct_j": None}, id="energy-of-something-else"),
        pytest.param({"in_flight": 1}, {"tokens_per_second": None, "file_bytes": 1.0}, id="another-number-in-flight"),
        pytest.param({"alone": None}, {"alone.tokens_per_second": None}, id="not-tried-alone"),
        pytest.param({"alone": Alone(tokens_per_second=5.0)}, {"alone.tokens_per_second": 0.5}, id="alone"),
    ],
)
def test_ratios(changes: dict[str, Any], ratios: dict[str, float | None]) -> None:
    base, other = against_baseline([FULL, replace(FULL, variant="b", **changes)], "a")

    assert base.ratios == {}
    assert {name: other.ratios.get(name) for name in ratios} == ratios


NUMBERS = st.none() | st.integers(0, 10**12)


@given(mine=NUMBERS, its=NUMBERS)
def test_a_ratio_turns_round_with_its_sides(mine: int | None, its: int | None) -> None:
    sides = replace(FULL, file_bytes=mine), replace(FULL, variant="b", file_bytes=its)
    there = against_baseline(sides, "b")[0].ratios.get("file_bytes")
    back = against_baseline(sides, "a")[1].ratios.get("file_bytes")

    assert (there is None) == (mine is None or not its)
    if there and back:
        assert there * back == pytest.approx(1)
