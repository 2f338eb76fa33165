"""What pictures show, and that nothing on them lies on anything else."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.decide.resources import Resources
from evaluator.records import Alone
from evaluator.report.axis import axis
from evaluator.report.drawing import TEXT, Area, Drawing, Label, Line, Mark, fitting, place_labels, width_of
from evaluator.report.picture import accuracies, differences, kind, measures, quality
from evaluator.report.plots import rows, scatter
from evaluator.report.sheet import sheets
from evaluator.study.study import Prefer
from tests.support.measured_fidelity import FIDELITY

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo" / "report.json"
FINITE = st.integers(-(10**9), 10**9).map(lambda value: value / 1000)


@pytest.fixture(scope="module")
def report() -> Report:
    return msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)


def plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=6))
def test_an_axis_holds_every_value_and_its_ticks_are_apart(values: list[float]) -> None:
    made = axis(values, "x", plain)

    assert all(made.low <= value <= made.high for value in values)
    assert all(made.low <= tick.value <= made.high for tick in made.ticks)
    assert 1 <= len(made.ticks) <= 10
    assert len({tick.text for tick in made.ticks}) == len(made.ticks)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_an_axis_of_shares_ends_where_shares_end(values: list[float]) -> None:
    made = axis(values, "share", plain, least=0.0, largest=1.0)

    assert made.low >= 0
    assert made.high <= 1
    assert made.low < made.high
    assert all(made.low <= value <= made.high for value in values)


def box(label: Label) -> Area:
    wide = width_of(label.text, label.size)
    left = {"start": label.x, "middle": label.x - wide / 2, "end": label.x - wide}[label.anchor]
    return Area(left, label.y - 0.7 * label.size, left + wide, label.y + 0.15 * label.size)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(20, 360), st.floats(20, 240), st.text("abq_.8", min_size=1, max_size=40)), max_size=6)
)
def test_names_beside_points_keep_apart(points: list[tuple[float, float, str]]) -> None:
    marks = [Area(x - 6, y - 6, x + 6, y + 6) for x, y, _ in points]
    within = Area(0, 0, 380, 260)
    labels = [part for part in place_labels(points, marks, within) if isinstance(part, Label)]

    assert len(labels) == len(points)
    for number, label in enumerate(labels):
        here = box(label)
        assert all(here.overlap(box(other)) < 1 for other in labels[number + 1 :])
        assert within.left - 1 <= here.left
        assert here.right <= within.right + 1


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200), st.floats(30, 400))
def test_a_name_that_is_too_long_keeps_both_ends(name: str, width: float) -> None:
    shown = fitting(name, width)

    assert shown == name or (shown[0] == name[0] and shown[-1] == name[-1] and "\u2026" in shown)
    assert width_of(shown) <= max(width, 4 * 0.6 * TEXT)


@pytest.mark.parametrize("prefer", ["size", "speed"])
def test_what_the_study_prefers_comes_first(report: Report, prefer: Prefer) -> None:
    study = replace(report.plan.study, prefer=prefer)
    preferring = replace(report, plan=replace(report.plan, study=study))

    assert measures(preferring)[0].kind == prefer


@pytest.mark.parametrize(
    ("of_the_others", "label", "first"),
    [(20.0, "one request alone", 10.0), (None, "at once", 99.0)],
    ids=["known of all", "not known of all"],
)
def test_the_speed_in_the_picture_is_the_one_that_is_recommended_by(
    report: Report, of_the_others: float | None, label: str, first: float
) -> None:
    names = [variant.name for variant in report.plan.study.variants]
    costs = [
        Resources(variant=name, tokens_per_second=99.0, in_flight=4, alone=Alone(tokens_per_second=alone))
        for name, alone in zip(names, [10.0, *[of_the_others] * len(names)], strict=False)
    ]

    speed = next(m for m in measures(replace(report, resources=tuple(costs))) if m.kind == "speed")

    assert speed.label.endswith(label)
    assert speed.values[names[0]] == first


def test_whiskers_say_what_the_verdict_says(report: Report) -> None:
    """All of an equivalent variant's interval lies in the band; all of a clearly worse one's lies outside."""
    size = measures(report)[0]
    for benchmark in ("mmlu_pro", "humaneval"):
        panel = quality(report, benchmark, size)
        assert panel is not None
        assert panel.band is not None
        verdicts = {c.variant: c.verdict for c in report.comparisons if c.benchmark == benchmark}
        for point in panel.points:
            if point.kind == "baseline":
                assert point.within is None
                assert point.at == panel.line
            else:
                assert point.within is not None
                inside = panel.band[0] <= point.within.low and point.within.high <= panel.band[1]
                assert inside == (verdicts[point.name] == "equivalent")
                assert (point.within.high < panel.band[0]) == (verdicts[point.name] == "clearly worse")


def test_a_difference_far_beyond_the_margin_leaves_the_others_readable(report: Report) -> None:
    picture = differences(report, "humaneval")
    assert picture is not None

    assert picture.band == (-0.05, 0.05)
    assert picture.axis.low > -0.5
    (far,) = [row for row in picture.rows if row.at < picture.axis.low]
    assert far.name == "q2_k"
    assert "\u221283.5" in far.text
    assert not [part for part in rows(picture, 380).parts if isinstance(part, Mark) and part.style == "worse"]


def test_a_variant_that_cannot_be_compared_has_no_whiskers(report: Report) -> None:
    blocked = tuple(
        replace(c, verdict="not comparable", difference=None, interval=None) if c.variant == "q4_0" else c
        for c in report.comparisons
    )
    changed = replace(report, comparisons=blocked)
    panel, picture = quality(changed, "mmlu_pro", measures(report)[0]), differences(changed, "mmlu_pro")
    assert panel is not None
    assert picture is not None

    (point,) = [point for point in panel.points if point.name == "q4_0"]
    assert (point.kind, point.within) == ("other", None)
    assert picture.unknown == ("q4_0",)


def nothing_known(report: Report) -> Report:
    facts = {name: replace(facts, model_bytes=None) for name, facts in report.facts.items()}
    scores = tuple(replace(score, tokens_per_second=None) for score in report.scores)
    return replace(report, facts=facts, scores=scores, resources=())


def test_what_is_not_known_of_one_variant_is_said(report: Report) -> None:
    known = replace(
        nothing_known(report), resources=tuple(Resources(variant=v, file_bytes=5) for v in ("q8_0", "q4_0"))
    )
    panel = quality(known, "mmlu_pro", measures(known)[0])

    assert panel is not None
    assert panel.unknown == ("q2_k", "q8_0-kv-q4_0")


def test_without_any_measure_the_accuracies_stand_alone(report: Report) -> None:
    bare = nothing_known(report)
    picture = accuracies(bare, "mmlu_pro")

    assert measures(bare) == ()
    assert picture is not None
    assert [row.name for row in picture.rows] == ["q8_0", "q4_0", "q2_k", "q8_0-kv-q4_0"]
    assert sheets(bare)[0].title == "demo-lab-1: accuracy"


def drawings(report: Report) -> list[Drawing]:
    found = [differences(report, b) for b in ("mmlu_pro", "humaneval")]
    panels = [quality(report, b, m) for b in ("mmlu_pro", "humaneval") for m in measures(report)]
    forests = [rows(picture, width) for picture in found if picture for width in (300, 380)]
    scatters = [scatter(panel, width, 260) for panel in panels if panel for width in (300, 380)]
    with_fidelity = replace(report, fidelity=FIDELITY)
    return [*forests, *scatters, *(sheet.drawing for sheet in sheets(with_fidelity))]


def test_no_two_texts_of_a_picture_lie_on_each_other_or_beyond_its_edge(report: Report) -> None:
    for drawing in drawings(report):
        labels = [part for part in drawing.parts if isinstance(part, Label)]
        for number, label in enumerate(labels):
            assert not [other.text for other in labels[number + 1 :] if box(label).overlap(box(other)) > 2], label.text
            assert box(label).left >= -2
            assert box(label).right <= drawing.width + 4
            assert label.y <= drawing.height


def test_no_line_of_a_forest_plot_crosses_its_numbers(report: Report) -> None:
    picture = differences(report, "mmlu_pro")
    assert picture is not None
    drawing = rows(picture, 380)
    numbers = [box(part) for part in drawing.parts if isinstance(part, Label) and part.style in {"number", "text"}]
    lines = [
        Area(min(p.x1, p.x2) - 0.5, min(p.y1, p.y2), max(p.x1, p.x2) + 0.5, max(p.y1, p.y2))
        for p in drawing.parts
        if isinstance(p, Line)
    ]

    assert not [line for line in lines if any(line.overlap(number) for number in numbers)]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("clearly worse", "worse"),
        ("worse, size uncertain", "worse"),
        ("better by less than the margin", "better"),
        ("equivalent", "equivalent"),
        ("cannot tell", "cannot"),
        ("not comparable", "other"),
    ],
)
def test_every_verdict_has_a_kind(verdict: str, expected: str) -> None:
    assert kind(verdict) == expected
