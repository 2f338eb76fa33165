"""HumanEval: 164 Python functions to write, judged by unit tests (Chen et al. 2021, arXiv 2107.03374)."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from evaluator.grade.code.extract import extract_code
from evaluator.grade.thinking import split_thinking
from evaluator.records import Extraction, Question
from servers.spec import Prompt

NAME = "HumanEval"
TOTAL = 164
Format = Literal["chat", "completion"]

_DATA = Path(__file__).parent / "data" / "humaneval.jsonl.gz"
_INSTRUCTION = (
    "Complete this Python function. Reply with the complete function, with the imports it needs,"
    " in one Python code block.\n\n```python\n{}\n```"
)
# Chen et al. 2021, section 3.2, but for "\n#": OpenAI-compatible servers take four at most. What follows a comment at
# the margin is cut when the completion is read.
_STOP = ("\nclass ", "\ndef ", "\nif ", "\nprint")


class _Row(msgspec.Struct, frozen=True):
    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


@cache
def load(*, form: Format = "chat") -> tuple[Question, ...]:
    """Read all 164 problems: a chat prompt that asks for the whole function, or the raw text to go on with."""
    return tuple(
        Question(
            benchmark="humaneval",
            id=row.task_id,
            category="python",
            prompt=_prompt(row, form),
            answer=row.entry_point,
            code_prompt=row.prompt,
            tests=row.test,
        )
        for row in _rows()
    )


def extract(text: str, problem: Question) -> Extraction:
    """Put together the program that a reply amounts to, without the tests; its thinking is taken out first.

    Args:
        text: the reply, with or without thinking in it.
        problem: one of `load()`'s; in its completion form the reply continues the prompt.

    Returns:
        The program and the rule that made it; None for the program when there is none, or the thinking never ends.
    """
    thought = split_thinking(text)
    if thought.unclosed:
        return Extraction(value=None, why="the thinking never ends")
    return extract_code(
        thought.answer,
        code_prompt=problem.code_prompt,
        entry_point=problem.answer,
        completion=not problem.prompt.chat,
    )


@cache
def data_sha256() -> str:
    """Hash the problems, uncompressed."""
    return hashlib.sha256(gzip.decompress(_DATA.read_bytes())).hexdigest()


def _rows() -> list[_Row]:
    decoder = msgspec.json.Decoder(_Row)
    return [decoder.decode(line) for line in gzip.decompress(_DATA.read_bytes()).splitlines()]


def _prompt(row: _Row, form: Format) -> Prompt:
    if form == "chat":
        return Prompt(messages=({"role": "user", "content": _INSTRUCTION.format(row.prompt.strip("\n"))},))
    return Prompt(text=row.prompt, stop=_STOP)
