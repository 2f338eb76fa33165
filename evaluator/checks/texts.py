"""What is wrong with the text of replies: chat markup in the graded part, and loops."""

from collections import Counter
from collections.abc import Iterable, Sequence

from evaluator.checks.observed import records_by_part, share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.grade.outline import Reply

_MARKED = 0.01
_MARKED_BLOCK = 0.10
"""Shares of the replies. Below the first it is a slip of the model, above it a wrong setting."""
_LOOPING = 0.02
"""Share of the replies; the same as for cut-off replies, which loops become."""


def tags(given: CheckInput) -> Iterable[Finding]:
    """Find thinking tags or chat markup in the graded part of replies."""
    for (variant, benchmark), replies in _replies(given).items():
        marked = [reply.mark for reply in replies if reply.mark]
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
        count = sum(reply.loops for reply in replies)
        if count > _LOOPING * len(replies):
            rate = share(count / len(replies))
            message = f"{count} of {len(replies)} replies ({rate}) end in a loop: the same words again and again"
            evidence = {"count": count, "of": len(replies)}
            yield Finding(severity="warn", variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def _replies(given: CheckInput) -> dict[tuple[str, str], Sequence[Reply]]:
    by_part = {part: [r.reply for r in records if r.reply] for part, records in records_by_part(given).items()}
    return {part: replies for part, replies in by_part.items() if replies}


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
