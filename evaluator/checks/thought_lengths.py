"""Whether something other than max_tokens ends the thinking, and calls that an end."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from evaluator.checks.rule import CheckInput, Found, Rule
from evaluator.records import Answer

_PILE = 5
_PILED = 0.05
"""Replies, and their share, that have one length: long ones that end by themselves do so at hundreds of different."""
_LEAST = 256
"""Tokens. Budgets are larger, and answers without thoughts are shorter and often alike."""
_CHARACTERS_A_TOKEN = 4
"""Of English."""
_NARROW = 1.05
"""From the shortest to the longest of a pile: thoughts are told from answers by their share of the characters only."""
_BEYOND = 0.01
"""Of the thoughts that are longer than a pile at a limit: budgets are not kept to the token."""
_UNFINISHED = 0.8
"""Of the thoughts of a pile, which stop in the middle of a sentence where a limit ends them."""
_FINISHED = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f)\]}>\"'`*$]\s*\Z")


def hidden_budget(given: CheckInput) -> Iterable[Found]:
    """Find lengths at which thinking seems to be cut, in replies that look as if they had ended by themselves."""
    for variant in given.study.variants:
        limit = given.study.sampling.max_tokens
        # Of each question one reply: drawn greedily, another one is as long.
        ended = {
            record.key.question_id: record.answer
            for record in given.records.get(variant.name, ())
            if record.answer and record.answer.finish_reason != "length" and record.answer.completion_tokens != limit
        }.values()
        pile = _at_one_length(ended) or _at_the_longest(ended)
        if pile is not None:
            count, what = pile
            message = (
                f"{count} of {len(ended)} replies that ended by themselves {what}:"
                " something other than max_tokens ends the thinking"
            )
            evidence = {"count": count, "of": len(ended)}
            yield Found(severity="warn", variant=variant.name, message=message, evidence=evidence)


def _at_one_length(replies: Collection[Answer]) -> tuple[int, str] | None:
    """Give how many long replies, or thoughts, have exactly the same length, and say so; None where few do."""
    measures: tuple[tuple[str, Callable[[Answer], int], int], ...] = (
        ("tokens", lambda reply: reply.completion_tokens or 0, _LEAST),
        ("characters of thoughts", lambda reply: len(reply.reasoning), _LEAST * _CHARACTERS_A_TOKEN),
    )
    for what, measure, least in measures:
        lengths = Counter(length for reply in replies if (length := measure(reply)) >= least)
        length, count = lengths.most_common(1)[0] if lengths else (0, 0)
        if _is_pile(count, replies):
            return count, f"have exactly {length} {what}"
    return None


def _at_the_longest(replies: Collection[Answer]) -> tuple[int, str] | None:
    """Give how many thoughts stop in the middle of a sentence at nearly the same length, which few exceed."""
    thoughts = sorted(
        (length, not _FINISHED.search(reply.reasoning[-20:]))
        for reply in replies
        if (length := _tokens_of_thoughts(reply)) >= _LEAST
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


def _tokens_of_thoughts(reply: Answer) -> float:
    """Estimate the tokens of a reply's thoughts by their share of its characters."""
    if not reply.reasoning:
        return 0.0
    thought, all_of_it = len(reply.reasoning), len(reply.reasoning) + len(reply.text)
    return (reply.completion_tokens or all_of_it / _CHARACTERS_A_TOKEN) * thought / all_of_it


def _is_pile(count: int, replies: Collection[Answer]) -> bool:
    return count >= _PILE and count > _PILED * len(replies)


RULES = (
    Rule(
        code="hidden_budget",
        stage="after",
        severity="warn",
        threat="The server ends the thinking at a limit of its own, and calls that an end.",
        signal="Five replies and above 5 % of one large length, or thoughts that stop in mid-sentence at the longest.",
        advice="Look for a thinking budget in the server's settings, and take it away or declare it for all variants.",
        find=hidden_budget,
    ),
)
