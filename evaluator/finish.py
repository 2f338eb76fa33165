"""How a reply ended, by the word that its server gives: a closed list, for nobody knows what a new word means."""

from typing import Literal

End = Literal["whole", "limit", "filter", "tool", "broken"]
"""whole: the model ended it; limit: the output limit or the context did; filter: a filter did; tool: it calls a tool
instead; broken: the server broke it off, or ended it by a word that is not known for any of the others."""

_WORDS: dict[End, frozenset[str]] = {
    # OpenAI and most others; llama.cpp's own (eos, word), TGI's, Anthropic's, Gemini's, Cohere's, LM Studio's.
    "whole": frozenset(
        {
            "stop",
            "eos",
            "eostoken",
            "eosfound",
            "endturn",
            "endofturn",
            "stopsequence",
            "stopstringfound",
            "word",
            "complete",
            "completed",
            "finishreasonstop",
        }
    ),
    "limit": frozenset(
        {
            "length",
            "limit",
            "maxtokens",
            "modellength",
            "maxlength",
            "maxoutputtokens",
            "tokenlimit",
            "errorlimit",
            "maxpredictedtokensreached",
            "contextlengthreached",
            "modelcontextwindowexceeded",
            "finishreasonmaxtokens",
            "incomplete",
        }
    ),
    "filter": frozenset({"contentfilter", "contentfiltered", "safety", "refusal", "prohibitedcontent", "errortoxic"}),
    "tool": frozenset({"toolcalls", "toolcall", "tooluse", "functioncall"}),
}
_BY_WORD: dict[str, End] = {word: end for end, words in _WORDS.items() for word in words}


def end_of(reason: object) -> End:
    """Say how a reply ended, whatever its server puts into the place of the reason."""
    if isinstance(reason, dict):  # SGLang's own: {"type": "stop", "matched": 106}
        reason = reason.get("type")
    if not isinstance(reason, str):
        return "broken"
    return _BY_WORD.get("".join(filter(str.isalnum, reason)).lower(), "broken")
