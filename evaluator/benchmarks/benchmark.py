"""What a benchmark is to the rest of the program: all that differs from one to the next."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, Protocol

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

    def load(self, only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
        """Return all questions, in file order, or those of these ids, in theirs, with prompts by these settings."""


class Listed(NamedTuple):
    """A question as the order of a run needs to know it: without its text."""

    benchmark: str
    id: str
    category: str


def places_of(listed: Sequence[Listed], only: Sequence[str] | None) -> list[int] | None:
    """Return where in the file the questions of these ids stand; None, for all of them, where none are named."""
    if only is None:
        return None
    places = {question.id: place for place, question in enumerate(listed)}
    return [places[name] for name in only]


class Choice(NamedTuple):
    """What a multiple-choice question lets one choose from."""

    options: tuple[str, ...]
    answer: str
    """A letter."""


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
    listed: Callable[[], tuple[Listed, ...]]
    """All questions, in file order."""
    questions: Callable[[PromptForm], tuple[Question, ...]]
    """All questions, in file order, with prompts that hold no worked examples."""
    data_sha256: Callable[[], str]
    """Hash of what is asked, uncompressed."""
    id_field: Literal["question_id", "task_id"] = "question_id"
    """The key of a question's id in files of answers that were made elsewhere."""
    letters: str = ""
    """Of multiple choice: the letters of the most options that a question has."""
    choices: Callable[[], Sequence[Choice]] = tuple
    """Of multiple choice: all questions, in file order."""
    categories: Callable[[], Mapping[str, str]] = dict
    """Category by question id; empty where there are none."""
    repeated: Callable[[], Mapping[str, str]] = dict
    """By the id of each question whose text stands more than once, the id of the first with that text."""
    flaws: Mapping[str, str] = {}
    """By question id, what is wrong with the question itself, in words that follow its name."""
