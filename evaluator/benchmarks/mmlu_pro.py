"""MMLU-Pro: 12,032 multiple-choice questions in 14 categories, 3 to 10 options (Wang et al. 2024, arXiv 2406.01574).

The prompts are the official ones, word for word: the chat form is TIGER-AI-Lab/MMLU-Pro's `evaluate_from_api.py`
(instruction, shots of the question's own category and the question in one user message), the completion form its
`evaluate_from_local.py`. One departure: options are stripped at both ends, because blanks there give answers away. In
this revision of the data 140 questions have an option that ends in one, in 107 of them only the right option does; in
that of October 2024 475 options began with a space, nearly all of them right ones.

In 18 questions options are the same but for case, in 10 of them one of these is right. There case is the answer: in
nine it tells genotypes apart (Dd from DD; in question 3056 nine of the ten options), in one a predicate from a name
(Sc from sC). So they stay different answers. An option that is the right one's text to any reader counts as right, too
(`also_right`); in this revision no question has one: 496 ("Informal Codes", "Informal codes") and 8584 (one fraction
twice) have such pairs among their wrong options.
"""

import re
from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from evaluator.benchmarks import data_files
from evaluator.benchmarks.benchmark import (
    ASKED,
    Benchmark,
    Choice,
    Format,
    Listed,
    Margin,
    PromptForm,
    Repeats,
    places_of,
)
from evaluator.grade.thinking import split_thinking
from evaluator.records import Extraction, Question
from servers.spec import Prompt

NAME = "MMLU-Pro"
TOTAL = 12_032
LETTERS = "ABCDEFGHIJ"

_TEST = "mmlu_pro_test.jsonl.gz"
_VALIDATION = "mmlu_pro_validation.jsonl"

_CHAT_HEAD = (
    "The following are multiple choice questions (with answers) about {}. Think step by step and then output the answer"
    ' in the format of "The answer is (X)" at the end.\n\n'
)
_COMPLETION_HEAD = (
    "The following are multiple choice questions (with answers) about {}. Think step by step and then finish your"
    ' answer with "the answer is (X)" where X is the correct letter choice.\n\n\n'
)
_WORD = re.compile(r"[\"'(]?[^\W\d_][a-z]{3,}[\"'),.;:]{0,3}")
_PAIRS_OF_LETTERS = re.compile(r"\W*(?:([a-z])\1)+\W*")  # "Aabb"
_THINK = "Let's think step by step."


class MmluPro(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How MMLU-Pro is asked."""

    questions: Annotated[Annotated[int, Meta(ge=1, le=TOTAL)] | Literal["all"], ASKED] = 200
    shots: Annotated[int, Meta(ge=0, le=5, description="worked examples of the question's category before it")] = 5
    format: Format = "chat"
    repeats: Repeats = 1
    margin: Margin = 2.0
    """All 12,032 questions show equal variants to be equal within 2 points even where 20 % of answers differ; where 2 %
    do it takes some 700 (two comparisons), so the 200 asked by default do not."""

    def load(self, only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
        """Return all questions, or those of these ids, in their order, with the prompts that these settings make."""
        return load(shots=self.shots, form=self.format, only=only)


class _Row(Struct, frozen=True):
    question_id: int
    question: str
    options: tuple[str, ...]
    answer: str
    category: str
    cot_content: str = ""


class _Options(Struct, frozen=True):
    options: tuple[str, ...]
    answer: str


class _Head(Struct, frozen=True):
    question_id: int
    category: str


@cache
def listed() -> tuple[Listed, ...]:
    """Name all 12,032 test questions, in file order."""
    return tuple(Listed("mmlu_pro", str(row.question_id), row.category) for row in data_files.rows(_TEST, _Head))


@cache
def load(*, shots: int = 5, form: PromptForm = "chat", only: tuple[str, ...] | None = None) -> tuple[Question, ...]:
    """Read the 12,032 test questions, in file order, each with its prompt.

    Args:
        shots: worked examples of the question's own category before it, 0 to 5.
        form: `chat` for one user message, `completion` for raw text that a base model goes on with.
        only: ids of those that are wanted; they come in this order. All by default.

    Returns:
        Questions whose `id` is the data's `question_id` and whose `answer` is a letter of `letters`. Source: test and
        validation split of TIGER-Lab/MMLU-Pro on the Hugging Face hub; both are part of this package.
    """
    heads = {category: _head(category, examples[:shots], form) for category, examples in _examples().items()}
    return tuple(
        Question(
            benchmark="mmlu_pro",
            id=str(row.question_id),
            kind="choice",
            category=row.category,
            prompt=_prompt(row, "".join(heads[row.category]), form),
            examples=(len(heads[row.category][0]), sum(map(len, heads[row.category]))),
            letters=LETTERS[: len(row.options)],
            options=tuple(option.strip() for option in row.options),
            answer=row.answer,
            also_right=also_right(row.answer, row.options),
        )
        for row in data_files.rows(_TEST, _Row, places_of(listed(), only))
    )


def also_right(answer: str, options: tuple[str, ...]) -> str:
    """Name the options that are the right one's text to any reader: but for blanks, and capitals that begin words.

    Case is no difference in a word of four small letters or more; elsewhere it may be one, as in genotypes (Aabb),
    formulas and abbreviations.
    """
    right = options[LETTERS.index(answer)].split()
    return "".join(
        letter
        for letter, option in zip(LETTERS, options, strict=False)
        if letter != answer and len(words := option.split()) == len(right) and all(map(_is_same_word, words, right))
    )


def _is_same_word(one: str, other: str) -> bool:
    if one == other or one.casefold() != other.casefold():
        return one == other
    return all(_WORD.fullmatch(word) for word in (one, other)) and not _PAIRS_OF_LETTERS.fullmatch(one.casefold())


def extract(text: str, letters: str, options: tuple[str, ...] = ()) -> Extraction:
    """Read the letter that a reply commits to; its thinking is taken out first. Raises nothing.

    The rules are this package's own, stricter than MMLU-Pro's `extract_final`: a letter that merely stands somewhere is
    never taken, and none is drawn at random.

    Args:
        text: the reply, with or without thinking in it.
        letters: the letters of the question's options, such as `ABCD`.
        options: their texts, if known; an option's text then stands for its letter.

    Returns:
        As `value` one of `letters`, as `why` the rule that read it; None as `value`, and the reason as `why`, where
        there is no answer or the thinking never ends.
    """
    from evaluator.grade.choice.extract import read_letter  # noqa: PLC0415 - many patterns to compile

    thought = split_thinking(text)
    if thought.unclosed:
        return Extraction(value=None, why="the thinking never ends")
    return read_letter(thought.answer, letters, options)


@cache
def categories() -> dict[str, str]:
    """Return the category of each question by its id."""
    return {question.id: question.category for question in listed()}


def choices() -> tuple[Choice, ...]:
    """Return the options and the answer of each question, in file order."""
    return tuple(Choice(tuple(map(str.strip, row.options)), row.answer) for row in data_files.rows(_TEST, _Options))


@cache
def repeated() -> dict[str, str]:
    """Return, for each question whose text stands more than once, the id of the first with that text.

    748 of the 12,032 questions share 357 texts, case and blanks aside. 158 pairs of them are one question with the same
    options in another order, the rest has other options: most ask the same with new wrong ones, so whoever solves the
    one is likely to solve the other; a dozen, such as "Which of the following is true?", merely look alike, and to take
    them together costs next to nothing.
    """
    return data_files.names("mmlu_pro_repeated.json")


def worked() -> tuple[tuple[str, str], ...]:
    """Return the 70 worked examples, each as a prompt of its own in the chat form and the reply to it."""
    return tuple(
        (
            _CHAT_HEAD.format(row.category) + _chat_block(msgspec.structs.replace(row, cot_content="")),
            row.cot_content.removeprefix(f"A: {_THINK} "),
        )
        for row in data_files.rows(_VALIDATION, _Row)
    )


@cache
def data_sha256() -> str:
    """Hash what is asked: the test questions and the worked examples, uncompressed."""
    return data_files.sha256(_TEST, _VALIDATION)


def _examples() -> dict[str, list[_Row]]:
    by_category: dict[str, list[_Row]] = {}
    for row in data_files.rows(_VALIDATION, _Row):
        by_category.setdefault(row.category, []).append(row)
    return by_category


def _head(category: str, examples: list[_Row], form: PromptForm) -> tuple[str, str]:
    """Write what stands before a question: the task, and the worked examples."""
    if form == "chat":
        return _CHAT_HEAD.format(category), "".join(map(_chat_block, examples))
    return _COMPLETION_HEAD.format(category), "".join(map(_completion_block, examples))


def _prompt(row: _Row, head: str, form: PromptForm) -> Prompt:
    if form == "chat":
        return Prompt(messages=({"role": "user", "content": head + _chat_block(row)},))
    return Prompt(text=head + _completion_block(row), stop=("Question:",))


def _chat_block(row: _Row) -> str:
    reasoning = row.cot_content.removeprefix("A: ") or _THINK
    return f"Question: {row.question}\nOptions: {_options(row)}Answer: {reasoning}\n\n"


def _completion_block(row: _Row) -> str:
    head = f"Question:\n{row.question}\nOptions:\n{_options(row)}Answer: "
    return f"{head}{row.cot_content.removeprefix('A: ')}\n\n" if row.cot_content else head + _THINK


def _options(row: _Row) -> str:
    return "".join(f"{letter}. {option.strip()}\n" for letter, option in zip(LETTERS, row.options, strict=False))


MMLU_PRO = Benchmark(
    name="mmlu_pro",
    title=NAME,
    total=TOTAL,
    kind="choice",
    defaults=MmluPro(),
    listed=listed,
    questions=lambda form: load(shots=0, form=form),
    data_sha256=data_sha256,
    letters=LETTERS,
    choices=choices,
    categories=categories,
    repeated=repeated,
)
