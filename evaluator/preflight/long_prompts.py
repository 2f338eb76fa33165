"""Long prompts: does a server take what the study needs, whole, and does the beginning reach the model?

They are not streamed: some servers count nothing in a stream.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from evaluator.finish import end_of
from evaluator.grade.thinking import split_thinking
from evaluator.preflight.prompts import CAP, PART, RECALL, REMEMBER, SPARE, WORD
from evaluator.preflight.trial import GREEDY, ONE, SHOWN, Trial, all_text
from evaluator.records import Answer, Failure
from evaluator.store.proofs import Length
from evaluator.study.requests import Ask, characters, context_needed
from evaluator.text import shortened

_MOST_CHARACTERS_A_TOKEN = 6
"""English runs to four."""
_FEW, _MORE = 4, 12
"""Parts of two short prompts, from which the tokens of a part are known."""
_A_PART = 16.0
"""Tokens of a part where the server counts nothing."""
_LOST = ("dropped", "overloaded", "timeout", "garbled")
"""Failures that say nothing of the prompt's length."""
_RECALL = replace(GREEDY, max_tokens=32)


async def tokens_needed(trial: Trial, asks: Sequence[Ask]) -> int:
    """Count the tokens of context that the study needs, by its longest prompt; estimate them where nobody counts.

    Raises:
        ServerError: The server is gone.
    """
    longest = max(asks, key=lambda ask: characters(ask.question.prompt))
    outcome = await trial.put(trial.request_for(longest.question.prompt, ONE, stream=False))
    if not isinstance(outcome, Answer) or outcome.prompt_tokens is None:
        return context_needed(tuple(asks))
    # A server that cuts prompts, or counts only what was not in its cache, would make it too little.
    least = characters(longest.question.prompt) // _MOST_CHARACTERS_A_TOKEN
    return max(outcome.prompt_tokens, least) + longest.sampling.max_tokens


async def lengths(trial: Trial, needed: int) -> tuple[tuple[Length, ...], bool | None]:
    """Put prompts of growing length that begin and end alike, and let the middle one be answered.

    Args:
        trial: Whose server it is.
        needed: Tokens of context that the study needs.

    Returns:
        What the server counted; and whether the word came back, None where that is unknown.

    Raises:
        ServerError: The server is gone.
    """
    short, counts = await _quarter(trial, min(needed, CAP) - SPARE)
    sizes = ((short, ONE), (2 * short, _RECALL), (4 * short, ONE))
    replies = [
        (parts, await trial.put(trial.request_for(_text(parts), sampling, stream=False))) for parts, sampling in sizes
    ]
    asked = replies[1][1]
    found = [_length(trial, *one) for one in replies]
    if not counts:
        found = [replace(length, prompt_tokens=None) if length else None for length in found]
    return tuple(length for length in found if length), _recalled(asked) if isinstance(asked, Answer) else None


async def _quarter(trial: Trial, tokens: int) -> tuple[int, bool]:
    """Say how many parts take a quarter of so many tokens, and whether the server counts a prompt's tokens at all."""
    what = "Counting the tokens of a short prompt"
    few, more = await trial.ask_all([(_text(parts), ONE) for parts in (_FEW, _MORE)], what, stream=False)
    each, around = _A_PART, 0.0
    if few and more and few.prompt_tokens and more.prompt_tokens and more.prompt_tokens > few.prompt_tokens:
        each = (more.prompt_tokens - few.prompt_tokens) / (_MORE - _FEW)
        around = few.prompt_tokens - _FEW * each
    counts = around != 0 or each != _A_PART
    return max(1, int((tokens - around) / each / 4)), counts


def _length(trial: Trial, parts: int, outcome: Answer | Failure) -> Length | None:
    if isinstance(outcome, Answer):
        return Length(parts=parts, prompt_tokens=outcome.prompt_tokens)
    if outcome.kind in _LOST:
        trial.fail("A long prompt", outcome)
        return None
    return Length(parts=parts, prompt_tokens=None, refused=shortened(outcome.message, SHOWN))


def _text(parts: int) -> str:
    return REMEMBER + PART * parts + RECALL


def _recalled(answer: Answer) -> bool | None:
    """Whether the word came; a reply that was cut off while it still thought tells nothing."""
    if WORD in all_text(answer).lower():
        return True
    apart = split_thinking(answer.text, answer.reasoning)
    return None if end_of(answer.finish_reason) == "limit" and not apart.answer.strip() else False
