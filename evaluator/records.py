"""The nouns that are written to disk, in the order in which they come into being."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from servers.spec import Prompt

Kind = Literal["choice", "code", "number"]
"""What the answer to a question is: one of its letters, a program that passes tests, an exact number."""
Outcome = Literal["correct", "wrong", "truncated", "empty", "unparsed", "refused", "failed", "not_scored"]
OUTCOMES: tuple[Outcome, ...] = (
    "correct",
    "wrong",
    "truncated",
    "empty",
    "unparsed",
    "refused",
    "failed",
    "not_scored",
)
FailureKind = Literal[
    "unreachable",
    "dropped",
    "timeout",
    "overloaded",
    "server_error",
    "broken_off",
    "bad_request",
    "not_found",
    "unauthorized",
    "garbled",
    "too_long",
]


class Key(Struct, frozen=True, gc=False):
    """One question put once: what a record is found by."""

    benchmark: str
    question_id: str
    repeat: int = 0


class Question(Struct, frozen=True, kw_only=True):
    """One item of a benchmark; the same for every variant."""

    benchmark: str
    id: str
    kind: Kind
    category: str
    """Of benchmarks without categories the same for every question."""
    prompt: Prompt
    examples: tuple[int, int] = (0, 0)
    """Where in the prompt's text the worked examples stand: from which character, and up to which."""
    answer: str = ""
    """Of a choice the right letter, of a number its digits, of code the name of the function to write."""
    letters: str = ""
    """Of a choice: the letters of this question's own options."""
    options: tuple[str, ...] = ()
    also_right: str = ""
    """Of a choice: letters of options whose text is the right one's."""
    code_prompt: str = ""
    """Of code: signature and docstring, as published."""
    tests: str = ""
    """Of code: the source of `check(candidate)`."""

    @property
    def text(self) -> str:
        """All that the model is sent, as one text."""
        return self.prompt.text or "\n\n".join(message["content"] for message in self.prompt.messages)

    @property
    def own_text(self) -> str:
        """The same without the worked examples."""
        begin, end = self.examples
        return self.text[:begin] + self.text[end:]


class Failure(Struct, frozen=True, kw_only=True):
    """No answer came, and why. Never graded as a wrong answer."""

    kind: FailureKind
    message: str
    status: int | None = None
    text: str = ""
    """What had come of the reply, cut to a bearable length: to be looked at, never graded."""
    retry_after: float | None = None
    """Seconds that the server asked to wait, in the headers of its refusal."""
    waited_s: float | None = None
    """Of an attempt after which the question was put again: seconds until then."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back, as it came."""

    text: str
    reasoning: str = ""
    refusal: str = ""
    """What a server puts into a field of that name, in place of a text."""
    tool_calls: tuple[str, ...] = ()
    """Names of the functions that were called, in place of a text or beside it."""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    first_token_s: float | None = None
    """Seconds from sending to the first token, thinking included; None when not streamed."""
    duration_s: float
    """Seconds from sending to the end of the reply."""
    model: str | None = None
    """As the server names it."""
    fingerprint: str | None = None
    timings: dict[str, Any] | None = None
    """The server's own figures: llama-server in milliseconds, LM Studio in seconds, Ollama in nanoseconds."""


class Record(Struct, frozen=True, kw_only=True):
    """One question put to one variant: what was sent, what came back. Raw, append-only."""

    key: Key
    variant: str
    started: str
    """UTC, ISO 8601."""
    request: dict[str, Any]
    answer: Answer | None = None
    failure: Failure | None = None
    attempts: tuple[Failure, ...] = ()
    """Transient failures before the one that counts."""
    at_once: int | None = None
    """How many questions were in flight at most, where the server had said that it is busy; None: as the study says."""


class Extraction(Struct, frozen=True, kw_only=True):
    """What a careful reader takes as the answer; None when there is none."""

    value: str | None
    why: str
    """The rule that decided, in words."""


class Alone(Struct, frozen=True, kw_only=True):
    """How fast one request alone was answered, before the questions; no cache held any of its prompt."""

    prompt_tokens: int | None = None
    """Tokens of its prompt."""
    prompt_tokens_per_second: float | None = None
    """Speed of reading the prompt."""
    tokens: int | None = None
    """Tokens that were generated."""
    tokens_per_second: float | None = None
    """Speed of the generation, without the time for the prompt."""
    first_token_s: float | None = None
    """Seconds from sending to the first token."""
    by_server: bool = False
    """Whether the speeds are the server's own figures; else they follow from when its tokens arrived."""


class Grade(Struct, frozen=True, kw_only=True, gc=False):
    """How one record is graded. Can be deleted and redone from the records."""

    key: Key
    variant: str
    outcome: Outcome
    extracted: str | None
    why: str


def limit_of(request: Mapping[str, Any]) -> int | None:
    """Read from a request how many tokens its reply could have; Ollama has a name and a place of its own for it."""
    options = request.get("options")
    limit = request.get("max_tokens", options.get("num_predict") if isinstance(options, dict) else None)
    return limit if isinstance(limit, int) else None
