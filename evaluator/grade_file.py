"""Grade answers that were made elsewhere: JSON lines in, JSON lines out, by the grader that a run has."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from rich.console import Console
from rich.text import Text

from evaluator.benchmarks import humaneval, mmlu_pro
from evaluator.folder import write
from evaluator.grade import Grader
from evaluator.plain import plain
from evaluator.records import OUTCOMES, Answer, Grade, Key, Outcome, Question, Record
from evaluator.report import words
from evaluator.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.score import Score, score
from evaluator.study import StudyError
from servers.spec import Prompt

Benchmark = Literal["mmlu_pro", "humaneval"]
_IDS: dict[Benchmark, tuple[str, ...]] = {"mmlu_pro": ("question_id", "n_options"), "humaneval": ("task_id",)}
_BOM = b"\xef\xbb\xbf"


class _Line(Struct, frozen=True):
    """One answer as it comes in; further keys are left alone."""

    text: str
    id: Any = UNSET
    question_id: int | str | None = None
    task_id: str | None = None
    n_options: Annotated[int, Meta(ge=3, le=10)] | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    format: Literal["chat", "completion"] = "chat"


class _Graded(Struct, frozen=True, kw_only=True):
    """One answer as it goes out, with the identity that it came in with."""

    id: Any = UNSET
    question_id: int | str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    n_options: int | UnsetType = UNSET
    outcome: Outcome | None
    """None where an answer was read and there is nothing to compare it with."""
    extracted: str | None
    correct: bool | None
    """None where nothing was compared; without a readable answer false, as in strict accuracy."""
    why: str


class _BadLineError(Exception):
    """A line that cannot be used; the message says why."""


def grade_file(file: str, benchmark: Benchmark, output: Path | None, console: Console) -> int:
    """Grade the answers in `file` (`-`: standard input) and give the exit code.

    The grades go to `output`, whole or not at all, and the summary to `console`; without `output` the grades go to
    standard output and the summary to standard error.

    Raises:
        StudyError: the file cannot be read or holds no usable line, or the output cannot be written there.
    """
    if output:
        _refuse_output(file, output)
    grader = Grader(_sandbox(benchmark))
    kept: list[bytes] = []
    counts: Counter[Outcome | None] = Counter()
    compared: list[Grade] = []
    repeats: Counter[str] = Counter()
    bad = 0
    for number, raw in _lines(file):
        try:
            line, question = _read(raw, benchmark)
        except _BadLineError as error:
            bad += 1
            sys.stderr.write(plain(f"{_name(file)}:{number}: {error}: left out") + "\n")
            continue
        grade = grader.grade(_record(line, question, repeats[question.id]), question)
        graded = _graded(line, question, grade)
        counts[graded.outcome] += 1
        if question.answer:
            repeats[question.id] += 1
            compared.append(msgspec.structs.replace(grade, extracted=None, why=""))  # texts can be long
        encoded = msgspec.json.encode(graded) + b"\n"
        if output:
            kept.append(encoded)
        else:
            sys.stdout.buffer.write(encoded)
    if not counts:
        raise StudyError(f"{_name(file)}: no usable answer for {words.name(benchmark)} in it: nothing was graded")
    if output:
        write(output, b"".join(kept))
    else:
        sys.stdout.flush()
        console = Console(stderr=True, highlight=False)
    total = score("", benchmark, planned=len(compared), records=(), grades=compared) if compared else None
    for said in _summary(benchmark, counts, total, bad):
        console.print(Text(said), soft_wrap=True)
    return 1 if bad or counts["not_scored"] else 0


def _refuse_output(file: str, output: Path) -> None:
    if not output.parent.is_dir():
        raise StudyError(f"{output}: there is no folder {output.parent}: make it first")
    if output.exists() and not output.is_file():
        raise StudyError(f"{output}: not a file that can be written whole: leave --output out for standard output")
    if file != "-" and output.exists() and Path(file).exists() and output.samefile(file):
        raise StudyError(f"{output}: holds the answers: name another file for the grades")


def _sandbox(benchmark: Benchmark) -> Sandbox | NoSandbox:
    if benchmark != "humaneval":
        return NoSandbox(reason="no code questions here", install="")
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        sys.stderr.write(f"HumanEval will not be scored: {sandbox.reason}\n{sandbox.install}\n")
    return sandbox


def _lines(file: str) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not blank, with their numbers."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            for number, raw in enumerate(stream, 1):
                line = raw.removeprefix(_BOM) if number == 1 else raw
                if line.strip():
                    yield number, line
    except OSError as error:
        raise StudyError(f"{_name(file)}: cannot be read ({error.strerror or error}): check the path") from None


def _read(raw: bytes, benchmark: Benchmark) -> tuple[_Line, Question]:
    """Read a line and find the question that it answers.

    Raises:
        _BadLineError: it is no answer, or not to a question of this benchmark.
    """
    try:
        line = msgspec.json.decode(raw, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wrong = isinstance(error, msgspec.ValidationError)
        raise _BadLineError(f"{'not an answer' if wrong else 'not JSON'} ({error})") from None
    wanted = _IDS[benchmark]
    given = [key for key in ("question_id", "n_options", "task_id") if getattr(line, key) is not None]
    if len(given) != 1 or given[0] not in wanted:
        raise _BadLineError(f"needs {' or '.join(wanted)} and no other id, has {' and '.join(given) or 'none'}")
    if line.n_options is not None:
        return line, _unknown(line.n_options)
    asked = line.question_id if benchmark == "mmlu_pro" else line.task_id
    form = "chat" if benchmark == "mmlu_pro" else line.format
    question = _questions(benchmark, form).get(str(asked))
    if question is None:
        raise _BadLineError(f"{words.name(benchmark)} has no question with {given[0]} {asked!r:.80}")
    return line, question


@cache
def _questions(benchmark: Benchmark, form: Literal["chat", "completion"]) -> dict[str, Question]:
    everything = mmlu_pro.load(shots=0) if benchmark == "mmlu_pro" else humaneval.load(form=form)
    return {question.id: question for question in everything}


@cache
def _unknown(n_options: int) -> Question:
    """Stand in for a question that is not one of ours: only its letters are known."""
    letters = mmlu_pro.LETTERS[:n_options]
    return Question(benchmark="mmlu_pro", id="", category="", prompt=Prompt(), letters=letters)


def _record(line: _Line, question: Question, repeat: int) -> Record:
    answer = Answer(text=line.text, reasoning=line.reasoning or "", finish_reason=line.finish_reason, duration_s=0)
    key = Key(question.benchmark, question.id, repeat)
    return Record(key=key, variant="", started="", request={}, answer=answer)


def _graded(line: _Line, question: Question, grade: Grade) -> _Graded:
    nothing_to_compare = not question.answer and grade.extracted is not None
    return _Graded(
        id=line.id,
        question_id=UNSET if line.question_id is None else line.question_id,
        task_id=UNSET if line.task_id is None else line.task_id,
        n_options=UNSET if line.n_options is None else line.n_options,
        outcome=None if nothing_to_compare else grade.outcome,
        extracted=grade.extracted,
        correct=grade.outcome == "correct" if question.answer and grade.outcome != "not_scored" else None,
        why=grade.why,
    )


def _summary(benchmark: Benchmark, counts: Counter[Outcome | None], total: Score | None, bad: int) -> Iterator[str]:
    """Say in a few lines what was found."""
    kinds = [f"{counts[kind]:,} {kind}" for kind in OUTCOMES if counts[kind]]
    if counts[None]:
        kinds.append(f"{counts[None]:,} read, with nothing to compare")
    graded = sum(counts.values())
    yield f"{words.name(benchmark)}: {graded:,} {'answer' if graded == 1 else 'answers'}: {', '.join(kinds)}"
    if total and total.accuracy is not None:
        within = f", 95 % interval {words.interval(total.interval)}" if total.interval else ""
        yield f"accuracy, strict: {words.percent(total.accuracy)} ({words.correct(total)}{within})"
        yield f"of the answered: {words.percent(total.answered_only)}"
        yield f"bounds, the unanswered all wrong and all right: {words.bounds(total)}"
    if bad:
        yield f"{bad:,} {'line' if bad == 1 else 'lines'} could not be used"


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
