"""Check the files of a model on this machine: of the right kind, and all there."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from servers.errors import LaterVersionError, ModelError
from servers.weights.disk import gguf_parts, weight_files
from servers.weights.gguf_header import Header, read_header
from servers.weights.roles import names_in_words, only_model, refuse_encoder, refuse_role
from servers.weights.safetensors_header import read_entries

MLX = ("mlx_lm", "omlx")
"""Runtimes that load MLX weights; the others load GGUF."""
_MLX_NEEDS = "MLX needs a directory with config.json and *.safetensors"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d+)-of-(?P<total>\d+)\.safetensors")
_PIECE = re.compile(r"(?P<whole>.+\.gguf)[.-](?:part|split)[._-]?(?:\d+(?:of\d+)?|[a-z]{1,2})", re.IGNORECASE)
"""What uploaders cut a large file into, as bytes; parts that llama.cpp knows have names of another form."""
_MOST_SHARDS = 10_000
_UNFINISHED = (".incomplete", ".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp", ".!qB")
"""Ends of names that programs give to downloads under way."""
_AGAIN = "fetch the model again."


def mlx_directory(path: Path) -> Path:
    """Check a directory of MLX weights: all shards there, each as long as its tensors need.

    An index beside them counts only where it agrees with what is there: mlx_lm loads `model*.safetensors` and never
    looks at it, and a conversion may leave that of the unquantized model behind.

    Raises:
        ModelError: It is none, or not whole.
        OSError: It cannot be read.
    """
    if path.is_file():
        kind = "a GGUF file" if path.suffix == ".gguf" else "a file"
        raise ModelError(f"{path} is {kind}, but {_MLX_NEEDS}.")
    files, unfinished = weight_files(path), _unfinished(path)
    _refuse_without(path, files, unfinished)
    lost = _lost_of_series([file.name for file in files])
    if not lost:
        tensors = {name for file in files for name in read_entries(file)}
        lost = _lost_of_index(path, {file.name for file in files}, tensors, stopped=bool(unfinished))
        lost = lost or [name for name in unfinished if not (path / _finished(name)).is_file() and "safetens" in name]
    if lost:
        raise ModelError(f"{path} is incomplete: {names_in_words(lost)} missing", remedy=_AGAIN)
    refuse_encoder(path)
    return path


def _refuse_without(path: Path, weights: Sequence[Path], unfinished: Sequence[str]) -> None:
    """Refuse a directory without weights, or without their configuration.

    Raises:
        ModelError: It lacks one of them.
    """
    absent = [] if (path / "config.json").is_file() else ["config.json"]
    if absent and (path / "adapter_config.json").is_file():
        raise ModelError(f"{path} is a LoRA adapter, not a model", remedy="name the model that it was fused with.")
    absent += [] if weights else ["*.safetensors"]
    if absent:
        more = f", and {names_in_words(unfinished)} a download that stopped" if unfinished else ""
        raise ModelError(f"{path} has no {' and no '.join(absent)}, but {_MLX_NEEDS}{more}.")


def _lost_of_series(names: Sequence[str]) -> list[str]:
    """List the shards that the numbers in the others' names call for."""
    lost = []
    series = {(m["stem"], m["total"]) for m in map(_SHARD.fullmatch, names) if m}
    for stem, total in sorted(series):
        numbers = range(1, min(int(total), _MOST_SHARDS) + 1)
        every = [f"{stem}-{number:0{len(total)}}-of-{total}.safetensors" for number in numbers]
        lost += [name for name in every if name not in names]
    return lost


class _ShardIndex(Struct, frozen=True):
    weight_map: Mapping[str, str]


def _lost_of_index(path: Path, names: set[str], tensors: set[str], *, stopped: bool) -> list[str]:
    """List the files that an index names and that are not there; none of an index that is about other files."""
    try:
        index = msgspec.json.decode((path / "model.safetensors.index.json").read_bytes(), type=_ShardIndex).weight_map
    except (OSError, ValueError, msgspec.DecodeError):
        return []
    lost = {file for tensor, file in index.items() if file not in names and tensor not in tensors}
    stale = not stopped and not names & set(index.values())
    return [] if stale else sorted(lost)


def _unfinished(path: Path) -> list[str]:
    """List the downloads under way in a directory, huggingface_hub's among them."""
    hidden = path / ".cache" / "huggingface" / "download"
    files = [file for folder in (path, hidden) if folder.is_dir() for file in folder.iterdir()]
    return sorted(file.name for file in files if file.name.endswith(_UNFINISHED))


def _finished(name: str) -> str:
    return next((name.removesuffix(end) for end in _UNFINISHED if name.endswith(end)), name)


def gguf_file(path: Path) -> Path:
    """Check a GGUF file, all parts of it, against what its tensors need; of a directory take the only model in it.

    Raises:
        ModelError: It is no language model, not whole, or not the only one.
        OSError: It cannot be read.
    """
    if path.is_dir():
        return gguf_file(only_model(path))
    if piece := _PIECE.fullmatch(path.name):
        problem = f"{path} is one piece of a file that was cut up, and llama.cpp loads it whole only"
        raise ModelError(problem, remedy=f"put all pieces together in their order: cat PIECES > {piece['whole']}")
    parts = [path.with_name(name) for name in gguf_parts(path.name)]
    lost = [part.name for part in parts if not part.is_file()]
    if lost:
        raise ModelError(f"{path} is one part of a split model, and {names_in_words(lost)} missing beside it.")
    if (sidecar := path.with_name(f"{path.name}.aria2")).is_file():
        raise ModelError(f"{path} is a download that stopped ({sidecar.name} lies beside it)", remedy="fetch it again.")
    try:
        headers = [read_header(part) for part in parts]
    except LaterVersionError:  # a server may know it
        return parts[0]
    refuse_role(parts[0], headers[0])
    _check_parts(parts, headers)
    return parts[0]


def _check_parts(parts: Sequence[Path], headers: Sequence[Header]) -> None:
    from servers.weights.gguf import check_whole  # noqa: PLC0415 - gguf and numpy take half a second

    for part, header in zip(parts, headers, strict=True):
        check_whole(part, header)
    count = headers[0].metadata.get("split.count")
    if type(count) is int and count > 1 and count != len(parts):
        name = f"{parts[0].stem}-00001-of-{count:05}.gguf"
        problem = f"{parts[0]} is one of {count} parts, by its header"
        raise ModelError(problem, remedy=f"put all of them into one folder, named as they were: {name} and on.")
    total = headers[0].metadata.get("split.tensors.count")
    found = sum(len(header.tensors) for header in headers)
    if len(parts) > 1 and type(total) is int and found != total:
        problem = f"{parts[0]} and its parts hold {found} tensors, and {total} belong to the model"
        raise ModelError(problem, remedy="the parts are of several downloads; fetch it again.")
