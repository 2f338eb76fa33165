"""Sentences that several kinds of server have in common."""

from collections.abc import Sequence

_SHOWN = 12


def listed(names: Sequence[str]) -> str:
    """List names, only the first where they are many: `a, b and 3 more`."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def waiting(who: str, slots: int | None, asked: int) -> tuple[str, ...]:
    """Return the sentence that a server works on fewer questions at once than asked; empty where not, or unknown.

    Args:
        who: The server.
        slots: Questions that it works on at once.
        asked: How many are asked for; 0 where any number is as good.
    """
    if slots is None or slots >= asked:
        return ()
    fewer = f"{who} works on {slots} question(s) at once, not on {asked}"
    return (f"{fewer}: the others wait in line, so that the time to their first token is not the model's",)


def in_bytes(size: int, other: int = 0) -> str:
    """Write a number of bytes: `5.3 MB`; to the last one where it would read as the other number does."""
    short = _rounded(size)
    return f"{size:,} bytes" if other != size and short == _rounded(other) else short


def _rounded(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"
