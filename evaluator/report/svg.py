"""A drawing as SVG inside a page: colours come from the page's style, by class; every text is escaped."""

from markupsafe import Markup

from evaluator.report.drawing import Box, Drawing, Label, Line, Mark
from evaluator.text import one_line

_MARKS = {
    "square": "M-4.5-4.5h9v9h-9z",
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "down": "M-5.5-4.5h11l-5.5 9.5z",
    "up": "M-5.5 4.5h11l-5.5-9.5z",
    "diamond": "M0-6l6 6l-6 6l-6-6z",
    "cross": "M-5-3l2-2l3 3l3-3l2 2l-3 3l3 3l-2 2l-3-3l-3 3l-2-2l3-3z",
    "bar": "M-1.5-7h3v14h-3z",
}


def svg(drawing: Drawing, title: str, description: str, name: str) -> Markup:
    """Write a drawing as an element that says to a screen reader what it shows.

    Args:
        drawing: What is drawn.
        title: Its name, in a few words.
        description: What can be seen, in words.
        name: An id that no other drawing of the page has.
    """
    head = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{}'
        '</title><desc id="{name}-desc">{}</desc>'
    ).format(_n(drawing.width), _n(drawing.height), one_line(title), one_line(description), name=name)
    return head + Markup("").join(_part(part) for part in drawing.parts) + Markup("</svg>")


def mark(shape: str, style: str) -> Markup:
    """Write a mark alone, for a legend."""
    return Markup(
        '<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true"><path class="mark {}" d="{}"/></svg>'
    ).format(style, _MARKS[shape])


def _part(part: Line | Box | Mark | Label) -> Markup:
    match part:
        case Line(x1, y1, x2, y2, style):
            return Markup('<path class="{}" d="M{} {}L{} {}"/>').format(style, _n(x1), _n(y1), _n(x2), _n(y2))
        case Box(x, y, width, height, style):
            numbers = _n(x), _n(y), _n(width), _n(height)
            return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(style, *numbers)
        case Mark(x, y, shape, style, title):
            form = Markup('<path class="mark {}" transform="translate({} {})" d="{}">{}</path>')
            inside = Markup("<title>{}</title>").format(one_line(title)) if title else ""
            return form.format(style, _n(x), _n(y), _MARKS[shape], inside)
        case Label(x, y, text, style, anchor, size):
            form = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}" font-size="{}">{}</text>')
            return form.format(style, _n(x), _n(y), anchor, _n(size), one_line(text))


def _n(value: float) -> str:
    """Write a coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
