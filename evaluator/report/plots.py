"""Lay out the pictures of a report: quality against a measure, and values with intervals in rows."""

from collections.abc import Iterator

from evaluator.report.axis import Axis
from evaluator.report.drawing import (
    SHAPES,
    SMALL,
    Area,
    Box,
    Drawing,
    Label,
    Line,
    Mark,
    fitting,
    place_labels,
    width_of,
)
from evaluator.report.picture import Panel, Point, Rows
from evaluator.stats.proportions import Interval

Part = Line | Box | Mark | Label
_MARK = 5.0
_ARROW = 16.0
_APART = 12.0
"""Between points that stand side by side."""
_ROW, _TEXT = 44.0, 20.0
"""Height of a row, and of the text in it."""


def scatter(panel: Panel, width: float, height: float) -> Drawing:
    """Lay out quality against a measure."""
    inner = Area(46, 14, width - 10, height - 42)
    parts = [*_band(panel, inner), *_grid(panel, inner)]
    places = [(x, _y(panel.y, p.at, inner)) for x, p in zip(_side_by_side(panel, inner), panel.points, strict=True)]
    taken = [
        area for point, (x, y) in zip(panel.points, places, strict=True) for area in _taken(point, x, y, panel, inner)
    ]
    if panel.line is not None:
        line = _y(panel.y, panel.line, inner)
        taken.append(Area(inner.left, line - 1, inner.right, line + 1))
        if panel.line_name:
            name = Label(inner.left + 4, line - 4, panel.line_name, "tick", size=SMALL)
            taken.append(Area(name.x, line - 4 - SMALL, name.x + width_of(name.text, SMALL), line))
            parts.append(name)
    for point, (x, y) in zip(panel.points, places, strict=True):
        parts += _whisker(x, point, panel.y, inner)
        parts.append(Mark(x, y, SHAPES[point.kind], point.kind, f"{point.name}: {point.text}"))
    named = [(x, y, point.name) for point, (x, y) in zip(panel.points, places, strict=True)]
    parts += place_labels(named, taken, Area(inner.left, 2, width - 2, inner.bottom))
    return Drawing(width, height, tuple(parts))


def rows(picture: Rows, width: float) -> Drawing:
    """Lay out values with intervals below each other; above each its name and its numbers, which nothing crosses."""
    inner = Area(10, 4, width - 10, 4 + _ROW * len(picture.rows))
    parts: list[Part] = []
    for number, row in enumerate(picture.rows):
        top = inner.top + _ROW * number
        parts += _strip(picture, Area(inner.left, top + _TEXT, inner.right, top + _ROW - 2))
        parts += _row(row, picture.axis, inner, top)
    for tick in picture.axis.ticks:
        parts.append(Label(_x(picture.axis, tick.value, inner), inner.bottom + 15, tick.text, "tick", "middle", SMALL))
    parts.append(Label(inner.right, inner.bottom + 31, picture.axis.label, "tick", "end", SMALL))
    return Drawing(width, inner.bottom + 38, tuple(parts))


def _strip(picture: Rows, inner: Area) -> Iterator[Part]:
    """Draw the margin, the ticks and the line behind one row."""
    if picture.band:
        low, high = (_x(picture.axis, min(max(v, picture.axis.low), picture.axis.high), inner) for v in picture.band)
        yield Box(low, inner.top, high - low, inner.bottom - inner.top, "band")
    for tick in picture.axis.ticks:
        x = _x(picture.axis, tick.value, inner)
        yield Line(x, inner.top, x, inner.bottom, "grid")
    if picture.line is not None:
        x = _x(picture.axis, picture.line, inner)
        yield Line(x, inner.top, x, inner.bottom, "line")


def _row(row: Point, across: Axis, inner: Area, top: float) -> Iterator[Part]:
    y = top + _TEXT + (_ROW - _TEXT - 2) / 2
    numbers = fitting(row.text, 0.75 * (inner.right - inner.left), SMALL)
    room = inner.right - inner.left - width_of(numbers, SMALL) - 8
    yield Label(inner.left, top + 14, fitting(row.name, room))
    yield Label(inner.right, top + 14, numbers, "number", "end", SMALL)
    if row.within:
        yield from _across(row.within, across, inner, y, f"whisker {row.kind}")
    if across.low <= row.at <= across.high:
        x = _x(across, row.at, inner)
        yield Mark(x, y, SHAPES[row.kind], row.kind, f"{row.name}: {row.text}")


def _across(within: Interval, across: Axis, inner: Area, y: float, style: str) -> Iterator[Line]:
    """Draw an interval in its row; an arrow where it goes on beyond the axis, or lies there altogether."""
    left, right = (_x(across, min(max(end, across.low), across.high), inner) for end in (within.low, within.high))
    if left == right:
        left, right = (left, left + _ARROW) if within.high < across.low else (right - _ARROW, right)
    yield Line(left, y, right, y, style)
    ends = ((left, within.low < across.low, 6), (right, within.high > across.high, -6))
    for x, is_beyond, inwards in ends:
        value = within.low if inwards > 0 else within.high
        if is_beyond or across.low <= value <= across.high:
            slant = inwards if is_beyond else 0
            yield Line(x, y, x + slant, y - 4, style)
            yield Line(x, y, x + slant, y + 4, style)


def _band(panel: Panel, inner: Area) -> Iterator[Part]:
    if panel.band:
        low, high = (min(max(value, panel.y.low), panel.y.high) for value in panel.band)
        top, bottom = _y(panel.y, high, inner), _y(panel.y, low, inner)
        yield Box(inner.left, top, inner.right - inner.left, bottom - top, "band")


def _grid(panel: Panel, inner: Area) -> Iterator[Part]:
    for tick in panel.y.ticks:
        y = _y(panel.y, tick.value, inner)
        yield Line(inner.left, y, inner.right, y, "grid")
        yield Label(inner.left - 6, y + 4, tick.text, "tick", "end", SMALL)
    for tick in panel.x.ticks:
        x = _x(panel.x, tick.value, inner)
        yield Line(x, inner.bottom, x, inner.bottom + 4, "axis")
        yield Label(x, inner.bottom + 17, tick.text, "tick", "middle", SMALL)
    yield Line(inner.left, inner.bottom, inner.right, inner.bottom, "axis")
    yield Label(inner.right, inner.bottom + 34, panel.x.label, "tick", "end", SMALL)
    if panel.line is not None:
        y = _y(panel.y, panel.line, inner)
        yield Line(inner.left, y, inner.right, y, "line")


def _taken(point: Point, x: float, y: float, panel: Panel, inner: Area) -> Iterator[Area]:
    yield Area(x - _MARK - 1, y - _MARK - 1, x + _MARK + 1, y + _MARK + 1)
    if point.within:
        top, bottom = (_y(panel.y, end, inner) for end in (point.within.high, point.within.low))
        yield Area(x - 3, top, x + 3, bottom)


def _whisker(x: float, point: Point, up: Axis, inner: Area) -> Iterator[Part]:
    """Draw an interval; an end beyond the axis has no cap."""
    if point.within:
        ends = [point.within.low, point.within.high]
        low, high = (_y(up, min(max(end, up.low), up.high), inner) for end in ends)
        yield Line(x, low, x, high, f"whisker {point.kind}")
        for end, y in zip(ends, (low, high), strict=True):
            if up.low <= end <= up.high:
                yield Line(x - 4, y, x + 4, y, f"whisker {point.kind}")


def _side_by_side(panel: Panel, inner: Area) -> list[float]:
    """Place points along the x axis; of those that would lie on each other, whiskers too, all stand side by side."""
    areas = [_extent(point, panel, inner) for point in panel.points]
    groups: list[list[int]] = []
    for number, area in sorted(enumerate(areas), key=lambda item: item[1].left):
        near = next((group for group in groups if any(area.overlap(areas[other]) for other in group)), None)
        if near is None:
            groups.append([number])
        else:
            near.append(number)
    places = [_x(panel.x, point.x, inner) for point in panel.points]
    for group in groups:
        middle = sum(places[number] for number in group) / len(group)
        for place, number in enumerate(sorted(group)):
            if len(group) > 1:
                places[number] = middle + _APART * (place - (len(group) - 1) / 2)
    return places


def _extent(point: Point, panel: Panel, inner: Area) -> Area:
    """Return what a point and its whiskers cover."""
    x, y = _x(panel.x, point.x, inner), _y(panel.y, point.at, inner)
    ends = [_y(panel.y, end, inner) for end in (point.within.high, point.within.low)] if point.within else [y, y]
    return Area(x - _MARK, min(ends[0], y - _MARK), x + _MARK, max(ends[1], y + _MARK))


def _x(across: Axis, value: float, inner: Area) -> float:
    return inner.left + across.place(value) * (inner.right - inner.left)


def _y(up: Axis, value: float, inner: Area) -> float:
    return inner.bottom - up.place(value) * (inner.bottom - inner.top)
