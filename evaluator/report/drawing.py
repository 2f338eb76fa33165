"""A picture laid out: lines, boxes, marks and texts at their places, for the page and for files alike."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Shape = Literal["square", "circle", "down", "up", "diamond", "cross", "bar"]
SHAPES: dict[str, Shape] = {
    "baseline": "square",
    "alone": "circle",
    "equivalent": "circle",
    "worse": "down",
    "better": "up",
    "cannot": "diamond",
    "other": "cross",
}
"""By kind of verdict, so that no colour is needed to tell them apart."""
TEXT = 12.0
SMALL = 11.0
"""Sizes of texts."""
_WIDE = 0.6
"""Width of a character, in sizes of its font, on average: a little wide, so that texts keep apart in any font."""


class Line(Struct, frozen=True):
    """From one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float
    style: str


class Box(Struct, frozen=True):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    style: str


class Mark(Struct, frozen=True):
    """A small shape around a point."""

    x: float
    y: float
    shape: Shape
    style: str
    title: str = ""
    """Shown by a browser where the pointer rests."""


class Label(Struct, frozen=True):
    """A line of text, at the left end of its base line, or at the middle or right one."""

    x: float
    y: float
    text: str
    style: str = "text"
    anchor: Literal["start", "middle", "end"] = "start"
    size: float = TEXT


class Drawing(Struct, frozen=True):
    """All of a picture; y grows downwards."""

    width: float
    height: float
    parts: tuple[Line | Box | Mark | Label, ...]


class Area(Struct, frozen=True):
    """A rectangle to be kept free, or to stay within."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Area") -> float:
        """Return the area that two rectangles share."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0


def width_of(text: str, size: float = TEXT) -> float:
    """Estimate the width of a text."""
    return _WIDE * size * len(text)


def fitting(text: str, width: float, size: float = TEXT) -> str:
    """Shorten a text in its middle, where builds of one model are alike, to fit into a width."""
    most = max(4, int(width / (_WIDE * size)))
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}\u2026{text[-end:]}"


def place_labels(
    points: Sequence[tuple[float, float, str]], taken: Sequence[Area], within: Area
) -> tuple[Label | Line, ...]:
    """Put a name beside each point so that no two texts, and no text and mark, lie on each other.

    Of the places around a point the one with the least overlap is taken, a near one first; from a far one a line leads
    to the point.

    Args:
        points: Where they lie, and their names.
        taken: Marks, whiskers and what else must stay free.
        within: Texts stay inside.
    """
    taken = [*taken]
    parts: list[Label | Line] = []
    for x, y, name in points:
        text = fitting(name, 0.6 * (within.right - within.left))
        wide = width_of(text)
        area, far = min(
            (
                (candidate, distance)
                for distance, left, middle in _around(x, y, wide)
                for candidate in [Area(left, middle - 0.55 * TEXT, left + wide, middle + 0.55 * TEXT)]
            ),
            key=lambda found: _cost(found[0], taken, within) + found[1],
        )
        taken.append(area)
        middle = (area.top + area.bottom) / 2
        if far > 2 * TEXT:
            end = area.left if area.left > x else area.right if area.right < x else (area.left + area.right) / 2
            parts.append(Line(x, y, end, middle, "leader"))
        parts.append(Label(area.left, middle + 0.35 * TEXT, text))
    return tuple(parts)


def _around(x: float, y: float, wide: float) -> list[tuple[float, float, float]]:
    """Give places for a text: how far from the point, its left end, its middle line."""
    gap = 9.0
    places = []
    for step in range(9):
        for sign in (-1, 1) if step else (1,):
            down = sign * step * 0.75 * TEXT
            far = abs(down)
            places += [(far, x + gap, y + down), (far + 1, x - gap - wide, y + down)]
            if step > 1:
                places.append((far + 2, x - wide / 2, y + down))
    return places


def _cost(area: Area, taken: Sequence[Area], within: Area) -> float:
    outside = (area.right - area.left) * (area.bottom - area.top) - area.overlap(within)
    return 20 * outside + 3 * sum(area.overlap(other) for other in taken)
