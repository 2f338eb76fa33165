"""Whether a hidden limit other than max_tokens cuts the thinking."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.finish import end_of
from evaluator.grade.outline import Reply

_PILE = 5
_PILED = 0.05
"""Replies, and their share, that have one length: long replies that end by themselves vary widely in length."""
_LEAST = 256
"""Tokens. Thinking budgets are larger; answers without thoughts are shorter and often of one length."""
_CHARACTERS_A_TOKEN = 4
"""In English text."""
_NARROW = 1.05
"""Longest to shortest of a pile; wide because the tokens of thoughts are estimated from characters."""
_BEYOND = 0.01
"""Share of thoughts that may be longer than the pile at a limit: budgets are not exact to the token."""
_UNFINISHED = 0.8
"""Least share of a pile's thoughts that stop in mid-sentence, if a limit ends them."""


def hidden_budget(given: CheckInput) -> Iterable[Finding]:
    """Find lengths at which thinking seems to be cut, in replies that are not marked as cut off."""
    for variant in given.study.variants:
        limit = given.study.sampling.max_tokens
        # One reply to each question: repeats may have equal lengths because they are the same text.
        ended = {
            record.key.question_id: record.reply
            for record in given.records.get(variant.name, ())
            if record.reply
            and end_of(record.reply.finish_reason) != "limit"
            and record.reply.completion_tokens != limit
        }.values()
        pile = _at_one_length(ended) or _at_the_longest(ended)
        if pile is not None:
            count, what = pile
            message = (
                f"{count} of {len(ended)} replies that ended by themselves {what}:"
                " something other than max_tokens ends the thinking"
            )
            evidence = {"count": count, "of": len(ended)}
            yield Finding(severity="warn", variant=variant.name, message=message, evidence=evidence)


def _at_one_length(replies: Collection[Reply]) -> tuple[int, str] | None:
    """Count the long replies, or thoughts, of exactly the same length, and describe them; None where few are."""
    measures: tuple[tuple[str, Callable[[Reply], int], int], ...] = (
        ("tokens", lambda reply: reply.completion_tokens or 0, _LEAST),
        ("characters of thoughts", lambda reply: reply.reasoning, _LEAST * _CHARACTERS_A_TOKEN),
    )
    for what, measure, least in measures:
        lengths = Counter(length for reply in replies if (length := measure(reply)) >= least)
        length, count = lengths.most_common(1)[0] if lengths else (0, 0)
        if _is_pile(count, replies):
            return count, f"have exactly {length} {what}"
    return None


def _at_the_longest(replies: Collection[Reply]) -> tuple[int, str] | None:
    """Count the thoughts that stop in mid-sentence at nearly the same length, which few exceed, and describe them."""
    thoughts = sorted(
        (length, reply.is_unfinished) for reply in replies if (length := _tokens_of_thoughts(reply)) >= _LEAST
    )
    if not thoughts:
        return None
    top = thoughts[-1 - int(_BEYOND * len(thoughts))][0]
    pile = [unfinished for length, unfinished in thoughts if length >= top / _NARROW]
    others = [unfinished for length, unfinished in thoughts if length < top / _NARROW]
    if not _is_pile(len(pile), replies) or sum(pile) < _UNFINISHED * len(pile):
        return None
    if len(others) >= _PILE and sum(others) > len(others) / 2:
        return None  # this model never ends its thoughts with a full stop
    return len(pile), f"stop thinking in the middle of a sentence after about {top:.0f} tokens"


def _tokens_of_thoughts(reply: Reply) -> float:
    """Estimate the tokens of a reply's thoughts by their share of its characters."""
    if not reply.reasoning:
        return 0.0
    thought, total = reply.reasoning, reply.reasoning + reply.characters
    return (reply.completion_tokens or total / _CHARACTERS_A_TOKEN) * thought / total


def _is_pile(count: int, replies: Collection[Reply]) -> bool:
    return count >= _PILE and count > _PILED * len(replies)


RULES = (
    Rule(
        code="hidden_budget",
        stage="after",
        severity="warn",
        threat="The server cuts the thinking at a limit of its own, and does not report it.",
        signal="Five replies and above 5 % of one large length, or thoughts that stop in mid-sentence at the longest.",
        advice="Look for a thinking budget in the server's settings, and remove it or set it for all variants.",
        in_eval="Look for a thinking budget in the server's settings, and remove it.",
        find=hidden_budget,
    ),
)
