"""Grade records. Pure, except that answers to code questions run in the sandbox."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from evaluator.finish import end_of
from evaluator.grade.cut import Cut, cut, more_tokens_help
from evaluator.grade.kinds import KINDS
from evaluator.grade.refusals import refuses
from evaluator.grade.sandbox import NoSandbox, Run, Sandbox, run_tests
from evaluator.grade.thinking import Thought, split_thinking
from evaluator.records import Answer, Extraction, Grade, Outcome, Question, Record, limit_of
from evaluator.text import once, shortened

VERSION = "3"

_AHEAD = 64
"""Replies read for each core while an earlier one is run: a program that never ends takes ten seconds."""
_SILENT = 32
"""Tokens that a model may use up without a word: an end of turn, blanks, thinking opened and closed at once."""


Begin = Callable[[Record, Question], Grade | Future[Grade]]
"""Grades a record at sight, or says when the program in it was run."""


class _Judged(NamedTuple):
    """What is known of a reply before programs run."""

    outcome: Outcome | None
    """None while a program has yet to be run."""
    extraction: Extraction
    cut: Cut | None = None
    """What it is unless the program is right."""


class Grader:
    """Grades records; the same program is put through the same tests only once."""

    def __init__(self, sandbox: Sandbox | NoSandbox) -> None:
        self._sandbox = sandbox
        self._lock = Lock()
        self._runs: dict[tuple[str, bytes], Future[Run]] = {}
        self._running: set[int] = set()
        """Of each pipe that ends programs the writing end."""

    def grade(self, record: Record, question: Question) -> Grade:
        """Grade one record of `question`; blocks while code runs."""
        return self._finish(record, question, _judge(record, question), None)

    def at_sight(self, record: Record, question: Question) -> Grade | None:
        """Grade one record of `question` without running anything; None where a program has yet to be run."""
        return grade_at_sight(record, question)

    def grade_all(self, asked: Iterable[tuple[Record, Question]]) -> Generator[Grade, None, None]:
        """Grade records in their order, running as many programs at once as there are cores.

        Reads ahead while programs run, but not far, so that memory does not grow with the number of records. A caller
        that may end early closes the iterator; then the programs are stopped.
        """
        waiting: deque[Grade | Future[Grade]] = deque()
        with self.beginning(cores()) as begin:
            for record, question in asked:
                waiting.append(begin(record, question))
                while waiting and (_is_done(waiting[0]) or len(waiting) > _AHEAD * cores()):
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())

    @contextmanager
    def beginning(self, at_once: int) -> Iterator[Begin]:
        """Give the way to begin to grade, in one thread, a record: at sight, or by a program that runs beside others.

        Args:
            at_once: Programs that run at the same time. At the end those that still run are stopped.
        """
        stop, running = os.pipe()
        with self._lock:
            self._running.add(running)
        pool = ThreadPoolExecutor(at_once)

        def begin(record: Record, question: Question) -> Grade | Future[Grade]:
            judged = _judge(record, question)
            if judged.outcome is not None:
                return self._finish(record, question, judged, stop)
            bare = Record(key=record.key, variant=record.variant, started="", request={})  # texts can be long
            return pool.submit(self._finish, bare, question, judged, stop)

        try:
            yield begin
        finally:
            self._end(running)
            pool.shutdown(cancel_futures=True)
            os.close(stop)

    def end(self) -> None:
        """End the programs that run now, from whatever thread; `grade_all` gives what it grades then no score."""
        for running in tuple(self._running):
            self._end(running)

    def _end(self, running: int) -> None:
        with self._lock:
            if running in self._running:
                self._running.remove(running)
                os.close(running)

    def _finish(self, record: Record, question: Question, judged: _Judged, stop: int | None) -> Grade:
        outcome, extraction = judged.outcome, judged.extraction
        if outcome is None:
            outcome, extraction = self._execute(extraction, question, stop)
            if judged.cut and outcome == "wrong":
                outcome, extraction = judged.cut.outcome, Extraction(value=None, why=judged.cut.why)
        return _grade(record, outcome, extraction)

    def _execute(self, extraction: Extraction, question: Question, stop: int | None) -> tuple[Outcome, Extraction]:
        program = extraction.value or ""
        if isinstance(self._sandbox, NoSandbox):
            return "not_scored", Extraction(value=program, why=self._sandbox.reason)
        run = self._run_once(self._sandbox, program, question, stop)
        if run.outcome == "no_verdict":
            return "not_scored", Extraction(value=program, why=run.reason)
        outcome: Outcome = "correct" if run.outcome == "passed" else "wrong"
        return outcome, Extraction(value=program, why=f"{extraction.why}; {run.reason}")

    def _run_once(self, sandbox: Sandbox, program: str, question: Question, stop: int | None) -> Run:
        job = (question.id, hashlib.sha256(program.encode()).digest())
        with self._lock:
            earlier = self._runs.get(job)
            pending = self._runs.setdefault(job, Future())
        if earlier is not None:
            return earlier.result()
        run = Run("no_verdict", "it was stopped")
        try:
            run = run_tests(sandbox, program, question.tests, question.answer, prompt=question.code_prompt, stop=stop)
        finally:
            if run.outcome == "no_verdict":  # the same program may be tried again
                with self._lock:
                    del self._runs[job]
            pending.set_result(run)
        return run


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def grade_at_sight(record: Record, question: Question) -> Grade | None:
    """Grade one record of `question` without running anything; None where a program has yet to be run."""
    judged = _judge(record, question)
    return None if judged.outcome is None else _grade(record, judged.outcome, judged.extraction)


def was_cut_off(record: Record, question: Question) -> bool:
    """Whether a reply was cut off in a way that a larger output limit can mend."""
    return more_tokens_help(record) and _judge(record, question).outcome == "truncated"


def _grade(record: Record, outcome: Outcome, extraction: Extraction) -> Grade:
    value = None if extraction.value is None else once(extraction.value)
    return Grade(
        key=record.key, variant=once(record.variant), outcome=outcome, extracted=value, why=once(extraction.why)
    )


def _is_done(grade: Grade | Future[Grade]) -> bool:
    return isinstance(grade, Grade) or grade.done()


def _result(grade: Grade | Future[Grade]) -> Grade:
    return grade if isinstance(grade, Grade) else grade.result()


def _judge(record: Record, question: Question) -> _Judged:
    answer = record.answer
    if answer is None:
        return _without_answer("failed", record.failure.message if record.failure else "no reply was recorded")
    if why := _why_failed(answer):
        return _without_answer("failed", why)
    thought = split_thinking(answer.text, answer.reasoning)
    if thought.unclosed:
        return _without_answer("truncated", "the thinking never ends")
    was_cut = cut(answer, limit_of(record.request), thought.answer, question)
    if was_cut and not was_cut.unless_right:
        return _without_answer(was_cut.outcome, was_cut.why)
    if thought.answer.strip():
        return _read(answer, thought.answer, question, was_cut)
    return _without_answer(*_nothing_written(answer, thought))


def _why_failed(answer: Answer) -> str:
    """Explain why what came is no reply of the model; empty where it is one."""
    end = answer.finish_reason
    if end is not None and end_of(end) == "broken":
        return f"the server broke the reply off ({_short(end)})"
    if answer.text or answer.reasoning.strip() or answer.refusal.strip() or _calls_tool(answer):
        return ""
    read, written = answer.prompt_tokens, answer.completion_tokens or 0
    if read == answer.completion_tokens == 0:
        return "the server generated nothing: 0 tokens read, 0 written"
    if written > _SILENT and (end is None or end_of(end) == "whole"):
        return f"{written:,} tokens were generated, but none reached us"
    return ""


def _without_answer(outcome: Outcome, why: str) -> _Judged:
    return _Judged(outcome, Extraction(value=None, why=why))


def _read(answer: Answer, text: str, question: Question, was_cut: Cut | None) -> _Judged:
    """Read what a reply answers."""
    kind = KINDS[question.kind]
    extraction = kind.extract(text, question)
    if extraction.value is not None:
        return _Judged(kind.judge(extraction.value, question), extraction, was_cut)
    if end_of(answer.finish_reason) == "filter" or answer.refusal or refuses(text):
        return _Judged("refused", extraction)
    return _without_answer("unparsed", _called(answer) if _calls_tool(answer) else extraction.why)


def _nothing_written(answer: Answer, thought: Thought) -> tuple[Outcome, str]:
    """Say what became of a reply without text that nothing has cut off."""
    if answer.refusal.strip():
        return "refused", f"it refuses: {_short(answer.refusal)}"
    if end_of(answer.finish_reason) == "filter":
        return "refused", "nothing was written: a filter ended the reply"
    if _calls_tool(answer):
        return "empty", _called(answer)
    if thought.reasoning:
        return "empty", "thinking, but no answer after it"
    count = answer.completion_tokens
    tokens = "" if count is None else f": {count:,} token{'' if count == 1 else 's'}"
    return "empty", f"{'only blanks were' if answer.text else 'nothing was'} written{tokens}"


def _calls_tool(answer: Answer) -> bool:
    return bool(answer.tool_calls) or end_of(answer.finish_reason) == "tool"


def _called(answer: Answer) -> str:
    names = ", ".join(map(_short, answer.tool_calls[:3]))
    return f"it called the tool {names} in place of an answer" if names else "it called a tool in place of an answer"


def _short(text: str) -> str:
    """Put text from a server in one line, in quotation marks where it is blank, and cut it to a bearable length."""
    return shortened(text, 80) or repr(text[:20])
