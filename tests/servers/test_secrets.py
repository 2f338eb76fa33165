"""The key is taken out of what is received, and nothing else is changed."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.records import Answer, Failure
from servers.http import HttpReply
from servers.secrets import HIDDEN, hide, reveal

KEY = 'sk-a/b+c"d<0123456789'
SENT = {"Authorization": f"Bearer {KEY}"}
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60)


def sent(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(KEY, id="plain"),
        pytest.param(KEY.upper(), id="upper-case"),
        pytest.param(json.dumps(KEY)[1:-1], id="json"),
        pytest.param(json.dumps(KEY)[1:-1].replace("/", "\\/"), id="json-of-php"),
        pytest.param(html.escape(KEY), id="html"),
        pytest.param(quote(KEY), id="path"),
        pytest.param(quote(KEY, safe=""), id="query"),
        pytest.param(quote(KEY, safe="").lower(), id="query-in-lower-case"),
        pytest.param(repr(KEY + "'")[1:-3], id="python"),
    ],
)
def test_every_form_is_hidden(written: str) -> None:
    assert hide(f"before {written} after, {written}", SENT) == f"before {HIDDEN} after, {HIDDEN}"


@pytest.mark.parametrize("alphabet", [b"+/", b"-_"])
@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("before", ["", "u:", "user:", "Bearer "])
def test_base64_is_hidden_wherever_the_key_stands_in_it(before: str, after: int, alphabet: bytes) -> None:
    code = base64.b64encode((before + KEY + "z" * after).encode(), alphabet).decode()
    left = hide(code, SENT)

    assert HIDDEN in left
    assert len(left.replace(HIDDEN, "")) <= len(base64.b64encode(before.encode())) + 6


@given(PRINTABLE.filter(lambda key: not (key.isalpha() or key.isdigit())), st.text(), st.text(), st.integers(0, 4))
def test_whatever_the_key_it_is_gone_from_whatever_holds_it(key: str, before: str, after: str, depth: int) -> None:
    value: Any = f"{before}{key}{after}"
    for _ in range(depth):
        value = {key: [value, 1, None, {"x": (key,)}]}

    assert json.dumps(key)[1:-1].lower() not in json.dumps(hide(value, sent(key))).lower().replace(HIDDEN.lower(), "")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_what_does_not_hold_the_key_stays_as_it_is(value: Any) -> None:
    assert hide(value, SENT) == value
    assert hide(value, {}) is value


@pytest.mark.parametrize(
    "key", ["x", "sk", "none", "EMPTY", "dummy", "ollama", "lm-studio", "not-needed", "sk-1234", "password", "12345678"]
)
def test_a_key_that_may_be_an_ordinary_word_is_hidden_behind_bearer_only(key: str) -> None:
    answer = f"Use {key}, that is x = '{key}' of {key}s."

    assert hide(answer, sent(key)) == answer
    assert hide(f"got Authorization: Bearer {key}.", sent(key)) == f"got Authorization: Bearer {HIDDEN}."
    assert hide(f"bearer {key}s", sent(key)) == f"bearer {key}s"


@pytest.mark.parametrize("length", range(8, len(KEY)))
def test_the_beginning_of_a_key_at_a_cut_is_hidden(length: int) -> None:
    failure = Failure(kind="server_error", message=f"invalid {KEY[:length]}", text=KEY[:length])
    hidden = hide(failure, SENT, cut=True)

    assert (hidden.message, hidden.text, hidden.kind) == (f"invalid {HIDDEN}", HIDDEN, "server_error")


def test_an_answer_keeps_its_kind_and_its_numbers() -> None:
    answer = Answer(
        text=f"({KEY})", tool_calls=(KEY, "f"), duration_s=1.5, prompt_tokens=7, timings={KEY: [{"a": KEY}]}
    )
    hidden = hide(answer, SENT)

    assert hidden == Answer(
        text=f"({HIDDEN})",
        tool_calls=(HIDDEN, "f"),
        duration_s=1.5,
        prompt_tokens=7,
        timings={HIDDEN: [{"a": HIDDEN}]},
    )


def test_what_is_nested_too_deeply_to_be_looked_through_is_dropped_and_costs_no_answer() -> None:
    deep: Any = KEY
    for _ in range(5000):
        deep = [deep]
    answer = Answer(text="(A)", duration_s=1, timings={"x": deep})

    assert hide(answer, SENT) == Answer(text="(A)", duration_s=1)
    assert hide(deep, SENT) is None
    assert hide(answer, {}) is answer


def test_a_server_is_asked_for_its_model_by_the_whole_id() -> None:
    shown = hide({"model": f"m {KEY}", "prompt": "x"}, SENT)

    assert shown == {"model": f"m {HIDDEN}", "prompt": "x"}
    assert reveal({**shown, "prompt": HIDDEN}, SENT) == {"model": f"m {KEY}", "prompt": HIDDEN}
    assert reveal(shown, {}) == shown


def test_no_key_is_no_reason_to_look() -> None:
    reply = HttpReply(200, {"a": "b"})

    assert hide(reply.body, {"Authorization": ""}) is reply.body
