"""Say what this machine is: chip, cores, memory, graphics card, power."""

import functools
import os
import platform
import re
import shutil
import subprocess
from collections import Counter
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
    """Look at this machine, once; what cannot be read, or not in a second, is unknown."""
    if platform.system() == "Darwin":
        chip, cores, memory = of_sysctl(_output("sysctl", *_SYSCTL))
        power = of_pmset(_output("pmset", "-g", "batt"), _output("pmset", "-g", "custom"))
        system = f"macOS {platform.mac_ver()[0]}".strip()
        return Machine(os=system, chip=chip, cores=cores, memory_bytes=memory, power=power)
    chip, cores = of_cpuinfo(_text(Path("/proc/cpuinfo")))
    return Machine(
        os=_distribution(),
        chip=chip or _text(Path("/proc/device-tree/model")).strip(" \0\n") or None,
        cores=cores,
        memory_bytes=_memory(),
        gpu=of_nvidia_smi(_gpus()),
        power=of_sys(_SYS),
    )


def of_cpuinfo(text: str) -> tuple[str | None, int | None]:
    """Read Linux's /proc/cpuinfo: the chip's name, and its cores, of which two threads of one core are one."""
    blocks = [
        {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in block.splitlines())}
        for block in text.strip().split("\n\n")
    ]
    processors = [block for block in blocks if "processor" in block]
    cores = {(block.get("physical id"), block["core id"]) for block in processors if "core id" in block}
    name = next((block["model name"] for block in processors if block.get("model name")), None)
    return name, len(cores) or len(processors) or None


def of_nvidia_smi(text: str) -> str | None:
    """Read `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader`: one line for each card."""
    cards = Counter(line.strip() for line in text.splitlines() if re.search(r", \d+ MiB$", line.strip()))
    return " and ".join(f"{count} x {card}" if count > 1 else card for card, count in cards.items()) or None


def of_sys(sys: Path) -> str | None:
    """Read Linux's /sys: what the machine is fed from, and the platform profile or else the frequency governor."""
    supplies = [
        {name: _text(supply / name).strip() for name in ("type", "scope", "online", "status")}
        for supply in sorted((sys / "class" / "power_supply").glob("*"))
    ]
    own = [supply for supply in supplies if supply["scope"] != "Device"]  # a mouse has a battery too
    profile = _text(sys / "firmware" / "acpi" / "platform_profile").strip()
    governor = _text(sys / "devices" / "system" / "cpu" / "cpu0" / "cpufreq" / "scaling_governor").strip()
    source = None
    if any(supply["type"] != "Battery" and supply["online"] == "1" for supply in own):
        source = "mains"
    elif any(supply["type"] == "Battery" and supply["status"] == "Discharging" for supply in own):
        source = "battery"
    mode = f"platform profile {profile}" if profile else f"governor {governor}" if governor else None
    return ", ".join(part for part in (source, mode) if part) or None


def of_sysctl(text: str) -> tuple[str | None, int | None, int | None]:
    """Read what macOS's sysctl says of chip, cores and memory in bytes."""
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    chip, cores, memory = (values.get(key, "").strip() for key in _SYSCTL)
    return chip or None, int(cores) if cores.isdecimal() else None, int(memory) if memory.isdecimal() else None


def of_pmset(battery: str, custom: str) -> str | None:
    """Read macOS's `pmset -g batt`, and of `pmset -g custom` the power mode where the power comes from."""
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
    return _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader", seconds=_GPU_SECONDS)


def _output(*command: str, seconds: float = _MAC_SECONDS) -> str:
    """Return what a program prints, also beside a failure: sysctl says what it knows; empty when it does not run."""
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
