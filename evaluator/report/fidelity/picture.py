"""KL divergence against size, and top-1 agreement against size: what the two pictures show, as numbers."""

from collections.abc import Callable, Sequence
from math import inf, log10

from msgspec.structs import replace

from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from evaluator.report.axis import Axis, axis, log_axis
from evaluator.report.drawing import SHAPES
from evaluator.report.fidelity import words
from evaluator.report.fidelity.rows import against, floor_of
from evaluator.report.legend import Meaning
from evaluator.report.picture import Panel, Point, Rows, kind, plain
from evaluator.stats.proportions import Interval

_LEVEL = 0.95
_MEANINGS = {
    "baseline": words.AS_GOOD,
    "equivalent": "equivalent within the margin",
    "worse": "worse",
    "better": "better",
    "cannot": "cannot tell",
    "other": "a lower bound: the KL divergence lies above it, nobody knows how far",
    "alone": "no verdict",
}


def divergences(fidelity: Fidelity, reference: str) -> Panel | Rows | None:
    """Show the mean KL divergence from a reference against size, on a scale of powers of ten; None without any.

    The line is the floor, the band what is within the margin. A lower bound has a whisker without an end.
    """
    known = [(build, build.mean_kld) for build in against(fidelity, reference) if build.mean_kld]
    if not known:
        return None
    itself, margin = floor_of(fidelity, reference), fidelity.margin_kld or 0.0
    floor = itself.mean_kld.value if itself else 0.0
    up = log_axis((*_seen(known), floor, margin), "KL divergence, nats a token", _short)
    return _against_size(
        f"KL divergence from {reference}, nats a token",
        up,
        [(_divergence(build, estimate, up), build.size_bytes) for build, estimate in known],
        line=log10(floor) if floor > 0 else None,
        band=(up.low, log10(margin)) if margin > 0 else None,
    )


def agreements(fidelity: Fidelity, reference: str) -> Panel | Rows | None:
    """Show the top-1 agreement with a reference against size; None without any. The line is the floor."""
    known = [
        (build, build.top1_agreement) for build in against(fidelity, reference) if build.top1_agreement is not None
    ]
    if not known:
        return None
    itself = floor_of(fidelity, reference)
    floor = itself.top1_agreement.value if itself else None
    seen = [*_seen(known), *([] if floor is None else [floor])]
    return _against_size(
        f"Top-1 agreement with {reference}",
        axis(seen, "top-1 agreement", _share, most=5, least=0.0, largest=1.0),
        [(_agreement(build, estimate), build.size_bytes) for build, estimate in known],
        line=floor,
        band=None,
    )


def meanings(fidelity: Fidelity) -> tuple[Meaning, ...]:
    """Explain the marks of the pictures."""
    found = {kind for build in fidelity.builds for kind in (_kind(build), _kind_of_verdict(build))}
    return tuple(Meaning(kind, SHAPES[kind], text) for kind, text in _MEANINGS.items() if kind in found)


def _kind(build: BuildFidelity) -> str:
    return "other" if build.method == "bound" else _kind_of_verdict(build)


def _kind_of_verdict(build: BuildFidelity) -> str:
    if build.below_floor:
        return "baseline"
    return kind(build.verdict) if build.verdict else "alone"


def _divergence(build: BuildFidelity, known: Estimate, up: Axis) -> Point:
    at = _log(known.value, up)
    within = _interval(known, lambda end: _log(end, up))
    return Point(
        name=build.build,
        kind=_kind(build),
        at=at,
        within=Interval(at, inf, _LEVEL) if build.method == "bound" else within,
        text=f"{words.divergence(build, ' nats a token')}, {words.verdict(build)}",
    )


def _agreement(build: BuildFidelity, known: Estimate) -> Point:
    return Point(
        name=build.build,
        kind=_kind_of_verdict(build),
        at=known.value,
        within=_interval(known, float),
        text=f"{words.with_interval(known, words.agreement)}, {words.verdict(build)}",
    )


def _interval(estimate: Estimate, place: Callable[[float], float]) -> Interval | None:
    if estimate.low is None or estimate.high is None:
        return None
    return Interval(place(estimate.low), place(estimate.high), _LEVEL)


def _log(value: float, up: Axis) -> float:
    """Place a value on an axis of logarithms; what has none lies at its low end."""
    return max(log10(value), up.low) if value > 0 else up.low


def _seen(known: Sequence[tuple[BuildFidelity, Estimate]]) -> list[float]:
    return [v for _, estimate in known for v in (estimate.value, estimate.low, estimate.high) if v is not None]


def _short(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _share(value: float, decimals: int) -> str:
    return f"{100 * value:.{max(0, decimals - 2)}f} %"


def _against_size(
    title: str,
    up: Axis,
    points: Sequence[tuple[Point, int | None]],
    *,
    line: float | None,
    band: tuple[float, float] | None,
) -> Panel | Rows:
    """Put points against the sizes of their files, in bytes; below each other where none is known."""
    placed = [(point, size) for point, size in points if size]
    if not placed:
        return Rows(title=title, axis=up, rows=tuple(point for point, _ in points), line=line, band=band)
    unit, name = (1e9, "GB") if max(size for _, size in placed) >= 1e9 else (1e6, "MB")
    return Panel(
        title=title,
        x=axis([size / unit for _, size in placed], f"size of the model's file ({name})", plain, most=5, least=0.0),
        y=up,
        points=tuple(replace(point, x=size / unit) for point, size in placed),
        line=line,
        line_name="floor",
        band=band,
        unknown=tuple(point.name for point, size in points if not size),
    )
