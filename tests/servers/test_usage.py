"""Graphics memory, energy, the KV cache's size, and the meter that puts them together."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers import process
from servers.fake import FakeServer, Reply
from servers.fake.dialects import OLLAMA
from servers.runtime.llama_log import cache_bytes
from servers.spec import Server, ServerSpec
from servers.usage import energy, graphics
from servers.usage.energy import Counter, EnergyMeter
from servers.usage.graphics import BY_PROCESS, BY_RISE, Held, held_by, in_use
from servers.usage.meter import Meter
from servers.usage.reported import kv_cache_bytes
from tests.support.graphics_driver import Driver

MB = 1 << 20


@pytest.fixture
def drives(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put a driver in place of this machine's."""

    def driven(driver: Driver | None) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", driver)
        graphics.cards.cache_clear()

    yield driven
    monkeypatch.undo()
    graphics.cards.cache_clear()


@pytest.mark.parametrize(
    ("cards", "before", "held"),
    [
        pytest.param([], (), Held(), id="no-card"),
        pytest.param([{"used": 900 * MB, "compute": [(1, 700 * MB)]}], (0,), Held(700 * MB, BY_PROCESS), id="ours"),
        pytest.param(
            [{"compute": [(1, 70), (9, 5)], "graphics": [(1, 70)]}], (), Held(70, BY_PROCESS), id="listed-twice"
        ),
        pytest.param([{"compute": [(1, 70)]}, {"compute": [(1, 7), (2, 1)]}], (), Held(78, BY_PROCESS), id="two-cards"),
        pytest.param(
            [{"used": 900 * MB, "compute": [(9, 1)]}], (100 * MB,), Held(800 * MB, BY_RISE), id="pids-of-a-host"
        ),
        pytest.param([{"used": 900 * MB, "compute": [(1, None)]}], (0,), Held(900 * MB, BY_RISE), id="driver-hides-it"),
        pytest.param([{"used": 900 * MB, "compute": []}], (), Held(), id="not-known-what-was-before"),
        pytest.param([{"used": 900 * MB}], (0, 0), Held(), id="another-number-of-cards"),
        pytest.param([{"used": 110 * MB, "compute": []}], (100 * MB,), Held(), id="asked-on-the-processor"),
        pytest.param([{"used": 1 * MB, "compute": []}], (500 * MB,), Held(), id="another-program-ended"),
        pytest.param([{}], (0,), Held(), id="unified-memory-says-nothing"),
    ],
)
def test_graphics_memory(drives: Any, cards: list[dict[str, Any]], before: tuple[int, ...], held: Held) -> None:
    drives(Driver(*cards))

    assert held_by({1, 2}, before) == held


@pytest.mark.parametrize("driver", [None, Driver(broken=True), Driver()], ids=["not-installed", "broken", "no-card"])
def test_without_a_card_nothing_is_said(drives: Any, driver: Driver | None) -> None:
    drives(driver)

    assert (in_use(), held_by({1}, (0,)), graphics.energy_counters()) == ((), Held(), {})


def zone(folder: Path, name: str, title: str, microjoules: int | str) -> None:
    (folder / name).mkdir()
    (folder / name / "name").write_text(f"{title}\n")
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text("1000\n")


def test_processors_count_once_and_only_where_they_may_be_read(drives: Any, tmp_path: Path) -> None:
    drives(None)
    zone(tmp_path, "intel-rapl:0", "package-0", 100)
    zone(tmp_path, "intel-rapl:0:0", "core", 60)
    zone(tmp_path, "intel-rapl:0:1", "dram", 30)
    zone(tmp_path, "intel-rapl:1", "package-1", "what only root may read")
    zone(tmp_path, "intel-rapl:2", "psys", 500)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 100)

    found = energy.counters(tmp_path)

    assert {name: counter.microjoules for name, counter in found.items()} == {
        "processor intel-rapl:0": 100,
        "memory intel-rapl:0:1": 30,
    }
    assert energy.counters(tmp_path / "missing") == {}


@given(steps=st.lists(st.integers(0, 999), max_size=20), first=st.integers(0, 999))
def test_a_counter_that_begins_anew_loses_nothing(steps: list[int], first: int) -> None:
    """At most once between two looks: 1000 is where it begins anew."""
    meter, total = EnergyMeter({"processor a": Counter(first, 1000)}), first
    for step in steps:
        total += step
        meter.add({"processor a": Counter(total % 1000, 1000)})

    assert meter.joules == pytest.approx((total - first) / 1e6)


@pytest.mark.parametrize(
    ("first", "last", "joules", "of"),
    [
        pytest.param({}, {"card 0": Counter(5)}, None, "", id="not-there-from-the-first"),
        pytest.param({"card 0": Counter(5)}, {}, None, "", id="fell-silent"),
        pytest.param({"card 0": Counter(5)}, {"card 0": Counter(1)}, 0, "1 graphics card", id="reset"),
        pytest.param(
            {"card 0": Counter(0), "card 1": Counter(0), "processor 0": Counter(0)},
            {"card 0": Counter(10**6), "card 1": Counter(10**6), "processor 0": Counter(10**6)},
            3,
            "the processors and 2 graphics cards",
            id="all",
        ),
    ],
)
def test_energy_says_what_it_is_of(
    first: dict[str, Counter], last: dict[str, Counter], joules: float | None, of: str
) -> None:
    meter = EnergyMeter(first)
    meter.add(last)

    assert meter.joules == joules
    assert of in meter.of
    assert bool(meter.of) == bool(of)


SIZE = (
    b"0.1 I llama_kv_cache: size = %s MiB (  4096 cells,   1 layers,  4/4 seqs), K (f16):  1.0 MiB, V (f16):  1.0 MiB"
)


@pytest.mark.parametrize(
    ("lines", "mebibytes"),
    [
        pytest.param([], None, id="says-nothing"),
        pytest.param([SIZE % b"   4.25"], 4.25, id="one"),
        pytest.param([SIZE % b"4.00", SIZE % b"7.00"], 11, id="with-sliding-windows"),
        pytest.param(
            [
                b"common_init_: fitting params to device memory ...",
                SIZE % b"9.0",
                b"fitting params to free memory took 1 s",
                SIZE % b"4.0",
            ],
            4,
            id="first-tried-without-weights",
        ),
        pytest.param(
            [b"loading model '/a.gguf'", SIZE % b"4.0", b"loading model '/b.gguf'", SIZE % b"2.0"], 2, id="loaded-again"
        ),
        pytest.param([b"llama_kv_cache: CUDA0 KV buffer size =  4.00 MiB", SIZE % b"4.00"], 4, id="buffers-are-parts"),
        pytest.param([SIZE % b"0.00"], None, id="empty"),
    ],
)
def test_the_size_of_the_kv_cache(lines: list[bytes], mebibytes: float | None) -> None:
    assert cache_bytes(lines) == (None if mebibytes is None else round(mebibytes * MB))


def served(log: Path | None = None, **fields: Any) -> Server:
    spec = ServerSpec(runtime="llama_server", model="m")
    return Server(spec=spec, base_url="http://127.0.0.1:1/v1", model="m", engine="e", log=log, **fields)


def test_what_an_earlier_server_logged_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(SIZE % b"9.00" + b"\n")
    before = log.stat().st_size
    log.write_bytes(log.read_bytes() + SIZE % b"2.00" + b"\n")

    assert kv_cache_bytes(served(log, log_start=before)) == 2 * MB
    assert kv_cache_bytes(served(tmp_path / "missing")) is None
    assert kv_cache_bytes(served()) is None


HUNGRY = """
import time
held = bytearray(48 << 20)
held[::4096] = bytes(len(held[::4096]))
print("ready", flush=True)
time.sleep(60)
"""


def hungry(log: Path) -> process.Child:
    """Start a child, and wait until it has its memory."""
    child = process.start([sys.executable, "-S", "-c", HUNGRY], {}, log)
    while "ready" not in log.read_text():
        time.sleep(0.02)
    return child


async def test_a_child_is_measured_without_its_guard(tmp_path: Path) -> None:
    child = hungry(tmp_path / "log")
    try:
        async with Meter(served(pid=child.guard.pid, load_s=1.5)) as meter:
            pass
    finally:
        await process.stop(child)

    assert meter.usage.load_s == 1.5
    assert meter.usage.memory_bytes is not None
    assert 48 * MB < meter.usage.memory_bytes < 64 * MB
    assert meter.usage.memory_how


async def test_of_a_server_that_is_not_ours_and_of_one_that_died_nothing_is_known(tmp_path: Path) -> None:
    child = process.start([sys.executable, "-c", ""], {}, tmp_path / "log")
    await asyncio.to_thread(child.guard.wait)

    for pid in (None, child.guard.pid):
        async with Meter(served(pid=pid)) as meter:
            pass
        assert (meter.usage.memory_bytes, meter.usage.memory_how, meter.usage.gpu_bytes) == (None, "", None)


async def test_what_is_asked_of_the_driver_may_fail(drives: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drives(Driver({"used": 0, "millijoules": 1000}))

    def fails(*_: Any) -> None:
        raise RuntimeError("the driver was unloaded")

    async with Meter(served()) as meter:
        monkeypatch.setattr(graphics, "held_by", fails)

    assert meter.usage.memory_bytes is None


async def test_several_servers_at_once_have_no_rise_of_their_own(drives: Any, tmp_path: Path) -> None:
    drives(Driver({"used": 900 * MB, "compute": []}))
    child = hungry(tmp_path / "log")
    found = {}
    try:
        for by_itself in (True, False):
            server = served(pid=child.guard.pid, gpu_in_use_before=(0,))
            async with Meter(server, by_itself=by_itself) as meter:
                pass
            found[by_itself] = meter.usage.gpu_bytes
    finally:
        await process.stop(child)

    assert found == {True: 900 * MB, False: None}


@pytest.mark.parametrize(
    ("ours", "held", "joules"),
    [
        pytest.param(True, 700 * MB, 5, id="on-the-card"),
        pytest.param(True, 7 * MB, None, id="opened-the-driver-only"),
        pytest.param(True, None, None, id="on-the-processor"),
        pytest.param(False, 700 * MB, None, id="elsewhere"),
    ],
)
async def test_energy_of_a_card_counts_for_who_computes_there(
    drives: Any, tmp_path: Path, ours: bool, held: int | None, joules: float | None
) -> None:
    card: dict[str, Any] = {"used": 0, "millijoules": 1000, "compute": []}
    drives(Driver(card))
    child = hungry(tmp_path / "log")
    try:
        pids = {one.pid for one in psutil.Process(child.guard.pid).children(recursive=True)}
        card["compute"] = [] if held is None else [(pid, held // len(pids)) for pid in pids]
        async with Meter(served(pid=child.guard.pid if ours else None)) as meter:
            card["millijoules"] += 5000
    finally:
        await process.stop(child)

    assert meter.usage.energy_j == joules
    assert (bool(meter.usage.energy_of), meter.seconds > 0) == (joules is not None, joules is not None)


@pytest.mark.parametrize(
    ("sizes", "memory", "cards"),
    [
        pytest.param({"size": 900, "size_vram": 600}, 300, 600, id="shared"),
        pytest.param({"size": 900, "size_vram": 0}, 900, None, id="on-the-processor"),
        pytest.param({"size": 900, "size_vram": 900}, 0, 900, id="on-the-card"),
        pytest.param({"size": 900}, None, None, id="says-half"),
        pytest.param({"size": 900, "size_vram": 901}, None, None, id="contradicts-itself"),
        pytest.param({"size": "much", "size_vram": []}, None, None, id="no-numbers"),
    ],
)
async def test_ollama_says_itself_what_it_takes(sizes: dict[str, Any], memory: int | None, cards: int | None) -> None:
    page = {"models": [{"name": "m:latest", **sizes}, {"name": "other", "size": 5, "size_vram": 5}]}
    async with FakeServer(Reply(), dialect=OLLAMA, models=["m"], pages={"/api/ps": page}) as fake:
        spec = ServerSpec(runtime="ollama", model="m", base_url=fake.base_url)
        async with Meter(Server(spec=spec, base_url=fake.base_url, model="m", engine="e")) as meter:
            pass

    assert (meter.usage.memory_bytes, meter.usage.gpu_bytes) == (memory, cards)
    assert ("Ollama" in meter.usage.memory_how) == (memory is not None)
