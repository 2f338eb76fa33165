"""A command loads what it uses: start-up is most of what a short one costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.large_run import Size, write_run
from tests.support.scripted import Bench, right, wrong

READERS = {f"evaluator.grade.{kind}.extract" for kind in ("choice", "code", "number")}
NUMBERS = {"scipy", "numpy"}
SERVING = {"httpx2", "asyncio", "tenacity", "psutil", "pynvml", "huggingface_hub", "gguf", "evaluator.ask.session"}
SHOWING = {"jinja2", "matplotlib", "rich"}

SCRIPT = """
import sys
sys.argv = ["whichquant", *sys.argv[1:]]
from evaluator.cli import main
try:
    main()
finally:
    print("LOADED", *sys.modules, file=sys.stderr)
"""


def loaded(*arguments: str | Path) -> set[str]:
    """Run a command in a process of its own; give the modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("run", "--help"), ("compare", "--help")])
def test_help_loads_click_alone(words: tuple[str, ...]) -> None:
    assert not loaded(*words) & (NUMBERS | SERVING | SHOWING | READERS | {"msgspec", "yaml"})


def test_a_plan_loads_nothing_that_asks_or_grades(bench: Bench, tmp_path: Path) -> None:
    study = bench.study(20, good=right, other=right)

    found = loaded("plan", study, "--runs", tmp_path)

    assert not found & (NUMBERS | SERVING | READERS | {"jinja2", "matplotlib"})


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_report_loads_nothing_that_asks_and_no_numbers_where_each_question_was_answered_once(
    repeats: int, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    write_run(folder, Size(questions=24, variants=2, again=0, repeats=repeats))

    found = loaded("report", folder)

    assert not found & (SERVING | {"scipy", "matplotlib"})
    assert bool(found & NUMBERS) == (repeats > 1)


@pytest.mark.parametrize("variants", [1, 2])
def test_a_run_loads_the_readers_of_its_own_answers_and_no_numbers(variants: int, bench: Bench, tmp_path: Path) -> None:
    study = bench.study(3, "decide: {noise_floor: 0}\n", **dict.fromkeys(("good", "other")[:variants], wrong))

    found = loaded("run", study, "--runs", tmp_path, "--force")

    assert not found & (NUMBERS | {"huggingface_hub", "gguf", "matplotlib"})
    assert found & READERS == {"evaluator.grade.choice.extract"}
