"""What is measured of real servers agrees with the operating system's own tools."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from evaluator.preflight.alone import measure_alone
from evaluator.study.file import parse
from servers.launch import launch
from servers.llama_router import router
from servers.probe import probe
from servers.spec import Server, ServerSpec
from servers.usage.meter import Meter
from servers.usage.reported import kv_cache_bytes

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc")]

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
CONTEXT, SLOTS = 2048, 2
STUDY = """
study: s
baseline: a
variants: [{name: a, model: lab, base_url: "http://h/v1"}]
benchmarks: {mmlu_pro: {questions: 5, shots: 0}}
"""


def spec(binary: str | None, **fields: object) -> ServerSpec:
    settings = {"context": CONTEXT, "slots": SLOTS, "args": ("-t", "2"), "startup_seconds": 60, **fields}
    return ServerSpec(runtime="llama_server", model=str(LAB), binary=binary, **settings)  # type: ignore[arg-type]


async def meter_of(server: Server) -> Meter:
    async with Meter(server) as meter:
        pass
    return meter


def by_ps(server: Server) -> int:
    """Add up what `ps` says of the resident memory of a server's processes, the guard left out."""
    pids = [str(child.pid) for child in psutil.Process(server.pid).children(recursive=True)]
    printed = subprocess.run(["ps", "-o", "rss=", "-p", ",".join(pids)], capture_output=True, text=True, check=True)
    return 1024 * sum(map(int, printed.stdout.split()))


def by_rollup(server: Server) -> int:
    """Add up the proportional shares of the same, as the kernel says them."""
    lines = [
        line
        for child in psutil.Process(server.pid).children(recursive=True)
        for line in Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()
    ]
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@pytest.mark.parametrize("program", ["binary", "wheel"])
async def test_llama_cpps_memory_is_what_the_system_says(
    program: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program == "wheel":
        pytest.importorskip("xllamacpp")
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")  # where no llama-server is
    binary = request.getfixturevalue("llama_binary") if program == "binary" else None
    async with launch(spec(binary, verbose=True), log=tmp_path / "log") as server:
        await measure_alone(server, parse(STUDY, "s"), await probe(server))
        usage = (await meter_of(server)).usage
        resident, proportional = by_ps(server), by_rollup(server)
        cache = kv_cache_bytes(server)

    assert usage.memory_bytes is not None
    assert usage.memory_bytes == pytest.approx(resident, rel=0.05)  # one process: nothing is shared within
    assert proportional <= usage.memory_bytes * 1.02
    assert LAB.stat().st_size < usage.memory_bytes  # its weights, mapped, are in it
    assert (usage.load_s or 0) > 0
    assert usage.kv_cache_bytes == cache
    assert cache is not None
    # Each token takes 2 x 64 values of 2 bytes of a layer: one holds all of them, seven hold a window.
    assert cache > CONTEXT * SLOTS * 2 * 64 * 2


async def test_mlx_lms_memory_is_what_the_system_says(tmp_path: Path) -> None:
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    convert(LAB, tmp_path / "lab", bits=8)
    asked = ServerSpec(runtime="mlx_lm", model=str(tmp_path / "lab"), startup_seconds=120)
    async with launch(asked, log=tmp_path / "log") as server:
        alone = await measure_alone(server, parse(STUDY, "s"), await probe(server))
        usage = (await meter_of(server)).usage
        resident = by_ps(server)

    assert usage.memory_bytes == pytest.approx(resident, rel=0.05)
    assert usage.kv_cache_bytes is None  # it says it nowhere
    assert alone is not None
    assert alone.by_server is False


async def test_one_request_alone_by_the_server_and_by_arrival_agree(llama_binary: str, tmp_path: Path) -> None:
    async with launch(spec(llama_binary), log=tmp_path / "log") as server:
        alone = await measure_alone(server, parse(STUDY, "s"), await probe(server))

    assert alone is not None
    assert alone.by_server is True
    assert alone.prompt_tokens_per_second is not None
    assert alone.prompt_tokens is not None
    assert alone.first_token_s is not None
    # The time to the first token holds the prompt's, and the way there and back.
    assert alone.prompt_tokens / alone.prompt_tokens_per_second <= alone.first_token_s


async def test_of_two_models_below_one_router_each_is_measured_alone(llama_binary: str, tmp_path: Path) -> None:
    specs = {name: spec(llama_binary, verbose=True, slots=slots) for name, slots in (("small", 1), ("large", 8))}
    async with router(specs, log=tmp_path / "router.log", at_once=2) as running:
        servers = [await running.server(name) for name in specs]
        usages = [(await meter_of(server)).usage for server in servers]
        whole = by_ps(servers[0])

    small, large = (usage.memory_bytes or 0 for usage in usages)
    assert 0 < small < whole
    assert small + large < whole  # the router itself is in none of them
    assert [usage.load_s for usage in usages] == [None, None]
    caches = [usage.kv_cache_bytes or 0 for usage in usages]
    assert caches[1] > 4 * caches[0] > 0
