"""Memory and energy of NVIDIA's graphics cards, by their driver (NVML); nothing of it needs root."""

import functools
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

from msgspec import Struct

BY_PROCESS = "of its processes, as the driver of the graphics cards says"
BY_RISE = (
    "how much more of the graphics cards' memory was in use than before it was started, since their driver does not"
    " say which process uses it: what other programs took meanwhile counts, too"
)
_NOISE = 32 << 20
"""Bytes by which the memory in use may differ without any server."""


class Cards(NamedTuple):
    """The graphics cards of this machine."""

    nvml: ModuleType
    handles: tuple[Any, ...]


class Held(Struct, frozen=True):
    """What a server's processes hold on graphics cards."""

    bytes: int | None = None
    how: str = ""


@functools.cache
def cards() -> Cards | None:
    """Find the graphics cards; None where there is no driver, or no card. Takes up to a second, once."""
    try:
        import pynvml  # noqa: PLC0415 - of no use without a card

        pynvml.nvmlInit()
        found = tuple(pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount()))
    except Exception:  # noqa: BLE001 - whatever is wrong with a driver, it is as if there were none
        return None
    return Cards(pynvml, found) if found else None


def in_use() -> tuple[int, ...]:
    """Return the bytes that are in use on each card; empty where there is none, or it is not known of all."""
    if (found := cards()) is None:
        return ()
    try:
        return tuple(int(found.nvml.nvmlDeviceGetMemoryInfo(handle).used) for handle in found.handles)
    except found.nvml.NVMLError:
        return ()


def free() -> tuple[int, ...]:
    """Return the bytes that are free on each card; empty where there is none, or it is not known of all."""
    if (found := cards()) is None:
        return ()
    try:
        return tuple(int(found.nvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in found.handles)
    except found.nvml.NVMLError:
        return ()


def held_by(pids: Collection[int], before: Sequence[int]) -> Held:
    """Say what these processes hold on all cards together.

    Args:
        pids: Process ids.
        before: What was in use on each card before they were started; empty where that is not to be counted on.
    """
    if (found := cards()) is None or not pids:
        return Held()
    by_process = {
        (card, pid): size
        for card, handle in enumerate(found.handles)
        for pid, size in _listed(found.nvml, handle)
        if pid in pids
    }
    if by_process:
        return Held(sum(by_process.values()), BY_PROCESS)
    now = in_use()
    if not before or len(now) != len(before):
        return Held()
    rise = sum(now) - sum(before)
    return Held(rise, BY_RISE) if rise > _NOISE else Held()


def _listed(nvml: ModuleType, handle: object) -> Iterator[tuple[int, int]]:
    """List the processes on a card with their memory, where the driver says it; one may come twice, with the same."""
    for listing in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        with suppress(nvml.NVMLError):
            yield from ((one.pid, int(one.usedGpuMemory)) for one in listing(handle) if one.usedGpuMemory)


def energy_counters() -> dict[str, int]:
    """Read how many microjoules each card has taken since its driver was loaded; cards that do not say are left out."""
    counters: dict[str, int] = {}
    if (found := cards()) is not None:
        for number, handle in enumerate(found.handles):
            with suppress(found.nvml.NVMLError):
                counters[f"card {number}"] = 1000 * int(found.nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    return counters
