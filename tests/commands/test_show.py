"""`whichquant show`: questions of finished runs, of runs going on and of earlier versions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "runs" / "example-demo"
EARLIER = ROOT / "tests" / "support" / "runs" / "before-the-rooms"


def show(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["show", str(folder), *more], env={"COLUMNS": "80"})


def objects(folder: Path, *more: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in show(folder, "--json", *more).output.splitlines()]


def test_one_question_has_all_replies() -> None:
    said = show(EXAMPLE, "7825").output

    assert said.startswith("mmlu_pro/7825 (MMLU-Pro, math)\n\n  The following are multiple choice questions")
    assert "\nRight: B (No mode)\n" in said
    for variant in ("q8_0 (baseline)", "q4_0", "q2_k", "q8_0-kv-q4_0"):
        assert f"\n{variant}: correct, B\n  B is announced as the answer\n" in said


def test_flips_are_those_of_the_report() -> None:
    report = json.loads((EXAMPLE / "report.json").read_text())
    tables = {(c["variant"], c["benchmark"]): c["table"] for c in report["comparisons"]}

    for (variant, benchmark), table in tables.items():
        found = objects(EXAMPLE, "--flips", "q8_0", variant, "--benchmark", benchmark)
        assert len(found) == table["only_a"] + table["only_b"], (variant, benchmark)


def test_a_list_ends_with_its_counts() -> None:
    said = show(EXAMPLE, "--outcome", "q2_k=truncated", "--limit", "2").output

    assert said.splitlines()[0].split() == ["question", "category", "q8_0", "q4_0", "q2_k", "q8_0-kv-q4_0"]
    assert said.splitlines()[-1] == "34 of 264 questions, of which 2 are shown"
    assert max(map(len, said.splitlines())) <= 80


def test_a_run_of_an_earlier_version_is_shown() -> None:
    assert show(EARLIER).exit_code == 0
    assert all(each["replies"] for each in objects(EARLIER))


def test_json_holds_every_text_whole_in_ascii() -> None:
    result = show(EXAMPLE, "--json", "--search", "MODE", "--category", "math")

    assert result.output.isascii()
    first = json.loads(result.output.splitlines()[0])
    assert first["prompt"].startswith("The following are multiple choice")
    assert first["replies"]["q4_0"]["outcome"] == "correct"
    assert first["replies"]["q4_0"]["text"].endswith("The answer is (B).")


def test_what_lies_in_the_folder_stays_as_it_is(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "run")
    (folder / "grades.jsonl").unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    said = show(folder).output

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert "code replies are not graded yet" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["nonsense"], "there is none of that name: leave it out to see all ", id="nothing near"),
        pytest.param(["99999"], 'question "99999": there is none of that name: did you mean ', id="unknown"),
        pytest.param(["eval/1"], "and 70 more: write more of its name", id="ambiguous"),
        pytest.param(["7825", "--search", "x"], "give either a question or what to choose by, not both", id="both"),
        pytest.param(["--flips", "q8_0", "q3"], "--flips q3: is not known here: there are q8_0, q4_0", id="variant"),
        pytest.param(["--outcome", "right"], "--outcome right: is not known here: there are correct,", id="outcome"),
        pytest.param(["--outcome", "q9=wrong"], "--outcome q9: is not known here", id="variant-of-an-outcome"),
        pytest.param(["--category", "maths"], "did you mean math", id="category"),
        pytest.param(["--benchmark", "mmlu"], "did you mean mmlu_pro?", id="benchmark"),
        pytest.param(["\x1b[2J\n\u202e"], "there is none of that name", id="hostile"),
    ],
)
def test_what_is_not_there_is_one_sentence(arguments: list[str], says: str) -> None:
    result = show(EXAMPLE, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


def test_a_folder_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    result = show(tmp_path)

    assert result.exit_code == 2
    assert "no run lies here" in result.stderr


@pytest.mark.parametrize("more", [[], ["--json"], ["7825"]], ids=["list", "json", "question"])
def test_a_reader_that_has_had_enough_ends_it_without_a_word(more: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "evaluator", "show", str(EXAMPLE), *more]
    try:
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")


def test_for_one_question_no_other_is_read(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "run"))
    path = folder / "records" / "q4_0.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["key"]["question_id"] != "7825":
            line["request"] = "no request"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert "q4_0.jsonl:" in show(folder).stderr
    assert show(folder, "7825").output == show(EXAMPLE, "7825").output
