"""Answers that were made elsewhere, one JSON object a line: read, and written again with their grades."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from evaluator.benchmarks.answer_line import Line, decode, shown
from evaluator.benchmarks.benchmark import Benchmark, PromptForm
from evaluator.errors import BadLineError, StudyError
from evaluator.records import Grade, Outcome, Question
from servers.spec import Prompt

_BOM = b"\xef\xbb\xbf"
_LONGEST_LINE = 64 << 20
"""Bytes; a longer line is no answer, and would fill the memory."""
_FEWEST_OPTIONS = 3
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",  # Inspect's logs are such files
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
"""By how such files begin."""
_AS_UTF_8 = "write it again as UTF-8; in PowerShell: Get-Content FILE | Set-Content -Encoding utf8 NEW"


class Identity(Struct, frozen=True, kw_only=True):
    """What is kept of a line while its answer is graded."""

    id: Any = UNSET
    question_id: Any = UNSET
    task_id: Any = UNSET
    n_options: Any = UNSET


class Graded(Identity, frozen=True, kw_only=True):
    """One answer as it goes out, with the identity that it came in with."""

    outcome: Outcome | None
    """None where an answer was read and there is nothing to compare it with."""
    extracted: str | None
    correct: bool | None
    """None where nothing was compared, or failed; without a readable answer false, as in strict accuracy."""
    why: str


def lines(file: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file (`-`: standard input) that are not blank, each with its number, from 1.

    Raises:
        StudyError: the file cannot be read.
    """
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            number = 0
            while line := stream.readline(_LONGEST_LINE + 1):
                number += 1
                rest = line
                while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = stream.readline(_LONGEST_LINE + 1)
                line = line.removeprefix(_BOM)  # also where files were put together
                if number == 1:
                    _refuse_other_files(line, file)
                if line.strip():
                    yield number, line
    except (OSError, AttributeError, ValueError) as error:  # the last two: standard input, or a path, that is none
        why = getattr(error, "strerror", None) or ("closed" if file == "-" else error)
        raise StudyError(f"cannot be read ({why})", source=named(file), remedy="check the path") from None


def named(file: str) -> str:
    """Return the name of a file in messages."""
    return "standard input" if file == "-" else file


def read(raw: bytes, benchmark: Benchmark) -> tuple[Line, Question]:
    """Read a line and find the question that it answers.

    Raises:
        BadLineError: it is no answer, or not to a question of this benchmark.
    """
    if len(raw) > _LONGEST_LINE:
        raise BadLineError(f"longer than {_LONGEST_LINE >> 20} MB")
    line = decode(raw)
    return line, _question(line, benchmark)


def identity(line: Line) -> Identity:
    """Return the keys that identify a line; null counts as left out, except for `id`."""
    given = {name: value for name in _NAMES if (value := getattr(line, name)) is not None}
    return Identity(id=line.id, **given)


def graded(known: Identity, question: Question, grade: Grade) -> Graded:
    """Combine a grade with the keys that identify its line."""
    nothing_to_compare = not question.answer and grade.extracted is not None
    is_graded = question.answer and grade.outcome not in ("failed", "not_scored")
    return Graded(
        id=known.id,
        question_id=known.question_id,
        task_id=known.task_id,
        n_options=known.n_options,
        outcome=None if nothing_to_compare else grade.outcome,
        extracted=grade.extracted,
        correct=grade.outcome == "correct" if is_graded else None,
        why=grade.why,
    )


_NAMES = ("question_id", "task_id", "n_options")


def _refuse_other_files(start: bytes, file: str) -> None:
    """Refuse what is no text, or a text in wide characters, by its mark or by the zeros between its characters.

    Raises:
        StudyError: It is one.
    """
    if kind := next((kind for mark, kind in _COMPRESSED.items() if start.startswith(mark)), None):
        raise StudyError(f"is compressed ({kind})", source=named(file), remedy="unpack it first")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in start[:4]:
        raise StudyError("is UTF-16, not UTF-8", source=named(file), remedy=_AS_UTF_8)


def _question(line: Line, benchmark: Benchmark) -> Question:
    """Find the question that a line answers, or stand in for one of which only the number of options is known."""
    asked = _id(line, benchmark)
    if asked is None:
        return _unknown_question(line, benchmark)
    form: PromptForm = "chat"
    if benchmark.kind == "code":  # all others are read alike in both forms
        if line.format not in ("chat", "completion"):
            raise BadLineError(f"format is {shown(line.format)}, and must be chat or completion")
        form = line.format
    question = _questions(benchmark, form).get(asked)
    if question is None:
        given = shown(getattr(line, benchmark.id_field))
        raise BadLineError(f"{benchmark.title} has no question with {benchmark.id_field} {given}")
    if benchmark.letters and line.n_options not in (None, len(question.letters)):
        problem = f"question {asked} has {len(question.letters)} options, and n_options is {shown(line.n_options)}"
        raise BadLineError(f"{problem}: leave {benchmark.id_field} out if it is another question")
    return question


def _id(line: Line, benchmark: Benchmark) -> str | None:
    asked = _whole(getattr(line, benchmark.id_field))
    if asked is not None and type(asked) not in (int, str):
        raise BadLineError(f"{benchmark.id_field} is {shown(asked)}, and must be a number or text")
    return None if asked is None else str(asked)


def _whole(number: Any) -> Any:  # noqa: ANN401 - JSON
    """Return 4 of 4.0, as tables with gaps in them are written; all else as it is."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _unknown_question(line: Line, benchmark: Benchmark) -> Question:
    """Stand in for a question that is not in the benchmark's data: only its letters are known."""
    most = len(benchmark.letters)
    if not most or line.n_options is None:
        needs = f"{benchmark.id_field} or n_options" if most else benchmark.id_field
        given = " and ".join(key for key in _NAMES if getattr(line, key) is not None)
        raise BadLineError(f"needs {needs}, has {given or 'none'}")
    options = _whole(line.n_options)
    if type(options) is not int or not _FEWEST_OPTIONS <= options <= most:
        allowed = f"must be a whole number from {_FEWEST_OPTIONS} to {most}"
        raise BadLineError(f"n_options is {shown(options)}, and {allowed}")
    letters = benchmark.letters[:options]
    return Question(benchmark=benchmark.name, id="", kind="choice", category="", prompt=Prompt(), letters=letters)


_BY_ID: dict[tuple[str, PromptForm], dict[str, Question]] = {}


def _questions(benchmark: Benchmark, form: PromptForm) -> dict[str, Question]:
    """Return all questions by id; cached, since every line needs one of them."""
    if (benchmark.name, form) not in _BY_ID:
        _BY_ID[benchmark.name, form] = {question.id: question for question in benchmark.questions(form)}
    return _BY_ID[benchmark.name, form]
