"""Graphics memory, energy, and the KV cache's size."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.runtime.llama_log import cache_bytes
from servers.spec import Server, ServerSpec
from servers.usage import energy, graphics
from servers.usage.energy import Counter, EnergyMeter
from servers.usage.graphics import BY_PROCESS, BY_RISE, Held, held_by, in_use
from servers.usage.reported import kv_cache_bytes
from tests.support.graphics_driver import Driver

MB = 1 << 20


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
