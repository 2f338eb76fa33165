"""A machine that is busy with something else is noticed: by its load, and by what it has swapped out."""

import os
import platform
from pathlib import Path

import pytest

from servers import busy

GB = 1 << 30
LOWER = "so speeds may come out lower than they are"


@pytest.mark.parametrize(
    ("text", "used"),
    [
        pytest.param("SwapTotal:       8388604 kB\nSwapFree:        8388604 kB\n", 0, id="none-in-use"),
        pytest.param("SwapTotal:       8388608 kB\nSwapFree:        5242880 kB\n", 3 * GB, id="three-of-eight"),
        pytest.param("MemTotal: 1 kB\nSwapCached: 9999999 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", 0, id="no-swap"),
        pytest.param("", 0, id="nothing-said"),
        pytest.param("SwapTotal: much kB\n", 0, id="no-number"),
    ],
)
def test_what_linux_has_swapped_out(text: str, used: int, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(text)

    assert busy.read_meminfo(tmp_path / "meminfo") == used


@pytest.mark.parametrize(
    ("text", "used"),
    [
        pytest.param("total = 3072.00M  used = 2048.00M  free = 1024.00M  (encrypted)\n", 2 * GB, id="megabytes"),
        pytest.param("total = 2.00G  used = 1.50G  free = 0.50G", int(1.5 * GB), id="gigabytes"),
        pytest.param("total = 2048,00M  used = 1024,00M  free = 1024,00M", GB, id="decimal-comma"),
        pytest.param("total = 0.00M  used = 0.00M  free = 0.00M  (encrypted)", 0, id="none"),
        pytest.param("sysctl: unknown oid 'vm.swapusage'", 0, id="unknown"),
        pytest.param("", 0, id="nothing-said"),
    ],
)
def test_what_macos_has_swapped_out(text: str, used: int) -> None:
    assert busy.read_sysctl(text) == used


@pytest.mark.parametrize(
    ("load", "swapped", "sentence"),
    [
        pytest.param(7.9, 0, "", id="quiet"),
        pytest.param(8.0, GB - 1, "", id="as-many-as-processors"),
        pytest.param(
            9.25,
            0,
            f"this machine is busy (load 9.2 on 8 processors), {LOWER}",
            id="load",
        ),
        pytest.param(
            0.1,
            3 * GB,
            f"this machine is busy (3.2 GB swapped out), {LOWER}",
            id="swap",
        ),
        pytest.param(
            16.0,
            2 * GB,
            f"this machine is busy (load 16.0 on 8 processors and 2.1 GB swapped out), {LOWER}",
            id="both",
        ),
    ],
)
def test_it_is_said_in_one_sentence(load: float, swapped: int, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(busy, "read_meminfo", lambda: swapped)

    assert busy.busy() == sentence


def test_a_load_that_cannot_be_read_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> tuple[float, float, float]:
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr(os, "getloadavg", unknown)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(busy, "read_meminfo", lambda: 0)

    assert busy.busy() == ""
