"""GSM8K: 1,319 word problems of grade-school mathematics, each with one exact number as its answer.

Cobbe et al. 2021, arXiv 2110.14168. The prompts are those of lm-evaluation-harness 0.4.13, word for word: the chat form
is its `gsm8k_cot_llama` (each example and the question in Meta's words, in one user message), the completion form its
`gsm8k_cot`. So are the worked examples, always the same in the same order: the eight of Wei et al. 2022 (arXiv
2201.11903, table 20), none of which is in GSM8K's test set. Eight shots are that task's default, and this one's.
"""

from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evaluator.benchmarks import data_files
from evaluator.benchmarks.benchmark import ASKED, Benchmark, Format, Listed, Margin, PromptForm, Repeats
from evaluator.grade.thinking import split_thinking
from evaluator.records import Extraction, Question
from servers.spec import Prompt

NAME = "GSM8K"
TOTAL = 1_319

_TEST = "gsm8k_test.jsonl.gz"
_CATEGORY = "mathematics"
_EXAMPLES = "gsm8k_examples.jsonl"
_CHAT = (
    "Given the following problem, reason and give a final answer to the problem.\nProblem: {}\n"
    'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
)
_STOP = ("Q:", "</s>", "<|im_end|>")


class Gsm8k(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How GSM8K is asked."""

    questions: Annotated[Annotated[int, Meta(ge=1, le=TOTAL)] | Literal["all"], ASKED] = 200
    shots: Annotated[int, Meta(ge=0, le=8, description="worked examples before each question")] = 8
    format: Format = "chat"
    repeats: Repeats = 1
    margin: Margin = 3.0
    """All 1,319 questions show equal variants to be equal within 3 points where up to 10 % of answers differ; where 2 %
    do it takes some 370 (two comparisons), so the 200 asked by default do not."""

    def load(self, only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
        """Return all questions, or those of these ids, in their order, with the prompts that these settings make."""
        return load(shots=self.shots, form=self.format, only=only)


class Row(Struct, frozen=True):
    """A question with its solution."""

    question: str
    answer: str
    """As published: the reasoning and, behind `####`, the number."""

    @property
    def reasoning(self) -> str:
        """The solution without its last line."""
        return self.answer.rpartition("\n#### ")[0]

    @property
    def number(self) -> str:
        """The answer, as published: `1,450,000`."""
        return self.answer.rpartition("\n#### ")[2]


def test_rows() -> list[Row]:
    """Read the test questions with their solutions, as published."""
    return data_files.rows(_TEST, Row)


@cache
def listed() -> tuple[Listed, ...]:
    """Name all 1,319 test questions, in file order."""
    return tuple(Listed("gsm8k", str(place), _CATEGORY) for place in range(TOTAL))


@cache
def load(*, shots: int = 8, form: PromptForm = "chat", only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
    """Read the 1,319 test questions, in file order, each with its prompt.

    Args:
        shots: worked examples before the question, 0 to 8, the same for every question.
        form: `chat` for one user message, `completion` for raw text that a base model goes on with.
        only: ids of those that are wanted; they come in this order. All by default.

    Returns:
        Questions whose `id` is the place in the file, from 0, and whose `answer` is the published number without
        thousands separators. Source: test.jsonl of github.com/openai/grade-school-math, part of this package.
    """
    examples = _examples(data_files.rows(_EXAMPLES, Row)[:shots], form)
    places = range(TOTAL) if only is None else [int(name) for name in only]
    return tuple(
        Question(
            benchmark="gsm8k",
            id=str(place),
            kind="number",
            category=_CATEGORY,
            prompt=_prompt(row, examples, form),
            examples=(0, len(examples)),
            answer=row.number.replace(",", ""),
        )
        for place, row in zip(places, data_files.rows(_TEST, Row, places), strict=True)
    )


def extract(text: str) -> Extraction:
    """Read the number that a reply commits to; its thinking is taken out first. Raises nothing.

    Args:
        text: the reply, with or without thinking in it.

    Returns:
        As `value` the number in its shortest exact form, without its unit (`18`, `-2.5`, `1/3`), as `why` the rule
        that read it; None as `value`, and the reason as `why`, where there is no answer or the thinking never ends.
    """
    from evaluator.grade.number.extract import read_number  # noqa: PLC0415 - many patterns to compile

    thought = split_thinking(text)
    if thought.unclosed:
        return Extraction(value=None, why="the thinking never ends")
    return read_number(thought.answer)


@cache
def data_sha256() -> str:
    """Hash what is asked: the test questions and the worked examples, uncompressed."""
    return data_files.sha256(_TEST, _EXAMPLES)


def _examples(rows: list[Row], form: PromptForm) -> str:
    if form == "chat":
        return "".join(f"{_CHAT.format(r.question)}{r.reasoning} The final answer is {r.number}\n\n" for r in rows)
    return "".join(f"Q: {r.question}\nA: {r.reasoning} The answer is {r.number}.\n\n" for r in rows)


def _prompt(row: Row, examples: str, form: PromptForm) -> Prompt:
    if form == "chat":
        return Prompt(messages=({"role": "user", "content": examples + _CHAT.format(row.question)},))
    return Prompt(text=f"{examples}Q: {row.question}\nA:", stop=_STOP)


GSM8K = Benchmark(
    name="gsm8k",
    title=NAME,
    total=TOTAL,
    kind="number",
    defaults=Gsm8k(),
    listed=listed,
    questions=lambda form: load(shots=0, form=form),
    data_sha256=data_sha256,
)
