"""What is graded of a reply that thinks aloud."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.grade.thinking import PAIRS, split_thinking

HARMONY = (
    "<|channel|>analysis<|message|>Maybe (A).<|end|><|start|>assistant<|channel|>final<|message|>The answer is (C)."
)
TOOL_CALL = (
    "<|channel|>analysis<|message|>Maybe (A).<|end|><|start|>assistant<|channel|>commentary to=functions.f "
    "<|constrain|>json<|message|>{}<|call|><|start|>assistant<|channel|>final <|constrain|>text<|message|>"
    "The answer is (C).<|return|>"
)
CLOSED = {
    "think": ("<think>Maybe (A).</think>The answer is (C).", "Maybe (A)."),
    "think on lines": ("<think>\nMaybe (A).\n</think>\n\nThe answer is (C).", "Maybe (A)."),
    "thought": ("<thought>Maybe (A).</thought>The answer is (C).", "Maybe (A)."),
    "mistral": ("[THINK]Maybe (A).[/THINK]The answer is (C).", "Maybe (A)."),
    "gemma 4": ("<|channel>thought\nMaybe (A).\n<channel|>The answer is (C).", "thought\nMaybe (A)."),
    "gemma 4, empty": ("<|channel>thought\n<channel|>The answer is (C).", ""),
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
    "upper case": ("<Think>Maybe (A).</THINK>The answer is (C).", "Maybe (A)."),
    "space in the tag": ("<think >Maybe (A).</think >The answer is (C).", "Maybe (A)."),
    "attribute": ('<thinking step="1">Maybe (A).</thinking>The answer is (C).', "Maybe (A)."),
    "reasoning": ("<reasoning>\nMaybe (A).\n</reasoning>\nThe answer is (C).", "Maybe (A)."),
    "seed-oss": ("<seed:think>Maybe (A).</seed:think>The answer is (C).", "Maybe (A)."),
    "longcat": ("Maybe (A).</longcat_think>The answer is (C).", "Maybe (A)."),
    "medgemma": ("<unused94>thought\nMaybe (A).<unused95>The answer is (C).", "thought\nMaybe (A)."),
    "command a": (
        "<|START_THINKING|>Maybe (A).<|END_THINKING|><|START_RESPONSE|>The answer is (C).<|END_RESPONSE|>",
        "Maybe (A).",
    ),
    "openthinker": (
        "<|begin_of_thought|>Maybe (A).<|end_of_thought|>\n<|begin_of_solution|>The answer is (C).<|end_of_solution|>",
        "Maybe (A).",
    ),
    "apertus": ("<|inner_prefix|>Maybe (A).<|inner_suffix|>The answer is (C).", "Maybe (A)."),
    "kimi": ("\u25c1think\u25b7Maybe (A).\u25c1/think\u25b7The answer is (C).", "Maybe (A)."),
    "s1": ("<|im_start|>think\nMaybe (A).\n<|im_start|>answer\nThe answer is (C).", "Maybe (A)."),
    "apriel": ("Maybe (A).\n[BEGIN FINAL RESPONSE]\nThe answer is (C).\n[END FINAL RESPONSE]", "Maybe (A)."),
    "granite": ("Here is my thought process:\nMaybe (A).\nHere is my response:\nThe answer is (C).", "Maybe (A)."),
    "harmony, tool call": (TOOL_CALL, "Maybe (A).\n{}"),
    "harmony, beginning lost": (
        "analysis<|message|>Maybe (A).<|end|><|start|>assistant<|channel|>final<|message|>The answer is (C).",
        "analysis<|message|>Maybe (A).",
    ),
    "harmony, special tokens lost": ("analysisMaybe (A).assistantfinalThe answer is (C).", "analysisMaybe (A)."),
    "harmony, a tag in its analysis": (
        "<|channel|>analysis<|message|>A <think> tag?<|end|><|channel|>final<|message|>The answer is (C).",
        "A <think> tag?",
    ),
    "harmony inside think": (
        "<think><|channel|>final<|message|>A</think>The answer is (C).",
        "<|channel|>final<|message|>A",
    ),
    "closing tag talked about": (
        "<think>The `</think>` tag. Maybe (A).</think>The answer is (C).",
        "The `\n` tag. Maybe (A).",
    ),
}
UNCLOSED = {
    "think": "<think>The answer is (A).",
    "think after words": "Well. <think>The answer is (A).",
    "second think": "<think>One.</think><think>The answer is (A).",
    "thought": "<thought>The answer is (A).",
    "gemma 4": "<|channel>thought\nThe answer is (A).",
    "harmony": "<|channel|>analysis<|message|>The answer is (A).",
    "mistral": "[THINK]The answer is (A).",
    "command a": "<|START_THINKING|>The answer is (A).",
    "cut in the closing tag": "<think>The answer is (A).</thi",
    "after a code block": "```python\nx = 1\n```\n<think>The answer is (A).",
    "on a line of its own in a code block": "```python\nx = 1\n<think>\nThe answer is (A).",
    "harmony, cut in a channel's name": "<|channel|>analysis<|message|>The answer is (A).<|end|><|channel|>fin",
    "harmony, special tokens lost": "analysisThe answer is (A).",
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


TALKED_ABOUT = {
    "backticks": "Parsers look for `</think>` and `<think>`. The answer is (C).",
    "quotation marks": 'if text.startswith("<think>"):\n    text = text.partition("</think>")[2]',
    "code block": '```python\ntext = re.sub(r"<think>.*?</think>", "", text)  # no <think> is left\n```\nDone.',
    "harmony's channel": "A message begins with <|channel|> and its name. The answer is (C).",
    "analysis, the word": "analysis of variance is meant. The answer is (C).",
    "a first phrase of Granite's": "Here is my thought process: it floats. The answer is (C).",
    "no tag": "Let a <thinker> be [thinking] of x<think. The answer is (C).",
}


@pytest.mark.parametrize("text", TALKED_ABOUT.values(), ids=TALKED_ABOUT)
def test_what_is_only_talked_about_is_no_thinking(text: str) -> None:
    assert split_thinking(text).answer == text


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
