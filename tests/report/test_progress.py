"""The live display says what has happened and how long it will take."""

import io

import msgspec
import pytest
from rich.console import Console

from evaluator.records import Answer, Failure, Grade, Key, Outcome, Record
from evaluator.report.progress import Progress

KEYS = tuple(Key("mmlu_pro", str(i)) for i in range(20))


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def one(number: int, outcome: Outcome = "correct", started: str = "9999") -> tuple[Record, Grade]:
    key = KEYS[number]
    answer = None if outcome == "failed" else Answer(text="", duration_s=2.0, completion_tokens=30)
    failure = Failure(kind="timeout", message="") if outcome == "failed" else None
    record = Record(key=key, variant="q4", started=started, request={}, answer=answer, failure=failure)
    return record, Grade(key=key, variant="q4", outcome=outcome, extracted=None, why="")


@pytest.fixture
def seen() -> tuple[Progress, Clock, Console]:
    clock = Clock()
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)
    return Progress({"q8": KEYS, "q4": KEYS}, console, clock), clock, console


def drawn(progress: Progress, console: Console) -> str:
    with console.capture() as capture:
        console.print(progress.table())
    return capture.get()


def test_every_variant_has_a_row_with_counts_interval_speed_failures_and_time_left(
    seen: tuple[Progress, Clock, Console],
) -> None:
    progress, clock, console = seen
    for i in range(9):
        progress.graded(*one(i))
    progress.graded(*one(9, "failed"))
    clock.now += 8  # ten seconds since the first question was put

    row = next(line for line in drawn(progress, console).splitlines() if line.startswith("q4"))

    assert "10/20" in row
    assert "9/9 (70.1\u2013100.0 %)" in row  # a failure is no wrong answer
    assert " 27 " in row, "270 tokens in 10 s"
    assert " 1 " in row, "one failure"
    assert "0:10" in row, "ten more at one a second"
    assert next(line for line in drawn(progress, console).splitlines() if line.startswith("q8")).split()[1] == "0/20"


def test_records_of_an_earlier_run_say_nothing_of_todays_speed(seen: tuple[Progress, Clock, Console]) -> None:
    progress, clock, console = seen
    for i in range(10):
        progress.graded(*one(i, started="2020"))
    clock.now += 1

    row = next(line for line in drawn(progress, console).splitlines() if line.startswith("q4"))

    assert "10/20" in row
    assert ":" not in row


def test_a_question_counts_once_however_often_it_is_put(seen: tuple[Progress, Clock, Console]) -> None:
    progress, _, console = seen
    for i in range(20):
        progress.graded(*one(i, "failed" if i == 3 else "correct"))
    before = drawn(progress, console)
    progress.graded(*one(3, "wrong"))
    progress.graded(*one(3, "correct"))

    row = next(line for line in drawn(progress, console).splitlines() if line.startswith("q4"))

    assert "20/20" in before
    assert "20/20 " in row
    assert "20/20 (83.9\u2013100.0 %)" in row
    assert "21" not in row
    assert " 0 " in row, "no failure is left"


def test_a_servers_words_cannot_steer_the_terminal(seen: tuple[Progress, Clock, Console]) -> None:
    progress, _, console = seen
    progress.show_status("q4", "[bold]x\x1b[2J\x07")

    out = drawn(progress, console)

    assert "\x1b" not in out
    assert "[bold]x" in out


def test_without_a_terminal_lines_are_printed_now_and_then() -> None:
    clock, file = Clock(), io.StringIO()
    with Progress({"q4": KEYS}, Console(file=file, width=80), clock) as progress:
        for i in range(20):
            progress.graded(*one(i))
            clock.now += 4

    lines = file.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert "q4: 20/20; MMLU-Pro 20/20 (83.9\u2013100.0 %)" in lines[-1]


def test_a_wait_is_counted_down_below_the_table_and_goes_away(seen: tuple[Progress, Clock, Console]) -> None:
    progress, clock, console = seen
    progress.show_status("q4", "the server asks to wait:", 12.0)
    progress.show_status("q4", "the server asks to wait:", 11.2)
    shown = []
    for _ in range(14):
        with console.capture() as capture:
            console.print(progress.drawing())
        shown.append(capture.get().splitlines()[3:])
        clock.now += 1

    assert shown == [*([f"q4: the server asks to wait: {left} s"] for left in range(12, 0, -1)), [], []]


@pytest.mark.parametrize("name", ["q8", "mlx-4bit", "gemma-4-26b", "q8_0-kv-q4_0"])
@pytest.mark.parametrize(
    ("width", "benchmarks", "shown"),
    [
        pytest.param(80, ("humaneval",), "1/1 ", id="two-benchmarks"),
        pytest.param(80, ("humaneval", "gsm8k"), "1/1 ", id="three-benchmarks"),
        pytest.param(132, ("humaneval",), "1/1 (20.7\u2013100.0 %)", id="wide"),
        pytest.param(160, ("humaneval", "gsm8k"), "1/1 (20.7\u2013100.0 %)", id="three-and-wide"),
        pytest.param(88, (), "1/1 (20.7\u2013100.0 %)", id="one-benchmark"),
    ],
)
def test_names_and_counts_stay_whole_and_intervals_give_way(
    name: str, width: int, benchmarks: tuple[str, ...], shown: str
) -> None:
    planned = (*KEYS, *(Key(benchmark, str(i)) for benchmark in benchmarks for i in range(5)))
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    progress = Progress({"q4": planned, name: planned}, console, Clock())
    progress.graded(*one(0))
    for key in planned[len(KEYS) :]:
        record, grade = one(0)
        progress.graded(msgspec.structs.replace(record, key=key), msgspec.structs.replace(grade, key=key))

    progress.show_status(name, "starting its server")
    header, row, other, *more = drawn(progress, console).splitlines()

    assert "".join(line.split()[0] for line in (other, *more)) == name
    assert row.split()[0] == "q4"
    assert shown in row
    with console.capture() as capture:
        console.print(progress.drawing())
    assert "starting its " in capture.get()
    assert all(title in header for title in ("asked", "MMLU-Pro", "tokens/s", "failures", "time left"))
    assert max(map(len, (header, row, other))) <= width
    assert "\u2026" not in (row + other)[: header.index("time left")]


def test_the_speed_of_a_variant_that_is_done_stays(seen: tuple[Progress, Clock, Console]) -> None:
    progress, clock, console = seen
    for i in range(20):
        progress.graded(*one(i))
        clock.now += 1
    at_its_end = drawn(progress, console)
    clock.now += 600  # the next variant is asked

    assert " 29 " in at_its_end, "600 tokens in 21 s"
    assert drawn(progress, console) == at_its_end


def test_at_80_columns_the_state_of_the_server_gives_way_and_not_the_counts() -> None:
    planned = {"q4": (*KEYS, *(Key("humaneval", str(i)) for i in range(5)))}
    narrow = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    progress = Progress(planned, narrow, Clock())
    progress.show_status("q4", "an OpenAI-compatible server running already at http://127.0.0.1:8080/v1")
    progress.graded(*one(0))

    header, row = drawn(progress, narrow).splitlines()

    assert row.startswith("q4 ")
    assert "1/25" in row
    assert "1/1 " in row
    assert all(title in header for title in ("asked", "MMLU-Pro", "HumanEval", "tokens/s", "failures", "time left"))


def test_without_a_terminal_a_wait_is_a_line_and_waits_of_many_requests_are_one() -> None:
    clock, file = Clock(), io.StringIO()
    with Progress({"q4": KEYS}, Console(file=file, width=80), clock) as progress:
        for second in range(60):
            progress.show_status("q4", "the server is busy, asked again in", 2.5 if second < 30 else 20.0)
            clock.now += 1

    assert file.getvalue().splitlines() == [
        "q4: the server is busy, asked again in 3 s",
        "q4: the server is busy, asked again in 3 s",
        "q4: the server is busy, asked again in 20 s",
        "q4: the server is busy, asked again in 20 s",
    ]


def test_what_cannot_be_scored_is_no_zero(seen: tuple[Progress, Clock, Console]) -> None:
    progress, _, console = seen
    for i in range(3):
        progress.graded(*one(i, "not_scored"))

    assert "0 of 3 scored" in drawn(progress, console)
