"""What a reader must know before believing a number is found in the records, and only then."""

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.checks.table import after
from evaluator.records import Question, Record
from tests.support.check_inputs import (
    OFF,
    ON,
    OURS,
    TIMEOUT,
    TOO_LONG,
    Found,
    Reply,
    after_of,
    changed,
    check_input,
    cut,
    study_of,
    thinking,
    usual,
    with_,
    without,
)


@pytest.mark.parametrize(
    ("settings", "replies", "expected"),
    [
        pytest.param(OURS, cut(2), [], id="two-percent-cut-off"),
        pytest.param(OURS, cut(3), [("cut_off", "warn", "b")], id="three-percent-cut-off"),
        pytest.param(OURS, with_(3, text=""), [("cut_off", "warn", "b")], id="three-percent-empty"),
        pytest.param(
            OURS, thinking(100, cut(2)), [("thinking_differs", "warn", None)], id="thinks-and-two-percent-cut"
        ),
        pytest.param(
            OURS,
            thinking(100, cut(3)),
            [("thinking_differs", "warn", None), ("cut_off", "block", "b")],
            id="thinks-and-three-percent-cut",
        ),
        pytest.param(OURS, with_(1, text="Hm."), [], id="one-percent-unparsed"),
        pytest.param(OURS, with_(2, text="Hm."), [("unparsed", "warn", "b")], id="two-percent-unparsed"),
        pytest.param(OURS, with_(50, text="Hm."), [("unparsed", "warn", "b")], id="half-unparsed"),
        pytest.param(
            OURS,
            with_(51, text="Hm."),
            [("unparsed", "warn", "b"), ("unreadable", "block", "b")],
            id="more-than-half-unparsed",
        ),
        pytest.param(OURS, without(2, None), [("no_reply", "warn", "b")], id="two-percent-not-put"),
        pytest.param(OURS, without(3, None), [("no_reply", "block", "b")], id="three-percent-not-put"),
        pytest.param(OURS, without(3, TIMEOUT), [("no_reply", "block", "b")], id="three-percent-failed"),
        pytest.param(
            OURS,
            without(1, TOO_LONG),
            [("context", "block", "b"), ("no_reply", "warn", "b")],
            id="one-did-not-fit-into-the-context",
        ),
    ],
)
def test_replies_that_are_missing_or_unreadable_are_counted(
    settings: str, replies: Callable[[Question, int], Reply], expected: Found
) -> None:
    assert after_of(study_of(b=settings), {"b": replies}) == expected


@pytest.mark.parametrize(
    ("n", "ours", "theirs", "thinks", "expected"),
    [
        pytest.param(600, 11, 3, 0, [], id="within-chance"),
        pytest.param(600, 12, 2, 0, [("cut_off", "warn", "b")], id="more-than-the-baseline"),
        pytest.param(600, 2, 12, 0, [("cut_off", "warn", "b")], id="fewer-than-the-baseline"),
        pytest.param(600, 12, 2, 600, [("cut_off", "block", "b")], id="more-than-the-baseline-and-both-think"),
    ],
)
def test_replies_are_cut_off_as_often_as_the_baseline_s(
    n: int, ours: int, theirs: int, thinks: int, expected: Found
) -> None:
    replies = {"a": thinking(thinks, cut(theirs)), "b": thinking(thinks, cut(ours))}

    assert after_of(study_of(n=n), replies) == expected


def test_a_difference_to_the_baseline_is_told_with_its_numbers() -> None:
    check = after(check_input(study_of(n=600), {"a": cut(2), "b": cut(12)}))[0]

    assert "12 of 600 replies" in check.message
    assert "(a: 2 of 600; p = 0.012)" in check.message


@pytest.mark.parametrize(
    ("settings", "replies", "expected"),
    [
        pytest.param(ON, thinking(95), [], id="on-and-95-percent-think"),
        pytest.param(ON, thinking(94), [("thinking_off", "block", "b")], id="on-and-94-percent-think"),
        pytest.param(OFF, thinking(5), [], id="off-and-5-percent-think"),
        pytest.param(OFF, thinking(6), [("thinking_on", "block", "b")], id="off-and-6-percent-think"),
        pytest.param(
            OFF,
            changed(100, lambda answer, _: replace(answer, text="<think>hm</think>" + answer.text)),
            [("thinking_on", "block", "b")],
            id="off-and-thoughts-between-tags",
        ),
    ],
)
def test_thinking_is_as_declared(settings: str, replies: Callable[[Question, int], Reply], expected: Found) -> None:
    declared = thinking(100) if settings == ON else usual

    assert after_of(study_of(settings, settings), {"a": declared, "b": replies}) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(0, 5, [], id="nearly-nobody-thinks"),
        pytest.param(0, 6, [("thinking_share", "note", "b")], id="now-and-then"),
        pytest.param(100, 100, [], id="all-think"),
        pytest.param(
            0, 48, [("thinking_differs", "warn", None), ("thinking_share", "note", "b")], id="half-and-nobody"
        ),
        pytest.param(0, 100, [("thinking_differs", "warn", None)], id="one-thinks"),
    ],
)
def test_undeclared_thinking_is_told_where_it_differs(a: int, b: int, expected: Found) -> None:
    assert after_of(study_of(), {"a": thinking(a), "b": thinking(b)}) == expected


@pytest.mark.parametrize(
    ("fact", "replies", "expected"),
    [
        pytest.param(4295, usual, [], id="enough"),
        pytest.param(4294, usual, [("context", "warn", "b")], id="long-replies-may-be-cut"),
        pytest.param(199, usual, [("context", "block", "b")], id="prompts-were-cut"),
        pytest.param(8192, with_(4, prompt_tokens=1000, completion_tokens=1048), [], id="four-end-at-2048"),
        pytest.param(
            8192,
            with_(5, prompt_tokens=1000, completion_tokens=1048),
            [("context_full", "block", "b")],
            id="five-end-at-2048-with-one-length",
        ),
        pytest.param(
            8192,
            changed(5, lambda answer, i: replace(answer, prompt_tokens=1000 + i, completion_tokens=1048 - i)),
            [("context_full", "block", "b")],
            id="five-end-at-2048",
        ),
        pytest.param(
            8192,
            changed(6, lambda answer, i: replace(answer, prompt_tokens=1000 + i, completion_tokens=1048 - i + i // 5)),
            [],
            id="five-end-at-2048-and-one-beyond",
        ),
        pytest.param(
            1500,
            changed(5, lambda answer, i: replace(answer, prompt_tokens=900 + i, completion_tokens=599 - i)),
            [("context_full", "block", "b")],
            id="five-end-one-before-the-server's-own",
        ),
        pytest.param(
            8192,
            with_(100, prompt_tokens=4096, completion_tokens=4096),
            [("cut_off", "warn", "b"), ("unreadable", "block", "b"), ("floor", "warn", None)],
            id="the-output-limit-ends-them",
        ),
    ],
)
def test_the_context_does_not_cut_replies(
    fact: int, replies: Callable[[Question, int], Reply], expected: Found
) -> None:
    assert after_of(study_of(), {"b": replies}, facts={"b": {"context": fact}}) == expected


def noise(length: int) -> str:
    rng = random.Random(length)
    return "".join(rng.choices(string.ascii_lowercase + "     ", k=length))


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param(
            changed(2, lambda answer, _: replace(answer, text=answer.text + " And so on." * 200)), [], id="two-loop"
        ),
        pytest.param(
            changed(3, lambda answer, _: replace(answer, text="And so on. " * 200 + answer.text)),
            [("loops", "warn", "b")],
            id="three-loop",
        ),
        pytest.param(
            changed(100, lambda answer, _: replace(answer, text="And so on. " * 50 + answer.text)), [], id="short-ones"
        ),
        pytest.param(
            changed(100, lambda answer, i: replace(answer, text=noise(4000 + i) + ". " + answer.text)),
            [],
            id="long-ones",
        ),
        pytest.param(
            changed(1, lambda answer, _: replace(answer, text="<|im_start|>" + answer.text)), [], id="one-mark"
        ),
        pytest.param(
            changed(2, lambda answer, _: replace(answer, text="<|im_start|>" + answer.text)),
            [("tags", "warn", "b")],
            id="two-marks",
        ),
        pytest.param(
            changed(10, lambda answer, _: replace(answer, text="<|im_start|>" + answer.text)),
            [("tags", "warn", "b")],
            id="ten-marks",
        ),
        pytest.param(
            changed(11, lambda answer, _: replace(answer, text="<|im_start|>" + answer.text)),
            [("tags", "block", "b")],
            id="eleven-marks",
        ),
        pytest.param(
            changed(100, lambda answer, _: replace(answer, text="`<|im_start|>` is a mark. " + answer.text)),
            [],
            id="marks-that-are-talked-about",
        ),
    ],
)
def test_loops_and_marks_in_texts_are_found(replies: Callable[[Question, int], Reply], expected: Found) -> None:
    assert after_of(study_of(), {"b": replies}) == expected


def thoughts(count: int, tokens: int, characters: int = 0) -> Callable[[Question, int], Reply]:
    """Let all think, the first so many at one length."""

    def give(question: Question, number: int) -> Reply:
        plain = usual(question, number)
        own = 3000 + 17 * number
        if number < count:
            return replace(plain, reasoning=noise(characters or own), completion_tokens=tokens or own)
        return replace(plain, reasoning=noise(own) + ".", completion_tokens=own // 4)

    return give


def stopped(count: int, *, at: int = 3000, end: str = "", usual_end: str = ".") -> Callable[[Question, int], Reply]:
    """Let all think, the first so many up to nearly the same number of tokens."""

    def give(question: Question, number: int) -> Reply:
        plain = usual(question, number)
        tokens = at - number if number < count else 300 + 17 * number
        thought = noise(4 * tokens).strip() + (end if number < count else usual_end)
        return replace(plain, reasoning=thought, completion_tokens=tokens + 20)

    return give


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param(thoughts(5, 2048), [], id="five-percent"),
        pytest.param(thoughts(6, 2048), [("hidden_budget", "warn", "b")], id="six-percent"),
        pytest.param(thoughts(6, 255), [], id="short-ones"),
        pytest.param(thoughts(6, 0, 8192), [("hidden_budget", "warn", "b")], id="by-the-length-of-thoughts"),
        pytest.param(thoughts(6, 4096), [("cut_off", "block", "b")], id="the-study's-own-limit"),
        pytest.param(stopped(5), [], id="five-percent-stop-in-mid-sentence"),
        pytest.param(stopped(6), [("hidden_budget", "warn", "b")], id="six-percent-stop-in-mid-sentence"),
        pytest.param(stopped(6, end="."), [], id="at-the-end-of-a-sentence"),
        pytest.param(stopped(6, at=1500), [], id="others-think-on"),
        pytest.param(stopped(6, usual_end=""), [], id="no-thought-ever-ends-with-a-full-stop"),
    ],
)
def test_a_limit_of_thinking_that_nobody_declared_is_found(
    replies: Callable[[Question, int], Reply], expected: Found
) -> None:
    found = after_of(study_of(), {"a": thoughts(0, 0), "b": replies})

    assert found == expected


def reworded(count: int) -> Callable[[Record, int], Record]:
    def edit(record: Record, number: int) -> Record:
        if record.variant == "a" or number >= count:
            return record
        return replace(record, request={**record.request, "messages": [{"role": "user", "content": "?"}]})

    return edit


def limited(count: int) -> Callable[[Record, int], Record]:
    def edit(record: Record, number: int) -> Record:
        more = {"max_tokens": 8192} if record.variant == "b" and number < count else {}
        return replace(record, request={**record.request, **more})

    return edit


def seeded(record: Record, number: int) -> Record:
    return replace(record, request={**record.request, "seed": 1})


@pytest.mark.parametrize(
    ("edit", "facts", "expected"),
    [
        pytest.param(reworded(0), {}, [], id="the-same-words"),
        pytest.param(reworded(1), {}, [("prompts", "block", "b")], id="other-words-once"),
        pytest.param(limited(1), {}, [("more_tokens", "note", "b")], id="a-larger-limit-once"),
        pytest.param(seeded, {}, [], id="a-seed"),
        pytest.param(
            seeded,
            {name: {"runtime": "mlx_lm"} for name in "ab"},
            [("seed_serial", "note", "a"), ("seed_serial", "note", "b")],
            id="a-seed-that-makes-it-serial",
        ),
    ],
)
def test_all_variants_were_put_the_same(edit: Callable[[Record, int], Record], facts: Any, expected: Found) -> None:
    assert after_of(study_of(), edit=edit, facts=facts) == expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(0, [("more_tokens", "note", "b")], id="all-that-was-cut-off-was-asked-again"),
        pytest.param(
            1,
            [("more_tokens", "note", "b"), ("more_tokens_unequal", "block", "a")],
            id="one-of-the-other-variant-was-not",
        ),
    ],
)
def test_cut_off_replies_are_asked_again_of_all_variants_alike(left: int, expected: Found) -> None:
    assert after_of(study_of(), {"a": cut(left)}, edit=limited(3)) == expected
