"""The fidelity of several runs side by side: of one text and the same references, or not at all."""

from collections.abc import Iterable, Iterator, Mapping
from math import isclose

from msgspec import Struct
from msgspec.structs import replace

from evaluator.fidelity.nouns import Fidelity

_ALIKE = 0.001
"""By how much the perplexity of one file may differ from one program to another, as a share of it."""


class Together(Struct, frozen=True):
    """What several runs say of fidelity."""

    fidelity: Fidelity | None
    """None where none of them measured it, or where it cannot be put side by side."""
    warnings: tuple[str, ...] = ()
    """Why not, or what is to be known beside it."""


def side_by_side(measured: Mapping[str, Fidelity], names: Mapping[tuple[str, str], str]) -> Together:
    """Put the fidelity of runs side by side.

    Args:
        measured: By the run's name.
        names: By the names of a run and of a build in it: what it is called here; others keep their names.
    """
    if not measured:
        return Together(None)
    if reason := next(_apart(measured), ""):
        return Together(None, (f"fidelity is not put side by side: {reason}",))
    (first, *_), margins = measured.values(), {run: one.margin_kld for run, one in measured.items()}
    together = Fidelity(
        text=first.text,
        builds=tuple(
            replace(b, build=_called(names, run, b.build)) for run, one in measured.items() for b in one.builds
        ),
        pairs=tuple(
            replace(pair, build=_called(names, run, pair.build), other=_called(names, run, pair.other))
            for run, one in measured.items()
            for pair in one.pairs
        ),
        floors=tuple(dict.fromkeys(floor for one in measured.values() for floor in one.floors)),
        sha256={
            _called(names, run, name): digest for run, one in measured.items() for name, digest in one.sha256.items()
        },
        margin_kld=first.margin_kld if len(set(margins.values())) == 1 else None,
        notes=tuple(dict.fromkeys(note for one in measured.values() for note in one.notes)),
    )
    return Together(together, tuple(_remarks(measured, margins)))


def _called(names: Mapping[tuple[str, str], str], run: str, build: str) -> str:
    return names.get((run, build), build)


def _apart(measured: Mapping[str, Fidelity]) -> Iterator[str]:
    """Say why the numbers of two runs do not stand on the same ground."""
    (first, one), *others = measured.items()
    for name, other in others:
        if one.text.sha256 != other.text.sha256:
            yield f"{first} read {one.text.name}, {name} read {other.text.name}, and the bytes of the two differ"
        mine, its = ((t.context, t.windows, t.scored) for t in (one.text, other.text))
        if mine != its:
            yield f"{first} and {name} cut the text in different ways ({_cut(one)}; {_cut(other)})"
        if set(_references(one)) != set(_references(other)):
            each = (f"{' and '.join(_references(of))} in {run}" for run, of in ((first, one), (name, other)))
            yield f"the references differ ({'; '.join(each)})"
        for reference in _references(one):
            if _is_another(reference, one, other):
                yield f"{reference} is not the same model in {first} and {name}"


def _cut(of: Fidelity) -> str:
    return f"{of.text.windows:,} windows of {of.text.context:,} tokens, {of.text.scored:,} scored"


def _references(of: Fidelity) -> list[str]:
    return list(dict.fromkeys(build.reference for build in of.builds))


def _is_another(reference: str, one: Fidelity, other: Fidelity) -> bool:
    """Whether a reference is another file, by its hash; where that is not known, by its perplexity on the same text."""
    digests = [of.sha256.get(reference) for of in (one, other)]
    if all(digests):
        return digests[0] != digests[1]
    values = [value for of in (one, other) if (value := _perplexity(of, reference)) is not None]
    return len(values) == 2 and not isclose(*values, rel_tol=_ALIKE)


def _perplexity(of: Fidelity, reference: str) -> float | None:
    known = [b.reference_perplexity for b in of.builds if b.reference == reference and b.reference_perplexity]
    return known[0].value if known else None


def _remarks(measured: Mapping[str, Fidelity], margins: Mapping[str, float | None]) -> Iterator[str]:
    if len(measured) == 1:
        return
    yield "fidelity: builds of different runs are not tested against each other; each verdict is that of its own run"
    if len(set(margins.values())) > 1:
        values = "; ".join(
            f"{'none' if value is None else f'{value:g} nats'} in {run}" for run, value in margins.items()
        )
        yield f"fidelity: the margins differ ({values})"
    unknown = [name for name in _references(next(iter(measured.values()))) if not _is_known(measured.values(), name)]
    if unknown:
        yield (
            f"fidelity: that {' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} the same in all runs is"
            " known from the name, and from the perplexity where there is one, not from the file"
        )


def _is_known(every: Iterable[Fidelity], reference: str) -> bool:
    return all(reference in of.sha256 for of in every)
