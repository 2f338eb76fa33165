"""How a reply ended, by the word that its server gives: a closed list, for nobody knows what a new word means."""

import re
from functools import lru_cache
from typing import Literal

End = Literal["whole", "limit", "filter", "tool", "broken"]
"""whole: the model ended it; limit: the output limit or the context did; filter: a filter did; tool: it calls a tool
instead; broken: the server broke it off, or ended it by a word that is not known for any of the others."""

WORDS: dict[End, tuple[str, ...]] = {
    "whole": (
        *("stop", "eos", "eos_token", "stop_sequence", "end_turn"),  # OpenAI and most; llama.cpp; TGI; Anthropic
        *("word", "eosFound", "stopStringFound", "COMPLETE", "completed"),  # llama.cpp; LM Studio; Cohere; Responses
        *("end_of_turn", "end_of_text", "endoftext", "eot"),  # Aleph Alpha, SambaNova, AI21
        *("stop_token", "stop_string", "stop_word", "stop_criteria_met", "finished", "normal"),  # Exllama, Titan, Ernie
    ),
    "limit": (
        *("length", "limit", "max_tokens", "max_length", "model_length"),  # OpenAI; llama.cpp; Anthropic; Mistral
        *("MAX_TOKENS", "max_output_tokens", "incomplete", "token_limit"),  # Gemini, Cohere; Responses; watsonx
        *("maxPredictedTokensReached", "contextLengthReached"),  # LM Studio
        *("max_new_tokens", "max_completion_tokens", "maximum_tokens", "max_len"),  # Exllama, Aleph Alpha, xAI
        *("ERROR_LIMIT", "model_context_window_exceeded", "context", "max_context"),  # Cohere; Anthropic; Reka; xAI
    ),
    "filter": (
        *("content_filter", "content_filtered", "refusal", "sensitive"),  # OpenAI, Azure; Bedrock; Anthropic; Zhipu
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),  # Gemini
        *("ERROR_TOXIC", "guardrail_intervened"),  # Cohere; Bedrock
    ),
    "tool": ("tool_calls", "tool_call", "tool_use", "function_call", "toolCalls"),
}
_CONTEXT = (
    "model_length",
    "contextLengthReached",
    "ERROR_LIMIT",
    "model_context_window_exceeded",
    "context",
    "max_context",
)
_KIND_IN_FRONT = re.compile(r"\A(?:finish|stop|done)?reason")
"""As enumerations are written out: `FinishReason.STOP`, `FINISH_REASON_STOP`, `REASON_STOP`."""


def _plain(word: str) -> str:
    """Take a word without its case, its marks and the kind in front of it: Gemini's `MAX_TOKENS` is `maxtokens`."""
    return _KIND_IN_FRONT.sub("", "".join(filter(str.isalnum, word)).lower(), count=1)


_BY_WORD: dict[str, End] = {_plain(word): end for end, words in WORDS.items() for word in words}
_OF_CONTEXT = frozenset(map(_plain, _CONTEXT))


def end_of(reason: object) -> End:
    """Say how a reply ended, whatever its server puts into the place of the reason."""
    word = word_of(reason)
    return "broken" if word is None else _end_of_word(word)


@lru_cache(maxsize=256)
def _end_of_word(word: str) -> End:
    return _BY_WORD.get(_plain(word), "broken")


def word_of(reason: object) -> str | None:
    """Return the word of a reason; None where it has none. SGLang has its own: `{"type": "stop", "matched": 106}`."""
    if isinstance(reason, str):
        return reason
    word = reason.get("type") if isinstance(reason, dict) else None
    return word if isinstance(word, str) else None


def names_context(reason: object) -> bool:
    """Whether a server's word says that the context was full, which no larger output limit mends."""
    word = word_of(reason)
    return word is not None and _is_of_context(word)


@lru_cache(maxsize=256)
def _is_of_context(word: str) -> bool:
    return _plain(word) in _OF_CONTEXT
