"""The tensors of a folder of MLX weights: those that mlx quantized are put together with their scales and offsets.

MLX packs numbers of 2 to 8 bits into a stream of bits, the lowest first, and keeps a scale and an offset for each group
of a row: w = scale * q + offset.
"""

from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evaluator.fidelity.tensors import Model, Tensor, rows_at_once
from servers.errors import ModelError
from servers.weights import mlx
from servers.weights.disk import weight_files
from servers.weights.safetensors_header import Entry, data_start, read_entries

if TYPE_CHECKING:
    from evaluator.fidelity.tensors import Slices

_FLOATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}


class _Place(NamedTuple):
    """Where a tensor of safetensors lies."""

    file: Path
    at: int
    entry: Entry

    def rows(self, start: int, end: int) -> Any:  # noqa: ANN401 - numpy's, of any type
        """Read rows as float32, or as they are where they are packed."""
        row, kind = self.entry.shape[-1], np.dtype(_FLOATS.get(self.entry.dtype, "<u4"))
        rows = min(end, prod(self.entry.shape[:-1])) - start
        raw = np.fromfile(self.file, kind, rows * row, offset=self.at + start * row * kind.itemsize).reshape(rows, row)
        if self.entry.dtype == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw if kind == "<u4" else raw.astype(np.float32)


def open_mlx(path: Path) -> Model:
    """Read the headers of all files of a folder.

    Raises:
        ModelError: A file is damaged, or quantized by other means than MLX's.
        OSError: It cannot be read.
    """
    places = _places(path)
    config = mlx.read_config(path)
    try:
        packings = mlx.packed_layers(config, {name: place.entry for name, place in places.items()})
    except ValueError as error:
        raise ModelError(
            f"{path} is not quantized as MLX does it: {error}", remedy="name a folder that mlx wrote."
        ) from error
    added = {f"{layer}.{part}" for layer in packings for part in mlx.ADDED}
    tensors: dict[str, Tensor] = {}
    for name in places.keys() - added:
        packing = packings.get(name.removesuffix(".weight"))
        tensors[name] = _packed(places, name, packing) if packing else _plain(name, places[name])
    return Model(
        path=path,
        form="MLX",
        architecture=str(config.get("model_type", "unknown")),
        size=sum(file.stat().st_size for file in weight_files(path)),
        facts=mlx.read(path),
        tensors=dict(sorted(tensors.items())),
        says={},
    )


def _places(path: Path) -> dict[str, _Place]:
    found: dict[str, _Place] = {}
    for file in weight_files(path):
        start = data_start(file)
        for name, entry in read_entries(file).items():
            if name in found:
                raise ModelError(f"{path} has the tensor {name!r} in two files", remedy="fetch the model again.")
            found[name] = _Place(file, start + entry.data_offsets[0], entry)
    return found


def _plain(name: str, place: _Place) -> Tensor:
    shape = tuple(reversed(place.entry.shape))
    whole = place.entry.bytes == place.entry.elements * np.dtype(_FLOATS.get(place.entry.dtype, "u1")).itemsize
    slices = (
        partial(_slices, place, shape)
        if place.entry.dtype in _FLOATS and whole and shape and place.entry.elements
        else None
    )
    return Tensor(name, place.entry.dtype, shape, place.entry.bytes, slices)


def _packed(places: dict[str, _Place], name: str, packing: mlx.Packing) -> Tensor:
    layer = name.removesuffix(".weight")
    parts = [places[f"{layer}.{part}"] for part in mlx.ADDED if f"{layer}.{part}" in places]
    weight, scales = places[name], places[f"{layer}.scales"]
    row = scales.entry.shape[-1] * packing.group if scales.entry.shape else packing.group
    shape = (row, *reversed(scales.entry.shape[:-1]))
    offsets = places.get(f"{layer}.biases")
    fits = weight.entry.elements and weight.entry.shape[:-1] == scales.entry.shape[:-1]
    slices = None
    if packing.mode == "affine" and fits and offsets and offsets.entry.shape == scales.entry.shape:
        floats = {scales.entry.dtype, offsets.entry.dtype} <= _FLOATS.keys()
        slices = partial(_unpacked, weight, scales, offsets, packing, shape) if floats else None
    kind, size = f"{packing.in_words()}, scales {scales.entry.dtype}", sum(part.entry.bytes for part in parts)
    return Tensor(name, kind, shape, weight.entry.bytes + size, slices)


def _slices(place: _Place, shape: tuple[int, ...]) -> "Slices":
    step = rows_at_once(shape)
    for start in range(0, prod(shape[1:]), step):
        yield place.rows(start, start + step).reshape(-1)


def _unpacked(
    weight: _Place, scales: _Place, offsets: _Place, packing: mlx.Packing, shape: tuple[int, ...]
) -> "Slices":
    powers = (1 << np.arange(packing.bits)).astype(np.float32)
    step = rows_at_once(shape)
    for start in range(0, prod(shape[1:]), step):
        scale, offset = (part.rows(start, start + step)[..., None] for part in (scales, offsets))
        bits = np.unpackbits(weight.rows(start, start + step).view(np.uint8), axis=1, bitorder="little")
        numbers = bits.reshape(*scale.shape[:2], packing.group, packing.bits) @ powers
        with np.errstate(all="ignore"):
            yield (numbers * scale + offset).reshape(-1)
