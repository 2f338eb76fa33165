"""One answer that was made elsewhere: decoded leniently, and made the record that a run would have written."""

import json
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import astuple

from evaluator.errors import BadLineError
from evaluator.finish import end_of, word_of
from evaluator.lenient_json import count_of, writable
from evaluator.records import Answer, Failure, Key, Question, Record
from evaluator.text import shortened

_TEXTS = ("text", "output_text")
"""Types of the parts that hold text: OpenAI's and Anthropic's, the Responses API's."""
_THOUGHTS = ("thinking", "reasoning", "summary_text", "reasoning_text", "reasoning_content", "thought", "think")
_DEEPEST = 50


class Line(Struct, frozen=True):
    """One answer as it comes in; further keys are left alone. All that is no text is read where it can be."""

    text: Any = UNSET
    """May be in parts. Null, or left out beside `reasoning`, `refusal`, `tool_calls` or `error`: none was written."""
    id: Any = UNSET
    question_id: Any = None
    task_id: Any = None
    n_options: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    finish_reason: Any = None
    done_reason: Any = None
    """Ollama's name for it."""
    stop_reason: Any = None
    """Anthropic's; vLLM has a token's number or a stop string here, beside a `finish_reason`, which says nothing."""
    completion_tokens: Any = None
    max_tokens: Any = None
    """What `completion_tokens` are held against."""
    usage: Any = None
    """May hold `completion_tokens` in place of the line."""
    error: Any = None
    """Why there is no text, where the request failed."""
    format: Any = "chat"
    """Of code: `completion` where the text goes on with the prompt."""


def decode(raw: bytes) -> Line:
    """Decode a line; as Python's json writes it too, with NaN, and with half of a character that is cut in two.

    Raises:
        BadLineError: it is no answer.
    """
    if raw.lstrip().startswith(b"["):
        raise BadLineError(
            "not an answer but a JSON array, where one object a line is wanted; jq -c '.[]' FILE > NEW makes it so"
        )
    try:
        line = _decoded(raw)
    except msgspec.ValidationError as error:
        raise BadLineError(f"not an answer ({error})") from None
    except RecursionError:
        raise BadLineError("not JSON that can be read: nested too deep") from None
    except ValueError as error:
        raise BadLineError(f"not JSON ({error})") from None
    if any(_is_deep(value) for value in astuple(line)):
        raise BadLineError("not an answer: nested too deep")
    if not _is_text(line.text):
        raise BadLineError(f"not an answer: $.text is {shown(line.text)}, and must be text")
    if line.text is UNSET and not (line.reasoning or line.error or line.refusal or line.tool_calls):
        raise BadLineError("not an answer: it has no text (null, where nothing was written)")
    return line


def _decoded(raw: bytes) -> Line:
    try:
        return msgspec.json.decode(raw, type=Line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(writable(json.loads(raw), 2 * _DEEPEST), Line)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for item in level if isinstance(item, list | dict) for inner in _items(item)]
        if not level:
            return False
    return True


def _items(value: list[Any] | dict[Any, Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _is_text(value: object) -> bool:
    """Whether the text of a line is one, or none, or in parts of known kinds."""
    if isinstance(value, list):
        return all(isinstance(part, str) or _part(part, _TEXTS) or _part(part, _THOUGHTS) for part in value if part)
    return value is None or value is UNSET or isinstance(value, str)


def record(line: Line, question: Question, repeat: int) -> Record:
    """Convert a line to the record that a run would have written."""
    key = Key(question.benchmark, question.id, repeat)
    text, ended = _text(line.text), _reason(line)
    tokens, limit = _tokens(line), count_of(line.max_tokens)
    if failure := _failure(line, text, ended):
        return Record(key=key, variant="", started="", request={}, failure=failure)
    answer = Answer(
        text=text,
        reasoning=_text(line.reasoning, (*_TEXTS, *_THOUGHTS)) or _text(line.text, _THOUGHTS),
        refusal=_text(line.refusal),
        tool_calls=_tools(line.tool_calls),
        finish_reason=word_of(ended),
        completion_tokens=tokens,
        duration_s=0,
    )
    return Record(key=key, variant="", started="", request={"max_tokens": limit} if limit else {}, answer=answer)


def _failure(line: Line, text: str, ended: object) -> Failure | None:
    """Say why a line holds no reply of a model; None where it does."""
    if line.error and not text:
        message = line.error if isinstance(line.error, str) else msgspec.json.encode(line.error).decode()
        return Failure(kind="server_error", message=f"{message:.300}")
    if ended is not None and end_of(ended) == "broken":
        word = ended if isinstance(ended, str) and ended else shown(ended)
        return Failure(kind="broken_off", message=f"the server broke the reply off ({shortened(word, 80)})")
    return None


def _reason(line: Line) -> object:
    """Return what a line says of the reply's end; None where it says nothing.

    Where two words are given, the one that is not whole counts. vLLM's `stop_reason` says nothing beside another.
    """
    given = [reason for reason in (line.finish_reason, line.done_reason) if reason is not None]
    if not given and line.stop_reason is not None and type(line.stop_reason) is not int:
        given = [line.stop_reason]
    given = [reason for reason in given if reason != ""] or given
    return next((reason for reason in given if end_of(reason) != "whole"), given[0] if given else None)


def _text(value: object, kinds: Collection[str] = _TEXTS) -> str:
    """Read a text, whole or in parts (`{"type": "text", "text": "..."}`) of these kinds."""
    if isinstance(value, str):
        return value
    return "".join(_part(part, kinds) for part in (value if isinstance(value, list) else [value]))


def _part(part: object, kinds: Collection[str]) -> str:
    if isinstance(part, str):
        return part if "text" in kinds else ""
    if not isinstance(part, dict) or part.get("type", "text") not in kinds:
        return ""
    inner = next((part[name] for name in ("text", "content", *_THOUGHTS) if part.get(name)), "")
    if isinstance(inner, list | dict):  # OpenAI's Assistants: {"value": "..."}; Mistral's thoughts: parts again
        first = inner if isinstance(inner, dict) else next(filter(lambda one: isinstance(one, dict), inner), {})
        inner = first.get("value", first.get("text"))
    return inner if isinstance(inner, str) else ""


def _tools(calls: object) -> tuple[str, ...]:
    """Return the names of the functions that were called."""
    if not isinstance(calls, list):
        return ()
    functions = [call.get("function", call) if isinstance(call, dict) else call for call in calls]
    return tuple(str(f.get("name", "?")) if isinstance(f, dict) else str(f) for f in functions)


def _tokens(line: Line) -> int | None:
    usage = line.usage if isinstance(line.usage, dict) else {}
    given = (line.completion_tokens, usage.get("completion_tokens"), usage.get("output_tokens"))
    return next((count for value in given if (count := count_of(value)) is not None), None)


def shown(value: object) -> str:
    """Write a value as Python would, cut to a bearable length."""
    return f"{value!r:.80}"
