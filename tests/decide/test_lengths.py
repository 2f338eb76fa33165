"""Lengths of replies: what was counted, and what was not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.decide.lengths import lengths, spread
from evaluator.records import Answer, Failure, Grade, Key, Record
from tests.support.outlined import outlined


@settings(deadline=None)
@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=50))
def test_percentiles_are_numpys(values: list[int]) -> None:
    found = spread(values)

    assert found is not None
    assert (found.p5, found.p25, found.median, found.p75, found.p95) == pytest.approx(
        tuple(np.percentile(values, [5, 25, 50, 75, 95])), abs=1e-6
    )
    assert (found.n, found.largest) == (len(values), max(values))


def record(number: int, tokens: int | None, text: str = "A", reasoning: str = "", limit: int = 100) -> Record:
    return Record(
        key=Key("mmlu_pro", str(number)),
        variant="q4",
        started="2026-01-01T00:00:00+00:00",
        request={"max_tokens": limit},
        answer=Answer(text=text, reasoning=reasoning, completion_tokens=tokens, duration_s=1.0),
    )


def test_what_nobody_counted_and_what_failed_is_not_made_up() -> None:
    failed = Record(
        key=Key("mmlu_pro", "9"),
        variant="q4",
        started="",
        request={},
        failure=Failure(kind="timeout", message="no reply"),
    )
    records = [
        record(0, 10),
        record(1, 30, reasoning="x" * 60),
        record(2, None),
        record(3, 5, text="x" * 500),
        failed,
    ]
    grades = [Grade(key=Key("mmlu_pro", "1"), variant="q4", outcome="truncated", extracted=None, why="")]
    (found,) = lengths({"q4": outlined(records).records, "q2": []}, grades, ["mmlu_pro", "humaneval"])

    assert found.tokens is not None
    assert found.thinking is not None
    assert (found.replies, found.tokens.n, found.uncounted, found.cut_off) == (4, 2, 2, 1)
    assert (found.tokens.median, found.tokens.largest, found.limit) == (20, 30, 100)
    assert (found.thinking.n, found.thinking.largest) == (1, 60)
