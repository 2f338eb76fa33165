"""While servers are checked something is on the screen from the first second: what is done, and how far it is."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from evaluator.events import Begun, Checked, Checking
from evaluator.report.checking import checks
from evaluator.report.display import Display, opening
from evaluator.report.tally import Tally
from evaluator.study.file import load_study
from tests.report.test_progress import Clock

STEPS = (
    Checking("q8", "starting its server"),
    Checking("q8", "checking", 0, 24, what="long prompts"),
    Checking("q8", "checking", 7, 24, what="long prompts"),
    Checking("q8", "checking", 24, 24, what="long prompts"),
    Checking("q8", "checked in 31 s", ended=True),
)


def console(*, terminal: bool, width: int = 80) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, force_terminal=terminal, color_system=None, legacy_windows=False), file


def drawn(*steps: Checking, width: int = 80) -> list[str]:
    """Return the lines that a terminal shows after these steps."""
    shown, _ = console(terminal=True, width=width)
    tally = Tally()
    for step in steps:
        tally.add(step)
    with shown.capture() as capture:
        shown.print(checks(tally.look(), shown))
    return [line.strip() for line in capture.get().splitlines() if line.strip()]


def test_elsewhere_each_step_is_a_line_once() -> None:
    shown, file = console(terminal=False)
    with Display(shown, clock=Clock()) as display:
        for step in STEPS:
            display(step)

    assert file.getvalue().splitlines() == [
        "q8: starting its server",
        "q8: checking long prompts (0 of 24)",
        "q8: checked in 31 s",
    ]


def test_elsewhere_a_long_step_is_counted_now_and_then() -> None:
    shown, file = console(terminal=False)
    clock = Clock()
    with Display(shown, clock=clock) as display:
        for done in range(24):
            display(Checking("q8", "checking", done, 24))
            clock.now += 5

    assert file.getvalue().splitlines() == [f"q8: checking ({done} of 24)" for done in range(0, 24, 3)]


def test_in_a_terminal_one_line_changes_and_ends_stay() -> None:
    shown, file = console(terminal=True)
    with Display(shown) as display:
        for step in STEPS:
            display(step)

    assert file.getvalue().count("q8: checked in 31 s\n") == 1
    assert [line.split(maxsplit=2)[2] for line in drawn(*STEPS[:3])] == ["checking long prompts (7 of 24)"]
    assert drawn(*STEPS) == []


@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_is_checked_fits_beside_long_names(width: int) -> None:
    names = [f"gemma-4-26b-a4b-it-qat-unquantized-q{bits}_0" for bits in (4, 8)]
    lines = drawn(*(Checking(name, "checking", 7, 24, what="the switch for thinking") for name in names), width=width)

    assert len({line.split()[0] for line in lines}) == 2
    assert all(len(line) <= width and "checking the sw" in line for line in lines)


def test_in_a_terminal_what_is_done_at_once_has_a_line_each() -> None:
    lines = drawn(Checking("q8", "checking", 2, 24), Checking("q4", "starting its server"))

    assert [(line.split()[0], line.split(maxsplit=2)[2]) for line in lines] == [
        ("q8", "checking (2 of 24)"),
        ("q4", "starting its server"),
    ]


@pytest.mark.parametrize("end", [Checked(()), None], ids=["checked", "broken-off"])
def test_the_lines_are_gone_when_the_check_ends_or_is_broken_off(end: Checked | None) -> None:
    shown, file = console(terminal=True)
    with Display(shown) as display:
        display(STEPS[0])
        if end:
            display(end)

    assert file.getvalue().rpartition("\x1b[?25h")[1], "the cursor is back"
    assert file.getvalue().count("\x1b[?25h") == file.getvalue().count("\x1b[?25l")


def test_from_the_first_instant_it_is_said_what_is_done() -> None:
    shown, file = console(terminal=True)
    with Display(shown):
        time.sleep(0.3)

    assert "reading the study, and the files of its models" in file.getvalue()


def test_hostile_words_of_a_server_do_nothing_to_the_terminal() -> None:
    shown, file = console(terminal=False)

    with Display(shown) as display:
        display(Checking("q8", "\x1b[2Jgone\x07", ended=True))

    assert "\x1b" not in file.getvalue()
    assert "\x1b" not in "".join(drawn(Checking("q8", "\x1b[2Jgone\x07", what="\x1b[2J")))


def study(*names: str, benchmarks: str = "mmlu_pro: {questions: 40}, humaneval: {questions: all}") -> str:
    variants = ", ".join(f"{{name: {name}, base_url: 'http://127.0.0.1:9/v1', model: m}}" for name in names)
    return f"study: s\nbaseline: {names[0]}\nvariants: [{variants}]\nbenchmarks: {{{benchmarks}}}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(study("q8"), "s: 40 MMLU-Pro and all HumanEval questions for q8", id="one"),
        pytest.param(
            study("q8", "q4"), "s: 40 MMLU-Pro and all HumanEval questions each for 2 variants (q8 and q4)", id="two"
        ),
        pytest.param(
            study("q8", "q4", "q2", benchmarks="gsm8k: {questions: 9}"),
            "s: 9 GSM8K questions each for 3 variants (q8, q4 and q2)",
            id="three",
        ),
    ],
)
def test_the_first_line_says_what_is_going_to_be_asked_of_whom(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text)

    assert opening(load_study(tmp_path / "s.yaml").study) == sentence


def test_a_busy_machine_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(study("q8"))
    shown, file = console(terminal=False)
    with Display(shown) as display:
        display(Begun(load_study(tmp_path / "s.yaml").study, "this machine is busy (load 9.1 on 8 processors)"))

    assert file.getvalue().splitlines()[1] == "note this machine is busy (load 9.1 on 8 processors)"
