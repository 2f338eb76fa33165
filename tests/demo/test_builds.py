"""Quantized builds made here: smaller, stamped, made once, and refused in one sentence."""

import importlib.util
import stat
from pathlib import Path

import pytest

from evaluator.demo import builds as builds_module
from evaluator.demo.builds import FTYPES, builds, find_quantizer, requantize
from servers.errors import ModelError

LAB = Path(builds_module.__file__).with_name("lab-full-f16.gguf")
needs_cyllama = pytest.mark.skipif(importlib.util.find_spec("cyllama") is None, reason="needs whichquant[llama]")


@pytest.fixture
def no_cyllama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cyllama: None) -> Path:
    """Put a stand-in for llama-quantize on PATH that says what it was asked."""
    program = tmp_path / "bin" / "llama-quantize"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1 $4" > "$3"\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


@needs_cyllama
def test_lab_model_is_really_quantized(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lab-Q4_0.gguf"
    requantize(LAB, out, "Q4_0")
    assert out.read_bytes()[:4] == b"GGUF"
    # 16 bits become 4.5; the embedding stays at 8.5, the norms at 32
    assert 0.25 < out.stat().st_size / LAB.stat().st_size < 0.5
    assert [entry.name for entry in tmp_path.iterdir()] == [out.name]
    assert capfd.readouterr() == ("", "")


def test_builds_are_made_once(tmp_path: Path, scripted: Path) -> None:
    made = builds(LAB, ["Q8_0", "Q4_0"], tmp_path)
    assert {name: path.name for name, path in made.items()} == {
        "Q8_0": "lab-full-Q8_0.gguf",
        "Q4_0": "lab-full-Q4_0.gguf",
    }
    assert made["Q4_0"].read_text() == "--allow-requantize Q4_0\n"
    scripted.write_text("#!/bin/sh\nexit 1\n")
    assert builds(LAB, ["Q8_0", "Q4_0"], tmp_path) == made


@pytest.mark.parametrize("spoiled", ["source", "build", "stamp", "build gone"])
def test_a_build_that_does_not_fit_its_stamp_is_made_again(tmp_path: Path, scripted: Path, spoiled: str) -> None:
    source = tmp_path / "tiny-f16.gguf"
    source.write_bytes(b"GGUF")
    out = builds(source, ["Q4_0"], tmp_path)["Q4_0"]
    match spoiled:
        case "source":
            source.write_bytes(b"GGUF, other weights")
        case "build":
            out.write_bytes(b"")
        case "stamp":
            out.with_suffix(".gguf.json").write_text("{")
        case "build gone":
            out.unlink()
    scripted.write_text('#!/bin/sh\necho again > "$3"\n')
    assert builds(source, ["Q4_0"], tmp_path)["Q4_0"].read_text() == "again\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(
            "echo loading; echo 'main: failed to open x' >&2; exit 1", "main: failed to open x", id="says why"
        ),
        pytest.param("exit 3", "it ended with code 3", id="says nothing"),
        pytest.param("kill -SEGV $$", "it was ended by SIGSEGV", id="crashes"),
        pytest.param("true", "and no words", id="writes nothing"),
    ],
)
def test_a_failed_quantizer_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, scripted: Path, script: str, said: str
) -> None:
    scripted.write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match=said) as caught:
        requantize(LAB, tmp_path / "out" / "x.gguf", "Q4_0")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@needs_cyllama
def test_what_is_no_gguf_is_refused_by_the_real_quantizer(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=r"^cyllama .* could not make Q4_0 of .*x\.gguf: "):
        requantize(tmp_path / "x.gguf", tmp_path / "y.gguf", "Q4_0")


def test_an_unknown_quantization_is_refused_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Q4_9 is no quantization known here: choose of F32, F16, Q4_0"):
        requantize(LAB, tmp_path / "x.gguf", "Q4_9")


def test_without_a_quantizer_the_install_line_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cyllama: None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="pip install cyllama"):
        find_quantizer()


def test_numbers_of_the_quantizations_differ() -> None:
    assert len(set(FTYPES.values())) == len(FTYPES)
