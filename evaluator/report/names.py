"""Names of variants in narrow columns: cut in the middle, where they still differ."""

from collections.abc import Sequence

_GAP = "\u2026"


def fitted(names: Sequence[str], width: int) -> list[str]:
    """Cut names that are longer than `width` columns in the middle, so that those that differ still do.

    Ends say more than beginnings (`…-q4_0`), so they keep two thirds of the room. Where that makes two names alike, the
    gap moves; where it does so wherever the gap is, they stay alike.

    Args:
        names: Of characters that are one column wide.
        width: At least 1.
    """
    usual = (width - 1) // 3
    for head in (usual, *sorted(range(width), key=lambda place: abs(place - usual))):
        cut = [_cut(name, head, width) for name in names]
        if len(set(cut)) == len(set(names)):
            return cut
    return [_cut(name, usual, width) for name in names]


def _cut(name: str, head: int, width: int) -> str:
    if len(name) <= width:
        return name
    tail = width - 1 - head
    return f"{name[:head]}{_GAP}{name[len(name) - tail :]}"
