"""`whichquant serve` and `python -m servers` keep one server up, or say in one sentence why they cannot."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.fake import FakeServer, Reply
from tests.support.model_files import gguf_bytes

PROGRAM = """\
#!{python}
import os, sys
sys.path[:0] = [{path!r}]
import asyncio
from servers.fake import FakeServer, Reply

async def main():
    async with FakeServer(Reply(), port=int(sys.argv[sys.argv.index("--port") + 1])):
        await asyncio.sleep({seconds})

asyncio.run(main())
sys.exit(7)
"""
STUDY = """\
study: s
baseline: a
variants:
  - {{name: a, runtime: llama_server, model: model.gguf, binary: {program}}}
  - {{name: b, runtime: llama_server, model: nowhere.gguf, binary: {program}}}
  - {{name: running, model: m, base_url: "http://127.0.0.1:1234/v1"}}
benchmarks: {{mmlu_pro: {{questions: 5, shots: 0}}}}
"""
Words = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stand-in servers, one of which ends soon, a model, and a study of them."""
    for name, seconds in (("llama-server", 3600), ("short-lived", 1)):
        program = tmp_path / name
        path = str(Path(__file__).parents[2])
        program.write_text(PROGRAM.format(python=sys.executable, path=path, seconds=seconds))
        program.chmod(0o755)
    (tmp_path / "model.gguf").write_bytes(gguf_bytes())
    (tmp_path / "study.yaml").write_text(STUDY.format(program=tmp_path / "llama-server"))
    return tmp_path


@pytest.fixture(params=["whichquant serve", "python -m servers"])
def words(request: pytest.FixtureRequest, folder: Path) -> Words:
    """How each of the two commands is told to serve the same model."""

    def serve(*more: str) -> list[str]:
        return [sys.executable, "-m", "evaluator", "serve", str(folder / "study.yaml"), "a", *more]

    def servers(*more: str) -> list[str]:
        program = ("--binary", str(folder / "llama-server"))
        return [sys.executable, "-m", "servers", "llama_server", str(folder / "model.gguf"), *program, *more]

    return serve if request.param == "whichquant serve" else servers


def done(command: list[str]) -> tuple[int, str, str]:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_it_serves_where_it_says_until_it_is_ended(words: Words, folder: Path, number: signal.Signals) -> None:
    command = words("--log", str(folder / "log"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        said = [line for line in iter(process.stdout.readline, "Ctrl-C ends it.\n") if process.poll() is None]
        curl = next(line for line in said if line.startswith("curl"))
        reply = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout
        found = done([sys.executable, "-m", "evaluator", "servers"])[1]
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)

    assert '"content"' in reply
    assert f"eval --base-url {curl.split()[2].removesuffix('/chat/completions')}\n" in found
    assert process.returncode == 130
    assert "topped." in rest
    assert "Traceback" not in rest


def test_a_port_that_another_server_holds_is_refused(words: Words, folder: Path) -> None:
    with FakeServer(Reply()) as other:
        code, said, complaint = done(words("--port", str(other.port), "--log", str(folder / "log")))

    assert code == 3
    assert "Ctrl-C" not in said
    assert complaint.endswith(f"Port {other.port} is taken by another program: end it, or choose another port.\n")
    assert complaint.count("\n") == 1


def test_a_log_that_cannot_be_written_is_one_sentence(words: Words, folder: Path) -> None:
    log = folder / "model.gguf" / "log"

    code, said, complaint = done(words("--log", str(log)))

    assert code == 3
    assert "Ctrl-C" not in said
    assert str(log) in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        pytest.param("c", 'has no variant "c": name one of a, b, running', id="unknown"),
        pytest.param("b", "study.yaml:5: variants[1].model: ", id="model-that-is-not-there"),
        pytest.param("running", '"running" runs already, at http://127.0.0.1:1234/v1', id="runs-already"),
    ],
)
def test_a_variant_that_cannot_be_served_is_told(folder: Path, variant: str, says: str) -> None:
    code, said, complaint = done([sys.executable, "-m", "evaluator", "serve", str(folder / "study.yaml"), variant])

    assert (code, said) == (2, "")
    assert says in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "program", "code", "says"),
    [
        pytest.param("nowhere.gguf", "llama-server", 2, "nowhere.gguf", id="model-that-is-not-there"),
        pytest.param("model.gguf", "nowhere", 3, "nowhere", id="program-that-is-not-there"),
    ],
)
def test_what_cannot_be_started_is_told(folder: Path, model: str, program: str, code: int, says: str) -> None:
    command = [sys.executable, "-m", "servers", "llama_server", str(folder / model)]

    ended, said, complaint = done([*command, "--binary", str(folder / program), "--log", str(folder / "log")])

    assert ended == code
    assert "Ctrl-C" not in said
    assert says in complaint
    assert "Traceback" not in complaint


def test_a_server_that_dies_is_told(folder: Path) -> None:
    command = [sys.executable, "-m", "servers", "llama_server", str(folder / "model.gguf")]

    code, said, complaint = done([*command, "--binary", str(folder / "short-lived"), "--log", str(folder / "log")])

    assert code == 3
    assert "Ctrl-C ends it." in said
    assert str(folder / "log") in complaint
    assert "Traceback" not in complaint
