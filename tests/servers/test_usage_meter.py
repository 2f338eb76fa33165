"""The meter that puts together what a server takes while it is asked."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from servers import process
from servers.fake import FakeServer, Reply
from servers.fake.dialects import OLLAMA
from servers.spec import Server, ServerSpec
from servers.usage import graphics
from servers.usage.meter import Meter
from tests.support.graphics_driver import Driver

MB = 1 << 20
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


def served(log: Path | None = None, **fields: Any) -> Server:
    spec = ServerSpec(runtime="llama_server", model="m")
    return Server(spec=spec, base_url="http://127.0.0.1:1/v1", model="m", engine="e", log=log, **fields)


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
    ("by_itself", "energy_j"),
    [pytest.param(True, 5, id="one-server"), pytest.param(False, None, id="several-servers-at-once")],
)
async def test_energy_that_several_servers_took_together_is_that_of_none(
    drives: Any, tmp_path: Path, by_itself: bool, energy_j: float | None
) -> None:
    card: dict[str, Any] = {"used": 0, "millijoules": 1000, "compute": []}
    drives(Driver(card))
    child = hungry(tmp_path / "log")
    try:
        card["compute"] = [(one.pid, 700 * MB) for one in psutil.Process(child.guard.pid).children(recursive=True)]
        async with Meter(served(pid=child.guard.pid), by_itself=by_itself) as meter:
            card["millijoules"] += 5000
    finally:
        await process.stop(child)

    assert (meter.usage.energy_j, bool(meter.usage.energy_of)) == (energy_j, energy_j is not None)


async def test_energy_of_an_idle_card_does_not_count_when_asking_is_interrupted(drives: Any, tmp_path: Path) -> None:
    drives(Driver({"used": 0, "millijoules": 1000, "compute": []}))
    child = hungry(tmp_path / "log")
    meter = Meter(served(pid=child.guard.pid))

    async def measured() -> None:
        async with meter:
            await asyncio.sleep(60)

    try:
        asking = asyncio.create_task(measured())
        while meter.usage.memory_bytes is None:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.wait([asking])
    finally:
        await process.stop(child)

    assert asking.cancelled()
    assert (meter.usage.energy_j, meter.usage.energy_of) == (None, "")


async def test_an_interrupt_while_looking_ends_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def keeps_looking(_: Meter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            asking.cancel()

    monkeypatch.setattr(Meter, "_keep_looking", keeps_looking)

    async def measured() -> None:
        async with Meter(served()):
            await asyncio.sleep(0)

    asking = asyncio.create_task(measured())
    await asyncio.wait([asking])

    assert asking.cancelled()


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
