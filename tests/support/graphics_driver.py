"""A driver of graphics cards, in the words of nvidia-ml-py."""

from types import SimpleNamespace
from typing import Any


class Driver:
    """Cards by what they tell: `used`, `compute` and `graphics` processes with their bytes, `millijoules`."""

    class NVMLError(Exception):
        pass

    def __init__(self, *cards: dict[str, Any], broken: bool = False) -> None:
        self.cards, self.broken = cards, broken

    def nvmlInit(self) -> None:  # noqa: N802 - its name
        if self.broken:
            raise self.NVMLError("Driver/library version mismatch")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - its name
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> dict[str, Any]:  # noqa: N802 - its name
        return self.cards[number]

    def nvmlDeviceGetMemoryInfo(self, card: dict[str, Any]) -> Any:  # noqa: N802 - its name
        wanted = {name: self.told(card, name) for name in ("free", "used") if name in card}
        return SimpleNamespace(**(wanted or {"used": self.told(card, "used")}))

    def nvmlDeviceGetComputeRunningProcesses(self, card: dict[str, Any]) -> list[Any]:  # noqa: N802 - its name
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in self.told(card, "compute")]

    def nvmlDeviceGetGraphicsRunningProcesses(self, card: dict[str, Any]) -> list[Any]:  # noqa: N802 - its name
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in self.told(card, "graphics")]

    def nvmlDeviceGetTotalEnergyConsumption(self, card: dict[str, Any]) -> int:  # noqa: N802 - its name
        return int(self.told(card, "millijoules"))

    def told(self, card: dict[str, Any], what: str) -> Any:
        if what not in card:
            raise self.NVMLError("Not Supported")
        return card[what]
