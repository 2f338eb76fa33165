"""How a reply ended is read from a closed list of words: every other word is none of a whole reply."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evaluator.finish import WORDS, End, end_of, names_context

LISTED = [(word, end) for end, words in WORDS.items() for word in words]


def bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


BARE = tuple(bare(word) for word, _ in LISTED)


@pytest.mark.parametrize(("word", "end"), LISTED)
def test_each_word_of_the_list_is_known_however_it_is_written(word: str, end: End) -> None:
    spelled = (word, word.upper(), word.replace("_", "-"), word.replace("_", " "), f"FinishReason.{word}")

    assert {end_of(one) for one in spelled} == {end}
    assert end_of({"type": word, "matched": 106}) == end


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        pytest.param("FINISH_REASON_STOP", "whole", id="google-s-enumeration"),
        pytest.param("REASON_MAX_LEN", "limit", id="xai-s-enumeration"),
        pytest.param("FinishReason.SAFETY", "filter", id="python-s-enumeration"),
        pytest.param("content-filter", "filter", id="vercel-s"),
        pytest.param("stopReason", "broken", id="only-the-kind-of-enumeration"),
        pytest.param("capacity", "broken", id="capacity"),
        pytest.param("canceled", "broken", id="canceled"),
        pytest.param("user_cancel", "broken", id="cohere-cancelled"),
        pytest.param("userStopped", "broken", id="lm-studio-stopped-by-its-user"),
        pytest.param("modelUnloaded", "broken", id="lm-studio-unloaded"),
        pytest.param("load", "broken", id="ollama-only-loaded"),
        pytest.param("unload", "broken", id="ollama-only-unloaded"),
        pytest.param("timeout", "broken", id="timeout"),
        pytest.param("time_limit", "broken", id="watsonx-out-of-time"),
        pytest.param("insufficient_system_resource", "broken", id="deepseek"),
        pytest.param("network_error", "broken", id="zhipu"),
        pytest.param("pause_turn", "broken", id="anthropic-to-be-continued"),
        pytest.param("abort", "broken", id="sglang"),
        pytest.param("Internal_ERROR", "broken", id="error-in-any-spelling"),
        pytest.param("in_progress", "broken", id="responses-unfinished"),
        pytest.param("none", "broken", id="llama-cpp-none"),
        pytest.param("null", "broken", id="null-as-a-word"),
        pytest.param("nonstop", "broken", id="a-word-around-another"),
        pytest.param("stop, then error", "broken", id="a-sentence"),
        pytest.param("", "broken", id="empty"),
        pytest.param("...", "broken", id="only-marks"),
        pytest.param(None, "broken", id="nothing"),
        pytest.param(3, "broken", id="number"),
        pytest.param(True, "broken", id="true"),
        pytest.param(["stop"], "broken", id="list"),
        pytest.param({"reason": "stop"}, "broken", id="object-without-a-type"),
        pytest.param({"type": None}, "broken", id="object-with-an-empty-type"),
        pytest.param({"type": "abort", "message": "stop"}, "broken", id="object-of-a-broken-type"),
    ],
)
def test_what_real_servers_say_of_an_end(reason: Any, end: End) -> None:
    assert end_of(reason) == end


@given(st.one_of(st.text(max_size=30), st.lists(st.text("aeinorst", min_size=2, max_size=9), max_size=3).map("_".join)))
def test_every_text_that_is_not_on_the_list_is_broken(text: str) -> None:
    assume(not bare(text).endswith(BARE))

    assert end_of(text) == "broken"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: key != "type"), inner),
    )
)
def test_everything_that_is_no_text_is_broken(value: Any) -> None:
    assert end_of(value) == "broken"


@pytest.mark.parametrize("word", ["contextLengthReached", "model_length", "MODEL_CONTEXT_WINDOW_EXCEEDED"])
def test_a_full_context_is_told_from_an_output_limit(word: str) -> None:
    assert names_context(word)
    assert end_of(word) == "limit"
    assert not names_context("length")
