"""The tables of fidelity, for Markdown and HTML: one for each reference, a column for each build, the floor last."""

from collections.abc import Callable
from typing import NamedTuple

from evaluator.decide import wording
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity, Floor, PairFidelity
from evaluator.report.fidelity import words
from evaluator.report.fidelity.words import agreement, nats, perplexity, with_interval
from evaluator.report.phrases import in_bytes
from evaluator.report.tables import Table


def _number(name: str, write: Callable[[float], str]) -> Callable[[BuildFidelity], str]:
    """Write a number of a build by its name, with its interval where it has one."""

    def written(build: BuildFidelity) -> str:
        value: Estimate | float | None = getattr(build, name)
        return with_interval(Estimate(value) if isinstance(value, int | float) else value, write)

    return written


class _Row(NamedTuple):
    label: str
    write: Callable[[BuildFidelity], str]


_ROWS = (
    _Row("verdict", words.verdict),
    _Row("mean KL divergence, nats a token", words.divergence),
    _Row("median", _number("median_kld", nats)),
    _Row("99 % of the tokens below", _number("p99_kld", nats)),
    _Row("largest", _number("largest_kld", nats)),
    _Row("top-1 agreement", _number("top1_agreement", agreement)),
    _Row("perplexity", _number("perplexity", perplexity)),
    _Row("times the reference's", _number("perplexity_ratio", "{:.4f}".format)),
    _Row("minus the reference's", _number("perplexity_difference", perplexity)),
    _Row("RMS \u0394p", _number("rms_delta_p", agreement)),
    _Row("size", lambda build: wording.DASH if build.size_bytes is None else in_bytes(build.size_bytes)),
)


def references(fidelity: Fidelity) -> list[str]:
    """Return the references in the order in which they come."""
    return list(dict.fromkeys(build.reference for build in fidelity.builds))


def against(fidelity: Fidelity, reference: str) -> list[BuildFidelity]:
    """Return the builds that were compared with one reference."""
    return [build for build in fidelity.builds if build.reference == reference]


def floor_of(fidelity: Fidelity, reference: str) -> Floor | None:
    """Return the largest floor of a reference and its builds, or of all where none of these was measured twice."""
    names = {reference, *(build.build for build in against(fidelity, reference))}
    mine = [floor for floor in fidelity.floors if floor.build in names] or list(fidelity.floors)
    return max(mine, key=lambda floor: floor.mean_kld.value, default=None)


def perplexity_of(fidelity: Fidelity, reference: str) -> str:
    """Write the perplexity of a reference; a dash where it is not known."""
    known = [b.reference_perplexity for b in against(fidelity, reference) if b.reference_perplexity is not None]
    return with_interval(known[0] if known else None, perplexity)


def table(fidelity: Fidelity, reference: str) -> Table:
    """Tabulate the builds against one reference, and last how far a build is from itself on this machine."""
    builds, floor = against(fidelity, reference), floor_of(fidelity, reference)
    last: dict[str, str] = {}
    if floor:
        last = {
            "verdict": f"measured twice: {floor.ways}",
            "mean KL divergence, nats a token": with_interval(floor.mean_kld, nats),
            "top-1 agreement": with_interval(floor.top1_agreement, agreement),
        }
    rows = [
        (label, *map(write, builds), *((last.get(label, wording.DASH),) if floor else ())) for label, write in _ROWS
    ]
    its = perplexity_of(fidelity, reference)
    return Table(
        title=f"Against {reference}",
        head=("", *(build.build for build in builds), *((f"the floor: {floor.build}",) if floor else ())),
        rows=tuple(row for row in rows if set(row[1:]) != {wording.DASH}),
        note="" if its == wording.DASH else f"Perplexity of {reference}: {its}.",
    )


def pairs(fidelity: Fidelity) -> Table | None:
    """Tabulate builds against each other; None where that was not done."""
    if not fidelity.pairs:
        return None
    return Table(
        title="Builds against each other",
        head=(
            "builds",
            "reference",
            "KL divergence, nats a token",
            "top-1 agreement, points",
            "p, corrected",
            "verdict",
        ),
        rows=tuple(_pair(item) for item in fidelity.pairs),
        note="The first minus the second, paired by blocks of text: below 0 the first is closer to the reference.",
    )


def _pair(item: PairFidelity) -> tuple[str, ...]:
    return (
        f"{item.build} \u2212 {item.other}",
        item.reference,
        with_interval(item.kld_difference, words.signed_nats),
        with_interval(item.top1_difference, wording.signed_points),
        wording.p_value(item.p_value),
        item.verdict,
    )
