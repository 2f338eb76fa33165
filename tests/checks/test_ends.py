"""What ended the replies is told with its numbers, and more max_tokens are advised only where they would help."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.checks.rule import Check
from evaluator.checks.table import after
from evaluator.records import Answer, Question, Record
from tests.support.check_inputs import Reply, changed, check_input, cut, study_of, with_

THOUGHTS_NOT_COUNTED: dict[str, Any] = {
    "text": "Let us",
    "reasoning": "Perhaps it is so. " * 900,
    "finish_reason": "length",
    "completion_tokens": 2,
}
OPEN = "Let us weigh the options, one by one"


def found(replies: Callable[[Question, int], Reply], **facts: Any) -> dict[str, Check]:
    """Give the checks of the variant with these replies, by code."""
    checks = after(check_input(study_of(), {"b": replies}, facts={"b": facts}))
    return {check.code: check for check in checks if check.variant == "b"}


def early(first: int, tokens: Callable[[int], int] = lambda _: 64, reason: str = "length") -> Callable[..., Reply]:
    def change(answer: Answer, number: int) -> Reply:
        more = {"text": OPEN, "finish_reason": reason, "completion_tokens": tokens(number), "duration_s": 1.0}
        return Answer(**{**more, "prompt_tokens": 100 + number})  # type: ignore[arg-type]

    return changed(first, change)


@pytest.mark.parametrize(
    ("replies", "severity", "said"),
    [
        pytest.param(early(100), "block", "100 of 100 replies were cut off after 64 tokens although 4,096", id="all"),
        pytest.param(early(2), "warn", "2 of 100 replies were cut off after 64 tokens", id="two"),
        pytest.param(early(3), "block", "3 of 100 replies were cut off after 64 tokens", id="three"),
        pytest.param(early(9, lambda n: 512 if n < 6 else 90), "block", "after 512 tokens", id="most"),
        pytest.param(early(9, lambda n: 60 + n), "block", "9 of 100 replies were cut off after 60 to 68", id="various"),
        pytest.param(early(9, reason="MAX_TOKENS"), "block", "has a limit of its own", id="another-word"),
    ],
)
def test_a_server_s_own_limit_is_told_with_its_number(replies: Any, severity: str, said: str) -> None:
    check = found(replies)["server_limit"]

    assert check.severity == severity
    assert said in check.message
    assert check.evidence["tokens"] in {64, 68, 512}
    assert "More tokens change nothing" in check.advice


@pytest.mark.parametrize(
    ("runtime", "where"),
    [
        ("llama_server", "-n (--n-predict)"),
        ("mlx_lm", "--max-tokens"),
        ("ollama", "num_predict"),
        ("lm_studio", "LM Studio's settings"),
        ("omlx", "oMLX's settings"),
        ("vllm", "max_new_tokens"),
        ("openai", "a proxy's"),
    ],
)
def test_it_is_told_where_each_server_has_its_limit(runtime: str, where: str) -> None:
    assert where in found(early(9), runtime=runtime)["server_limit"].advice


@pytest.mark.parametrize(
    ("replies", "facts"),
    [
        pytest.param(cut(50), {}, id="the-limit-that-was-asked"),
        pytest.param(with_(50, finish_reason="length"), {}, id="whole-replies"),
        pytest.param(early(50, reason="contextLengthReached"), {}, id="the-server-names-the-context"),
        pytest.param(early(50, lambda n: 900 - n), {"context": 1000}, id="the-context-is-full"),
        pytest.param(early(50, lambda n: 900 - n), {"context": 1001}, id="the-context-is-full-but-for-one"),
        pytest.param(early(50, lambda n: 900 - n), {"context": 1012}, id="the-context-is-full-but-for-a-few"),
        pytest.param(
            changed(50, lambda answer, _: replace(answer, **THOUGHTS_NOT_COUNTED)), {}, id="thoughts-not-counted"
        ),
        pytest.param(with_(50, text=""), {}, id="nothing-written"),
    ],
)
def test_what_is_no_limit_of_the_server_is_not_called_one(replies: Any, facts: dict[str, Any]) -> None:
    assert "server_limit" not in found(replies, **facts)


def test_replies_that_stand_though_the_server_says_length_are_counted() -> None:
    checks = found(with_(40, finish_reason="length"))

    assert checks.keys() == {"says_length"}
    assert "says length of 40 of 100 replies that ended by themselves" in checks["says_length"].message


BY_CAUSE: dict[str, tuple[Callable[..., Reply], str, str]] = {
    "limit": (cut(9), "the output limit cut the reply", "Raise max_tokens"),
    "stop at the limit": (with_(9, text=OPEN, completion_tokens=4096), "4,096 of the 4,096", "Raise max_tokens"),
    "not counted": (with_(9, text=OPEN, finish_reason="length", completion_tokens=None), "limit", "Raise max_tokens"),
    "the server's own": (early(9), "cut after 64 tokens", "More tokens change nothing"),
    "the context": (early(9, reason="model_length"), "the context was full", "more context"),
    "thinking only": (with_(9, text="", reasoning="Hm, yes."), "thinking, but no answer", "the thinking"),
    "thinking that never ends": (with_(9, text="<think>Hm."), "the thinking never ends", "thinking budgets"),
    "tool": (with_(9, text="", tool_calls=("answer",)), "it called the tool answer", "without tools"),
    "some tool": (with_(9, text="", finish_reason="tool_calls"), "it called a tool", "without tools"),
    "nothing": (with_(9, text="", completion_tokens=1), "nothing was written: 1 token", "chat template"),
    "no token": (
        with_(9, text="", completion_tokens=0, prompt_tokens=36000),
        "0 tokens",
        "its context holds the prompts",
    ),
}


@pytest.mark.parametrize(("replies", "why", "advice"), BY_CAUSE.values(), ids=BY_CAUSE.keys())
def test_the_cause_is_told_with_the_advice_that_fits(replies: Any, why: str, advice: str) -> None:
    check = found(replies)["cut_off"]

    assert why in check.message
    assert advice.removeprefix("the ") in check.advice


@pytest.mark.parametrize("cause", [cause for cause in BY_CAUSE if "Raise" not in BY_CAUSE[cause][2]])
def test_no_finding_advises_more_tokens_where_they_change_nothing(cause: str) -> None:
    advice = [check.advice for check in found(BY_CAUSE[cause][0]).values()]

    assert not any("raise max_tokens" in one.lower() and "if that limit" not in one for one in advice)


@pytest.mark.parametrize(
    ("reason", "codes"),
    [
        pytest.param("length", {"more_tokens_unequal"}, id="at-the-limit"),
        pytest.param("contextLengthReached", set(), id="the-context"),
    ],
)
def test_only_replies_that_more_tokens_can_mend_are_missed_where_others_were_asked_again(
    reason: str, codes: set[str]
) -> None:
    def edit(record: Record, number: int) -> Record:
        if record.variant == "a":
            return replace(record, request={**record.request, "max_tokens": 8192})
        answer = replace(record.answer, finish_reason=reason, completion_tokens=4096) if record.answer else None
        return record if number else replace(record, answer=answer)

    checks = after(check_input(study_of(), {}, edit=edit))

    assert {check.code for check in checks if check.variant == "b"} == codes


@pytest.mark.parametrize(
    ("replies", "why", "advice"),
    [
        pytest.param(with_(9, text="", completion_tokens=800), "800 tokens were generated", "parsers", id="unseen"),
        pytest.param(
            with_(9, text="", prompt_tokens=0, completion_tokens=0), "0 tokens read", "server's log", id="not-read"
        ),
        pytest.param(with_(9, finish_reason="capacity"), "broke the reply off (capacity)", "log", id="broken-off"),
    ],
)
def test_what_is_no_reply_of_the_model_is_left_out_with_its_reason(replies: Any, why: str, advice: str) -> None:
    check = found(replies)["no_reply"]

    assert why in check.message
    assert advice in check.advice
    assert "asks only these" not in check.advice
