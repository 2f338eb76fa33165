"""Thirty starts, each ended at a random moment in a random way: nothing is left running, no port is kept."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
SEED = 7
ENDS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 30.0
"""For what ends in a moment, on the slowest machine."""
STUDY = """\
study: s
baseline: one
variants:
  - {{name: one, {settings}, thinking: false}}
  - {{name: two, {settings}, thinking: false}}
benchmarks: {{mmlu_pro: {{questions: 3000, shots: 0}}}}
sampling: {{max_tokens: 60}}
concurrency: 2
{extra}
"""


class Place(NamedTuple):
    """Where everything of one test lies: by it, its processes are known."""

    folder: Path
    model: Path
    runtime: str

    @property
    def environment(self) -> dict[str, str]:
        """For the commands: temporary files that a kill leaves behind stay in the test's folder."""
        return {**os.environ, "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def processes(self) -> list[str]:
        """List what still runs, by `ps`, which would cut its lines where there is no terminal."""
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if str(self.folder) in line]


def servers(place: Place) -> list[str]:
    return [sys.executable, "-m", "servers", place.runtime, str(place.model), "--log", str(place.folder / "log")]


def serve(place: Place) -> list[str]:
    study = str(place.folder / "study.yaml")
    return [sys.executable, "-m", "evaluator", "serve", study, "one", "--log", str(place.folder / "log")]


def run(place: Place) -> list[str]:
    study = str(place.folder / "study.yaml")
    return [sys.executable, "-m", "evaluator", "run", study, "--runs", str(place.folder / "runs"), "--no-check"]


SERVES: Mapping[Callable[[Place], list[str]], str] = {
    servers: "Ctrl-C ends it",
    serve: "Ctrl-C ends it",
    run: "\none: ",
}
"""What each command says when its server answers: a run first says that it starts one, and then which it is."""


def can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def ended(
    place: Place, command: list[str], number: signal.Signals, moment: float, *, after: str | None
) -> tuple[int | None, set[int], str]:
    """Start a command and signal it a moment later, or a moment after it has said something.

    Returns its exit code, None where it did not end; the ports that its servers had; what it said.
    """
    output = place.folder / "output"
    with output.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=place.environment)
    try:
        if after is not None:
            until(lambda: after in output.read_text() or process.poll() is not None)
        time.sleep(moment)
        ports = {int(port) for line in place.processes() for port in re.findall(r"--port (\d+)", line)}
        process.send_signal(number)
        until(lambda: process.poll() is not None)
        return process.returncode, ports, output.read_text(errors="replace")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def mlx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    made = tmp_path_factory.mktemp("lab-mlx") / "lab"
    convert(LAB, made)
    return made


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Copy a model into the test's own folder, as links are followed before a server starts, and write a study."""
    how = str(request.param)
    runtime, model = ("mlx_lm", tmp_path / "lab") if how == "mlx_lm" else ("llama_server", tmp_path / "lab.gguf")
    if how == "mlx_lm":
        shutil.copytree(request.getfixturevalue("mlx"), model)
    else:
        shutil.copy(LAB, model)
    binary = f", binary: {request.getfixturevalue('llama_binary')}" if how == "router" else ""
    settings = f"runtime: {runtime}, model: {model}{binary}"
    extra = "router: true\nparallel: true" if how == "router" else ""
    (tmp_path / "study.yaml").write_text(STUDY.format(settings=settings, extra=extra))
    (tmp_path / "tmp").mkdir()
    return Place(tmp_path, model, runtime)


@pytest.mark.parametrize(
    ("command", "place", "cycles", "first"),
    [
        pytest.param(servers, "llama_server", 8, 0, id="servers-llama_server"),
        pytest.param(serve, "llama_server", 8, 1, id="serve-llama_server"),
        pytest.param(run, "llama_server", 6, 2, id="run-llama_server"),
        pytest.param(servers, "mlx_lm", 2, 1, id="servers-mlx_lm"),
        pytest.param(serve, "mlx_lm", 2, 2, id="serve-mlx_lm"),
        pytest.param(run, "mlx_lm", 2, 0, id="run-mlx_lm"),
        pytest.param(run, "router", 2, 0, id="run-router"),
    ],
    indirect=["place"],
)
def test_whenever_and_however_it_is_ended_nothing_is_left(
    place: Place, command: Callable[[Place], list[str]], cycles: int, first: int, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(f"{SEED} {request.node.callspec.id}")
    for cycle in range(cycles):
        number, serving, moment = ENDS[(first + cycle // 2) % len(ENDS)], cycle % 2 == 1, chance.uniform(0.0, 1.5)
        code, ports, said = ended(place, command(place), number, moment, after=SERVES[command] if serving else None)

        when = "it served" if serving else "its start"
        how = f"seed {SEED}, cycle {cycle}: {number.name} {moment:.2f} s after {when}; it said:\n{said}"
        assert code is not None, f"{how}\nand did not end"
        assert until(lambda: not place.processes()), f"{how}\nleft: {place.processes()}"
        assert until(lambda ports=ports: all(map(can_bind, ports))), f"{how}\nports: {ports}"  # type: ignore[misc]
        if serving:
            assert ports, how
            assert "Traceback" not in said, how
            assert code == (-9 if number == signal.SIGKILL else 130), how
            assert until(lambda: not list(place.temporary.glob("whichquant-*"))), how
        for left in place.temporary.glob("whichquant-*"):
            shutil.rmtree(left)
