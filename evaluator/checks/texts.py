"""What is wrong with the text of replies: chat markup in the graded part, and loops."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

from evaluator.checks.observed import records_by_part, share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.grade.thinking import PAIRS, split_thinking
from evaluator.records import Answer

_TEMPLATE_MARKS = (
    *("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|turn>", "<turn|>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|endoftext|>", "<|assistant|>", "<|user|>", "<|system|>"),
    *("<|channel|>", "<|message|>", "[INST]", "[/INST]"),
)
# The character set comes first because it is fast; a tag behind a quote is only mentioned, and does not count.
_MARK = re.compile(
    r"[<\[\u25c1](?<![`\"'].)(?i:"
    + "|".join(re.escape(mark[1:]) for mark in sorted({*PAIRS, *PAIRS.values(), *_TEMPLATE_MARKS}))
    + ")"
)
_MARKED = 0.01
_MARKED_BLOCK = 0.10
"""Shares of the replies. Below the first it is a slip of the model, above it a wrong setting."""
_LONG = 1_000
_TAIL = 4_096
_LOOP = 6.0
"""Compression ratio (deflate) of the end of a long text.

Measured: MMLU-Pro's prompts 2.0 to 3.5, whole replies of the demo at most 2.8, source code below 6 in 98 of 100 pieces
(scipy's), replies of a damaged model that end in a loop 6 to 84.
"""
_PIECE, _PIECES = 24, (32, 96, 160, 224)
"""Characters: the length of samples of a text's end, and how far from the end they begin."""
_LOOPING = 0.02
"""Share of the replies; the same as for cut-off replies, which loops become."""


def tags(given: CheckInput) -> Iterable[Finding]:
    """Find thinking tags or chat markup in the graded part of replies."""
    for (variant, benchmark), replies in _replies(given).items():
        marked = [mark[0] for reply in replies if (mark := _mark(reply))]
        rate = len(marked) / len(replies)
        if rate > _MARKED:
            most = Counter(marked).most_common(1)[0][0]
            message = (
                f"the graded part of {len(marked)} of {len(replies)} replies contains thinking tags or chat markup,"
                f" most often {most}"
            )
            severity: Severity = "block" if rate > _MARKED_BLOCK else "warn"
            evidence = {"count": len(marked), "of": len(replies), "marks": dict(Counter(marked).most_common(5))}
            yield Finding(severity=severity, variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def loops(given: CheckInput) -> Iterable[Finding]:
    """Find variants that repeat themselves endlessly."""
    for (variant, benchmark), replies in _replies(given).items():
        count = sum(map(_loops, replies))
        if count > _LOOPING * len(replies):
            rate = share(count / len(replies))
            message = f"{count} of {len(replies)} replies ({rate}) end in a loop: the same words again and again"
            evidence = {"count": count, "of": len(replies)}
            yield Finding(severity="warn", variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def _replies(given: CheckInput) -> dict[tuple[str, str], Sequence[Answer]]:
    by_part = {part: [r.answer for r in records if r.answer] for part, records in records_by_part(given).items()}
    return {part: replies for part, replies in by_part.items() if replies}


def _mark(reply: Answer) -> re.Match[str] | None:
    # The whole text is searched first, which is fast: splitting off the thinking is needed only where it has a mark.
    if "<" not in reply.text and "[" not in reply.text and "\u25c1" not in reply.text:
        return None
    return _MARK.search(split_thinking(reply.text, reply.reasoning).answer) if _MARK.search(reply.text) else None


def _loops(reply: Answer) -> bool:
    return any(_is_loop(text) for text in (reply.text, reply.reasoning))


def _is_loop(text: str) -> bool:
    if len(text) < _LONG:
        return False
    last = text[-_TAIL:]
    # A loop repeats its samples; searching for them takes a tenth of the time that compressing does.
    if not any(last.find(last[-at : _PIECE - at], 0, -at) >= 0 for at in _PIECES):
        return False
    end = last.encode(errors="replace")
    return len(end) > _LOOP * len(zlib.compress(end, 1))


RULES = (
    Rule(
        code="tags",
        stage="after",
        severity="warn; block above 10 %",
        threat="Thinking or chat markup is graded as an answer.",
        signal="Thinking tags or chat markup in what remains without the thinking, in over 1 % of the replies.",
        advice="Start the server with its parser for thinking and the model's own chat template.",
        find=tags,
    ),
    Rule(
        code="loops",
        stage="after",
        severity="warn",
        threat="The model repeats itself until it is cut off, because of greedy decoding or damaged weights.",
        signal="Ends of long texts that deflate compresses more than sixfold, in over 2 % of the replies.",
        advice="Try the sampling that the model's makers recommend, for all variants.",
        in_eval="Try the sampling that the model's makers recommend, as with --temperature and --top-p.",
        find=loops,
    ),
)
