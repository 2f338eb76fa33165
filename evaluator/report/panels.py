"""The pictures of a page: each drawn, with its title and its description in words."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.report import phrases
from evaluator.report.curves import curves, limits_picture
from evaluator.report.picture import Measure, Panel, Point, Rows, accuracies, differences, measures, quality
from evaluator.report.plots import rows, scatter
from evaluator.report.spreads import lengths_picture, spreads
from evaluator.report.svg import svg

WIDTH, HEIGHT = 380.0, 285.0
"""Of a picture, in pixels of the narrowest screen that shows it at its own size."""


class Shown(Struct, frozen=True):
    """One picture of one benchmark."""

    title: str
    svg: Markup
    unknown: str = ""
    """Variants that it cannot show, listed."""


class Picture(Struct, frozen=True):
    """One picture of all benchmarks side by side."""

    name: str
    """What quality is shown against, in words; in ids and classes, too."""
    title: str
    panels: tuple[Shown, ...]


def quality_pictures(report: Report) -> tuple[Picture, ...]:
    """Show quality against each measure that is known, the preferred one first; without any, quality alone."""
    pictures = [_against(report, measure) for measure in measures(report)]
    known = () if phrases.has_one_variant(report) else tuple(picture for picture in pictures if picture.panels)
    return known or tuple(picture for picture in [_alone(report)] if picture.panels)


def _against(report: Report, measure: Measure) -> Picture:
    found = [(b, quality(report, b, measure)) for b in report.plan.study.benchmarks.chosen()]
    panels = tuple(_scatter(panel, f"{measure.kind}-{b}") for b, panel in found if panel)
    return Picture(measure.kind, f"Quality against {measure.kind}", panels)


def _alone(report: Report) -> Picture:
    found = [(b, accuracies(report, b)) for b in report.plan.study.benchmarks.chosen()]
    panels = tuple(_rows(picture, f"accuracy-{b}", "accuracy") for b, picture in found if picture)
    return Picture("accuracy", "Accuracy", panels)


def difference_panels(report: Report) -> tuple[Shown, ...]:
    """Show the differences to the baseline, benchmark by benchmark."""
    found = [(b, differences(report, b)) for b in report.plan.study.benchmarks.chosen()]
    title = f"difference to {report.plan.study.baseline}"
    return tuple(_rows(picture, f"difference-{b}", title) for b, picture in found if picture)


def limit_panels(report: Report) -> tuple[Shown, ...]:
    """Show accuracy against the output limit, benchmark by benchmark."""
    found = [(b, limits_picture(report, b)) for b in report.plan.study.benchmarks.chosen()]
    return tuple(
        Shown(
            picture.title,
            svg(
                curves(picture, WIDTH, 260),
                f"{picture.title}: accuracy against the output limit",
                " ".join(b.sentence for b in report.budgets if b.benchmark == benchmark and b.sentence),
                f"limit-{benchmark}",
            ),
        )
        for benchmark, picture in found
        if picture
    )


def length_panels(report: Report) -> tuple[Shown, ...]:
    """Show the lengths of replies, benchmark by benchmark."""
    found = [(b, lengths_picture(report, b)) for b in report.plan.study.benchmarks.chosen()]
    return tuple(
        Shown(
            picture.title,
            svg(
                spreads(picture, WIDTH),
                f"{picture.title}: tokens of a reply",
                "; ".join(f"{name}: median {spread.median:,.0f}" for name, spread in picture.rows),
                f"length-{benchmark}",
            ),
        )
        for benchmark, picture in found
        if picture
    )


def shown(picture: Panel | Rows, name: str, what: str) -> Shown:
    """Draw a picture under an id that no other of the page has; `what` says in words what it shows."""
    if isinstance(picture, Rows):
        return _rows(picture, name, what)
    return _scatter(picture, name, what)


def _scatter(panel: Panel, name: str, what: str = "accuracy") -> Shown:
    title = f"{panel.title}: {what} against {panel.x.label}"
    drawn = svg(scatter(panel, WIDTH, HEIGHT), title, "; ".join(_in_words(panel.points, panel.x.label)), name)
    return Shown(panel.title, drawn, _listed(panel.unknown))


def _rows(picture: Rows, name: str, what: str) -> Shown:
    words = "; ".join(f"{row.name}: {row.text}" for row in picture.rows)
    drawn = svg(rows(picture, WIDTH), f"{picture.title}: {what}", words, name)
    return Shown(picture.title, drawn, _listed(picture.unknown))


def _in_words(points: Sequence[Point], label: str) -> Iterator[str]:
    for point in points:
        yield f"{point.name}: {point.text}, {label} {point.x:,.3g}"


def _listed(names: tuple[str, ...]) -> str:
    return wording.listed(names) if names else ""
