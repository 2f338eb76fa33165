"""HumanEval: 164 Python functions to write, judged by unit tests (Chen et al. 2021, arXiv 2107.03374)."""

from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evaluator.benchmarks import data_files
from evaluator.benchmarks.benchmark import ASKED, Benchmark, Format, Listed, Margin, PromptForm, Repeats, places_of
from evaluator.grade.thinking import split_thinking
from evaluator.records import Extraction, Question
from servers.spec import Prompt

NAME = "HumanEval"
TOTAL = 164

_DATA = "humaneval.jsonl.gz"
_CATEGORY = "python"
_INSTRUCTION = (
    "Complete this Python function. Reply with the complete function, with the imports it needs,"
    " in one Python code block.\n\n```python\n{}\n```"
)
# Chen et al. 2021, section 3.2, but for "\n#": OpenAI-compatible servers take four at most. What follows a comment at
# the margin is cut when the completion is read.
_STOP = ("\nclass ", "\ndef ", "\nif ", "\nprint")
FLAWS = {
    "HumanEval/47": "says that median([-10, 4, 6, 1000, 10, 20]) is 15.0, and is tested for 8.0",
    "HumanEval/116": "says that sort_array([1, 5, 2, 3, 4]) is [1, 2, 3, 4, 5], and is tested for [1, 2, 4, 3, 5]",
    "HumanEval/130": "says that tri(4) is 3, and is tested for the list [1, 3, 2.0, 8.0, 3.0]",
}
"""Problems whose prompt contradicts their tests: the published solution fails an example of the prompt.

Who follows 47 or 116 to the letter is graded wrong. 130 is clear to a careful reader: it calls the sequence's members
and the function that lists them by one name, and its last example has the list.
"""


class HumanEval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How HumanEval is asked."""

    questions: Annotated[Annotated[int, Meta(ge=1, le=TOTAL)] | Literal["all"], ASKED] = "all"
    format: Format = "chat"
    repeats: Repeats = 1
    margin: Margin = 6.0
    """The smallest whole number of points within which all 164 show equal variants to be equal (80 % power), where 2 %
    of answers differ and up to four comparisons are made; within 5 they cannot for more than one."""

    def load(self, only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
        """Return all questions, or those of these ids, in their order, with the prompts that these settings make."""
        return load(form=self.format, only=only)


class _Row(Struct, frozen=True):
    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


@cache
def listed() -> tuple[Listed, ...]:
    """Name all 164 problems, in file order."""
    return tuple(Listed("humaneval", row.task_id, _CATEGORY) for row in data_files.rows(_DATA, _Row))


@cache
def load(*, form: PromptForm = "chat", only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
    """Read the 164 problems, in file order, each with its prompt.

    Args:
        form: `chat` asks for the whole function in one user message; `completion` is the published prompt as raw text
            that a base model goes on with.
        only: ids of those that are wanted; they come in this order. All by default.

    Returns:
        Questions whose `id` is the data's `task_id`, whose `answer` is the function's name, and whose `tests` define
        `check(candidate)`. Source: HumanEval.jsonl.gz of github.com/openai/human-eval, part of this package.
    """
    return tuple(
        Question(
            benchmark="humaneval",
            id=row.task_id,
            kind="code",
            category=_CATEGORY,
            prompt=_prompt(row, form),
            answer=row.entry_point,
            code_prompt=row.prompt,
            tests=row.test,
        )
        for row in data_files.rows(_DATA, _Row, places_of(listed(), only))
    )


def extract(text: str, problem: Question) -> Extraction:
    """Put together the program that a reply amounts to, without the tests; its thinking is taken out first.

    Nothing is run and nothing is raised: a program that is no valid Python is returned, and will fail its tests.

    Args:
        text: the reply, with or without thinking in it.
        problem: one of `load()`'s; in its completion form the reply continues the prompt.

    Returns:
        As `value` the whole program, imports and helpers of the prompt included, as `why` the rule that made it; None
        as `value`, and the reason as `why`, where the reply holds no code for the function or its thinking never ends.
    """
    from evaluator.grade.code.extract import read_program  # noqa: PLC0415 - many patterns to compile

    thought = split_thinking(text)
    if thought.unclosed:
        return Extraction(value=None, why="the thinking never ends")
    return read_program(
        thought.answer,
        code_prompt=problem.code_prompt,
        entry_point=problem.answer,
        completion=not problem.prompt.chat,
    )


def solved() -> tuple[tuple[str, str, str], ...]:
    """Return the 164 problems with their published solutions: the chat prompt, and the code with what completes it."""
    return tuple(
        (_INSTRUCTION.format(row.prompt.strip("\n")), row.prompt.lstrip("\n"), row.canonical_solution)
        for row in data_files.rows(_DATA, _Row)
    )


@cache
def data_sha256() -> str:
    """Hash the problems, uncompressed."""
    return data_files.sha256(_DATA)


def _prompt(row: _Row, form: PromptForm) -> Prompt:
    if form == "chat":
        return Prompt(messages=({"role": "user", "content": _INSTRUCTION.format(row.prompt.strip("\n"))},))
    return Prompt(text=row.prompt, stop=_STOP)


HUMANEVAL = Benchmark(
    name="humaneval",
    title=NAME,
    total=TOTAL,
    kind="code",
    defaults=HumanEval(),
    listed=listed,
    questions=lambda form: load(form=form),
    data_sha256=data_sha256,
    id_field="task_id",
    flaws=FLAWS,
)
