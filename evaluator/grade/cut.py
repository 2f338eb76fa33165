"""Whether a reply was cut off: its server's word, the tokens counted, and where these disagree the reply's own end."""

from typing import NamedTuple

from evaluator.finish import end_of, names_context
from evaluator.grade.kinds import KINDS
from evaluator.records import Answer, Outcome, Question, Record, limit_of

_REACHED = 0.9
"""Of the limit: with fewer tokens something else has ended the reply."""
_TELLING = 16
"""Tokens. With a smaller limit a whole reply ends right at it often enough by chance."""

_CHARACTERS = 16
"""Of a token, at most, over a whole reply: with more of them something was not counted."""


class Cut(NamedTuple):
    """A reply counts as cut off."""

    why: str
    unless_right: bool = False
    """Its text may be whole, which only its tests can tell."""
    outcome: Outcome = "truncated"


def cut(answer: Answer, limit: int | None, text: str, question: Question) -> Cut | None:
    """Say whether a reply counts as cut off, and why.

    Args:
        answer: the reply; its server did not break it off.
        limit: tokens that it was allowed; None where that is not known.
        text: its text without the thinking.
        question: what it answers.
    """
    end = "whole" if answer.finish_reason is None else end_of(answer.finish_reason)
    if end == "filter":
        return _by_filter(text, question)
    if end not in {"whole", "limit"} or KINDS[question.kind].survives_limit(text, question):
        return None
    if end == "limit" and names_context(answer.finish_reason):
        return Cut("the context was full")
    count = tokens_counted(answer)
    if count is None or limit is None:
        return Cut("the output limit cut the reply") if end == "limit" else None
    return _by_count(count, limit, text, question, says_limit=end == "limit")


def _by_filter(text: str, question: Question) -> Cut | None:
    """Say whether a filter cut a text off: it may also have looked at a whole one, and then ended the reply."""
    whole = not text.strip() or KINDS[question.kind].ends_by_itself(text, question)
    return None if whole else Cut("a filter cut the reply off", unless_right=whole is None, outcome="refused")


def _by_count(count: int, limit: int, text: str, question: Question, *, says_limit: bool) -> Cut | None:
    """Hold what the server says of a limit against its count of tokens; the text decides where the two disagree."""
    if says_limit and not ends_early(count, limit):
        return Cut("the output limit cut the reply")
    if not says_limit and (count < limit - 1 or limit < _TELLING):
        return None
    whole = (says_limit or count > limit) and KINDS[question.kind].ends_by_itself(text, question)
    if whole:
        return None
    if says_limit:
        tokens = f"{count:,} token{'' if count == 1 else 's'}"
        why = f"cut after {tokens} although {limit:,} were allowed: the server's own limit"
    else:
        why = f"cut off: it has {count:,} of the {limit:,} tokens allowed, whatever the server says"
    return Cut(why, unless_right=whole is None)


def tokens_counted(answer: Answer) -> int | None:
    """Return the tokens of a reply; None where nobody counted, or not all: some servers leave the thoughts out."""
    count = answer.completion_tokens
    if count is None or len(answer.text) + len(answer.reasoning) > _CHARACTERS * count:
        return None
    return count


def ends_early(count: int | None, limit: int | None) -> bool:
    """Whether a reply has far fewer tokens than it was allowed, so that a larger limit would change nothing."""
    return count is not None and limit is not None and count < _REACHED * limit


def more_tokens_help(record: Record) -> bool:
    """Whether a larger output limit can change how a reply ended."""
    answer = record.answer
    if answer is None or names_context(answer.finish_reason):
        return False
    return not ends_early(tokens_counted(answer), limit_of(record.request))
