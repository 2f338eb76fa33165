"""Fidelity of several runs: side by side on one text against the same references, and refused with the reason."""

from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.nouns import Estimate, Fidelity
from evaluator.fidelity.together import side_by_side
from tests.support.compared import compare_json, compare_text, made
from tests.support.measured_fidelity import BOUND, FIDELITY, FLOOR, PAIR, Q2, Q4, Q4_K_M, Q8
from tests.support.scripted import Bench, right, wrong

ONE = replace(FIDELITY, builds=(Q8, Q4_K_M, Q4))
OTHER = replace(FIDELITY, builds=(Q2, Q4), pairs=(), notes=("Another note.",))
NAMES = {("a", "q4_0"): "a/q4_0", ("b", "q4_0"): "b/q4_0", ("a", "q8_0"): "q8_0"}


def test_builds_of_one_text_and_reference_stand_side_by_side() -> None:
    found = side_by_side({"a": ONE, "b": OTHER}, NAMES)

    assert found.fidelity
    assert [build.build for build in found.fidelity.builds] == ["q8_0", "q4_k_m", "a/q4_0", "q2_k", "b/q4_0"]
    assert [(pair.build, pair.other) for pair in found.fidelity.pairs] == [(PAIR.build, "a/q4_0")]
    assert found.fidelity.floors == (FLOOR,)
    assert found.fidelity.notes == (*ONE.notes, "Another note.")
    assert found.fidelity.margin_kld == ONE.margin_kld
    assert [warning.partition(";")[0] for warning in found.warnings] == [
        "fidelity: builds of different runs are not tested against each other"
    ]


def test_one_run_alone_is_as_it_is() -> None:
    found = side_by_side({"a": ONE}, {})

    assert (found.fidelity, found.warnings) == (ONE, ())


def test_where_no_run_measured_it_nothing_is_said() -> None:
    found = side_by_side({}, NAMES)

    assert (found.fidelity, found.warnings) == (None, ())


def with_text(**changes: Any) -> Fidelity:
    return replace(OTHER, text=replace(OTHER.text, **changes))


QAT = replace(OTHER, builds=(Q2, replace(Q4, reference="qat")))
UNKNOWN = replace(OTHER, sha256={})
ANOTHER_PERPLEXITY = replace(UNKNOWN, builds=(replace(Q2, reference_perplexity=Estimate(8.3)),))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        pytest.param(
            with_text(sha256="cd" * 32, name="wiki.test.raw"), "b read wiki.test.raw, and the bytes", id="text"
        ),
        pytest.param(with_text(context=256), "40 windows of 256 tokens, 10,200 scored", id="context"),
        pytest.param(with_text(windows=39), "cut the text in different ways", id="windows"),
        pytest.param(with_text(scored=1), "10,200 scored; 40 windows of 512 tokens, 1 scored", id="scored"),
        pytest.param(QAT, "the references differ (f16 in a; f16 and qat in b)", id="references"),
        pytest.param(replace(OTHER, sha256={"f16": "11" * 32}), "f16 is not the same model in a and b", id="file"),
        pytest.param(ANOTHER_PERPLEXITY, "f16 is not the same model in a and b", id="perplexity"),
    ],
)
def test_what_stands_on_other_ground_is_refused(other: Fidelity, reason: str) -> None:
    found = side_by_side({"a": ONE, "b": other}, NAMES)

    assert found.fidelity is None
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("fidelity is not put side by side: ")
    assert reason in found.warnings[0]


@pytest.mark.parametrize(
    ("other", "remark"),
    [
        pytest.param(UNKNOWN, "that f16 is the same in all runs is known from the name", id="unknown-file"),
        pytest.param(replace(UNKNOWN, builds=(BOUND,)), "that f16 is the same in all runs", id="no-perplexity"),
        pytest.param(
            replace(OTHER, margin_kld=0.05), "the margins differ (0.01 nats in a; 0.05 nats in b)", id="margin"
        ),
        pytest.param(replace(OTHER, margin_kld=None), "the margins differ (0.01 nats in a; none in b)", id="no-margin"),
    ],
)
def test_what_is_to_be_known_is_said(other: Fidelity, remark: str) -> None:
    found = side_by_side({"a": ONE, "b": other}, NAMES)

    assert found.fidelity
    assert any(remark in warning for warning in found.warnings)
    assert (found.fidelity.margin_kld is None) == ("margins" in remark)


def test_compare_shows_it_of_runs(bench: Bench) -> None:
    one, two = made(bench, "one", 20, good=right, bad=wrong), made(bench, "two", 20, good=right, fair=right)
    for folder, build in ((one, "bad"), (two, "fair")):
        keep_fidelity(folder, replace(FIDELITY, builds=(replace(Q4, build=build),), pairs=()))
    _, shown = compare_text(one, two)
    report = compare_json(one, two)
    keep_fidelity(two, with_text(context=256))
    refused = compare_json(one, two)

    assert [build["build"] for build in report["fidelity"]["builds"]] == ["bad", "fair"]
    assert "Fidelity to f16" in shown
    assert refused["fidelity"] is None
    assert "fidelity is not put side by side" in "".join(refused["warnings"])
