"""`whichquant grade`: grade answers that were made elsewhere, with the grader of a run; JSON lines in and out."""

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from evaluator.benchmarks import BENCHMARKS
from evaluator.benchmarks.answer_line import record
from evaluator.benchmarks.answers_file import Identity, graded, identity, lines, named, read
from evaluator.benchmarks.benchmark import Benchmark
from evaluator.commands.outcome import interruptible
from evaluator.decide import wording
from evaluator.decide.score import Score, score
from evaluator.errors import BadLineError, StudyError
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.records import OUTCOMES, Grade, Outcome, Question, Record
from evaluator.report import phrases
from evaluator.text import strip_control

_PIPE_CLOSED = 128 + 13
"""As the shell reports a program that SIGPIPE has ended."""


class _Tally:
    """What a file of answers held."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome | None] = Counter()
        self.compared: list[Grade] = []
        self.bad = 0


def grade_file(file: str, benchmark: str, output: Path | None, console: Console) -> int:
    """Grade the answers in `file` (`-`: standard input) and give the exit code.

    The grades go to `output`, whole or not at all, and the summary to `console`; without `output` the grades go to
    standard output and the summary to standard error.

    Raises:
        StudyError: the file cannot be read or holds no usable line, or the grades cannot be written.
    """
    if_interrupted = f"{output} was not written" if output else "what was graded so far was written"
    return interruptible(lambda: _grade_file(file, BENCHMARKS[benchmark], output, console), if_interrupted)


def _grade_file(file: str, benchmark: Benchmark, output: Path | None, console: Console) -> int:
    if output:
        _refuse_output(file, output)
    try:
        with _opened(output) as put:
            tally = _grade_lines(file, benchmark, Grader(_sandbox(benchmark)), put)
    except BrokenPipeError:  # whoever reads has enough
        return _PIPE_CLOSED
    console = console if output else Console(stderr=True, highlight=False)
    total = score(
        "",
        benchmark.name,
        planned=len(tally.compared),
        records=(),
        grades=tally.compared,
        repeated=benchmark.repeated(),
    )
    for line in _summary(benchmark, tally, total):
        console.print(Text(line), soft_wrap=True)
    return 1 if tally.bad or tally.counts["not_scored"] else 0


def _grade_lines(file: str, benchmark: Benchmark, grader: Grader, put: Callable[[bytes], object]) -> _Tally:
    tally = _Tally()
    known: deque[tuple[Identity, Question]] = deque()
    """The lines whose grades are still to come, in their order."""

    def asked() -> Iterator[tuple[Record, Question]]:
        repeats: Counter[str] = Counter()
        for number, raw in lines(file):
            try:
                line, question = read(raw, benchmark)
            except BadLineError as error:
                tally.bad += 1
                sys.stderr.write(strip_control(f"{named(file)}:{number}: {error}: left out") + "\n")
                continue
            known.append((identity(line), question))
            yield record(line, question, repeats[question.id]), question
            if question.answer:
                repeats[question.id] += 1

    with closing(grader.grade_all(asked())) as grades:
        for grade in grades:
            identified, question = known.popleft()
            row = graded(identified, question, grade)
            tally.counts[row.outcome] += 1
            if question.answer:
                tally.compared.append(replace(grade, extracted=None, why=""))  # texts can be long
            put(msgspec.json.encode(row) + b"\n")
    if not tally.counts:
        raise StudyError(f"no usable answer for {benchmark.title} in it: nothing was graded", source=named(file))
    return tally


def _refuse_output(file: str, output: Path) -> None:
    if not output.parent.is_dir():
        raise StudyError(f"there is no folder {output.parent}", source=output, remedy="make it first")
    if file != "-" and output.is_file() and Path(file).exists() and output.samefile(file):
        raise StudyError("holds the answers", source=output, remedy="name another file for the grades")


@contextmanager
def _opened(output: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Give the function that writes to standard output, or to a file that appears whole or not at all."""
    if output and (output.is_file() or not output.exists()):
        path = output.resolve()
        part = path.with_name(path.name + ".part")
        try:
            with _write_errors(output), part.open("wb") as stream:
                yield lambda data: _put(stream, data, output)
            with _write_errors(output):
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    elif output:  # a device or a pipe
        with _write_errors(output), output.open("wb") as stream:
            yield lambda data: _put(stream, data, output)
    elif sys.stdout is None:
        raise StudyError("it is closed", source="standard output", remedy="name a file with --output")
    else:
        try:
            yield lambda data: _put(sys.stdout.buffer, data, None)
            with _write_errors(None):
                sys.stdout.flush()
        except (BrokenPipeError, StudyError):
            with suppress(OSError, ValueError):  # what is left unwritten must not fail again when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def _put(stream: IO[bytes], data: bytes, output: Path | None) -> None:
    with _write_errors(output):
        stream.write(data)


@contextmanager
def _write_errors(output: Path | None) -> Iterator[None]:
    """Say in one sentence why the grades cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where = output or "standard output"
        raise StudyError(
            f"cannot be written ({error.strerror or error})", source=where, remedy="name another place with --output"
        ) from None


def _sandbox(benchmark: Benchmark) -> Sandbox | NoSandbox:
    if benchmark.kind != "code":
        return NoSandbox(reason="no code questions here", install="")
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        sys.stderr.write(f"{benchmark.title} will not be scored: {sandbox.reason}\n{sandbox.install}\n")
    return sandbox


def _summary(benchmark: Benchmark, tally: _Tally, total: Score) -> Iterator[str]:
    """Sum up the grades in a few lines."""
    kinds = [f"{tally.counts[kind]:,} {kind.replace('_', ' ')}" for kind in OUTCOMES if tally.counts[kind]]
    if tally.counts[None]:
        kinds.append(f"{tally.counts[None]:,} read, with nothing to compare")
    answers = sum(tally.counts.values())
    yield f"{benchmark.title}: {answers:,} {'answer' if answers == 1 else 'answers'}: {', '.join(kinds)}"
    if total.accuracy is not None:
        within = f", 95 % interval {wording.interval(total.interval)}" if total.interval else ""
        noun = "question" if total.questions == 1 else "questions"
        averaged = f", the mean over {total.questions:,} {noun}" if total.questions != total.graded else ""
        yield f"accuracy, strict: {wording.percent(total.accuracy)} ({wording.correct(total)}{averaged}{within})"
        answered = "no answer could be read" if total.answered_only is None else wording.percent(total.answered_only)
        yield f"of the answered: {answered}"
        yield f"bounds, the unanswered all wrong and all right: {phrases.bounds(total)}"
    if tally.bad:
        yield f"{tally.bad:,} {'line' if tally.bad == 1 else 'lines'} could not be used"
