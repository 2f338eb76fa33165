"""The machine is known from what Linux and macOS say of it, and what they do not say is unknown."""

import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import machine as module
from servers.machine import machine, parse_cpuinfo, parse_nvidia_smi, parse_pmset, parse_sysctl, read_power


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    machine.cache_clear()
    yield
    machine.cache_clear()


AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD Ryzen 7 7840U w/ Radeon 780M Graphics
physical id\t: 0
siblings\t: 4
core id\t\t: 0
cpu cores\t: 2

processor\t: 1
model name\t: AMD Ryzen 7 7840U w/ Radeon 780M Graphics
physical id\t: 0
core id\t\t: 0

processor\t: 2
model name\t: AMD Ryzen 7 7840U w/ Radeon 780M Graphics
physical id\t: 0
core id\t\t: 1

processor\t: 3
model name\t: AMD Ryzen 7 7840U w/ Radeon 780M Graphics
physical id\t: 0
core id\t\t: 1

"""
ARM = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes
CPU implementer\t: 0x41

processor\t: 1
BogoMIPS\t: 108.00

Revision\t: c04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param(AMD, ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", 2), id="two-threads-a-core"),
        pytest.param(ARM, (None, 2), id="arm"),
        pytest.param("", (None, None), id="empty"),
        pytest.param(":::\n\n\n:", (None, None), id="garbage"),
    ],
)
def test_linux_says_its_chip_and_cores(text: str, known: tuple[str | None, int | None]) -> None:
    assert parse_cpuinfo(text) == known


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param("NVIDIA GeForce RTX 4090, 24564 MiB\n", "NVIDIA GeForce RTX 4090, 24564 MiB", id="one"),
        pytest.param("A, 8 MiB\nA, 8 MiB\nB, 4 MiB\n", "2 x A, 8 MiB and B, 4 MiB", id="several"),
        pytest.param("No devices were found\n", None, id="none"),
        pytest.param(
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", None, id="no-driver"
        ),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_driver_names_the_cards(text: str, known: str | None) -> None:
    assert parse_nvidia_smi(text) == known


MAINS = {"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery", "BAT0/status": "Charging"}
MOUSE = {"hid/type": "Battery", "hid/scope": "Device", "hid/status": "Discharging"}
PROFILE, GOVERNOR = "firmware/acpi/platform_profile", "devices/system/cpu/cpu0/cpufreq/scaling_governor"


@pytest.mark.parametrize(
    ("supplies", "modes", "power"),
    [
        pytest.param(MAINS, {}, "mains", id="mains"),
        pytest.param({**MAINS, "AC/online": "0", "BAT0/status": "Discharging"}, {}, "battery", id="battery"),
        pytest.param(
            {"usbc/type": "USB", "usbc/online": "1", "BAT0/type": "Battery", "BAT0/status": "Not charging"},
            {PROFILE: "low-power", GOVERNOR: "powersave"},
            "mains, platform profile low-power",
            id="profile-over-governor",
        ),
        pytest.param(MOUSE, {GOVERNOR: "performance"}, "governor performance", id="only-a-mouse"),
        pytest.param({}, {}, None, id="silent"),
    ],
)
def test_linux_says_its_power(
    tmp_path: Path, supplies: dict[str, str], modes: dict[str, str], power: str | None
) -> None:
    for name, text in {**{f"class/power_supply/{key}": value for key, value in supplies.items()}, **modes}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")

    assert read_power(tmp_path) == power


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param(
            "machdep.cpu.brand_string: Apple M4 Max\nhw.physicalcpu: 16\nhw.memsize: 137438953472\n",
            ("Apple M4 Max", 16, 137438953472),
            id="whole",
        ),
        pytest.param("hw.memsize: 8589934592\n", (None, None, 8589934592), id="part"),
        pytest.param("hw.memsize: much\nx\n", (None, None, None), id="garbage"),
        pytest.param("", (None, None, None), id="empty"),
    ],
)
def test_macos_says_its_chip_and_memory(text: str, known: tuple[str | None, int | None, int | None]) -> None:
    assert parse_sysctl(text) == known


AC = "Now drawing from 'AC Power'\n -InternalBattery-0 (id=22806627)\t100%; charged; 0:00 remaining present: true\n"
BATTERY = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=5308515)\t43%; discharging; (no estimate)\n"
OLD = """\
Battery Power:
 Sleep On Power Button 1
 lowpowermode         1
 standby              1
 hibernatefile        /var/vm/sleepimage
AC Power:
 Sleep On Power Button 1
 lowpowermode         0
 standby              1
"""
NEW = """\
Battery Power:
 powermode            1
 sleep                1
AC Power:
 sleep                0
 powermode            2
"""


@pytest.mark.parametrize(
    ("battery", "custom", "power"),
    [
        pytest.param(AC, OLD, "mains", id="mains"),
        pytest.param(BATTERY, OLD, "battery, low power mode", id="battery-low"),
        pytest.param(AC, NEW, "mains, high power mode", id="mains-high"),
        pytest.param(BATTERY, NEW, "battery, low power mode", id="battery-low-of-newer-systems"),
        pytest.param("Now drawing from 'AC Power'\n", "AC Power:\n womp 1\n", "mains", id="desktop"),
        pytest.param(AC, "", "mains", id="no-settings"),
        pytest.param("", NEW, None, id="no-source"),
    ],
)
def test_macos_says_its_power(battery: str, custom: str, power: str | None) -> None:
    assert parse_pmset(battery, custom) == power


def test_this_machine_is_known_soon() -> None:
    started = time.monotonic()
    found = machine()

    assert time.monotonic() - started < 1
    assert found.os
    assert found.cores
    assert found.memory_bytes
    assert machine() is found


def test_a_mac_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        (
            "sysctl",
            "machdep.cpu.brand_string",
        ): b"machdep.cpu.brand_string: Apple M1\nhw.physicalcpu: 8\nhw.memsize: 8\n",
        ("pmset", "-g", "batt"): BATTERY.encode(),
        ("pmset", "-g", "custom"): OLD.encode(),
    }

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[bytes]:
        out = next(out for start, out in said.items() if command[: len(start)] == start)
        return subprocess.CompletedProcess(command, 0, out)

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.5", ("", "", ""), "arm64"))
    monkeypatch.setattr(subprocess, "run", run)
    found = machine()

    assert (found.os, found.chip, found.cores, found.memory_bytes) == ("macOS 15.5", "Apple M1", 8, 8)
    assert (found.power, found.gpu) == ("battery, low power mode", None)


@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_nothing_said_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "freedesktop_os_release", fail)
    monkeypatch.setattr(module, "_SYS", tmp_path)
    monkeypatch.setattr(subprocess, "run", fail)
    monkeypatch.setattr(Path, "read_text", fail)
    monkeypatch.setattr("os.sysconf", fail)
    found = machine()

    assert found.os
    assert (found.chip, found.cores, found.memory_bytes, found.gpu, found.power) == (None,) * 5


def test_a_driver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(module, "_GPU_SECONDS", 0.2)
    started = time.monotonic()

    assert machine().gpu is None
    assert 0.2 <= time.monotonic() - started < 2
