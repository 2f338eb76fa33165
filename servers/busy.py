"""Whether this machine is busy with something else, so that speeds measured now would be too low."""

import os
import platform
import re
from pathlib import Path

from servers.machine import output
from servers.wording import in_bytes

_SWAP_THAT_MATTERS = 1 << 30
"""Bytes; a little is swapped out on every machine that has run for a while."""
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def busy() -> str:
    """Say how busy this machine is, in one sentence; empty where it is not, or where that cannot be read."""
    parts = [part for part in (_load(), _swap()) if part]
    if not parts:
        return ""
    return f"this machine is busy ({' and '.join(parts)}), so speeds may come out lower than they are"


def _load() -> str:
    try:
        load, processors = os.getloadavg()[0], os.cpu_count() or 1
    except OSError:
        return ""
    return f"load {load:.1f} on {processors} processors" if load > processors else ""


def _swap() -> str:
    used = read_sysctl(output("sysctl", "-n", "vm.swapusage")) if platform.system() == "Darwin" else read_meminfo()
    return f"{in_bytes(used)} swapped out" if used >= _SWAP_THAT_MATTERS else ""


def read_meminfo(file: Path = Path("/proc/meminfo")) -> int:
    """Read the bytes that Linux has swapped out; 0 where it does not say."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    values = {name: int(number) for name, number in re.findall(r"^(Swap\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return max(0, values.get("SwapTotal", 0) - values.get("SwapFree", 0)) << 10


def read_sysctl(text: str) -> int:
    """Read the bytes in use from macOS's `sysctl vm.swapusage`: `total = 2048.00M  used = 1024.50M  free = …`."""
    found = re.search(r"used = (\d+(?:[.,]\d+)?)([KMGT])", text)
    return int(float(found[1].replace(",", ".")) * _UNITS[found[2]]) if found else 0
