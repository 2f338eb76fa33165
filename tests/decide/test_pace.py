"""How long questions take, and how a time is written."""

from dataclasses import dataclass

import pytest

from evaluator.decide.pace import hours
from evaluator.text import duration


@dataclass(frozen=True)
class Speed:
    mean_tokens: float | None
    tokens_per_second: float | None


@pytest.mark.parametrize(
    ("speeds", "repeats", "parallel", "expected"),
    [
        pytest.param([Speed(300, 100), Speed(300, 50)], 1, False, 9.0, id="one after the other"),
        pytest.param([Speed(300, 100), Speed(300, 50)], 1, True, 6.0, id="at once: the slowest"),
        pytest.param([Speed(300, 100)], 5, False, 15.0, id="five answers each"),
        pytest.param([Speed(300, 100), Speed(None, 50)], 1, False, None, id="tokens unknown"),
        pytest.param([Speed(300, 100), Speed(300, None)], 1, False, None, id="speed unknown"),
        pytest.param([Speed(300, 0)], 1, False, None, id="nothing came"),
        pytest.param([], 1, False, None, id="nobody"),
    ],
)
def test_hours(speeds: list[Speed], repeats: int, parallel: bool, expected: float | None) -> None:
    assert hours(3600, speeds, repeats=repeats, parallel=parallel) == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "1 minute"),
        (720, "12 minutes"),
        (5_399, "90 minutes"),
        (5_400, "1.5 hours"),
        (6.5 * 3600, "6.5 hours"),
        (7_200, "2 hours"),
        (9.96 * 3600, "10 hours"),
        (47.4 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (2.5 * 86400, "2.5 days"),
        (4_000 * 86400, "4,000 days"),
    ],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="a time is a number of seconds"):
        duration(seconds)
