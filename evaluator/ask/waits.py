"""Whether a refusal means that asking later helps: the model loads, too many ask at once, or it is too soon."""

import re
from typing import Literal

from evaluator.records import Failure

Wait = Literal["loading", "busy", "early"]
"""Of `early` the server said after how long to come back."""

_BUSY_STATUSES = (429, 503, 529)
_TOO_MANY_REQUESTS = 429
# llama.cpp "Loading model", text-generation-inference and vLLM in front of it "is currently loading", "starting"
_LOADING = re.compile(
    r"\bloading\b|\b(is|are|still|currently) (starting|initiali[sz]ing|warming)|\b(starting|warming) up\b"
    r"|\bnot (yet )?(ready|loaded)\b",
    re.IGNORECASE,
)
# KoboldCpp, Ollama, SGLang, llama.cpp of 2024, text-generation-inference
_BUSY = re.compile(
    r"\bbusy\b|overloaded|too many (\w+ )?requests|pending requests|queue (is )?full|full queue"
    r"|\bno (\w+ )?slots?\b|slots? (is |are )?(un|not )available|at capacity|rate.?limit",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"\b(fail(ed|s|ure)?|errors?|cannot|can't|could not|unable|terminated|crash\w*|no healthy)\b", re.IGNORECASE
)


def reason_to_wait(failure: Failure) -> Wait | None:
    """Say why asking later would help; None where it is a failure like others."""
    # What breaks off a reply that had begun is none: it could begin, and break off, for ever.
    if failure.kind not in ("overloaded", "server_error") or failure.status in (None, 200):
        return None
    broken = _BROKEN.search(failure.message)
    if not broken and _LOADING.search(failure.message):
        return "loading"
    # Too many in a minute, and not at once: fewer at a time would not help.
    if failure.status == _TOO_MANY_REQUESTS and failure.retry_after is not None:
        return "early"
    if _BUSY.search(failure.message) or (failure.status in _BUSY_STATUSES and not broken):
        return "busy"
    return None if failure.retry_after is None else "early"
