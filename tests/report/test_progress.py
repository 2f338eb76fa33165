"""The live table says what has happened and how long it will take, in any terminal; plain lines say it elsewhere."""

import io
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from evaluator.events import Graded, Planned, Status
from evaluator.records import Answer, Failure, Grade, Key, Outcome, Record
from evaluator.report.display import Display
from evaluator.report.names import fitted
from evaluator.report.progress import GIVES_WAY, ago, clock, drawing, table
from evaluator.report.tally import Tally
from evaluator.store.live import BenchmarkProgress, Incident, Live, VariantProgress

KEYS = tuple(Key("mmlu_pro", str(i)) for i in range(20))
TWO = {"q8": KEYS, "q4": KEYS}
Seen = tuple[Tally, "Clock", Console]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def one(number: int, outcome: Outcome = "correct", *, earlier: bool = False, variant: str = "q4") -> Graded:
    key = KEYS[number]
    answer = None if outcome == "failed" else Answer(text="", duration_s=2.0, completion_tokens=30)
    failure = Failure(kind="timeout", message="") if outcome == "failed" else None
    record = Record(key=key, variant=variant, started="", request={}, answer=answer, failure=failure)
    return Graded(record, Grade(key=key, variant=variant, outcome=outcome, extracted=None, why=""), earlier)


def terminal(width: int = 160, height: int = 25) -> Console:
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


@pytest.fixture
def seen() -> Seen:
    now = Clock()
    tally = Tally(now)
    tally.add(Planned(TWO, TWO))
    return tally, now, terminal()


def drawn(tally: Tally, console: Console) -> str:
    with console.capture() as capture:
        console.print(table(tally.look(), console))
    return capture.get()


def below(tally: Tally, console: Console) -> list[str]:
    """Return the lines below a table of two variants."""
    with console.capture() as capture:
        console.print(drawing(tally.look(), console))
    return [line.rstrip() for line in capture.get().splitlines()[3:]]


def row_of(name: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


def test_every_variant_has_a_row_with_counts_interval_speed_failures_and_time_left(seen: Seen) -> None:
    tally, now, console = seen
    for i in range(9):
        tally.add(one(i))
    tally.add(one(9, "failed"))
    now.now += 8  # ten seconds since the first question was put

    row = row_of("q4", drawn(tally, console))

    assert "10/20" in row
    assert "100.0 % (70.1\u2013100.0)" in row, "nine of nine: a failure is no wrong answer"
    assert " 27 " in row, "270 tokens in 10 s"
    assert " 1 " in row, "one failure"
    assert "0:10" in row, "ten more at one a second"
    assert " 0/20" in row_of("q8", drawn(tally, console))


def test_records_of_an_earlier_run_say_nothing_of_todays_speed(seen: Seen) -> None:
    tally, now, console = seen
    for i in range(10):
        tally.add(one(i, earlier=True))
    now.now += 1

    row = row_of("q4", drawn(tally, console))

    assert "10/20" in row
    assert ":" not in row


def test_a_question_counts_once_however_often_it_is_put(seen: Seen) -> None:
    tally, _, console = seen
    for i in range(20):
        tally.add(one(i, "failed" if i == 3 else "correct"))
    before = drawn(tally, console)
    tally.add(one(3, "wrong"))
    tally.add(one(3, "correct"))

    row = row_of("q4", drawn(tally, console))

    assert "20/20" in before
    assert "20/20 " in row
    assert "100.0 % (83.9\u2013100.0)" in row
    assert "21" not in row
    assert " 0 " in row, "no failure is left"


def test_a_servers_words_cannot_steer_the_terminal(seen: Seen) -> None:
    tally, _, console = seen
    tally.add(Status("q4", "[bold]x\x1b[2J\x07{0}\u202e", trouble="busy"))

    out = "\n".join([drawn(tally, console), *below(tally, console)])

    assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert "[bold]x[2J{0}" in out


def test_without_a_terminal_lines_are_printed_now_and_then() -> None:
    now, file = Clock(), io.StringIO()
    with Display(Console(file=file, width=80), clock=now) as display:
        display(Planned({"q4": KEYS}, {"q4": KEYS}))
        for i in range(20):
            display(one(i))
            now.now += 4

    lines = file.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert "q4: 20/20; MMLU-Pro 20/20 (83.9\u2013100.0 %)" in lines[-1]


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}], ids=lambda env: env["TERM"])
def test_a_dumb_terminal_gets_the_plain_lines(environment: Mapping[str, str]) -> None:
    now, file = Clock(), io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, _environ=environment)
    with Display(console, clock=now) as display:
        display(Planned({"q4": KEYS}, {"q4": KEYS}))
        for i in range(20):
            display(one(i))

    assert file.getvalue().startswith("q4: 20/20; MMLU-Pro 20/20")
    assert "\x1b[" not in file.getvalue().replace("\x1b[?25h", "")


def test_a_wait_is_counted_down_below_the_table_and_goes_away(seen: Seen) -> None:
    tally, now, console = seen
    tally.add(Status("q4", "the server asks to wait:", 12.0))
    tally.add(Status("q4", "the server asks to wait:", 11.2))
    shown = []
    for _ in range(14):
        shown.append(below(tally, console))
        now.now += 1

    assert shown == [*([f"q4: the server asks to wait: {left} s"] for left in range(12, 0, -1)), [], []]


def test_the_last_incident_says_what_and_how_long_ago(seen: Seen) -> None:
    tally, now, console = seen
    attempt = Failure(kind="overloaded", message="429 Too many\nrequests", waited_s=2.0)
    tally.add(Status("q8", "the server died; starting it again", trouble="restarted"))
    restarted = below(tally, console)[-1]
    now.now += 100
    graded = one(0)
    tally.add(replace(graded, record=replace(graded.record, attempts=(attempt,))))
    now.now += 7

    assert restarted == "last incident: q8, 0 s ago: the server died; starting it again"
    assert below(tally, console)[-1] == (
        "last incident: q4, 7 s ago: MMLU-Pro question 0: 429 Too many; answered when asked again"
    )


def progress(name: str, benchmarks: Sequence[str], asked: int, planned: int, **further: object) -> VariantProgress:
    parts = [
        BenchmarkProgress(benchmark=key, planned=planned, asked=asked, scored=asked, correct=asked // 3)
        for key in benchmarks
    ]
    return replace(
        VariantProgress(
            variant=name,
            phase="asking",
            benchmarks=tuple(parts),
            now=benchmarks[-1],
            failed=asked // 7,
            tokens_per_second=1234.5,
            left_s=4000.0,
            server="llama.cpp, version b7000, at http://127.0.0.1:8080/v1",
            wait="the server asks to wait:",
            wait_s=12.0,
        ),
        **further,
    )


names = st.text("abq4_.-K", min_size=1, max_size=40)
benchmark_names = st.lists(
    st.sampled_from(["mmlu_pro", "humaneval", "gsm8k", "my-own-questions", "b5"]), min_size=1, max_size=5, unique=True
)


@settings(deadline=None, max_examples=150)
@given(
    size=st.tuples(st.integers(60, 200), st.integers(10, 60)),
    variants=st.lists(names, min_size=1, max_size=20, unique=True),
    benchmarks=benchmark_names,
    planned=st.integers(1, 3000),
    share=st.floats(0, 1),
    at_most=st.booleans(),
)
def test_what_counts_is_in_every_terminal_and_no_line_is_wider(
    size: tuple[int, int], variants: list[str], benchmarks: list[str], planned: int, share: float, *, at_most: bool
) -> None:
    width, height = size
    asked = max(1, round(planned * share))
    rows = tuple(progress(name, benchmarks, asked, planned) for name in variants)
    incident = Incident(variant=variants[0], text="x" * 200, ago_s=3.0)
    console = terminal(width, height)

    with console.capture() as capture:
        console.print(drawing(Live(study="s", variants=rows, at_most=at_most, left_s=9.0, incident=incident), console))
    header, *lines = capture.get().splitlines()

    shown = lines[: min(len(variants), sum("1,23" in line for line in lines))]
    assert shown, "however low the terminal"
    assert len(lines) < height or len(shown) == 1
    assert all(title in header for title in ("variant", "asked", "tokens/s", "time left"))
    assert max(map(len, [header, *lines])) <= width
    for name, line in zip(variants, shown, strict=False):
        head, _, tail = line.split()[0].partition("\u2026")
        assert name.startswith(head)
        assert name.endswith(tail or name)
        assert f"{asked * len(benchmarks)}/{planned * len(benchmarks)}" in line
        assert f"{100 * (asked // 3) / asked:.1f} %" in line
        assert "1,234" in line
        assert ("\u2264" if at_most else " ") + "1:06:40" in line


@given(
    ends=st.lists(names, min_size=2, max_size=20, unique=True),
    common=st.text("ab", max_size=40),
    width=st.integers(12, 60),
    where=st.sampled_from(["end", "beginning"]),
)
def test_names_that_differ_in_a_short_part_stay_apart_and_fit(
    ends: list[str], common: str, width: int, where: str
) -> None:
    ends = list(dict.fromkeys(end[:6].rjust(6, "0") for end in ends))
    whole = [common + end if where == "end" else end + common for end in ends]

    cut = fitted(whole, width)

    assert max(map(len, cut)) <= width
    assert len(set(cut)) == len(set(whole))


def test_names_are_cut_in_the_middle_where_that_tells_them_apart() -> None:
    long = ["gemma-4-26b-a4b-it-qat-q4_0", "gemma-4-26b-a4b-it-qat-q8_0", "q2"]

    assert fitted(long, 16) == ["gemma\u2026t-qat-q4_0", "gemma\u2026t-qat-q8_0", "q2"]
    assert fitted(["a-q4-of-a-very-long-run", "a-q8-of-a-very-long-run"], 12) == [
        "a-q4\u2026ong-run",
        "a-q8\u2026ong-run",
    ]


@pytest.mark.parametrize("dropped", range(len(GIVES_WAY) + 1))
def test_a_narrow_terminal_does_without_one_after_the_other(dropped: int) -> None:
    """Each is there as long as everything behind it in the order of giving way is."""
    signs: dict[str, Callable[[str], bool]] = {
        "server": lambda text: "llama.cpp" in text.splitlines()[1],
        "bar": lambda text: "\u2501" in text,
        "intervals": lambda text: "95 %" in text,
        "failures": lambda text: "failures" in text,
        "whole names": lambda text: "a-name-of-thirty-four-characters-q4" in text,
        "every benchmark": lambda text: "MMLU-Pro" in text.splitlines()[0],
    }
    live = Live(
        study="s", variants=(progress("a-name-of-thirty-four-characters-q4", ["mmlu_pro", "humaneval"], 10, 100),)
    )
    patterns = set()
    for width in range(60, 201):
        console = terminal(width)
        with console.capture() as capture:
            console.print(table(live, console))
        patterns.add(tuple(signs[name](capture.get()) for name in GIVES_WAY))

    assert (False,) * dropped + (True,) * (len(GIVES_WAY) - dropped) in patterns
    assert len(patterns) == len(GIVES_WAY) + 1


def test_the_columns_do_not_change_while_a_run_goes_on(seen: Seen) -> None:
    tally, now, _ = seen
    console, headers = terminal(80), set()
    for i in range(20):
        headers.add(drawn(tally, console).splitlines()[0])
        tally.add(one(i, "wrong" if i % 2 else "correct"))
        now.now += 9

    assert len(headers) == 1


def test_a_low_terminal_shows_who_is_asked_and_counts_the_others() -> None:
    rows = [progress(f"v{i}", ["gsm8k"], 5, 9, wait="", phase="done" if i < 9 else "waiting") for i in range(19)]
    rows.insert(12, progress("now", ["gsm8k"], 5, 9))
    console = terminal(80, 12)

    with console.capture() as capture:
        console.print(drawing(Live(study="s", variants=tuple(rows)), console))

    lines = capture.get().splitlines()
    assert len(lines) < 12
    assert any(line.startswith("now ") for line in lines)
    assert any(line.startswith("and ") and "9 done" in line for line in lines)


@pytest.mark.parametrize("width", [40, 200])
def test_without_a_variant_the_table_is_empty(width: int) -> None:
    console = Console(width=width, height=20)

    assert table(Live(study="s", phase="asking"), console).row_count == 0


def test_the_speed_of_a_variant_that_is_done_stays(seen: Seen) -> None:
    tally, now, console = seen
    for i in range(20):
        tally.add(one(i))
        now.now += 1
    at_its_end = drawn(tally, console)
    now.now += 600  # the next variant is asked

    assert " 29 " in row_of("q4", at_its_end), "600 tokens in 21 s"
    assert row_of("q4", drawn(tally, console)) == row_of("q4", at_its_end)


def test_without_a_terminal_a_wait_is_a_line_and_waits_of_many_requests_are_one() -> None:
    now, file = Clock(), io.StringIO()
    with Display(Console(file=file, width=80), clock=now) as display:
        display(Planned({"q4": KEYS}, {"q4": KEYS}))
        for second in range(60):
            display(Status("q4", "the server is busy, asked again in", 2.5 if second < 30 else 20.0))
            now.now += 1

    assert file.getvalue().splitlines() == [
        "q4: the server is busy, asked again in 3 s",
        "q4: the server is busy, asked again in 3 s",
        "q4: the server is busy, asked again in 20 s",
        "q4: the server is busy, asked again in 20 s",
    ]


def test_what_cannot_be_scored_is_no_zero(seen: Seen) -> None:
    tally, _, console = seen
    for i in range(3):
        tally.add(one(i, "not_scored"))

    assert "no score" in row_of("q4", drawn(tally, console))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (359_999, "99:59:59"), (360_000, "4 days")],
)
def test_times_are_short(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0 s ago"), (89, "89 s ago"), (90, "2 min ago"), (7200, "2.0 h ago")]
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown
