"""What a benchmark is to the rest of the program: all that differs from one to the next."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from evaluator.records import Kind, Question

PromptForm = Literal["chat", "completion"]
Format = Annotated[PromptForm, Meta(description="chat, or completion for base models")]
Margin = Annotated[float, Meta(gt=0, lt=100, description="points within which a variant equals the baseline")]
ASKED = Meta(description="how many are asked; all for all")
Repeats = Annotated[int, Meta(ge=1, description="answers for each question; pass@k is estimated from them")]


class Settings(Protocol):
    """How a study asks a benchmark; each benchmark has a struct of its own, with its own defaults and limits."""

    @property
    def questions(self) -> int | Literal["all"]:
        """How many are asked."""

    @property
    def format(self) -> PromptForm:
        """Whether the model is asked in a chat or goes on with a text."""

    @property
    def repeats(self) -> int:
        """How often each question is asked."""

    @property
    def margin(self) -> float:
        """Points within which two variants count as equal."""

    def load(self) -> tuple[Question, ...]:
        """Return all questions, in file order, with the prompts that these settings make."""


class Benchmark(Struct, frozen=True, kw_only=True):
    """One benchmark: a file beside this one, and its data."""

    name: str
    """In study files, options and records."""
    title: str
    """For people."""
    total: int
    """Number of questions."""
    kind: Kind
    """What an answer is; it decides how replies are read and judged."""
    defaults: Settings
    questions: Callable[[PromptForm], tuple[Question, ...]]
    """All questions, in file order, with prompts that hold no worked examples."""
    data_sha256: Callable[[], str]
    """Hash of what is asked, uncompressed."""
    id_field: Literal["question_id", "task_id"] = "question_id"
    """The key of a question's id in files of answers that were made elsewhere."""
    letters: str = ""
    """Of multiple choice: the letters of the most options that a question has."""
    categories: Callable[[], Mapping[str, str]] = dict
    """Category by question id; empty where there are none."""
    repeated: Callable[[], Mapping[str, str]] = dict
    """By the id of each question whose text stands more than once, the id of the first with that text."""
    flaws: Mapping[str, str] = {}
    """By question id, what is wrong with the question itself, in words that follow its name."""
