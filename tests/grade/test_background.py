"""Grading beside asking: every record once, in its order, and whatever becomes of a program holds nobody up."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.grade import grader as grading
from evaluator.grade.background import BackgroundGrading
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import Run, Sandbox
from evaluator.records import Answer, Grade, Key, Question, Record
from servers.spec import Prompt

SANDBOX = Sandbox(
    tier="none", command=("false",), namespaces=True, scratch="/", readable=(), seccomp=None, processes=None
)
PROMPT = Prompt(messages=({"role": "user", "content": "?"},))
CHOICE = Question(
    benchmark="b", id="c", kind="choice", category="c", prompt=PROMPT, letters="AB", options=("x", "y"), answer="A"
)
CODE = Question(
    benchmark="b",
    id="p",
    kind="code",
    category="c",
    prompt=PROMPT,
    answer="one",
    code_prompt="def one():\n",
    tests="def check(candidate):\n    assert candidate() == 1\n",
)


def choice(number: int, variant: str = "v") -> Record:
    return _record(f"c{number}", variant, "The answer is (A).")


def program(number: int, variant: str = "v") -> Record:
    return _record(f"p{number}", variant, f"```python\ndef one():\n    return {number}\n```")


def _record(name: str, variant: str, text: str) -> Record:
    answer = Answer(text=text, finish_reason="stop", duration_s=1)
    return Record(key=Key("b", name), variant=variant, started="now", request={}, answer=answer)


def question(record: Record) -> Question:
    return CODE if record.key.question_id.startswith("p") else CHOICE


class Desk:
    """Records on disk, and what was taken of them."""

    def __init__(self, *records: Record) -> None:
        self.disk = {(record.variant, record.key): record for record in records}
        self.read: list[Key] = []
        self.taken: list[tuple[str, str, str]] = []
        self.took = asyncio.Event()

    def grading(self) -> BackgroundGrading:
        return BackgroundGrading(Grader(SANDBOX), self._read, question, self._take)

    def _read(self, variant: str, keys: Sequence[Key]) -> Iterator[Record]:
        self.read += keys
        yield from (self.disk[variant, key] for key in keys if (variant, key) in self.disk)

    def _take(self, record: Record, grade: Grade, _earlier: bool) -> None:
        assert record == self.disk[record.variant, record.key]
        self.taken.append((record.variant, record.key.question_id, grade.outcome))
        self.took.set()


@pytest.fixture
def _programs_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "run_tests", lambda *_, **__: Run("passed", "passed"))


@pytest.mark.usefixtures("_programs_pass")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("vw"), st.booleans(), st.booleans()), max_size=200))
def test_each_is_graded_once_and_in_its_order(given_: list[tuple[str, bool, bool]]) -> None:
    records = [(program if code else choice)(i, variant) for i, (variant, code, _) in enumerate(given_)]
    desk = Desk(*records)

    async def run() -> None:
        background = desk.grading()
        async with background.running("vw"):
            for record, (_, _, by_key) in zip(records, given_, strict=True):
                background.add(record.variant, [record.key if by_key else record])

    asyncio.run(run())

    for variant in "vw":
        mine = [record.key.question_id for record in records if record.variant == variant]
        assert [name for of, name, _ in desk.taken if of == variant] == mine
    assert {outcome for *_, outcome in desk.taken} <= {"correct"}


async def test_what_has_to_wait_is_held_as_a_place_on_disk_alone() -> None:
    records = [choice(i) for i in range(500)]
    desk = Desk(*records)
    background = desk.grading()

    async with background.running("v"):
        background.add("v", records)

    assert len(desk.taken) == 500
    assert len(desk.read) >= 300


async def test_a_program_that_takes_long_holds_up_nobody_but_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(grading, "run_tests", lambda *_, **__: Run("passed" if goes_on.wait(30) else "failed", ""))
    desk = Desk(program(0, "slow"), choice(1, "quick"))
    background = desk.grading()

    async with background.running(["slow", "quick"]):
        background.add("slow", [program(0, "slow")])
        background.add("quick", [choice(1, "quick")])
        async with asyncio.timeout(20):
            await desk.took.wait()
        before = list(desk.taken)
        goes_on.set()

    assert before == [("quick", "c1", "correct")]
    assert desk.taken[1:] == [("slow", "p0", "correct")]


async def test_waiting_for_what_was_given_is_not_waiting_for_what_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(grading, "run_tests", lambda *_, **__: Run("passed" if goes_on.wait(30) else "failed", ""))
    desk = Desk(choice(0), program(1))
    background = desk.grading()

    async with background.running("v"):
        background.add("v", [choice(0)])
        waiting = asyncio.create_task(background.caught_up())
        await asyncio.sleep(0)
        background.add("v", [program(1)])
        async with asyncio.timeout(20):
            await waiting
        before = list(desk.taken)
        goes_on.set()

    assert before == [("v", "c0", "correct")]


async def test_what_goes_wrong_in_whoever_takes_a_grade_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(choice(0))
    monkeypatch.setattr(desk, "_take", lambda *_: 1 / 0)
    background = desk.grading()

    async def run() -> None:
        async with background.running("v"):
            background.add("v", [choice(0)])
            await asyncio.sleep(30)

    with pytest.raises(ExceptionGroup) as raised:
        await run()

    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


async def test_programs_that_run_are_ended_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def wait_for_the_end(*_: object, stop: int, **__: object) -> Run:
        begun.set()
        return Run("no_verdict", "it was stopped") if os.read(stop, 1) == b"" else Run("failed", "")

    monkeypatch.setattr(grading, "run_tests", wait_for_the_end)
    desk = Desk(program(0))
    background = desk.grading()

    async def run() -> None:
        async with background.running("v"):
            background.add("v", [program(0)])
            await asyncio.to_thread(begun.wait, 20)
            raise OSError("full")

    with pytest.raises(ExceptionGroup):
        await run()

    assert desk.taken == []
