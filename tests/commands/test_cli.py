"""The command line: instant help, one sentence for every mistake, the right exit code."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evaluator import __version__
from evaluator.cli import main

HEAVY = {"scipy", "numpy", "datasets", "matplotlib", "httpx2", "rich", "msgspec", "huggingface_hub", "jinja2", "yaml"}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["demo", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_no_heavy_package(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "evaluator", *arguments]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & HEAVY


def test_help_names_every_command_of_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "reference" / "commands.md").read_text()

    said = CliRunner().invoke(main, ["--help"]).output

    for name in main.commands:
        assert f"`whichquant {name}" in reference
        assert f"\n  {name} " in said


def test_help_says_of_every_command_and_option_what_it_does_in_a_whole_sentence() -> None:
    for width in (30, 60, 80, 200):
        assert "..." not in CliRunner().invoke(main, ["--help"], terminal_width=width).output.partition("Commands:")[2]
    said = CliRunner().invoke(main, ["--help"], terminal_width=80).output

    assert "..." not in said.partition("Commands:")[2]
    for name, command in main.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)
                assert "left out" not in parameter.help.lower(), (name, parameter.name)
                assert parameter.help[0].isupper() or parameter.name == "model", (name, parameter.name)


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.strip() == f"whichquant, version {__version__}"


def test_schema_is_json_that_knows_the_keys() -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema"]).output)

    assert "kv_cache" in schema["$defs"]["Variant"]["properties"]


STUDY = """\
study: s
baseline: a
variants:
  - name: a
    runtime: llama_server
    model: {model}
benchmarks: {{mmlu_pro: {{questions: 5, shots: 0}}}}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(STUDY.format(model="nowhere.gguf"), "study.yaml:6: variants[0].model: ", id="missing-model"),
        pytest.param(STUDY.format(model="x.gguf") + "oops: 1\n", "study.yaml:8: oops: unknown key", id="unknown-key"),
        pytest.param("study: [", "study.yaml:1: not valid YAML", id="yaml"),
        pytest.param(None, "study.yaml: cannot be read", id="no-file"),
    ],
)
def test_wrong_input_is_one_sentence_and_nothing_is_started_or_written(
    tmp_path: Path, text: str | None, said: str
) -> None:
    study = tmp_path / "study.yaml"
    if text is not None:
        study.write_text(text)

    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs")])

    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"this is no model")
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(model="x.gguf"))

    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs")])

    assert result.exit_code == 2
    assert "x.gguf" in result.stderr


def test_report_of_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(tmp_path)])

    assert result.exit_code == 2
    assert "no run lies here" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ["runs/s", "--write", "w"], "--write works only with --counts; a run already has a report", id="write"
        ),
        pytest.param(["runs/s", "--alpha", "0.7"], "--alpha 0.7: give a number between 0 and 0.5", id="alpha"),
        pytest.param(["runs/s", "--margin", "x"], "--margin x: write points, as 5 or mmlu_pro=2", id="margin"),
        pytest.param([], "compare: give the folders of runs, as runs/<study>, or --counts FILE", id="nothing"),
    ],
)
def test_an_option_of_compare_that_cannot_be_is_one_sentence(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["compare", *arguments])

    assert (result.exit_code, result.stderr) == (2, f"whichquant: {said}\n")


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100])
def test_exit_codes_are_broken_as_the_terminal_is_wide(width: int) -> None:
    lines = CliRunner().invoke(main, ["--help"], terminal_width=width).output.partition("Exit codes")[2].splitlines()

    assert "goes on where it stopped)." in " ".join(line.strip() for line in lines)
    assert max(map(len, lines)) <= width
