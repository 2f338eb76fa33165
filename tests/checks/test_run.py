"""What a reader must know of a run: failures, easy and hard benchmarks, speed, models, and what was overruled."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.checks.table import after
from evaluator.records import Question, Record
from tests.support.check_inputs import (
    AT,
    ON,
    OURS,
    TIMEOUT,
    Found,
    Reply,
    after_of,
    changed,
    check_input,
    first_right,
    study_of,
    thinking,
    with_,
    without,
)


def test_a_failure_that_is_graded_is_found() -> None:
    given = check_input(study_of(), {"b": without(1, TIMEOUT)})
    wrongly = [replace(grade, outcome="wrong") if grade.outcome == "failed" else grade for grade in given.grades]

    codes = [check.code for check in after(replace(given, grades=wrongly))]

    assert codes == ["failure_graded", "no_reply"]


DRAWN: dict[str, Any] = {"applied": {}}


@pytest.mark.parametrize(
    ("n", "right", "expected"),
    [
        pytest.param(100, 99, [], id="99-of-100"),
        pytest.param(100, 100, [("ceiling", "warn", None)], id="100-of-100"),
        pytest.param(100, 35, [], id="better-than-without-reading"),
        pytest.param(100, 20, [("floor", "warn", None)], id="as-the-longest-option"),
        pytest.param(100, 12, [("floor", "warn", None)], id="guessing"),
        pytest.param(19, 2, [], id="too-few-to-tell"),
    ],
)
def test_a_benchmark_that_is_too_easy_or_too_hard_is_named(n: int, right: int, expected: Found) -> None:
    assert after_of(study_of(n=n), {"a": first_right(right), "b": first_right(right)}) == expected


def test_repeats_that_agree_make_few_questions_no_ceiling() -> None:
    study = study_of(n=10, repeats=2, extra="sampling: {temperature: 1}")

    assert after_of(study, {"a": first_right(99), "b": first_right(99)}, proofs={"a": DRAWN, "b": DRAWN}) == []


def paced(last: float) -> Callable[[Question, int], Reply]:
    """Answer the last third at another speed."""
    return changed(
        150, lambda answer, i: replace(answer, completion_tokens=20, duration_s=1.0 if i < 100 else 1 / last)
    )


@pytest.mark.parametrize(
    ("n", "last", "expected"),
    [
        pytest.param(150, 0.76, [], id="a-little-slower"),
        pytest.param(150, 0.74, [("drift", "note", "b")], id="slower"),
        pytest.param(150, 0.49, [("drift", "warn", "b")], id="half-as-fast"),
        pytest.param(150, 1.26, [("drift", "note", "b")], id="faster"),
        pytest.param(110, 0.2, [], id="a-short-run"),
    ],
)
def test_a_machine_that_slows_down_is_noticed(n: int, last: float, expected: Found) -> None:
    assert after_of(study_of(n=n), {"b": paced(last)}) == expected


@pytest.mark.parametrize(
    ("at_once", "expected"),
    [
        pytest.param({"a": None, "b": None}, [], id="as-many-as-the-study-says"),
        pytest.param({"a": None, "b": 1}, [("fewer_at_once", "warn", "b")], id="one-is-asked-with-fewer"),
        pytest.param({"a": 1, "b": 2}, [("fewer_at_once", "warn", v) for v in "ab"], id="each-with-another-number"),
        pytest.param({"a": 2, "b": 2}, [("fewer_at_once", "note", v) for v in "ab"], id="both-alike"),
    ],
)
def test_a_busy_server_that_was_asked_with_fewer_at_once_is_named(
    at_once: dict[str, int | None], expected: Found
) -> None:
    def busy(record: Record, number: int) -> Record:
        return replace(record, at_once=at_once[record.variant] if number >= 50 else None)

    assert after_of(study_of(), edit=busy) == expected


@pytest.mark.parametrize(
    ("cached", "expected"),
    [pytest.param(25, [], id="a-quarter"), pytest.param(50, [("prompt_cache", "note", None)], id="half")],
)
def test_prompts_from_a_cache_are_noted(cached: int, expected: Found) -> None:
    replies = {name: with_(100, prompt_tokens=100, cached_tokens=part) for name, part in (("a", 0), ("b", cached))}

    assert after_of(study_of(), replies) == expected


@pytest.mark.parametrize(
    ("b", "replies", "expected"),
    [
        pytest.param(f"model: m, {AT}", with_(100, model="m"), [], id="the-same-model-for-both"),
        pytest.param(AT, with_(100, model="m"), [("same_model", "block", "b")], id="one-model-for-two-names"),
        pytest.param(AT, with_(100, model="x"), [("model_name", "warn", "b")], id="another-name"),
        pytest.param(
            AT,
            changed(100, lambda answer, i: replace(answer, model="x" if i == 50 else "n")),
            [("model_changed", "block", "b")],
            id="another-once",
        ),
    ],
)
def test_the_model_that_was_asked_for_answered(
    b: str, replies: Callable[[Question, int], Reply], expected: Found
) -> None:
    assert after_of(study_of(AT, b), {"a": with_(100, model="m"), "b": replies}) == expected


@pytest.mark.parametrize(
    ("answered_by", "expected"),
    [
        pytest.param(["ours-1"] * 50 + ["ours-2"] * 50, [], id="loaded-again-under-another-name"),
        pytest.param(["ours-1"] * 99 + ["theirs"], [("model_changed", "block", "b")], id="somebody-else-answered"),
    ],
)
def test_a_model_that_we_name_anew_at_each_start_is_one_model(answered_by: list[str], expected: Found) -> None:
    def named(record: Record, number: int) -> Record:
        ours = "ours-1" if answered_by[number] == "theirs" else answered_by[number]
        return replace(record, request={**record.request, "model": ours})

    replies = changed(100, lambda answer, i: replace(answer, model=answered_by[i]))
    study = study_of("runtime: lm_studio", "runtime: lm_studio")

    assert after_of(study, {"a": replies, "b": replies}, edit=named)[-1:] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"facts": {"b": {"restarts": 1}}}, [("restarted", "warn", "b")], id="restarted"),
        pytest.param({"proofs": {"b": {"changed": ("x",)}}}, [("changed", "block", "b")], id="changed-since"),
        pytest.param({"again": 30}, [], id="the-same-again"),
        pytest.param({"again": 27}, [], id="a-little-variation"),
        pytest.param({"again": 15}, [("unsteady", "block", "a")], id="another-server-it-seems"),
    ],
)
def test_a_server_stays_what_it_was(changes: Any, expected: Found) -> None:
    assert after_of(study_of(), **changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"proofs": {}}, [("unchecked", "note", None)], id="no-proofs"),
        pytest.param({"unchecked": True}, [("unchecked", "note", None)], id="left-out"),
        pytest.param({"forced": True}, [("forced", "note", None)], id="forced"),
    ],
)
def test_a_check_that_was_left_out_or_overruled_is_noted(changes: Any, expected: Found) -> None:
    given = replace(check_input(study_of(), {}), **changes)

    assert [(check.code, check.severity, check.variant) for check in after(given)] == expected


def test_an_implausible_score_is_named() -> None:
    found = after_of(
        study_of(f"{OURS}, model: gemma-4-26b-a4b-it.gguf", f"{ON}, model: gemma-4-26b-a4b-it-6bit.gguf"),
        {"a": thinking(0), "b": thinking(100, first_right(56))},
    )

    assert ("implausible", "warn", "b") in found
