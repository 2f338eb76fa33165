"""Grade records. Pure, except that answers to code questions run in the sandbox."""

import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from evaluator.grade.kinds import KINDS
from evaluator.grade.refusals import refuses
from evaluator.grade.sandbox import NoSandbox, Run, Sandbox, run_tests
from evaluator.grade.thinking import Thought, split_thinking
from evaluator.records import Extraction, Grade, Outcome, Question, Record

VERSION = "2"

_AHEAD = 64
"""Replies read for each core while an earlier one is run: a program that never ends takes ten seconds."""
# What servers report where the output limit ended a reply, in lower case and without marks: OpenAI, Anthropic, Mistral,
# Gemini, Cohere, LM Studio. Any other word means that the model ended its reply.
_CUT = frozenset({"length", "maxtokens", "modellength", "maxlength", "maxoutputtokens", "tokenlimit", "errorlimit"}) | {
    "maxpredictedtokensreached",
    "contextlengthreached",
    "modelcontextwindowexceeded",
    "finishreasonmaxtokens",
    "incomplete",
}
_FILTERED = frozenset({"contentfilter", "contentfiltered", "safety", "refusal", "prohibitedcontent", "errortoxic"})
_BROKEN = frozenset({"error", "abort", "cancelled"})

_Judged = tuple[Outcome | None, Extraction]
"""The outcome is None while a program has yet to be run."""


class Grader:
    """Grades records; the same program is put through the same tests only once."""

    def __init__(self, sandbox: Sandbox | NoSandbox) -> None:
        self._sandbox = sandbox
        self._lock = Lock()
        self._runs: dict[tuple[str, bytes], Future[Run]] = {}

    def grade(self, record: Record, question: Question) -> Grade:
        """Grade one record of `question`; blocks while code runs."""
        return self._finish(record, question, _judge(record, question), None)

    def grade_all(self, asked: Iterable[tuple[Record, Question]]) -> Generator[Grade, None, None]:
        """Grade records in their order, running as many programs at once as there are cores.

        Reads ahead while programs run, but not far, so that memory does not grow with the number of records. A caller
        that may end early closes the iterator; then the programs are stopped.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        waiting: deque[Grade | Future[Grade]] = deque()
        stop, stopped = os.pipe()
        pool = ThreadPoolExecutor(cores)
        try:
            for record, question in asked:
                judged = _judge(record, question)
                if judged[0] is None:
                    bare = Record(key=record.key, variant=record.variant, started="", request={})  # texts can be long
                    waiting.append(pool.submit(self._finish, bare, question, judged, stop))
                else:
                    waiting.append(self._finish(record, question, judged, stop))
                while waiting and (_is_done(waiting[0]) or len(waiting) > _AHEAD * cores):
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            os.close(stopped)
            pool.shutdown(cancel_futures=True)
            os.close(stop)

    def _finish(self, record: Record, question: Question, judged: _Judged, stop: int | None) -> Grade:
        outcome, extraction = judged
        if outcome is None:
            outcome, extraction = self._execute(extraction, question, stop)
        return Grade(
            key=record.key,
            variant=record.variant,
            outcome=outcome,
            extracted=extraction.value,
            why=extraction.why,
        )

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


def was_cut_off(record: Record, question: Question) -> bool:
    """Whether the output limit ended a reply before its answer was whole."""
    return _judge(record, question)[0] == "truncated"


def _is_done(grade: Grade | Future[Grade]) -> bool:
    return isinstance(grade, Grade) or grade.done()


def _result(grade: Grade | Future[Grade]) -> Grade:
    return grade if isinstance(grade, Grade) else grade.result()


def _judge(record: Record, question: Question) -> _Judged:
    answer = record.answer
    if answer is None:
        failure = record.failure
        return "failed", Extraction(value=None, why=failure.message if failure else "no reply was recorded")
    ended = "".join(filter(str.isalnum, answer.finish_reason or "")).lower()
    if ended in _BROKEN:
        return "failed", Extraction(value=None, why=f"the server broke the reply off ({answer.finish_reason})")
    thought = split_thinking(answer.text, answer.reasoning)
    if silent := _no_answer(ended, thought, question):
        return silent
    kind = KINDS[question.kind]
    extraction = kind.extract(thought.answer, question)
    if extraction.value is None:
        return ("refused" if ended in _FILTERED or refuses(thought.answer) else "unparsed"), extraction
    return kind.judge(extraction.value, question), extraction


def _no_answer(ended: str, thought: Thought, question: Question) -> _Judged | None:
    """Grade replies that hold no whole answer, whatever text they hold; None for all others."""
    if thought.unclosed:
        return "truncated", Extraction(value=None, why="the thinking never ends")
    if ended in _CUT and not KINDS[question.kind].survives_limit(thought.answer, question):
        return "truncated", Extraction(value=None, why="the output limit cut the reply")
    if not thought.answer.strip():
        if ended in _FILTERED:
            return "refused", Extraction(value=None, why="nothing was written: a filter ended the reply")
        why = "thinking, but no answer after it" if thought.reasoning else "nothing was written"
        return "empty", Extraction(value=None, why=why)
    return None
