"""KL divergence and top-1 agreement against size: where points lie, and that the floor is drawn under them."""

from math import inf, isclose, log10

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from evaluator.report.axis import log_axis
from evaluator.report.drawing import Label, Line
from evaluator.report.fidelity import words
from evaluator.report.fidelity.picture import agreements, divergences, meanings
from evaluator.report.picture import Panel, Rows
from evaluator.report.plots import scatter
from tests.support.measured_fidelity import BOUND, FIDELITY, Q2, Q4, Q8, build

SIZED = replace(BOUND, size_bytes=160_000_000)


def panel(fidelity: Fidelity) -> Panel:
    made = divergences(fidelity, "f16")
    assert isinstance(made, Panel)
    return made


@settings(deadline=None)
@given(st.lists(st.floats(1e-7, 1e3), min_size=1, max_size=6))
def test_an_axis_of_logarithms_holds_every_value(values: list[float]) -> None:
    made = log_axis(values, "x", str)

    assert all(made.low <= log10(value) <= made.high for value in values)
    assert all(made.low <= tick.value <= made.high for tick in made.ticks)
    assert all(isclose(float(tick.text), 10**tick.value) for tick in made.ticks)
    assert len({tick.text for tick in made.ticks}) == len(made.ticks) <= 8


@pytest.mark.parametrize("values", [[], [0.0], [0.0, -1.0, inf]], ids=str)
def test_an_axis_of_logarithms_leaves_out_what_has_none(values: list[float]) -> None:
    made = log_axis(values, "x", str)

    assert made.low < made.high


def test_a_point_lies_at_its_size_and_its_divergence() -> None:
    point = next(point for point in panel(FIDELITY).points if point.name == "q4_0")

    assert (point.x, point.kind) == (170, "worse")
    assert isclose(point.at, log10(0.0142))
    assert point.within
    assert isclose(point.within.low, log10(0.0142 * 0.9))


def test_the_floor_is_the_line_and_the_margin_the_band() -> None:
    kld, top1 = panel(FIDELITY), agreements(FIDELITY, "f16")

    assert kld.line is not None
    assert isclose(kld.line, log10(0.0011))
    assert kld.band == (kld.y.low, log10(0.01))
    assert isinstance(top1, Panel)
    assert (top1.line, top1.band) == (0.991, None)
    assert "floor" in {part.text for part in scatter(kld, 380, 285).parts if isinstance(part, Label)}


def test_without_a_floor_none_is_drawn() -> None:
    made = panel(replace(FIDELITY, floors=(), margin_kld=None))
    drawn = scatter(made, 380, 285).parts

    assert (made.line, made.band) == (None, None)
    assert "floor" not in {part.text for part in drawn if isinstance(part, Label)}
    assert not [part for part in drawn if isinstance(part, Line) and part.style == "line"]


@pytest.mark.parametrize(
    ("one", "kind", "text"),
    [
        pytest.param(Q8, "baseline", words.AS_GOOD, id="below-the-floor"),
        pytest.param(Q4, "worse", "worse", id="worse"),
        pytest.param(SIZED, "other", "at least 0.0120 nats a token; 99.2 % of the mass covered", id="bound"),
        pytest.param(replace(Q4, verdict=None), "alone", "0.0142", id="no-verdict"),
    ],
)
def test_a_mark_says_what_may_be_said(one: BuildFidelity, kind: str, text: str) -> None:
    fidelity = replace(FIDELITY, builds=(one,))
    (point,) = panel(fidelity).points

    assert point.kind == kind
    assert text in point.text
    assert kind in {meaning.kind for meaning in meanings(fidelity)}


def test_a_bound_has_no_upper_end() -> None:
    (point,) = panel(replace(FIDELITY, builds=(SIZED,))).points

    assert point.within
    assert (point.within.low, point.within.high) == (point.at, inf)


def test_a_build_that_is_the_reference_lies_at_the_bottom() -> None:
    same = replace(build("same", 0.1, 1.0, 300_000_000), mean_kld=Estimate(0.0, 0.0, 0.0))
    made = panel(replace(FIDELITY, builds=(same, Q2)))

    assert made.points[0].at == made.y.low


def test_builds_of_unknown_size_are_named_and_where_none_is_known_all_stand_in_rows() -> None:
    some = panel(replace(FIDELITY, builds=(Q8, BOUND)))
    none = divergences(replace(FIDELITY, builds=(BOUND, replace(Q4, size_bytes=None))), "f16")

    assert some.unknown == ("attached",)
    assert isinstance(none, Rows)
    assert [row.name for row in none.rows] == ["attached", "q4_0"]


def test_where_nothing_was_measured_there_is_no_picture() -> None:
    bare = replace(FIDELITY, builds=(replace(Q4, mean_kld=None, top1_agreement=None),))

    assert divergences(bare, "f16") is agreements(bare, "f16") is None
