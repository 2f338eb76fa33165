"""Read facts about weights from a directory of safetensors: the headers, config.json, the model card."""

import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from servers.weights.facts import FileFacts, mentions_qat, types_in_words
from servers.weights.hashing import template_sha256

_MAX_HEADER = 100_000_000
"""Bytes, the safetensors library's own limit."""
_MAX_CARD = 1 << 16
_WORD_BITS = 32
"""MLX packs quantized weights into words of so many bits."""
_Count = Annotated[int, Meta(ge=0)]
_ODD = (OSError, ValueError, OverflowError, RecursionError, msgspec.DecodeError)
"""What a damaged directory raises; JSON that is no text is a ValueError."""


class _Entry(Struct, frozen=True):
    """A tensor in the header of a safetensors file."""

    dtype: str
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.data_offsets[1] - self.data_offsets[0]


class _Packing(NamedTuple):
    """How a layer's weights are quantized."""

    bits: int
    group: int
    mode: str

    def in_words(self, usual: "_Packing | None" = None) -> str:
        if usual and (self.group, self.mode) == (usual.group, usual.mode):
            return f"{self.bits} bits"
        return f"{self.bits} bits, groups of {self.group}" + (f", {self.mode}" if self.mode != "affine" else "")


def read(model: Path) -> FileFacts:
    """Read a directory; what is missing, damaged, or quantized by other means than MLX's, is unknown."""
    config = _json(model / "config.json")
    name = config.get("_name_or_path")
    from_texts = FileFacts(
        qat=mentions_qat([_front_matter(model / "README.md"), name if isinstance(name, str) else ""]),
        chat_template_sha256=_template_sha256(model),
    )
    try:
        usual, others = _packings(config)
        tensors = _tensors(model)
        parameters, size = _parameters(tensors, usual, others), sum(entry.bytes for entry in tensors.values())
    except _ODD:
        return from_texts
    kinds = Counter(entry.dtype for entry in tensors.values() if len(entry.shape) > 1)
    plain = types_in_words(kinds.most_common(1)[0][0] if kinds else None, kinds)
    return msgspec.structs.replace(
        from_texts,
        parameters=parameters or None,
        quantization=_in_words(usual, others) if usual else plain,
        bits_per_weight=8 * size / parameters if parameters else None,
    )


def _packings(config: dict[str, Any]) -> tuple[_Packing | None, dict[str, _Packing | None]]:
    """Read how weights are quantized, and which layers otherwise; None is not at all.

    Raises:
        ValueError: It is written in another form than MLX's.
    """
    settings = config.get("quantization")
    if not settings and "quantization_config" not in config:
        return None, {}
    settings = settings if isinstance(settings, dict) else {}
    usual = _packing(settings)
    layers = {name: value for name, value in settings.items() if isinstance(value, dict) or value is False}
    others = {name: _packing({**settings, **value}) if value else None for name, value in layers.items()}
    return usual, {name: packing for name, packing in others.items() if packing != usual}


def _packing(settings: dict[str, Any]) -> _Packing:
    bits, group, mode = settings.get("bits"), settings.get("group_size"), settings.get("mode", "affine")
    if not (type(bits) is int and type(group) is int and 0 < bits < _WORD_BITS and group > 0 and type(mode) is str):
        raise ValueError("no bits or no groups: quantized by other means")
    return _Packing(bits, group, mode)


def _in_words(usual: _Packing, others: dict[str, _Packing | None]) -> str:
    counts = Counter(packing.in_words(usual) if packing else "unquantized" for packing in others.values())
    exceptions = [f"{n} layer{'s' * (n > 1)} otherwise: {words}" for words, n in counts.most_common()]
    return "; ".join([usual.in_words(), *exceptions])


def _tensors(model: Path) -> dict[str, _Entry]:
    """Read the headers of all files, after huggingface/safetensors' README: 8 bytes of length, then JSON.

    Raises:
        OSError, ValueError, msgspec.DecodeError: There are none, or they are damaged.
    """
    tensors: dict[str, _Entry] = {}
    for file in sorted(model.glob("model*.safetensors")) or sorted(model.glob("*.safetensors")):
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= min(size - 8, _MAX_HEADER):
                raise ValueError("the header is longer than its file")
            header = msgspec.json.decode(stream.read(length), type=dict[str, Any])
        header.pop("__metadata__", None)
        entries = msgspec.convert(header, dict[str, _Entry])
        for entry in entries.values():
            # No number takes less than a bit: what claims more elements than that is damaged.
            if not entry.elements <= 8 * entry.bytes or entry.data_offsets[1] > size - 8 - length:
                raise ValueError("a tensor does not fit into its file")
        if tensors.keys() & entries.keys():
            raise ValueError("a tensor stands in two files")
        tensors |= entries
    if not tensors:
        raise ValueError("no weights")
    return tensors


def _parameters(tensors: dict[str, _Entry], usual: _Packing | None, others: dict[str, _Packing | None]) -> int:
    """Count the weights; what quantization adds, scales and biases of groups, are none.

    Raises:
        ValueError: A layer is packed otherwise than config.json says.
    """
    total = 0
    for name, entry in tensors.items():
        layer, _, part = name.rpartition(".")
        weight, scales = tensors.get(f"{layer}.weight"), tensors.get(f"{layer}.scales")
        packed = weight is not None and weight.dtype == "U32" and scales is not None
        if packed and part in ("scales", "biases"):
            continue
        elements = entry.elements
        if packed and scales is not None and part == "weight":
            packing = others.get(layer, usual)
            elements = scales.elements * packing.group if packing else 0
            if packing is None or elements * packing.bits != entry.elements * _WORD_BITS:
                raise ValueError("packed otherwise than config.json says")
        total += elements
    return total


def _template_sha256(model: Path) -> str | None:
    try:
        return template_sha256((model / "chat_template.jinja").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        text = _json(model / "tokenizer_config.json").get("chat_template")
        return template_sha256(text if isinstance(text, str) else None)


def _front_matter(card: Path) -> str:
    """Return what stands between the two lines `---` at the top of a model card."""
    try:
        with card.open("rb") as stream:
            lines = stream.read(_MAX_CARD).decode(errors="replace").splitlines()
    except OSError:
        return ""
    if lines[:1] != ["---"] or "---" not in lines[1:]:
        return ""
    return "\n".join(lines[1 : lines.index("---", 1)])


def _json(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except _ODD:
        return {}
