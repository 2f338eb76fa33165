"""Separate what a model thought from what it answered. What stands inside thinking is never graded.

The first closing tag ends thinking, and a closing tag that nothing opened makes all before it thinking. A tag alone in
backticks or quotation marks is talked about; so is an opening tag within a line of a code block, with its closing one.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from evaluator.loading import without_loading

_NAMES = (
    "think",
    "thinking",
    "thought",  # EXAONE Deep
    "thoughts",
    "reasoning",
    "reflection",
    "analysis",
    "scratchpad",
    "seed:think",  # Seed-OSS
    "longcat_think",  # LongCat
)
PAIRS = {f"<{name}>": f"</{name}>" for name in _NAMES} | {
    "[think]": "[/think]",  # Magistral
    "<|channel>": "<channel|>",  # Gemma 4: `<|channel>thought\n…<channel|>`; it has no other channel
    "<unused94>": "<unused95>",  # MedGemma
    "<|start_thinking|>": "<|end_thinking|>",  # Command A
    "<|begin_of_thought|>": "<|end_of_thought|>",  # Sky-T1, OpenThinker
    "<|inner_prefix|>": "<|inner_suffix|>",  # Apertus
    "<|im_start|>think": "<|im_start|>answer",  # s1
    "\u25c1think\u25b7": "\u25c1/think\u25b7",  # Kimi
}
_MEANT = {*PAIRS, *PAIRS.values(), "[begin final response]"}  # Apriel, whose prompt begins the thinking
# An alternation of literals and short bounded runs: one pass over the text, nothing to backtrack into. The first
# characters stand in front because a set of them is looked for five times faster than words in any case.
_TAG = re.compile(
    rf"[<\[\u25c1](?=[/|\w])(?i:(/?(?:{'|'.join(_NAMES)}))(?:\s[\w-]{{1,20}}=[^<>\n]{{0,40}})?\s{{0,3}}>|"
    + "|".join(re.escape(tag[1:]) for tag in sorted(_MEANT) if tag.strip("</>") not in _NAMES)
    + ")"
)
_MOST_TAGS = 20_000
"""Only a model that has lost its way writes more; where its answer begins nobody can say."""
_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)", re.MULTILINE)
_QUOTES = {"`": "`", '"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
# Special tokens around an answer; they are no part of it.
_WRAPPERS = re.compile(r"<\|(?:(?:START|END)_(?:RESPONSE|TEXT)|(?:begin|end)_of_solution)\|>|\[END FINAL RESPONSE\]")

_CHANNEL_OF_THOUGHT = "thought"
"""Name of Gemma 4's channel; with thinking off the model opens and closes it empty, which is no thinking."""
_HARMONY_CHANNEL = "<|channel|>"
_HARMONY_MESSAGE = "<|message|>"
_HARMONY_END = re.compile(r"<\|(?:end|return|call|start)\|>")
# gpt-oss where the server has dropped the special tokens: "analysisWe need …assistantfinalThe answer is …"
_LEAKED_FINAL = "assistantfinal"
_LEAKED_ANALYSIS = re.compile(r"\s{0,9}(?:assistant)?(?:analysis|commentary)(?=[A-Z\"'(])")
# Granite 3.2. Others may begin with the first phrase, too: it opens thinking only where the second one follows.
_GRANITE = re.compile(r"\s{0,9}Here(?: is|['\u2019]s) my thought process:", re.IGNORECASE)
_GRANITE_ANSWERS = re.compile(r"Here(?: is|['\u2019]s) my response:", re.IGNORECASE)


class Thought(Struct, frozen=True):
    """One reply, taken apart."""

    answer: str
    """What is graded; the text as it came when there is no thinking in it."""
    reasoning: str
    unclosed: bool
    """Thinking began and never ended: there is no answer."""


@lru_cache(maxsize=4)  # one after the other the grade, the outline and the checks ask for the same reply
def split_thinking(text: str, reasoning: str = "") -> Thought:
    """Take the thinking out of a reply, in time linear in its length.

    Args:
        text: the reply's content, with or without thinking left in it.
        reasoning: what the server separated already; comes first in the result's reasoning, without what a proxy says
            there while it loads the model.

    Returns:
        Answer and thinking apart; without an answer where the thinking never ends.
    """
    reasoning = without_loading(reasoning)
    tag = _TAG.search(text)
    channel = text.find(_HARMONY_CHANNEL)
    harmony = channel >= 0 and (tag is None or channel < tag.start())
    thought = Thought(text, reasoning, unclosed=False) if harmony or tag is None else _split_tags(text, reasoning)
    if thought.unclosed:
        return thought
    answer = thought.answer
    if _HARMONY_CHANNEL in answer and _HARMONY_MESSAGE in answer:
        return _split_harmony(answer, thought.reasoning)
    if _LEAKED_FINAL in answer or _LEAKED_ANALYSIS.match(answer):
        before, final, after = answer.rpartition(_LEAKED_FINAL)
        return Thought(after if final else "", _joined([thought.reasoning, before or after]), unclosed=not final)
    if (opened := _GRANITE.match(answer)) and (answers := _GRANITE_ANSWERS.search(answer, opened.end())):
        before = answer[opened.end() : answers.start()]
        return Thought(answer[answers.end() :].strip("\r\n"), _joined([thought.reasoning, before]), unclosed=False)
    return thought


def _split_tags(text: str, reasoning: str) -> Thought:
    answered: list[str] = []
    thought = [reasoning]
    position, tagged, inside = 0, False, False
    for number, (start, end, opens) in enumerate(_tags(text)):
        if number == _MOST_TAGS:
            return Thought("", _joined([reasoning, text]), unclosed=True)
        piece = text[position:start]
        position, tagged = end, True
        if inside:
            thought.append("" if piece.strip() == _CHANNEL_OF_THOUGHT else piece)
        elif opens:
            answered.append(piece)
        else:  # the chat template has eaten the opening tag: all that came before was thinking
            thought += [*answered, piece]
            answered.clear()
        inside = opens
    if inside:
        return Thought("", _joined([*thought, *answered, text[position:]]), unclosed=True)
    answer = "".join([*answered, text[position:]])
    # Only line ends are taken off: the indentation of a first line of code must survive.
    return Thought(_WRAPPERS.sub("", answer).strip("\r\n") if tagged else answer, _joined(thought), unclosed=False)


def _tags(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the tags that are no mere mention: where each begins and ends, and whether it opens thinking."""
    closing = mentioned = ""
    counted = fences = 0
    for tag in _TAG.finditer(text):
        kind, (start, end) = tag[0], tag.span()
        if kind not in _MEANT:
            kind = f"<{tag[1]}>".lower() if tag[1] else kind.lower()
        if closing:
            if kind != closing:
                continue  # talked about inside thinking
        elif kind not in _MEANT or (text[start - 1 : start] in _QUOTES and _is_quoted(text, start, end)):
            continue
        elif kind == mentioned:
            mentioned = ""
            continue
        elif kind in PAIRS and _is_within_line(text, start):
            fences += len(_FENCE.findall(text, counted, start))
            counted = start
            if fences % 2:
                mentioned = PAIRS[kind]
                continue
        closing, mentioned = PAIRS.get(kind, ""), ""
        counted, fences = end, 0
        yield start, end, bool(closing)


def _is_quoted(text: str, start: int, end: int) -> bool:
    return _QUOTES[text[start - 1]] == text[end : end + 1]


def _is_within_line(text: str, start: int) -> bool:
    return bool(text[max(0, start - 80) : start].rpartition("\n")[2].strip())


def _split_harmony(text: str, reasoning: str) -> Thought:
    """Take gpt-oss's channels apart: `final` is the answer, every other one is thinking."""
    before, *messages = text.split(_HARMONY_CHANNEL)
    thought = [reasoning, _HARMONY_END.split(before, maxsplit=1)[0]]
    answered: list[str] = []
    final = False
    for message in messages:
        channel, _, body = message.partition(_HARMONY_MESSAGE)  # a channel's name may be followed by a recipient
        is_final = channel.split()[:1] == ["final"]
        final = final or is_final
        (answered if is_final else thought).append(_HARMONY_END.split(body, maxsplit=1)[0])
    return Thought("\n".join(answered).strip("\r\n"), _joined(thought), unclosed=not final)


def _joined(pieces: list[str]) -> str:
    return "\n".join(piece.strip("\r\n") for piece in pieces if piece.strip())
