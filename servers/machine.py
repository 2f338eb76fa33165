"""Describe this machine: chip, cores, memory, graphics card, power."""

import functools
import os
import platform
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers.spec import Machine

_MAC_SECONDS = 0.3
_GPU_SECONDS = 0.9
"""nvidia-smi takes tenths of a second while a driver is awake, as it is under a server with its model loaded."""
_SYS = Path("/sys")
_SYSCTL = ("machdep.cpu.brand_string", "hw.physicalcpu", "hw.memsize")
_DRAWN_FROM = {"AC Power": "mains", "Battery Power": "battery", "UPS Power": "UPS"}
_MAC_MODES = {("lowpowermode", "1"): "low power mode", ("powermode", "1"): "low power mode"} | {
    ("powermode", "2"): "high power mode"
}


@functools.cache
def machine() -> Machine:
    """Describe this machine; cached. What cannot be read within a second is unknown."""
    if platform.system() == "Darwin":
        chip, cores, memory = parse_sysctl(output("sysctl", *_SYSCTL))
        power = parse_pmset(output("pmset", "-g", "batt"), output("pmset", "-g", "custom"))
        system = f"macOS {platform.mac_ver()[0]}".strip()
        return Machine(os=system, chip=chip, cores=cores, memory_bytes=memory, power=power)
    chip, cores = parse_cpuinfo(_text(Path("/proc/cpuinfo")))
    return Machine(
        os=_distribution(),
        chip=chip or _text(Path("/proc/device-tree/model")).strip(" \0\n") or None,
        cores=cores,
        memory_bytes=_memory(),
        gpu=parse_nvidia_smi(_gpus()),
        power=read_power(_SYS),
    )


def parse_cpuinfo(text: str) -> tuple[str | None, int | None]:
    """Parse Linux's /proc/cpuinfo: the chip's name and the number of physical cores."""
    blocks = [
        {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in block.splitlines())}
        for block in text.strip().split("\n\n")
    ]
    processors = [block for block in blocks if "processor" in block]
    cores = {(block.get("physical id"), block["core id"]) for block in processors if "core id" in block}
    name = next((block["model name"] for block in processors if block.get("model name")), None)
    return name, len(cores) or len(processors) or None


def parse_nvidia_smi(text: str) -> str | None:
    """Parse `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader`: one line for each card."""
    cards = Counter(line.strip() for line in text.splitlines() if re.search(r", \d+ MiB$", line.strip()))
    return " and ".join(f"{count} x {card}" if count > 1 else card for card, count in cards.items()) or None


def read_power(sys: Path) -> str | None:
    """Read the power source from Linux's /sys, and the platform profile or else the frequency governor."""
    supplies = [
        {name: _text(supply / name).strip() for name in ("type", "scope", "online", "status")}
        for supply in sorted((sys / "class" / "power_supply").glob("*"))
    ]
    profile = _text(sys / "firmware" / "acpi" / "platform_profile").strip()
    governor = _text(sys / "devices" / "system" / "cpu" / "cpu0" / "cpufreq" / "scaling_governor").strip()
    mode = f"platform profile {profile}" if profile else f"governor {governor}" if governor else None
    return ", ".join(part for part in (_power_source(supplies), mode) if part) or None


def _power_source(supplies: Sequence[Mapping[str, str]]) -> str | None:
    own = [supply for supply in supplies if supply["scope"] != "Device"]  # a mouse has a battery too
    if any(supply["type"] != "Battery" and supply["online"] == "1" for supply in own):
        return "mains"
    if any(supply["type"] == "Battery" and supply["status"] == "Discharging" for supply in own):
        return "battery"
    return None


def parse_sysctl(text: str) -> tuple[str | None, int | None, int | None]:
    """Parse macOS's sysctl: chip, cores, and memory in bytes."""
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    chip, cores, memory = (values.get(key, "").strip() for key in _SYSCTL)
    return chip or None, int(cores) if cores.isdecimal() else None, int(memory) if memory.isdecimal() else None


def parse_pmset(battery: str, custom: str) -> str | None:
    """Parse macOS's `pmset -g batt`, and in `pmset -g custom` the power mode of the current power source."""
    drawn = re.search(r"Now drawing from '([^']+)'", battery)
    if drawn is None:
        return None
    _, _, section = custom.partition(f"{drawn[1]}:\n")
    settings = re.findall(
        r"^ +(\w+) +(\S+)", re.split(r"^\S", section, maxsplit=1, flags=re.MULTILINE)[0], re.MULTILINE
    )
    modes = [_MAC_MODES[setting] for setting in settings if setting in _MAC_MODES]
    return ", ".join([_DRAWN_FROM.get(drawn[1], drawn[1]), *modes[:1]])


def _distribution() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    kernel = f"{platform.system()} {platform.release()}"
    return f"{name} ({kernel})" if name else kernel


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _gpus() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    return output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader", seconds=_GPU_SECONDS)


def output(*command: str, seconds: float = _MAC_SECONDS) -> str:
    """Return what a program prints, also where it fails (sysctl prints the keys it knows); empty if it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
