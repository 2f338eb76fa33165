"""Find out whether a server reports an error, and what it says of it: no two write it alike."""

import re
from typing import Any

import httpx2

from evaluator.ask.reply import Choice, Reply
from evaluator.lenient_json import read_json
from evaluator.records import Failure, FailureKind
from evaluator.text import one_line

_SHOWN = 500
"""Characters of what a server says."""
_LOOKED_AT = 8000
_DEEPEST = 8
_FAILED = ("error", "fail", "exception", "abort")
_FINE = ("0", "200", "ok", "success", "succeeded")
_REASONS = ("error", "errors", "err", "message", "msg", "error_message", "error_msg", "err_msg", "detail", "details")
_REASONS_TOO = ("reason", "description", "error_description", "title", "type", "status", "code", "error_code")
"""Looked at where there is none of the others."""
_TAGS = re.compile(r"<(script|style)\b[^<]*</\1>|<[^<>]*>", re.IGNORECASE)
_RUNS = re.compile(r"(\S)\1{19,}")
"""Of one character: brackets of a reply that is nested deeply."""

KINDS: dict[int, FailureKind] = {
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
    408: "overloaded",
    429: "overloaded",
    503: "overloaded",
}
"""By HTTP status."""


def is_error(reply: Reply, choice: Choice | None, data: bytes) -> bool:
    """Whether a reply, or a chunk, that came with status 200 reports an error.

    Args:
        reply: As decoded.
        choice: The one of its choices that is read.
        data: What it was decoded from.
    """
    if (reply.error is not None and _holds_anything(reply.error)) or reply.object == "error":
        return True
    if reply.status is not None and names_failure(reply.status):
        return True
    if choice is not None:
        piece = choice.piece
        return (choice.error is not None or piece.error is not None) and (
            _holds_anything(choice.error) or _holds_anything(piece.error)
        )
    return not reply.choices and _reports_error(read_json(data))


def after_200(data: bytes) -> Failure:
    """Make a Failure of an error that came when the headers were sent already."""
    return Failure(kind="server_error", message=words_of(data), status=200)


def refusal(status: int, body: bytes) -> Failure:
    """Make a Failure of a reply with another status than 200."""
    kind = KINDS.get(status, "server_error" if status >= httpx2.codes.INTERNAL_SERVER_ERROR else "bad_request")
    return Failure(kind=kind, status=status, message=f"HTTP {status}: {words_of(body)}")


def words_of(data: bytes) -> str:
    """Give the reason in what a server sent, in one line: its own words, or the beginning of what they stand in."""
    try:
        reason = _words(read_json(data))
    except (ValueError, RecursionError):
        reason = ""
    return excerpt(reason) or excerpt(data) or "no reason given"


def excerpt(text: str | bytes) -> str:
    """Give the beginning of a text, harmless and in one line, a page's tags left out."""
    start = text[:_LOOKED_AT]
    line = start.decode(errors="replace") if isinstance(start, bytes) else start
    line = _TAGS.sub(" ", line) if line.lstrip().startswith("<") else line
    line = line.encode(errors="replace").decode()  # halves of characters
    return one_line(_RUNS.sub(r"\1\1\1…", line))[:_SHOWN].strip()


def _reports_error(body: Any) -> bool:  # noqa: ANN401 - JSON
    """Look at an object that holds no answer."""
    if not isinstance(body, dict):
        return False
    kinds = (body.get("object"), body.get("type"))
    if _holds_anything(body.get("errors")) or body.get("success") is False or any(map(names_failure, kinds)):
        return True
    codes = [body.get(name) for name in ("code", "status", "status_code", "error_code")]
    if any(400 <= float(code) < 600 for code in map(str, codes) if code.isdecimal()):
        return True
    fine = body.get("success") is True or any(str(code).lower() in _FINE for code in codes)
    return not fine and any(_holds_anything(body.get(name)) for name in _REASONS)


def _words(value: Any, depth: int = 0) -> str:  # noqa: ANN401 - servers put text, objects or numbers here
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value).strip()
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item, depth + 1) for item in value[:5])))
    return _words_of_object(value, depth + 1) if isinstance(value, dict) else ""


def _words_of_object(value: dict[str, Any], depth: int) -> str:
    words = [_words(value.get(name), depth) for name in _REASONS]
    if not any(words):
        words = [next(filter(None, (_words(value.get(name), depth) for name in _REASONS_TOO)), "")]
    if not any(words):
        words = _words_of_choices(value.get("choices"), depth)
    reason = ": ".join(dict.fromkeys(filter(None, words)))
    place = value.get("loc")  # FastAPI's: which field of the request is wrong
    return f"{reason} ({'.'.join(map(str, place[:5]))})" if isinstance(place, list) and place else reason


def _words_of_choices(choices: Any, depth: int) -> list[str]:  # noqa: ANN401 - JSON
    objects = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    parts = [part for choice in objects for part in (choice, choice.get("delta"), choice.get("message"))]
    return [_words(part.get("error"), depth) for part in parts if isinstance(part, dict)]


def _holds_anything(error: Any) -> bool:  # noqa: ANN401 - JSON
    return any(error.values()) if isinstance(error, dict) else bool(error)


def names_failure(word: object) -> bool:
    """Whether a word, such as the name of an event or a status, says that something failed."""
    return isinstance(word, str) and any(part in word.lower() for part in _FAILED)
