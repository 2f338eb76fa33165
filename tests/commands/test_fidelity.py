"""`whichquant fidelity`: what it prints and keeps, and what it refuses."""

import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

import evaluator
from evaluator.cli import main
from evaluator.fidelity import subjects
from evaluator.fidelity.file import read_fidelity
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.subjects import Subject
from servers.weights import source
from tests.support import scripted_logits


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that a scripted program evaluates."""

    def command(subject: Subject, threads: int | None) -> list[str]:
        return [sys.executable, str(scripted_logits.__file__), str(subject.path)]

    monkeypatch.setattr(subjects, "command", command)
    monkeypatch.setattr(source, "gguf_file", lambda path: path)
    for name, content in {"f16": "0 0 50", "q8": "1 0.01 50", "q4": "2 0.3 50"}.items():
        (tmp_path / f"{name}.gguf").write_text(content)
    (tmp_path / "text.txt").write_text("The quick brown fox jumps over the lazy dog. " * 20)
    return tmp_path


def fidelity(folder: Path, *words: str) -> Result:
    more = ["--text", str(folder / "text.txt"), "--tokens", "800", "--context", "40", "--runs", str(folder / "runs")]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["fidelity", *words, *more])


def paths(folder: Path, *names: str) -> list[str]:
    return [str(folder / f"{name}.gguf") for name in names]


def test_files_are_compared_with_the_first(models: Path) -> None:
    result = fidelity(models, *paths(models, "f16", "q8", "q4"))

    assert result.exit_code == 0, result.output
    assert "q8 is closer to f16 than q4" in result.output
    assert "text.txt" in result.output
    assert (models / "runs" / "fidelity" / "fidelity.html").is_file()
    kept = read_fidelity(models / "runs" / "fidelity")
    assert kept is not None
    assert [(build.build, build.reference) for build in kept.builds] == [("q8", "f16"), ("q4", "f16")]


def test_python_measures_the_same_and_is_quiet(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fidelity(models, *paths(models, "f16", "q8", "q4"))
    told: list[str] = []
    found = evaluator.measure_fidelity(
        paths(models, "f16", "q8", "q4"),
        text=models / "text.txt",
        tokens=800,
        context=40,
        output=models / "elsewhere",
        on_message=told.append,
    )

    by_command = read_fidelity(models / "runs" / "fidelity")
    assert by_command
    assert found.pairs == by_command.pairs
    assert [replace(b, seconds=0.0) for b in found.builds] == [replace(b, seconds=0.0) for b in by_command.builds]
    assert read_fidelity(models / "elsewhere") == found
    assert any("q8 against f16" in sentence for sentence in told)
    assert capsys.readouterr() == ("", "")


def test_json_is_all_that_is_printed(models: Path) -> None:
    result = fidelity(models, *paths(models, "q8", "q4"), "--reference", *paths(models, "f16"), "--json")

    found = msgspec.json.decode(result.stdout, type=Fidelity)
    assert [build.reference for build in found.builds] == ["f16", "f16"]


def test_a_study_keeps_it_with_its_run(models: Path) -> None:
    study = models / "study.yaml"
    study.write_text(
        "study: builds\nbaseline: f16\nvariants:\n"
        "  - {name: f16, model: f16.gguf, runtime: llama_server}\n"
        "  - {name: q4, model: q4.gguf, runtime: llama_server}\n"
        "benchmarks:\n  fidelity: {reference: f16, margin: 5}\n"
    )
    result = fidelity(models, str(study))

    assert result.exit_code == 0, result.output
    kept = read_fidelity(models / "runs" / "builds")
    assert kept is not None
    assert [(build.build, build.verdict) for build in kept.builds] == [("q4", "equivalent")]
    assert kept.margin_kld == 5


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(["f16"], "two models or more", id="one-model"),
        pytest.param(["f16", "f16"], "the same model is named twice", id="twice"),
        pytest.param(["f16", "q9"], "There is no model", id="no-such-file"),
    ],
)
def test_bad_input_is_one_sentence(names: list[str], words: str, models: Path) -> None:
    result = fidelity(models, *paths(models, *names))

    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_broken_model_is_one_sentence_and_what_was_measured_is_kept(models: Path) -> None:
    (models / "bad.gguf").write_text("breaks 0.1 50")
    result = fidelity(models, *paths(models, "f16", "q8", "bad"))

    assert result.exit_code == 3
    assert result.output.strip().splitlines()[-1].endswith("bad.gguf is broken")
    assert len(list((models / "runs" / "fidelity" / "fidelity").glob("tokens-*.npz"))) == 1


def test_a_study_that_asks_nothing_is_not_run(models: Path) -> None:
    study = models / "study.yaml"
    study.write_text(
        "study: builds\nbaseline: f16\nvariants: [{name: f16, model: f16.gguf, runtime: llama_server}]\n"
        "benchmarks: {fidelity: {reference: q4.gguf}}\n"
    )
    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(models / "runs")])

    assert result.exit_code == 2
    assert "whichquant fidelity measures" in result.output
