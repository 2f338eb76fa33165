"""Thirty starts, each ended at a random moment in a random way: nothing is left running, no port is kept."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.process import free_port

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[1] / "evaluator" / "demo" / "lab-full-f16.gguf"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
LET_GO_S = 10.0
"""A server that does not listen is killed after 5 s."""


def left(mark: str) -> list[str]:
    """List the processes whose command line holds a mark, by `ps`."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and f"{os.getpid()} " not in line.lstrip()[:8]]


def can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models in a folder of their own, by which the servers' command lines are known."""
    folder = tmp_path_factory.mktemp("cycles")
    (folder / "lab.gguf").symlink_to(LAB)
    made = {"llama_server": folder / "lab.gguf"}
    try:
        from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is
    except ImportError:
        return made
    convert(LAB, folder / "lab-mlx", bits=None)
    return {**made, "mlx_lm": folder / "lab-mlx"}


@pytest.mark.parametrize(
    ("runtime", "cycles", "longest"),
    [pytest.param("llama_server", 24, 3.0, id="llama_server"), pytest.param("mlx_lm", 6, 8.0, id="mlx_lm")],
)
def test_whenever_and_however_it_is_ended_nothing_is_left(
    models: dict[str, Path], tmp_path: Path, runtime: str, cycles: int, longest: float
) -> None:
    if runtime not in models:
        pytest.skip("needs the mlx extra")
    chance, seen_serving = random.Random(7), 0
    for cycle in range(cycles):
        number, port = ENDS[cycle % len(ENDS)], free_port()
        command = [sys.executable, "-m", "servers", runtime, str(models[runtime]), "--port", str(port)]
        process = subprocess.Popen(
            [*command, "--log", str(tmp_path / f"{cycle}.log")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        moment = chance.uniform(0.1, longest)
        time.sleep(moment)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        deadline = time.monotonic() + LET_GO_S
        while time.monotonic() < deadline and (left(str(models[runtime].parent)) or not can_bind(port)):
            time.sleep(0.1)

        how = f"cycle {cycle}: {number.name} after {moment:.2f} s"
        assert left(str(models[runtime].parent)) == [], how
        assert can_bind(port), how
        if moment > 1:  # Python itself is up by then
            assert b"Traceback" not in output, f"{how}: {output.decode()}"
        seen_serving += b"serves" in output
    assert 0 < seen_serving < cycles, "some must be ended while they load, and some while they serve"
