"""Pictures as PNG and SVG files, sharp enough for a post: matplotlib is imported here, and nowhere else."""

from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evaluator.analyse.report import Report
from evaluator.report.drawing import Box, Label, Line, Mark, Shape
from evaluator.report.sheet import Sheet, sheets
from evaluator.store.folder import picture_path, write
from evaluator.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Form = Literal["png", "svg"]
PIXELS = 2400
"""Width of a PNG."""
_FONT = "DejaVu Sans"
"""Comes with matplotlib."""
_MARKERS: dict[Shape, str] = {
    "square": "s",
    "circle": "o",
    "down": "v",
    "up": "^",
    "diamond": "D",
    "cross": "X",
    "bar": "|",
}
_COLOURS = {
    "worse": "#b3261e",
    "better": "#1b7f3b",
    "equivalent": "#0b6a85",
    "cannot": "#8a6100",
    "other": "#7a3e9d",
    "band": "#d9e8f5",
    "grid": "#e4e6eb",
    "axis": "#5d6068",
    "line": "#5d6068",
    "leader": "#c4c7cf",
    "tick": "#5d6068",
    "number": "#5d6068",
}
_INK = "#1b1c20"
_DASHED = frozenset({"line"})
_BOLD = frozenset({"title", "heading"})


def save_pictures(report: Report, folder: str | Path, forms: Iterable[Form] = ("png",)) -> tuple[Path, ...]:
    """Save the pictures of a report as files: quality against the preferred measure, the differences, fidelity.

    Args:
        report: What they show.
        folder: Where they go, as `report-quality.png`, `report-differences.png` and `report-fidelity.png`; it exists.
        forms: png, 2,400 pixels wide, or svg, or both.

    Returns:
        The paths of the files. One variant alone has no differences; what was not measured has no picture.

    Raises:
        OSError: A file cannot be written.
    """
    wanted = [(sheet, form) for sheet in sheets(report) for form in dict.fromkeys(forms)]
    paths = []
    for sheet, form in wanted:
        path = picture_path(Path(folder), sheet.name, form)
        write(path, _drawn(sheet, form))
        paths.append(path)
    return tuple(paths)


def _drawn(sheet: Sheet, form: Form) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and needed only for files
    from matplotlib.figure import Figure  # noqa: PLC0415

    drawing = sheet.drawing
    with mpl.rc_context():
        mpl.rcdefaults()
        # Glyphs as outlines: an SVG looks the same where its font is not installed.
        mpl.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "whichquant", "font.family": _FONT})
        figure = Figure(figsize=(drawing.width / 72, drawing.height / 72), facecolor="white")  # one unit is one point
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
        axes.axis("off")
        for layer, part in enumerate(drawing.parts):
            _draw(axes, part, layer)
        made = BytesIO()
        metadata = {"Title": one_line(sheet.title), **({"Date": None} if form == "svg" else {})}
        figure.savefig(made, format=form, dpi=72 * PIXELS / drawing.width, metadata=metadata)
    return made.getvalue()


def _draw(axes: "Axes", part: Line | Box | Mark | Label, layer: int) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    colour = next((_COLOURS[name] for name in part.style.split() if name in _COLOURS), _INK)
    match part:
        case Line(x1, y1, x2, y2, style):
            width = 1.8 if "whisker" in style else 0.9
            line = Line2D([x1, x2], [y1, y2], color=colour, linewidth=width, zorder=layer)
            line.set_linestyle("--" if style in _DASHED else "-")
            axes.add_line(line)
        case Box(x, y, width, height, _):
            axes.add_patch(Rectangle((x, y), width, height, color=colour, linewidth=0, zorder=layer))
        case Mark(x, y, shape, _, _):
            marker = Line2D([x], [y], color=colour, marker=_MARKERS[shape], markersize=9, markeredgecolor="white")
            marker.set(markeredgewidth=0.7, linestyle="none", zorder=layer, clip_on=False)
            axes.add_line(marker)
        case Label(x, y, text, style, anchor, size):
            axes.text(
                x,
                y,
                with_glyphs(text),
                fontsize=size,
                color=colour,
                fontweight="bold" if style in _BOLD else "normal",
                horizontalalignment={"start": "left", "middle": "center", "end": "right"}[anchor],
                verticalalignment="baseline",
                parse_math=False,
                zorder=layer,
            )


def with_glyphs(text: str) -> str:
    """Replace in one line of text what the font has no picture of."""
    known = _glyphs()
    return "".join(c if ord(c) in known else "\ufffd" for c in one_line(text))


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415

    return frozenset(get_font(findfont(_FONT)).get_charmap())
