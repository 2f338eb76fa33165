"""How a command ends where nobody reads, or nothing can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = "humaneval: {a: 90/100, b: 98/100}"


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["words", "json"])
def test_a_reader_that_has_had_enough_ends_the_command_without_a_word(more: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "evaluator", "compare", "--counts", COUNTS, *more],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_place_that_cannot_be_written_is_wrong_input(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "evaluator", "compare", "--counts", COUNTS, "--write", "/proc/whichquant"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
