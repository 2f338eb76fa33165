"""What is graded of a reply that thinks aloud."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.thinking import PAIRS, split_thinking

HARMONY = (
    "<|channel|>analysis<|message|>Maybe (A).<|end|><|start|>assistant<|channel|>final<|message|>The answer is (C)."
)
CLOSED = {
    "think": ("<think>Maybe (A).</think>The answer is (C).", "Maybe (A)."),
    "think on lines": ("<think>\nMaybe (A).\n</think>\n\nThe answer is (C).", "Maybe (A)."),
    "thought": ("<thought>Maybe (A).</thought>The answer is (C).", "Maybe (A)."),
    "mistral": ("[THINK]Maybe (A).[/THINK]The answer is (C).", "Maybe (A)."),
    "gemma 4": ("<|channel>thought\nMaybe (A).\n<channel|>The answer is (C).", "thought\nMaybe (A)."),
    "gemma 4, empty": ("<|channel>thought\n<channel|>The answer is (C).", "thought"),
    "harmony": (HARMONY, "Maybe (A)."),
    "harmony, returned": (HARMONY + "<|return|>", "Maybe (A)."),
    "lost opening tag": ("Maybe (A).\n</think>\nThe answer is (C).", "Maybe (A)."),
    "lost opening tag, gemma 4": ("thought\nMaybe (A).<channel|>The answer is (C).", "thought\nMaybe (A)."),
    "two thoughts": ("<think>One.</think><think>Two.</think>The answer is (C).", "One.\nTwo."),
    "two closing tags": ("One.</think>Two.</think>The answer is (C).", "One.\nTwo."),
    "tag talked about": (
        "<think>A <think> tag, or </thought>.</think>The answer is (C).",
        "A <think> tag, or </thought>.",
    ),
    "thought after a start": ("The answer <think>Maybe (A).</think>is (C).", "Maybe (A)."),
    "none": ("The answer is (C).", ""),
}
UNCLOSED = {
    "think": "<think>The answer is (A).",
    "think after words": "Well. <think>The answer is (A).",
    "second think": "<think>One.</think><think>The answer is (A).",
    "thought": "<thought>The answer is (A).",
    "gemma 4": "<|channel>thought\nThe answer is (A).",
    "harmony": "<|channel|>analysis<|message|>The answer is (A).",
    "harmony, ended": "<|channel|>analysis<|message|>The answer is (A).<|end|>",
}


@pytest.mark.parametrize(("text", "reasoning"), CLOSED.values(), ids=CLOSED)
def test_the_answer_is_what_stands_outside_of_thinking(text: str, reasoning: str) -> None:
    thought = split_thinking(text)

    assert thought.answer == "The answer is (C)."
    assert thought.reasoning == reasoning
    assert not thought.unclosed


@pytest.mark.parametrize("text", UNCLOSED.values(), ids=UNCLOSED)
def test_thinking_that_never_ends_leaves_no_answer(text: str) -> None:
    thought = split_thinking(text)

    assert thought.answer == ""
    assert "The answer is (A)." in thought.reasoning
    assert thought.unclosed


def test_what_the_server_separated_comes_first() -> None:
    assert split_thinking("<think>Two.</think>C", "One.").reasoning == "One.\nTwo."


def test_a_reply_without_thinking_is_left_as_it_is() -> None:
    assert split_thinking("\n    return 1\n").answer == "\n    return 1\n"


def test_the_indentation_of_code_behind_thinking_survives() -> None:
    assert split_thinking("<think>Hm.</think>\n    return 1\n").answer == "    return 1"


@given(
    thought=st.text(max_size=200).filter(lambda text: not any(tag in text for tag in ["<", ">", "[", "]"])),
    pair=st.sampled_from(sorted(PAIRS.items())),
)
def test_text_inside_thinking_is_never_part_of_the_answer(thought: str, pair: tuple[str, str]) -> None:
    assert split_thinking(f"{pair[0]}{thought}{pair[1]}C").answer == "C"
    assert split_thinking(f"{pair[0]}{thought}").answer == ""


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "<", "<think></think>", "<|channel|><|message|>", "<|channel>"]
)
def test_a_hostile_megabyte_takes_linear_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()

    split_thinking(text)

    assert time.process_time() - started < 0.5
