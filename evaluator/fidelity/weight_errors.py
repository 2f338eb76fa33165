"""How far the weights themselves are from the reference's: relative RMS, tensor by tensor.

sqrt(sum (w - w_ref)^2 / sum w_ref^2), over the dequantized numbers. It takes no server and no text, and says nothing of
what the error does to answers: training for a quantization moves weights, too.
"""

from collections.abc import Callable, Iterable
from math import isfinite, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec import Struct

from evaluator.errors import StudyError
from evaluator.fidelity.promised import Promise, promises
from evaluator.fidelity.tensors import ORDER, Model, Tensor

if TYPE_CHECKING:
    from evaluator.fidelity.tensors import Slices

_SHOWN = 3


class TensorWeights(Struct, frozen=True):
    """One tensor of a build."""

    name: str
    group: str
    type: str
    shape: tuple[int, ...]
    """The length of a row first."""
    bits_per_weight: float
    error: float | None = None
    """Relative RMS; None: there is no reference, or none with this tensor, or its numbers cannot be read."""


class GroupWeights(Struct, frozen=True):
    """All tensors of one part of the model."""

    group: str
    weights: int
    bits_per_weight: float
    types: dict[str, int]
    """Tensors of each type."""
    error: float | None = None
    """Relative RMS over all of the group's numbers that could be compared."""
    largest_error: float | None = None
    """Of a single tensor."""
    largest_error_in: str | None = None
    """Its name."""


class BuildWeights(Struct, frozen=True):
    """The weights of one build."""

    file: str
    form: str
    """GGUF or MLX."""
    architecture: str
    quantization: str | None
    """As the file calls the whole, with the types of its tensors."""
    size_bytes: int
    weights: int
    bits_per_weight: float
    """From the size of its files."""
    tensor_bits_per_weight: float
    """From the size of its tensors alone, without metadata and vocabulary."""
    error: float | None
    """Relative RMS over all matrices that could be compared: norms are never quantized. None of the reference."""
    groups: tuple[GroupWeights, ...]
    tensors: tuple[TensorWeights, ...]
    promises: tuple[Promise, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be compared, in sentences."""


class _Squares(NamedTuple):
    """Sums over the numbers of a tensor."""

    difference: float
    reference: float

    @property
    def relative(self) -> float | None:
        if not isfinite(self.difference + self.reference):
            return None
        if not self.reference:
            return None if self.difference else 0.0
        return sqrt(self.difference / self.reference)


def measure(build: Model, reference: Model | None = None, say: Callable[[str], None] = lambda _: None) -> BuildWeights:
    """Weigh a build, and compare its numbers with a reference's; one slice of each is in memory at a time.

    Args:
        build: What is weighed.
        reference: What its numbers are compared with; None: they are not read.
        say: Told the name of each tensor before it is read.

    Raises:
        StudyError: The two are of different models.
        OSError: A file cannot be read.
    """
    notes, squares = _compared(build, reference, say) if reference else ([], {})
    tensors = list(build.tensors.values())
    matrices = [squares[tensor.name] for tensor in tensors if tensor.matrix and tensor.name in squares]
    if not sum(tensor.elements for tensor in tensors):
        raise StudyError("has no weights", source=build.path)
    named = {tensor.group for tensor in tensors}
    return BuildWeights(
        file=build.name,
        form=build.form,
        architecture=build.architecture,
        quantization=build.facts.quantization,
        size_bytes=build.size,
        weights=sum(tensor.elements for tensor in tensors),
        bits_per_weight=8 * build.size / sum(tensor.elements for tensor in tensors),
        tensor_bits_per_weight=_bits(tensors),
        error=_together(matrices),
        groups=tuple(_group(group, tensors, squares) for group in ORDER if group in named),
        tensors=tuple(_tensor(tensor, squares) for tensor in tensors),
        promises=promises(build.says, tensors),
        notes=tuple(notes),
    )


def _compared(build: Model, reference: Model, say: Callable[[str], None]) -> tuple[list[str], dict[str, _Squares]]:
    """Compare the tensors that both have."""
    if build.form != reference.form:
        why = f"{build.form} and {reference.form} order rows differently, so weights are compared within one form only"
        return [f"{build.name} is not compared with {reference.name}: {why}."], {}
    _refuse_other_models(build, reference)
    both = [name for name in build.tensors if name in reference.tensors]
    squares: dict[str, _Squares] = {}
    for name in both:
        mine, theirs = build.tensors[name].slices, reference.tensors[name].slices
        if mine and theirs:
            say(name)
            squares[name] = _squared(mine(), theirs())
    odd = [name for name, one in squares.items() if one.relative is None]
    notes = [
        _note(f"{reference.name} lacks", [name for name in build.tensors if name not in reference.tensors]),
        _note(f"{build.name} lacks", [name for name in reference.tensors if name not in build.tensors]),
        _note("of a type that cannot be dequantized here are", [name for name in both if name not in squares]),
        _note("NaN or infinite numbers, or zeros alone in the reference, are in", odd),
    ]
    return [note for note in notes if note], squares


def _refuse_other_models(build: Model, reference: Model) -> None:
    """Refuse two models that are not builds of one.

    Raises:
        StudyError: Their architectures, or the names or shapes of their tensors, differ.
    """
    remedy = "compare builds of one model"
    if build.architecture != reference.architecture:
        problem = f"is a {build.architecture}, the reference {reference.name} is a {reference.architecture}"
        raise StudyError(problem, source=build.path, remedy=remedy)
    both = [(tensor, reference.tensors[name]) for name, tensor in build.tensors.items() if name in reference.tensors]
    if not both:
        raise StudyError(f"has no tensor that {reference.name} has", source=build.path, remedy=remedy)
    for one, other in both:
        if one.shape != other.shape:
            shapes = f"{_by(one.shape)}, in the reference {reference.name} {_by(other.shape)}"
            raise StudyError(f"its tensor {one.name} is {shapes}", source=build.path, remedy=remedy)


def _squared(ours: "Slices", theirs: "Slices") -> _Squares:
    difference = reference = 0.0
    with np.errstate(all="ignore"):
        for one, other in zip(ours, theirs, strict=True):
            whole = other.astype(np.float64)
            reference += float(whole @ whole)
            np.subtract(one, whole, out=whole)
            difference += float(whole @ whole)
    return _Squares(difference, reference)


def _together(squares: Iterable[_Squares]) -> float | None:
    usable = [one for one in squares if one.relative is not None]
    total = _Squares(sum(one.difference for one in usable), sum(one.reference for one in usable))
    return total.relative if usable else None


def _group(group: str, tensors: list[Tensor], squares: dict[str, _Squares]) -> GroupWeights:
    members = [tensor for tensor in tensors if tensor.group == group]
    known = {one.name: squares[one.name] for one in members if one.name in squares}
    errors = {name: one.relative for name, one in known.items() if one.relative is not None}
    worst = max(errors, key=lambda name: errors[name], default=None)
    types: dict[str, int] = {}
    for tensor in members:
        types[tensor.kind] = types.get(tensor.kind, 0) + 1
    return GroupWeights(
        group=group,
        weights=sum(tensor.elements for tensor in members),
        bits_per_weight=_bits(members),
        types=dict(sorted(types.items(), key=lambda item: -item[1])),
        error=_together(known.values()),
        largest_error=errors[worst] if worst else None,
        largest_error_in=worst,
    )


def _tensor(tensor: Tensor, squares: dict[str, _Squares]) -> TensorWeights:
    error = squares[tensor.name].relative if tensor.name in squares else None
    return TensorWeights(tensor.name, tensor.group, tensor.kind, tensor.shape, _bits([tensor]), error)


def _bits(tensors: list[Tensor]) -> float:
    elements = sum(tensor.elements for tensor in tensors)
    return 8 * sum(tensor.bytes for tensor in tensors) / elements if elements else 0.0


def _note(what: str, names: list[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"Not compared: {what} {shown}."


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a single number"
