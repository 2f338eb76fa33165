"""Numbers in words: the forms for cells, and those for sentences."""

import pytest

from evaluator.decide import wording
from evaluator.stats.proportions import Interval


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param(wording.p_value(0.0231), "0.023", id="p in a cell"),
        pytest.param(wording.p_value(0.0001), "< 0.001", id="a small p in a cell"),
        pytest.param(wording.p_value(None), "\u2013", id="no p in a cell"),
        pytest.param(wording.p_equals(0.0231), "= 0.023", id="p in a sentence"),
        pytest.param(wording.p_equals(0.0001), "< 0.001", id="a small p in a sentence"),
        pytest.param(wording.p_range(0.0001, 0.0002), "below 0.001", id="a range of small p"),
        pytest.param(wording.p_range(0.0001, 0.5), "below 0.001 to 0.500", id="a range of p"),
        pytest.param(wording.signed_points(-0.006), "\u22120.6", id="a difference in a cell"),
        pytest.param(wording.signed_points(-0.0001), "+0.0", id="no difference in a cell"),
        pytest.param(wording.points_apart(-0.08), "8.0 points lower", id="a difference in a sentence"),
        pytest.param(wording.points_apart(0.0001), "less than 0.1 points higher", id="a tiny one in a sentence"),
        pytest.param(wording.signed_span(Interval(-0.031, 0.016, 0.95)), "\u22123.1 to +1.6", id="a span in a cell"),
        pytest.param(wording.lower_to_higher(Interval(-0.031, 0.016, 0.95)), "3.1 lower to 1.6 higher", id="around 0"),
        pytest.param(wording.lower_to_higher(Interval(-0.031, -0.016, 0.95)), "1.6 to 3.1", id="beside 0"),
        pytest.param(wording.level(1 - 1e-6), "99.9999 %", id="a level"),
        pytest.param(wording.level(1 - 2 * 0.05), "90 %", id="a level of equivalence"),
        pytest.param(wording.in_points(0.01), "1 point", id="a margin of one point"),
        pytest.param(wording.in_points(0.0335), "3.35 points", id="a margin"),
        pytest.param(wording.points_rounded_up(0.0331), "3.4 points", id="rounded up"),
        pytest.param(wording.listed(["a", "b", "c"]), "a, b and c", id="a list"),
        pytest.param(wording.listed(["a", "b"], "or"), "a or b", id="a choice"),
        pytest.param(wording.listed(["a"]), "a", id="a list of one"),
        pytest.param(wording.name("mmlu_pro"), "MMLU-Pro", id="a benchmark"),
        pytest.param(wording.name("mine"), "mine", id="a benchmark of somebody else"),
        pytest.param(str(wording.two_digits(1_962, 100)), "2000", id="two digits"),
        pytest.param(str(wording.two_digits(1_049, 1_020)), "1049", id="two digits would be too few"),
    ],
)
def test_how_a_number_is_written(written: str, text: str) -> None:
    assert written == text
