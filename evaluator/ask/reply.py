"""What servers send: a whole reply, or a chunk of a streamed one, in OpenAI's dialect or Ollama's own.

Decoded by msgspec: an SDK that builds a model object for every chunk costs more than the rest of the client together.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from evaluator.lenient_json import read_json

OnToken = Callable[[], None]
"""Called whenever a token arrives."""
_NOT_YET = (None, "", "null", "none", "None", "NULL")
"""What servers put in place of a reason while a reply goes on: KoboldCpp the word null, SGLang and LocalAI nothing."""


class Piece(Struct, frozen=True):
    """A message, or a part of one. Servers differ in the field that holds thoughts, and in what the fields hold."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None
    reasoning_details: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    error: Any = None


_EMPTY = Piece()


class Choice(Struct, frozen=True):
    """One of the answers to a question; those with another index than 0 are not the one that is asked for."""

    index: Any = 0
    delta: Piece | None = None
    message: Piece | None = None
    text: Any = None
    finish_reason: Any = None
    error: Any = None

    @property
    def piece(self) -> Piece:
        """The message, or the part of one."""
        return self.message or self.delta or _EMPTY

    @property
    def reason(self) -> Any:  # noqa: ANN401 - see `evaluator.finish`
        """Why the reply ended; None as long as it goes on."""
        return None if self.finish_reason in _NOT_YET else self.finish_reason


class Reply(Struct, frozen=True):
    """A whole reply, or a chunk of a streamed one. What is not the answer itself may be of any type."""

    choices: tuple[Choice, ...] | None = ()
    usage: Any = None
    model: Any = None
    system_fingerprint: Any = None
    timings: Any = None
    stats: Any = None
    """LM Studio's own figures."""
    object: Any = None
    status: Any = None
    error: Any = None
    message: Any = None
    """Ollama's, of a chat; what follows is Ollama's too."""
    response: Any = None
    thinking: Any = None
    done: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    prompt_eval_duration: Any = None
    eval_duration: Any = None
    load_duration: Any = None
    total_duration: Any = None

    @property
    def choice(self) -> Choice | None:
        """The message, or the part of one, in either dialect."""
        if self.choices:
            first = self.choices[0]
            return first if first.index == 0 else next(filter(_is_first, self.choices), None)
        if isinstance(self.message, dict):
            piece = msgspec.convert(self.message, Piece)
        elif self.response is None and self.thinking is None and self.done is not True:
            return None
        else:
            piece = Piece(content=self.response, thinking=self.thinking)
        if self.done is True:  # what has no reason then has ended by itself
            return Choice(delta=piece, finish_reason=self.done_reason or "stop")
        return Choice(delta=piece)

    @property
    def durations(self) -> dict[str, Any]:
        """Ollama's own timings."""
        names = ("load_duration", "prompt_eval_duration", "eval_duration", "total_duration")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


_strict = msgspec.json.Decoder(Reply).decode


def decode(data: bytes) -> Reply | None:
    """Decode a whole reply or a chunk; None for a number or null, which say nothing.

    What is no strict JSON gets a second look, since Python's own servers write NaN, and halves of characters.

    Raises:
        ValueError: It is no JSON, or no reply; or bytes of the answer itself are no UTF-8.
        RecursionError: It is nested too deeply.
    """
    try:
        return _strict(data)
    except (ValueError, RecursionError) as error:
        value = read_json(data)
        if value is None or isinstance(value, int | float):
            return None
        reply = msgspec.convert(_without_blanks(value), Reply)
        if isinstance(error, UnicodeDecodeError) and "\ufffd" in str((reply.choices, reply.message, reply.response)):
            raise
        return reply


def _without_blanks(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what holds nothing where an object belongs: PHP and Lua write an empty one as a list."""
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list):
        return value
    parts = ("delta", "message")
    full = [
        {name: item for name, item in one.items() if name not in parts or item} if isinstance(one, dict) else one
        for one in choices
        if one
    ]
    return {**value, "choices": full}


def _is_first(choice: Choice) -> bool:
    return choice.index in (0, None, "0")
