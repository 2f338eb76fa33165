"""`whichquant servers` beside real servers and the fakes of those that do not run here, all at once."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import LM_STUDIO, OLLAMA, OMLX, VLLM
from servers.launch import launch
from servers.spec import Server, ServerSpec

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
MODELS = (FakeModel(id="first model"), FakeModel(id="second", loaded=False))
FAKES = {"omlx": OMLX, "ollama": OLLAMA, "lm_studio": LM_STUDIO, "vllm": VLLM}


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[dict[str, Server]]:
    """A llama.cpp server and an mlx_lm.server with the lab model."""
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    convert(LAB, tmp_path / "lab", bits=None)
    specs = (
        ServerSpec(runtime="llama_server", model=str(LAB), context=1024, slots=2, args=("-t", "1")),
        ServerSpec(runtime="mlx_lm", model=str(tmp_path / "lab"), startup_seconds=120),
    )
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(launch(s, log=tmp_path / f"{s.runtime}.log")) for s in specs]
        yield {server.spec.runtime: server for server in started}


def servers(addresses: dict[str, str], *more: str) -> str:
    ports = [argument for url in addresses.values() for argument in ("--port", url.split(":")[2].removesuffix("/v1"))]
    command = [sys.executable, "-m", "evaluator", "servers", *ports, *more]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_six_servers_at_once_are_all_recognised(real: dict[str, Server]) -> None:
    with ExitStack() as stack:
        fakes = {n: stack.enter_context(FakeServer(Reply(), dialect=d, models=MODELS)) for n, d in FAKES.items()}
        addresses = {name: server.base_url for name, server in real.items()}
        addresses |= {name: fake.base_url for name, fake in fakes.items()}
        found = json.loads(servers(addresses, "--json"))
        table = servers(addresses)

    by_runtime = {running["runtime"]: running for running in found}
    assert {name: running["base_url"] for name, running in by_runtime.items()} == addresses
    assert len(found) == len(addresses)

    (llama,) = by_runtime["llama_server"]["models"]
    assert by_runtime["llama_server"]["version"].startswith("b")
    assert (llama["loaded"], llama["context"]) == (True, 1024)
    # The hub's cache of this machine may hold others.
    assert os.path.realpath(real["mlx_lm"].spec.model) in [m["id"] for m in by_runtime["mlx_lm"]["models"]]

    printed = [line.strip() for line in table.splitlines() if "whichquant eval" in line]
    assert printed == [running["evaluate"] for running in found]
    named = {words[3]: words[4:] for words in map(shlex.split, printed)}
    assert set(named) == set(addresses.values())
    for name in FAKES:
        assert named[addresses[name]] == ["--model", "first model"]
    assert named[addresses["llama_server"]] == []
