"""What a study's `fidelity` asks for."""

from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.fidelity.of_study import job_of
from evaluator.fidelity.requested import Wanted
from evaluator.study.file import load_study
from tests.support.model_files import gguf_bytes

VARIANTS = """
study: builds
baseline: f16
variants:
  - {name: f16, model: f16.gguf}
  - {name: q4, model: q4.gguf}
  - {name: kv, model: f16.gguf, kv_cache: q8_0}
  - {name: running, model: some, base_url: "http://127.0.0.1:9/v1"}
  - {name: started, model: gemma3, runtime: ollama}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("f16", "q4", "qat-f16", "beside"):
        (tmp_path / f"{name}.gguf").write_bytes(gguf_bytes({"general.name": name}))
    (tmp_path / "text.txt").write_text("words and words\n")
    return tmp_path


def study(folder: Path, fidelity: str, variants: str = VARIANTS) -> Path:
    path = folder / "study.yaml"
    path.write_text(f"{variants}benchmarks:\n  fidelity: {fidelity}\n")
    return path


def pairs(path: Path, options: Wanted = Wanted()) -> list[tuple[str, str]]:  # noqa: B008 - it is frozen
    return [
        (build.name, against.name) for build, against in job_of(load_study(path, asking=False), options).comparisons
    ]


@pytest.mark.parametrize(
    ("fidelity", "expected"),
    [
        pytest.param("{reference: f16}", [("q4", "f16"), ("kv", "f16")], id="a-variant"),
        pytest.param(
            "{reference: beside.gguf}", [("f16", "beside"), ("q4", "beside"), ("kv", "beside")], id="a-model-beside"
        ),
        pytest.param(
            "{reference: f16, own_references: {q4: qat-f16.gguf}}",
            [("q4", "qat-f16"), ("q4", "f16"), ("kv", "f16"), ("qat-f16", "f16")],
            id="quantization-total-drift",
        ),
    ],
)
def test_builds_are_paired_with_references(fidelity: str, expected: list[tuple[str, str]], folder: Path) -> None:
    assert pairs(study(folder, fidelity)) == expected


def test_settings_come_from_the_study_and_the_command_line_changes_them(folder: Path) -> None:
    path = study(folder, "{reference: f16, text: text.txt, tokens: 100, context: 32, margin: 0.02}")
    plain, changed = (
        job_of(load_study(path, asking=False), Wanted()),
        job_of(load_study(path, asking=False), Wanted(tokens=200, margin=0.5)),
    )

    assert (plain.text.text, plain.tokens, plain.context, plain.margin) == ("words and words", 100, 32, 0.02)
    assert (changed.tokens, changed.context, changed.margin) == (200, 32, 0.5)
    assert pairs(path, Wanted(reference="q4")) == [("f16", "q4"), ("kv", "q4")]


def test_what_cannot_be_measured_is_said(folder: Path) -> None:
    job = job_of(
        load_study(study(folder, "{reference: f16, own_references: {q4: qat-f16.gguf}}"), asking=False), Wanted()
    )

    assert job.notes[-1] == "started was not measured: its server keeps the weights to itself."
    assert "q4 against f16 is training drift and quantization together" in job.notes[0]
    assert job.comparisons[-1][0].kv_cache is None
    assert [build.kv_cache for build, _ in job.comparisons if build.name == "kv"] == ["q8_0"]


def test_servers_that_run_already_are_asked_against_each_of_their_references(folder: Path) -> None:
    path = study(folder, "{reference: f16, own_references: {running: qat-f16.gguf}}")

    served = job_of(load_study(path, asking=False), Wanted()).served

    assert [(one.name, against.name) for one, against in served] == [("running", "qat-f16"), ("running", "f16")]
    assert {one.spec.base_url for one, _ in served} == {"http://127.0.0.1:9/v1"}


@pytest.mark.parametrize(
    ("fidelity", "words"),
    [
        pytest.param("{reference: missing.gguf}", "There is no model", id="no-such-model"),
        pytest.param("{reference: running}", "running has no weights on this machine", id="attached-reference"),
        pytest.param("{reference: f16, own_references: {q5: f16}}", '"q5" is no variant', id="unknown-variant"),
        pytest.param("{reference: f16, margin: 0}", "margin", id="margin-of-nothing"),
        pytest.param("{reference: f16, layers: 3}", "layers", id="unknown-key"),
        pytest.param("{}", "reference", id="no-reference"),
        pytest.param("{reference: f16, text: none.txt}", "none.txt", id="no-such-text"),
    ],
)
def test_mistakes_are_one_sentence(fidelity: str, words: str, folder: Path) -> None:
    with pytest.raises(StudyError, match=words):
        job_of(load_study(study(folder, fidelity), asking=False), Wanted())


def test_a_study_without_fidelity_says_what_to_add(folder: Path) -> None:
    path = folder / "study.yaml"
    path.write_text(f"{VARIANTS}benchmarks:\n  humaneval: {{}}\n")

    with pytest.raises(StudyError, match=r"benchmarks\.fidelity: is not there: add it"):
        job_of(load_study(path, asking=False), Wanted())


def test_a_study_whose_servers_keep_all_weights_is_refused(folder: Path) -> None:
    lines = VARIANTS.splitlines(keepends=True)
    only = "".join(line for line in lines if not any(name in line for name in ("q4", "kv", "running")))

    with pytest.raises(StudyError, match="no variant beside the reference"):
        job_of(load_study(study(folder, "{reference: f16}", only), asking=False), Wanted())
