"""Energy, as far as the system says it without root: of graphics cards (NVML), and of processors (RAPL on Linux)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from servers.usage import graphics

RAPL = Path("/sys/class/powercap")


class Counter(Struct, frozen=True):
    """A counter that only rises, until it begins anew."""

    microjoules: int
    wraps_at: int | None = None
    """What it begins anew after; None is never."""


def counters(rapl: Path = RAPL) -> dict[str, Counter]:
    """Read the counters of what there is: graphics cards, and processors where their files may be read."""
    cards = {name: Counter(value) for name, value in graphics.energy_counters().items()}
    return {**cards, **dict(_processors(rapl))}


def _processors(rapl: Path) -> Iterator[tuple[str, Counter]]:
    """Read the packages, and the memory beside them; cores and graphics within are parts of a package."""
    for zone in sorted(rapl.glob("*rapl:*")):
        try:
            name = (zone / "name").read_text(encoding="utf-8").strip()
            if name.startswith("package") or name == "dram":
                counter = Counter(_number(zone / "energy_uj"), _number(zone / "max_energy_range_uj"))
                yield f"{'memory' if name == 'dram' else 'processor'} {zone.name}", counter
        except (OSError, ValueError):  # since 2020 only root may read it on most systems
            continue


def _number(file: Path) -> int:
    return int(file.read_text(encoding="utf-8"))


class EnergyMeter:
    """Adds up what the counters rise by; look at it now and then, more often than they begin anew."""

    def __init__(self, first: Mapping[str, Counter]) -> None:
        self._last = dict(first)
        self._microjoules = dict.fromkeys(first, 0)

    def add(self, now: Mapping[str, Counter]) -> None:
        """Take in what the counters say now; one that falls silent is dropped: its part would be missing."""
        for name in [name for name in self._last if name not in now]:
            del self._last[name], self._microjoules[name]
        for name in self._last:
            rise = now[name].microjoules - self._last[name].microjoules
            if rise < 0 and (wraps_at := now[name].wraps_at) is not None:
                rise += wraps_at
            self._microjoules[name] += max(0, rise)
            self._last[name] = now[name]

    def leave_out_cards(self) -> None:
        """Count the graphics cards no more, nor what was counted of them."""
        for name in [name for name in self._last if name.startswith("card")]:
            del self._last[name], self._microjoules[name]

    @property
    def joules(self) -> float | None:
        """What was taken; None where nothing has a counter."""
        return sum(self._microjoules.values()) / 1e6 if self._microjoules else None

    @property
    def of(self) -> str:
        """What it is the energy of, in words."""
        kinds = {name.split()[0] for name in self._microjoules}
        cards = sum(name.startswith("card") for name in self._microjoules)
        parts = [
            *(["the processors"] if "processor" in kinds else []),
            *(["the machine's memory"] if "memory" in kinds else []),
            *([f"{cards} graphics card{'s' if cards > 1 else ''}"] if cards else []),
        ]
        return f"of {' and '.join(parts)}, whatever ran there meanwhile" if parts else ""
