"""Read a message: its text, its thoughts, a refusal, the tools that it calls, in every form that servers use.

The text is the answer, so it is read strictly; the rest is read where it can be.
"""

from typing import Any, Literal

from evaluator.ask.reply import Choice, Piece

_DEEPEST = 8
"""Lists and objects in each other; real ones have three."""
_TEXTS = frozenset({"text", "output_text", "input_text", "text_delta"})
_THOUGHTS = frozenset(
    {"thinking", "reasoning", "reasoning_content", "thought", "think", "reasoning_text", "summary_text"}
)

_UNKNOWN = "its content is neither a text nor a list of parts of a known form"
_Field = Literal["text", "thought", "refusal"]

Message = tuple[str, str, str, tuple[str, ...]]
"""Text, thoughts, refusal, names of tools."""


def read_message(choice: Choice) -> Message:
    """Read a message, or a part of one.

    Raises:
        ValueError: The text is of no known form.
    """
    piece = choice.piece
    content = choice.text if piece.content is None else piece.content
    thought = piece.reasoning_content or piece.reasoning or piece.thinking or piece.reasoning_details
    if piece.refusal is None and piece.tool_calls is None and piece.function_call is None:
        if thought is None and isinstance(content, str):  # as a rule
            return content, "", "", ()
        if content is None and isinstance(thought, str):
            return "", thought, "", ()
    text, inner, refusal = _parts(content)
    # The same thought may stand in two fields.
    fields = (piece.reasoning_content, piece.reasoning, piece.thinking, piece.reasoning_details)
    return (
        text,
        next(filter(None, map(text_of, fields)), inner),
        text_of(piece.refusal) or refusal,
        _tools(piece),
    )


def text_of(value: Any, depth: int = 0) -> str:  # noqa: ANN401 - JSON
    """Find the text in a side field of any form; empty where there is none."""
    if isinstance(value, str):
        return value
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(text_of(item, depth + 1) for item in value)
    if isinstance(value, dict):
        names = ("text", "content", "thinking", "reasoning", "reasoning_content", "summary", "refusal")
        return next(filter(None, (text_of(value.get(name), depth + 1) for name in names)), "")
    return ""


def _parts(content: Any) -> tuple[str, str, str]:  # noqa: ANN401 - JSON
    """Read a content that may be a list of parts: its text, its thoughts, its refusal."""
    if content is None or isinstance(content, str):
        return content or "", "", ""
    texts: dict[_Field, list[str]] = {"text": [], "thought": [], "refusal": []}
    for part in content if isinstance(content, list) else [content]:
        field, text = _part(part)
        texts[field].append(text)
    return "".join(texts["text"]), "".join(texts["thought"]), "".join(texts["refusal"])


def _part(part: Any) -> tuple[_Field, str]:  # noqa: ANN401 - JSON
    """Read one part: what it belongs to, and its text; what holds no text, such as a picture, has an empty one."""
    if part is None or isinstance(part, str):
        return "text", part or ""
    kind = (part.get("type") or "text") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise ValueError(_UNKNOWN)  # noqa: TRY004 - as of all that cannot be read
    if kind in _THOUGHTS:
        return "thought", text_of(part)
    if kind == "refusal":
        return "refusal", text_of(part)
    if kind in _TEXTS and isinstance(part.get("text", 0), str | None):
        return "text", part["text"] or ""
    if kind in _TEXTS or "text" in part:
        raise ValueError(_UNKNOWN)
    return "text", ""


def _tools(piece: Piece) -> tuple[str, ...]:
    calls = piece.tool_calls if isinstance(piece.tool_calls, list) else []
    functions = [call.get("function", call) for call in calls if isinstance(call, dict)] + [piece.function_call]
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return tuple(name for name in names if isinstance(name, str) and name)
