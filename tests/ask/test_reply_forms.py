"""What is the answer is read strictly, in each form that servers use; a side field never costs a reply."""

import json
from itertools import repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.records import Answer, Failure, Key, Record
from tests.support.sent_bytes import DONE, answer_of, chunk, event, failure_of, outcome_of

ANSWER, THOUGHT = "The answer is (C).", "Perhaps (A)."
END = {"finish_reason": "stop"}
SIDE = ["usage", "model", "system_fingerprint", "timings", "stats", "id", "object", "created", "service_tier", "x"]


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("content", "thought"),
    [
        pytest.param([text(ANSWER)], "", id="one part"),
        pytest.param([text("The answer"), text(" is (C).")], "", id="two parts"),
        pytest.param(text(ANSWER), "", id="a part alone"),
        pytest.param([{"text": ANSWER}], "", id="no type"),
        pytest.param([{"type": None, "text": ANSWER}], "", id="null type"),
        pytest.param([{"type": "output_text", "text": ANSWER, "annotations": []}], "", id="output_text"),
        pytest.param(["The answer", " is (C)."], "", id="texts"),
        pytest.param([None, text(ANSWER), {"type": "text", "text": None}], "", id="nulls"),
        pytest.param([{"type": "reference", "reference_ids": [1]}, text(ANSWER)], "", id="reference"),
        pytest.param([{"type": "thinking", "thinking": [text(THOUGHT)]}, text(ANSWER)], THOUGHT, id="Mistral"),
        pytest.param([{"type": "thinking", "thinking": THOUGHT}, text(ANSWER)], THOUGHT, id="Anthropic"),
        pytest.param([{"type": "reasoning", "text": THOUGHT}, text(ANSWER)], THOUGHT, id="reasoning"),
        pytest.param([{"type": "reasoning", "summary": [text(THOUGHT)]}, text(ANSWER)], THOUGHT, id="summary"),
        pytest.param([{"type": "reasoning_text", "text": THOUGHT}, text(ANSWER)], THOUGHT, id="reasoning_text"),
        pytest.param([{"type": "think", "text": THOUGHT}, text(ANSWER)], THOUGHT, id="think"),
    ],
)
def test_content_in_parts(content: Any, thought: str) -> None:
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    for answer in (
        answer_of(event(chunk({"content": content})), event(chunk({}, "stop")), DONE),
        answer_of(json.dumps(whole).encode(), stream=False),
        answer_of(json.dumps({"message": {"content": content}, "done": True}).encode()),
    ):
        assert (answer.text, answer.reasoning) == (ANSWER, thought)


@pytest.mark.parametrize(
    "content",
    [
        *(
            5,
            0,
            1.5,
            True,
            False,
            {},
            {"answer": "(C)"},
            [5],
            [[]],
            [{}],
            [{"type": "text"}],
            [{"type": "text", "text": 5}],
        ),
        *([{"type": 5, "text": "(C)"}], [{"type": "mystery", "text": "(C)"}], {"parts": ["(C)"]}, [{"content": "(C)"}]),
    ],
    ids=str,
)
def test_an_answer_of_an_unknown_form_is_none(content: Any) -> None:
    for sent in (chunk({"content": content}), {"response": content}, {"choices": [{"text": content}]}):
        assert failure_of(event(sent), event(chunk({}, "stop")), DONE).kind == "garbled"


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"reasoning_content": THOUGHT},
            {"reasoning": THOUGHT},
            {"thinking": THOUGHT},
            {"reasoning": {"text": THOUGHT}},
        ),
        *({"reasoning": {"content": [text(THOUGHT)]}}, {"reasoning": [text("Perhaps"), text(" (A).")]}),
        *({"reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]}, {"reasoning": {"summary": THOUGHT}}),
        {"reasoning_details": [{"type": "reasoning.summary", "summary": THOUGHT}, {"type": "reasoning.encrypted"}]},
        {"reasoning": THOUGHT, "reasoning_content": THOUGHT, "reasoning_details": [{"text": THOUGHT}]},
        *({"reasoning": None, "reasoning_content": "", "thinking": {"text": THOUGHT}}, {"thinking": [THOUGHT]}),
        {"reasoning_content": {}, "reasoning": THOUGHT},
    ],
    ids=str,
)
def test_thoughts_in_any_form_count_once(fields: dict[str, Any]) -> None:
    answer = answer_of(event(chunk(fields)), event(chunk(ANSWER, "stop")), DONE)

    assert (answer.text, answer.reasoning) == (ANSWER, THOUGHT)


@pytest.mark.parametrize("thoughts", [5, True, {"x": [5]}, [None], [[[[[[[[[["deep"]]]]]]]]]], {"text": {"text": 5}}])
def test_thoughts_of_no_known_form_cost_nothing(thoughts: Any) -> None:
    answer = answer_of(event(chunk({"content": ANSWER, "reasoning": thoughts})), event(chunk({}, "stop")), DONE)

    assert (answer.text, answer.reasoning) == (ANSWER, "")


@pytest.mark.parametrize(
    ("delta", "refusal", "tools"),
    [
        ({"refusal": "I cannot."}, "I cannot.", ()),
        ({"content": [{"type": "refusal", "refusal": "I cannot."}]}, "I cannot.", ()),
        ({"refusal": {"text": "I cannot."}}, "I cannot.", ()),
        ({"refusal": 5}, "", ()),
        ({"tool_calls": [{"index": 0, "function": {"name": "pick", "arguments": "{}"}}]}, "", ("pick",)),
        ({"tool_calls": [{"name": "a"}, {"function": {"name": "b"}}, {"function": None}, 5]}, "", ("a", "b")),
        ({"tool_calls": {"name": "a"}}, "", ()),
        ({"function_call": {"name": "pick", "arguments": "{}"}}, "", ("pick",)),
        ({"tool_calls": [], "function_call": None, "refusal": None}, "", ()),
    ],
    ids=str,
)
def test_refusals_and_calls_are_kept_apart(delta: dict[str, Any], refusal: str, tools: tuple[str, ...]) -> None:
    answer = answer_of(event(chunk(delta)), event(chunk({}, "stop")), DONE)

    assert (answer.text, answer.refusal, answer.tool_calls) == ("", refusal, tools)


ODD = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "9" * 5000,
    "-" + "9" * 30,
    '"\\ud83d"',
    '"\\udcff"',
    "[[{}]]",
]
ODD += ['{"NaN": NaN}', '"NaN"', "true", "0", "-1", "1.5", '"50"', '{"\\ud800": "\\udfff"}', "[" * 500 + "]" * 500]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:12])
@pytest.mark.parametrize("name", SIDE)
def test_a_side_field_of_any_kind_costs_nothing_and_can_be_written(name: str, odd: str) -> None:
    sent = event(chunk(ANSWER)) + b'data: {"choices": [], "%s": %s}\n\n' % (name.encode(), odd.encode())

    answer = answer_of(sent, event(chunk({}, "stop")), DONE)

    assert answer.text == ANSWER
    written_and_read(answer)


@pytest.mark.parametrize(
    ("counts", "read"),
    [
        *zip((50, 50.0, "50", " 50 ", "50.0", 50.9), repeat(50)),
        *zip((-1, "-1", "nine", None, True, [50], {}, 10**20, "Infinity", "NaN", "9" * 400, ""), repeat(None)),
    ],
    ids=str,
)
def test_counts_in_any_form(counts: Any, read: int | None) -> None:
    usage = {"prompt_tokens": counts, "completion_tokens": counts, "prompt_tokens_details": {"cached_tokens": counts}}

    answer = answer_of(event({**chunk(ANSWER, "stop"), "usage": usage}), DONE)

    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == (read, read, read)


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        pytest.param(["Nice \\ud83d", "\\ude00 "], "Nice 😀 ", id="halves in two chunks"),
        pytest.param(["\\ud83d", "", "\\ude00"], "😀", id="with an empty one between"),
        pytest.param(["\\ud83d\\ude00"], "😀", id="in one"),
        pytest.param(["\\ud83d", "x"], "\ufffdx", id="first half alone"),
        pytest.param(["x\\ude00"], "x\ufffd", id="second half alone"),
        pytest.param(["\\ude00\\ud83d"], "\ufffd\ufffd", id="in the wrong order"),
        pytest.param(["a\\ud83d"], "a\ufffd", id="at the end"),
        pytest.param(["\\ufeff\\ud83d", "\\ude00"], "\ufeff😀", id="after a byte order mark"),
    ],
)
def test_halves_of_characters(pieces: list[str], whole: str) -> None:
    chunks = [b'{"choices":[{"delta":{"content":"%s"}}]}' % piece.encode() for piece in pieces]

    answer = answer_of(*map(event, chunks), event(chunk({}, "stop")), DONE)

    assert answer.text == whole
    written_and_read(answer)


def test_bytes_of_the_answer_that_are_no_utf8_are_no_answer_elsewhere_they_cost_nothing() -> None:
    good = event(chunk(ANSWER)), event(chunk({}, "stop")), DONE
    assert failure_of(event(b'{"choices":[{"delta":{"content":"\xff"}}]}'), *good).kind == "garbled"
    assert answer_of(event(b'{"model":"m\xff","choices":[]}'), *good).text == ANSWER


@pytest.mark.parametrize("model", [["m"], {"id": "m"}, 5, None, "", True], ids=str)
def test_a_name_that_is_no_text_is_none(model: Any) -> None:
    assert answer_of(event({**chunk(ANSWER, "stop"), "model": model}), DONE).model is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(side=st.dictionaries(st.sampled_from(SIDE), JSON), delta=st.dictionaries(st.sampled_from(["role", "x"]), JSON))
@settings(deadline=None)
def test_side_fields_never_cost_a_reply(side: dict[str, Any], delta: dict[str, Any]) -> None:
    if side.get("model") == "keepalive" or side.get("object") == "error":
        return
    sent = {**side, **chunk({**delta, "content": ANSWER}, "stop")} | {k: v for k, v in side.items() if k == "model"}

    answer = answer_of(event(sent), DONE)

    assert answer.text == ANSWER
    written_and_read(answer)


@given(
    sent=st.binary(max_size=300)
    | st.lists(JSON, max_size=4).map(lambda bodies: b"".join(map(event, bodies)))
    | st.lists(st.dictionaries(st.sampled_from([*SIDE, "choices", "error", "message", "done", "response"]), JSON)).map(
        lambda bodies: b"".join(map(event, bodies)) + DONE
    )
    | st.lists(st.dictionaries(st.sampled_from(["index", "delta", "text", "message", "finish_reason"]), JSON)).map(
        lambda choices: event({"choices": choices}) + DONE
    )
    | st.dictionaries(
        st.sampled_from(["content", "reasoning", "refusal", "tool_calls", "thinking", "error"]), JSON
    ).map(lambda delta: event(chunk(delta, "stop")) + DONE),
    status=st.sampled_from([200, 200, 200, 204, 302, 400, 429, 500, 503]),
    streamed=st.booleans(),
    encoding=st.sampled_from([{}, {}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "deflate"}]),
)
@settings(deadline=None, max_examples=300)
def test_whatever_is_sent_becomes_an_answer_or_a_failure(
    sent: bytes, status: int, streamed: bool, encoding: dict[str, str]
) -> None:
    body = sent if streamed else sent.removeprefix(b"data: ")
    written_and_read(outcome_of(body, status=status, stream=streamed, headers=encoding))


def written_and_read(outcome: Answer | Failure) -> None:
    got = {"answer": outcome} if isinstance(outcome, Answer) else {"failure": outcome}
    record = Record(key=Key("b", "q"), variant="v", started="", request={}, **got)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


@pytest.mark.parametrize(
    "blank",
    [{"delta": []}, {"delta": ""}, {"delta": [], "message": []}, {"message": ""}, None, {}],
    ids=str,
)
def test_what_holds_nothing_where_an_object_belongs_costs_nothing(blank: Any) -> None:
    """PHP and Lua write an empty object as a list."""
    start, end = ({"choices": [blank if blank is None else {"index": 0, **blank, **more}]} for more in ({}, END))

    assert answer_of(event(start), event(chunk(ANSWER, "stop")), DONE).text == ANSWER
    if blank is not None:
        assert answer_of(event(chunk(ANSWER)), event(end), DONE).text == ANSWER
    assert answer_of(event({"choices": [None, *chunk(ANSWER, "stop")["choices"]]}), DONE).text == ANSWER


@pytest.mark.parametrize("full", [["(C)"], "(C)", 5, True], ids=str)
def test_what_holds_something_in_the_place_of_a_message_is_not_passed_over(full: Any) -> None:
    sent = {"choices": [{"index": 0, "delta": full, "finish_reason": "stop"}]}

    assert failure_of(event(sent), DONE).kind == "garbled"
