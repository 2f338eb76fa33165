"""What is published of builds: "the perplexity drop was reduced by 54 %", "the size was reduced by 74 %".

Both are shares of what plain quantization costs or saves, r = 1 - (PPL_trained - PPL_ref) / (PPL_plain - PPL_ref) and
1 - after / before, after Google's note on Gemma 3 QAT (April 2025). The first has a meaning only where plain
quantization raises the perplexity, and where the trained build's weights are the reference's but for quantization:
where its perplexity, or that of its own unquantized checkpoint, is below the reference's, training drift is in it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import log, nan

from msgspec import Struct

from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from servers.wording import in_bytes


class Perplexity(Struct, frozen=True):
    """A build and its perplexity."""

    build: str
    value: float

    def __str__(self) -> str:
        """Write it as llama.cpp does, with four decimals."""
        return f"{self.build} {self.value:.4f}"


class Claim(Struct, frozen=True):
    """By what share something is reduced, or why that cannot be said."""

    reduced: float | None
    """A share, 0 to 1; below 0 it is enlarged; None: it has no meaning."""
    sentence: str
    """With the numbers that it is made of, the reference among them."""


def drop_reduced(
    reference: Perplexity,
    plain: Perplexity,
    trained: Perplexity,
    *,
    own_reference: Perplexity | None = None,
    certain: bool = True,
) -> Claim:
    """Say by what share a quantization-aware build reduces the perplexity drop of plain quantization.

    Args:
        reference: The unquantized model.
        plain: Its plain quantization.
        trained: The build after quantization-aware training.
        own_reference: The unquantized checkpoint of that training, where it was measured.
        certain: Whether the interval of the drop leaves out 0.
    """
    why = _meaningless(reference, plain, trained, own_reference, certain=certain)
    if why:
        return Claim(None, f"By how much {trained.build} reduces the perplexity drop has no meaning: {why}.")
    share = _share(reference, plain, trained)
    own = f", own reference {own_reference}" if own_reference else ""
    return Claim(
        share, f"Perplexity drop {_reduced_by(share)}: {plain}, {trained}, reference {reference}{own} (one text)."
    )


def size_reduced(build: str, size: int, other: str, before: int) -> Claim:
    """Say by what share a build is smaller than another; sizes in bytes.

    Args:
        build: Name of the build.
        size: Of its files.
        other: Name of what it is compared with.
        before: Size of that.
    """
    if min(size, before) <= 0:
        return Claim(None, f"By how much {build} is smaller than {other} is unknown: a size is missing.")
    share = 1 - size / before
    return Claim(
        share, f"Size {_reduced_by(share)}: {build} {in_bytes(size, before)}, {other} {in_bytes(before, size)}."
    )


def drops(fidelity: Fidelity) -> tuple[Claim, ...]:
    """Say of each trained build by what share it reduces the perplexity drop, or why that has no meaning.

    A build that was measured against a reference of its own, beside the one that most builds have, is taken for a
    trained one. It is held against the plain build nearest in size.
    """
    return tuple(_drops(fidelity, _known_sizes(fidelity)))


def sizes(fidelity: Fidelity) -> tuple[Claim, ...]:
    """Say of each build by what share it is smaller than the reference that most builds have, where that is known."""
    known, usual = _known_sizes(fidelity), _usual_reference(fidelity)
    names = dict.fromkeys(row.build for row in fidelity.builds if row.build in known and row.build != usual)
    return tuple(size_reduced(name, known[name], usual, known[usual]) for name in names) if usual in known else ()


def published(fidelity: Fidelity) -> tuple[str, ...]:
    """Write all of it in sentences, the sizes in one."""
    found = sizes(fidelity)
    listed = " ".join(claim.sentence for claim in found)
    return tuple(filter(None, (*(claim.sentence for claim in drops(fidelity)), listed)))


def _meaningless(
    reference: Perplexity, plain: Perplexity, trained: Perplexity, own: Perplexity | None, *, certain: bool
) -> str | None:
    """Return why a reduced perplexity drop would say nothing; None where it says something."""
    if plain.value <= reference.value:
        return f"there is no drop, as {plain} is not above the reference {reference}"
    if not certain:
        return f"whether there is a drop is not certain, by the interval of {plain} minus the reference {reference}"
    if own and own.value < reference.value:
        return (
            f"its own reference {own} is already below the plain one, {reference}: training changed the weights, and "
            f"what quantization costs is {trained} minus {own}"
        )
    if trained.value < reference.value:
        return (
            f"{trained} is below the reference {reference}, so its weights are others, not better quantized ones (of "
            f"the drop of {plain} the formula takes {_share(reference, plain, trained):.1%})".replace("%", " %")
        )
    return None


def _share(reference: Perplexity, plain: Perplexity, trained: Perplexity) -> float:
    return 1 - (trained.value - reference.value) / (plain.value - reference.value)


def _reduced_by(share: float) -> str:
    return f"{'reduced' if share >= 0 else 'enlarged'} by {abs(share):.1%}".replace("%", " %")


def _drops(fidelity: Fidelity, sizes: Mapping[str, int]) -> Iterator[Claim]:
    usual, references = _usual_reference(fidelity), {row.reference for row in fidelity.builds}
    measured = [row for row in fidelity.builds if row.perplexity and row.reference_perplexity]
    against = {row.build: row for row in measured if row.reference == usual}
    own = {row.build: row for row in measured if row.reference != usual}
    plain = [row for name, row in against.items() if name not in own and name not in references]
    for name in (name for name in against if name in own):
        nearest = _nearest(plain, sizes, name)
        if nearest is not None:
            difference = nearest.perplexity_difference
            yield drop_reduced(
                Perplexity(usual, _value(nearest.reference_perplexity)),
                Perplexity(nearest.build, _value(nearest.perplexity)),
                Perplexity(name, _value(against[name].perplexity)),
                own_reference=Perplexity(own[name].reference, _value(own[name].reference_perplexity)),
                certain=difference is None or difference.low is None or difference.low > 0,
            )


def _known_sizes(fidelity: Fidelity) -> dict[str, int]:
    named = {row.build: row.size_bytes or 0 for row in fidelity.builds} | fidelity.sizes
    return {name: size for name, size in named.items() if size > 0}


def _usual_reference(fidelity: Fidelity) -> str:
    counts = Counter(row.reference for row in fidelity.builds)
    return counts.most_common(1)[0][0] if counts else ""


def _nearest(plain: list[BuildFidelity], sizes: Mapping[str, int], name: str) -> BuildFidelity | None:
    """Return the build that is nearest in size, in proportion; the only one where sizes are unknown."""
    known = [row for row in plain if row.build in sizes] if name in sizes else []
    if not known:
        return plain[0] if len(plain) == 1 else None
    return min(known, key=lambda row: abs(log(sizes[row.build] / sizes[name])))


def _value(estimate: Estimate | None) -> float:
    return estimate.value if estimate else nan
