"""Whether the memory of this machine is known to hold several servers at once."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from servers.spec import Usage
from servers.usage import graphics
from servers.wording import in_bytes

_MORE = 1.1
"""A server may grow by so much beyond what was measured of it."""
_LEFT_ALONE = 1 << 30
_SHARE_LEFT_ALONE = 0.1
"""Of the machine's memory: at least that much, or the bytes above where they are more, is left to everything else."""
_LEFT_ON_A_CARD = 256 << 20


class Room(NamedTuple):
    """What is free on this machine, in bytes."""

    memory: int
    total: int
    """All memory that is built in."""
    cards: tuple[int, ...] = ()
    """On each graphics card; empty where there is none."""

    @property
    def left_alone(self) -> int:
        """Bytes of memory that are never counted on."""
        return max(_LEFT_ALONE, round(_SHARE_LEFT_ALONE * self.total))


def room() -> Room:
    """Look how much is free now. The first call takes up to a second."""
    import psutil  # noqa: PLC0415 - heavy

    memory = psutil.virtual_memory()
    return Room(memory.available, memory.total, graphics.free())


def too_much(loaded: Sequence[Usage], more: Usage, empty: Room, now: Room) -> str:
    """Say why one more server is not loaded beside others; empty where it is known to fit.

    Args:
        loaded: What was measured of the servers that are loaded.
        more: What was measured of the one to be loaded.
        empty: What was free before any of them was loaded: pages of files that a server maps count as free.
        now: What is free now.
    """
    sizes = [usage.memory_bytes for usage in (*loaded, more)]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or (now.cards and more.gpu_bytes is None):
        return "how much memory they take together is not known"
    needed = ceil(_MORE * sum(known))
    if needed > empty.memory - empty.left_alone or ceil(_MORE * known[-1]) > now.memory - now.left_alone:
        usable = max(0, empty.memory - empty.left_alone)
        return f"together they take {in_bytes(needed)} of memory, and {in_bytes(usable)} can be used"
    # How a server divides itself among several cards is not known: it is to fit on each of them.
    on_card = ceil(_MORE * (more.gpu_bytes or 0)) + _LEFT_ON_A_CARD
    if now.cards and on_card > min(now.cards):
        return f"it takes {in_bytes(on_card)} of a graphics card, and {in_bytes(min(now.cards))} are free"
    return ""
