"""Read facts about weights from a directory of safetensors: the headers, config.json, the model card."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from servers.errors import ModelError
from servers.weights.disk import weight_files
from servers.weights.facts import FileFacts, mentions_qat, types_in_words
from servers.weights.hashing import template_sha256
from servers.weights.safetensors_header import Entry, read_entries

_MAX_CARD = 1 << 16
_WORD_BITS = 32
"""MLX packs quantized weights into words of so many bits."""
_DEFAULTS = {"affine": (4, 64), "mxfp4": (4, 32), "nvfp4": (4, 16), "mxfp8": (8, 32)}
"""MLX's modes of quantization, with the bits and groups that it takes where none are given, as `mlx.nn` has them."""
_OF_ALL, _OF_LAYERS = ("bits", "group_size", "mode"), (dict, bool, type(None))
"""Keys that hold for all layers, and the types of what stands of a single one."""
_ALONE = {4 * 16: "nvfp4", 4 * 32: "mxfp4", 8 * 32: "mxfp8"}
"""Bits times group of the modes that keep their scales in single bytes: each has but one pair of them."""
ADDED = ("scales", "biases", "global_scale")
"""What quantization adds to a layer's weights."""
_ODD = (OSError, ValueError, OverflowError, RecursionError, msgspec.DecodeError, ModelError)
"""What a damaged directory raises; JSON that is no text is a ValueError."""


class Packing(NamedTuple):
    """How a layer's weights are quantized."""

    bits: int
    group: int
    mode: str

    def in_words(self, usual: "Packing | None" = None) -> str:
        """Write it: `4 bits, groups of 64`; what it has in common with the usual one is left out."""
        if usual and (self.group, self.mode) == (usual.group, usual.mode):
            return f"{self.bits} bits"
        return f"{self.bits} bits, groups of {self.group}" + (f", {self.mode}" if self.mode != "affine" else "")


def read(model: Path) -> FileFacts:
    """Read a directory; what is missing, damaged, or quantized by other means than MLX's, is unknown."""
    config = read_config(model)
    from_texts = FileFacts(
        qat=mentions_qat([_front_matter(model / "README.md")]),
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


def read_config(model: Path) -> dict[str, Any]:
    """Read the config.json of a directory; empty where it is damaged."""
    return _json(model / "config.json")


def packed_layers(config: dict[str, Any], tensors: dict[str, Entry]) -> dict[str, Packing]:
    """Tell how each layer is packed that MLX quantized; layers that are not packed are left out.

    Args:
        config: What config.json says.
        tensors: Those of all files.

    Raises:
        ValueError: A layer is packed by other means, or otherwise than `config` says.
    """
    usual, others = _packings(config)
    found = {}
    for name, entry in tensors.items():
        layer = name.removesuffix(".weight")
        scales = tensors.get(f"{layer}.scales")
        if layer != name and entry.dtype == "U32" and scales is not None:
            found[layer] = _packed_as(entry, scales, others.get(layer, usual))
    return found


def _packings(config: dict[str, Any]) -> tuple[Packing | None, dict[str, Packing | None]]:
    """Read how weights are quantized, and which layers otherwise; None is not at all.

    Raises:
        ValueError: It is written in another form than MLX's.
    """
    settings = config.get("quantization")
    if not settings and "quantization_config" not in config:
        return None, {}
    if not isinstance(settings, dict) or not {"bits", "group_size"} <= settings.keys():
        raise ValueError("quantized by other means")
    usual = _packing(settings)
    layers = {name: value for name, value in settings.items() if name not in _OF_ALL and type(value) in _OF_LAYERS}
    others = {name: _of_layer(value, usual) for name, value in layers.items()}
    return usual, {name: packing for name, packing in others.items() if packing != usual}


def _of_layer(entry: dict[str, Any] | bool | None, usual: Packing) -> Packing | None:  # noqa: FBT001 - JSON
    """Read a layer's entry as mlx_lm does: what it leaves out is its mode's default, not the other layers' value."""
    if isinstance(entry, dict) and entry:
        return _packing(entry)
    return usual if entry is True else None


def _packing(settings: dict[str, Any]) -> Packing:
    mode = settings.get("mode", "affine")
    usual_bits, usual_group = _DEFAULTS.get(mode, (None, None)) if type(mode) is str else (None, None)
    bits, group = settings.get("bits") or usual_bits, settings.get("group_size") or usual_group
    if not (type(bits) is int and type(group) is int and 0 < bits < _WORD_BITS and group > 0):
        raise ValueError("no bits or no groups: quantized by other means")
    return Packing(bits, group, mode)


def _in_words(usual: Packing, others: dict[str, Packing | None]) -> str:
    counts = Counter(packing.in_words(usual) if packing else "unquantized" for packing in others.values())
    exceptions = [f"{n} layer{'s' * (n > 1)} otherwise: {words}" for words, n in counts.most_common()]
    return "; ".join([usual.in_words(), *exceptions])


def _tensors(model: Path) -> dict[str, Entry]:
    """Read the headers of all files that mlx_lm loads.

    Raises:
        OSError, ModelError: They are damaged.
        ValueError: There are none, or they contradict each other.
    """
    tensors: dict[str, Entry] = {}
    for file in weight_files(model):
        entries = read_entries(file)
        if tensors.keys() & entries.keys():
            raise ValueError("a tensor stands in two files")
        tensors |= entries
    if not tensors:
        raise ValueError("no weights")
    return tensors


def _parameters(tensors: dict[str, Entry], usual: Packing | None, others: dict[str, Packing | None]) -> int:
    """Count the weights; what quantization adds, scales and biases of groups, are none.

    Raises:
        ValueError: A layer is packed otherwise than config.json says.
    """
    total = 0
    for name, entry in tensors.items():
        layer, _, part = name.rpartition(".")
        weight, scales = tensors.get(f"{layer}.weight"), tensors.get(f"{layer}.scales")
        packed = weight is not None and weight.dtype == "U32" and scales is not None
        if packed and part in ADDED:
            continue
        elements = entry.elements
        if packed and scales is not None and part == "weight":
            elements = scales.elements * _packed_as(entry, scales, others.get(layer, usual)).group
        total += elements
    return total


def _packed_as(weight: Entry, scales: Entry, packing: Packing | None) -> Packing:
    """Confirm how a layer is packed, or, of a mode with single bytes for scales, read it off the tensors' shapes.

    Raises:
        ValueError: It is packed otherwise than config.json says.
    """
    words, groups = weight.elements * _WORD_BITS, scales.elements
    if packing and groups * packing.group * packing.bits == words:
        return packing
    mode = _ALONE.get(words // groups) if scales.dtype == "U8" and groups else None
    if mode is None:
        raise ValueError("packed otherwise than config.json says")
    return Packing(*_DEFAULTS[mode], mode)


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
