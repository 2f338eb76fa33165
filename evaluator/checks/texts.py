"""What stands in the texts: marks in what is graded, and loops."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

from evaluator.checks.observed import parts, share
from evaluator.checks.rule import CheckInput, Found, Rule, Severity
from evaluator.grade.thinking import PAIRS, split_thinking
from evaluator.records import Answer

_TEMPLATE_MARKS = (
    *("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|turn>", "<turn|>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|endoftext|>", "<|assistant|>", "<|user|>", "<|system|>"),
    *("<|channel|>", "<|message|>", "[INST]", "[/INST]"),
)
# First a set of characters, which is looked for fast; then that the mark is not in quotes, where it is talked about.
_MARK = re.compile(
    r"[<\[\u25c1](?<![`\"'].)(?i:"
    + "|".join(re.escape(mark[1:]) for mark in sorted({*PAIRS, *PAIRS.values(), *_TEMPLATE_MARKS}))
    + ")"
)
_MARKED = 0.01
_MARKED_BLOCK = 0.10
"""Of the replies. Below the first it is the model's slip: in each hundredth it is how something is set."""
_LONG = 1_000
_TAIL = 4_096
_LOOP = 6.0
"""Times that deflate makes the end of a long text smaller.

Measured: MMLU-Pro's prompts 2.0 to 3.5, whole replies of the demo at most 2.8, source code below 6 in 98 of 100 pieces
(scipy's), replies of a damaged model that end in a loop 6 to 84.
"""
_PIECE, _PIECES = 24, (32, 96, 160, 224)
"""Characters: the length of pieces of a text's end, and how far from the end they begin."""
_LOOPING = 0.02
"""Of the replies: as for replies that are cut off, which loops end as."""


def tags(given: CheckInput) -> Iterable[Found]:
    """Find marks of thinking or of the chat template in what is graded."""
    for (variant, benchmark), replies in _replies(given).items():
        marked = [mark[0] for reply in replies if (mark := _mark(reply))]
        rate = len(marked) / len(replies)
        if rate > _MARKED:
            most = Counter(marked).most_common(1)[0][0]
            message = (
                f"what is graded holds marks of thinking or of the chat template in {len(marked)} of {len(replies)}"
                f" replies, most often {most}"
            )
            severity: Severity = "block" if rate > _MARKED_BLOCK else "warn"
            evidence = {"count": len(marked), "of": len(replies), "marks": dict(Counter(marked).most_common(5))}
            yield Found(severity=severity, variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def loops(given: CheckInput) -> Iterable[Found]:
    """Find variants that repeat themselves without an end."""
    for (variant, benchmark), replies in _replies(given).items():
        count = sum(map(_loops, replies))
        if count > _LOOPING * len(replies):
            rate = share(count / len(replies))
            message = f"{count} of {len(replies)} replies ({rate}) end in a loop: the same words again and again"
            evidence = {"count": count, "of": len(replies)}
            yield Found(severity="warn", variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def _replies(given: CheckInput) -> dict[tuple[str, str], Sequence[Answer]]:
    by_part = {part: [r.answer for r in records if r.answer] for part, records in parts(given).items()}
    return {part: replies for part, replies in by_part.items() if replies}


def _mark(reply: Answer) -> re.Match[str] | None:
    # The whole text is looked at first: a mark that is not there is not in a part of it either.
    if "<" not in reply.text and "[" not in reply.text and "\u25c1" not in reply.text:
        return None
    return _MARK.search(split_thinking(reply.text, reply.reasoning).answer) if _MARK.search(reply.text) else None


def _loops(reply: Answer) -> bool:
    return any(_is_loop(text) for text in (reply.text, reply.reasoning))


def _is_loop(text: str) -> bool:
    if len(text) < _LONG:
        return False
    last = text[-_TAIL:]
    # What comes round again came before: looking for it costs a tenth of what deflate takes, and is seldom in vain.
    if not any(last.find(last[-at : _PIECE - at], 0, -at) >= 0 for at in _PIECES):
        return False
    end = last.encode(errors="replace")
    return len(end) > _LOOP * len(zlib.compress(end, 1))


RULES = (
    Rule(
        code="tags",
        stage="after",
        severity="warn; block above 10 %",
        threat="Thoughts or chat markup are graded as an answer.",
        signal="Marks of thinking or of a chat template in what is left when thinking is taken out, above 1 %.",
        advice="Start the server with its parser for thinking and the model's own chat template.",
        find=tags,
    ),
    Rule(
        code="loops",
        stage="after",
        severity="warn",
        threat="The model repeats itself until it is cut off, by greedy drawing or by damage.",
        signal="Ends of long texts that deflate makes six times smaller, above 2 % of the replies.",
        advice="Try the sampling that the model's makers recommend, for all variants alike.",
        find=loops,
    ),
)
