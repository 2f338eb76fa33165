"""A picture that stands alone, in a post or a chat: with what was run, how many questions, and which margin."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.report import phrases
from evaluator.report.drawing import SMALL, Box, Drawing, Label, Line, Mark, fitting, width_of
from evaluator.report.fidelity.picture import agreements, divergences, meanings
from evaluator.report.legend import Meaning, legend
from evaluator.report.picture import Panel, Rows, accuracies, differences, measures, quality
from evaluator.report.plots import rows, scatter

Part = Line | Box | Mark | Label
WIDTH, HEIGHT = 640.0, 360.0
"""Of a sheet, if what is on it needs no more; a unit is a pixel where it is shown 640 wide."""
_EDGE, _GAP = 14.0, 20.0
_TITLE, _FINE = 13.5, 10.0
"""Sizes of texts."""


class Sheet(Struct, frozen=True):
    """One picture for a file."""

    name: str
    """In the file's name: `quality`, `differences` or `fidelity`."""
    title: str
    """In words, for who cannot see it."""
    drawing: Drawing


def sheets(report: Report) -> tuple[Sheet, ...]:
    """Lay out quality against the preferred measure, the differences, fidelity; what has nothing to show is left out.

    Of one variant, or where no size, speed or memory is known of any, the first picture shows the accuracies alone.
    """
    return tuple(sheet for sheet in (_quality(report), _differences(report), _fidelity(report)) if sheet)


def _quality(report: Report) -> Sheet | None:
    benchmarks = report.plan.study.benchmarks.chosen()
    known = () if phrases.has_one_variant(report) else measures(report)
    for measure in known:
        panels = [(b, panel) for b in benchmarks if (panel := quality(report, b, measure))]
        if panels:
            wanted = report.plan.study.prefer
            unknown = "" if measure.kind == wanted else f" ({wanted} is not known)"
            return _sheet(report, "quality", f"quality against {measure.kind}{unknown}", panels)
    alone = [(b, picture) for b in benchmarks if (picture := accuracies(report, b))]
    return _sheet(report, "quality", "accuracy", alone) if alone else None


def _differences(report: Report) -> Sheet | None:
    benchmarks = report.plan.study.benchmarks.chosen()
    found = [(b, picture) for b in benchmarks if (picture := differences(report, b))]
    title = f"differences to {report.plan.study.baseline}, in points"
    return _sheet(report, "differences", title, found) if found else None


def _fidelity(report: Report) -> Sheet | None:
    """Lay out KL divergence and top-1 agreement against size, of the builds that have the first reference."""
    fidelity = report.fidelity
    if fidelity is None or not fidelity.builds:
        return None
    reference = fidelity.builds[0].reference
    pictures = [p for p in (divergences(fidelity, reference), agreements(fidelity, reference)) if p]
    if not pictures:
        return None
    title = f"{report.plan.study.study}: fidelity to {reference}"
    text, whiskers = fidelity.text, "Whiskers: 95 %, by blocks of text. Band: the margin."
    floor = " Dashed: a build from itself, measured twice." if fidelity.floors else ""
    notes = (f"{whiskers}{floor}", *_below(report, f"{text.scored:,} tokens of {text.name}. ", pictures))
    return _arranged("fidelity", title, _wrapped(title, _TITLE)[:2], pictures, (meanings(fidelity), notes))


def _sheet(report: Report, name: str, what: str, panels: Sequence[tuple[str, Panel | Rows]]) -> Sheet:
    title = f"{report.plan.study.study}: {what}"
    headline = _headline(report, title)
    kinds = legend(report, [b for b, _ in panels], baseline=name == "quality")
    asked = [replace(picture, title=_asked(report, benchmark, picture.title)) for benchmark, picture in panels]
    notes = _notes(report, "" if title in headline else f"{title}. ", asked)
    return _arranged(name, title, headline, asked, (kinds, notes))


def _arranged(
    name: str,
    title: str,
    headline: Sequence[str],
    pictures: Sequence[Panel | Rows],
    explained: tuple[Iterable[Meaning], Iterable[str]],
) -> Sheet:
    """Put pictures side by side below a headline, and below them what their marks mean, and the notes."""
    parts: list[Part] = []
    y = 24.0
    for line in headline:
        parts.append(Label(_EDGE, y, line, "title", size=_TITLE))
        y += 1.3 * _TITLE
    y += 4
    columns = min(2, len(pictures))
    width = (WIDTH - 2 * _EDGE - _GAP * (columns - 1)) / columns
    below = [*_legend(explained[0]), *_lines(explained[1])]
    room = HEIGHT - y - 16 - _bottom(below) - 6
    for first in range(0, len(pictures), columns):
        line_of = pictures[first : first + columns]
        drawn = [_panel(picture, width, room) for picture in line_of]
        for column, (picture, drawing) in enumerate(zip(line_of, drawn, strict=True)):
            x = _EDGE + column * (width + _GAP)
            parts.append(Label(x, y + 12, fitting(picture.title, width), "heading"))
            parts += (moved(part, x, y + 18) for part in drawing.parts)
        y += 18 + max(drawing.height for drawing in drawn) + 6
    y = max(y, HEIGHT - _bottom(below))
    parts += (moved(part, _EDGE, y) for part in below)
    return Sheet(name, title, Drawing(WIDTH, y + _bottom(below), tuple(parts)))


def _panel(picture: Panel | Rows, width: float, room: float) -> Drawing:
    return rows(picture, width) if isinstance(picture, Rows) else scatter(picture, width, max(180.0, room))


def _headline(report: Report, title: str) -> list[str]:
    """Write what to run, where that fits into two lines; else what the picture shows."""
    sentence = report.recommendation.sentence if report.recommendation else ""
    lines = _wrapped(sentence, _TITLE) if sentence else []
    return lines if 0 < len(lines) <= 2 else _wrapped(title, _TITLE)[:2]


def _asked(report: Report, benchmark: str, title: str) -> str:
    """Write `MMLU-Pro: n = 100, margin 5 points`: the questions that were compared."""
    compared = [c.n for c in report.comparisons if c.benchmark == benchmark and c.n]
    counts = compared or [s.questions for s in report.scores if s.benchmark == benchmark] or [0]
    asked = f"{title}: n = {wording.text_range(f'{min(counts):,}', f'{max(counts):,}')}"
    if phrases.has_one_variant(report):
        return asked
    margin = report.plan.study.benchmarks.chosen()[benchmark].margin
    return f"{asked}, margin {margin:g} point{'' if margin == 1 else 's'}"


def _notes(report: Report, begin: str, pictures: Sequence[Panel | Rows]) -> Iterator[str]:
    if not phrases.has_one_variant(report):
        yield (
            f"Band: the margin around {report.plan.study.baseline}. Whiskers: the interval of the difference to it on"
            " the same questions, which the verdict rests on."
        )
    yield from _below(report, begin, pictures)


def _below(report: Report, begin: str, pictures: Sequence[Panel | Rows]) -> Iterator[str]:
    if any(isinstance(picture, Panel) and len(picture.points) > 1 for picture in pictures):
        yield "Points that would overlap stand side by side."
    if unknown := list(dict.fromkeys(name for picture in pictures for name in picture.unknown)):
        yield f"Not shown: {', '.join(unknown)}."
    models = dict.fromkeys(PurePath(variant.model).name for variant in report.plan.study.variants if variant.model)
    named = f"Models: {', '.join(models)}. " if models else ""
    yield f"{begin}{named}whichquant {report.whichquant}, {report.plan.created[:10]}."


def _legend(meanings: Iterable[Meaning]) -> Iterator[Part]:
    x, y = 0.0, 10.0
    for meaning in meanings:
        text = fitting(meaning.text, WIDTH - 2 * _EDGE - 18, SMALL)
        wide = 18 + width_of(text, SMALL)
        if x and x + wide > WIDTH - 2 * _EDGE:
            x, y = 0.0, y + 15
        yield Mark(x + 6, y - 4, meaning.shape, meaning.kind)
        yield Label(x + 16, y, text, size=SMALL)
        x += wide + 8


def _lines(notes: Iterable[str]) -> Iterator[Label]:
    """Put notes below the legend, of which at most two lines are expected."""
    y = 42.0
    for note in notes:
        for line in _wrapped(note, _FINE)[:2]:
            yield Label(0, y, line, "tick", size=_FINE)
            y += 1.3 * _FINE


def _bottom(parts: Iterable[Part]) -> float:
    return max((part.y for part in parts if isinstance(part, Label)), default=0.0) + 12


def _wrapped(text: str, size: float) -> list[str]:
    lines, room = [""], WIDTH - 2 * _EDGE
    for word in (fitting(word, room, size) for word in text.split()):
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def moved(part: Part, x: float, y: float) -> Part:
    """Return a part at another place."""
    if isinstance(part, Line):
        return replace(part, x1=part.x1 + x, x2=part.x2 + x, y1=part.y1 + y, y2=part.y2 + y)
    return replace(part, x=part.x + x, y=part.y + y)
