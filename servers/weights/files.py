"""Check the files of a model on this machine: of the right kind, and all there."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from servers.errors import ModelError
from servers.weights.disk import gguf_parts
from servers.wording import listed

MLX = ("mlx_lm", "omlx")
"""Runtimes that load MLX weights; the others load GGUF."""
_BESIDE_THE_MODEL = ("mmproj", "imatrix")
"""Beginnings of GGUF names that are no language model: a vision projector, an importance matrix."""


def mlx_directory(path: Path) -> Path:
    """Check a directory of MLX weights, all shards of it.

    Raises:
        ModelError: It is none, or not whole.
    """
    needs = "MLX needs a directory with config.json and *.safetensors"
    if path.is_file():
        kind = "a GGUF file" if path.suffix == ".gguf" else "a file"
        raise ModelError(f"{path} is {kind}, but {needs}.")
    absent = [name for name in ("config.json", "*.safetensors") if not any(path.glob(name))]
    if absent:
        raise ModelError(f"{path} has no {' and no '.join(absent)}, but {needs}.")
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(msgspec.json.decode(index.read_bytes(), type=_ShardIndex).weight_map.values())
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            raise ModelError(f"{index} cannot be read ({error}), fetch the model again.") from error
        lost = sorted(name for name in shards if not (path / name).is_file())
        if lost:
            raise ModelError(f"{path} is incomplete: {listed(lost)} {_are(lost)} missing, fetch the model again.")
    return path


class _ShardIndex(Struct, frozen=True):
    weight_map: dict[str, str]


def gguf_file(path: Path) -> Path:
    """Check a GGUF file, all parts of it; of a directory take the only one in it.

    Raises:
        ModelError: It is none, not whole, or not the only one.
        OSError: It cannot be read.
    """
    if path.is_dir():
        name = only_gguf([entry.name for entry in path.glob("*.gguf")], str(path), f"{path}/")
        return gguf_file(path / name)
    parts = [path.with_name(name) for name in gguf_parts(path.name)]
    lost = [part.name for part in parts if not part.is_file()]
    if lost:
        raise ModelError(f"{path} is one part of a split model, and {listed(lost)} {_are(lost)} missing beside it.")
    with parts[0].open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{parts[0]} is no GGUF file (it does not begin with `GGUF`), fetch or convert it again.")
    return parts[0]


def only_gguf(names: Iterable[str], where: str, prefix: str) -> str:
    """Pick the one model among the files of a repo or directory, by its first part where it is split.

    Args:
        names: Of the files, as paths from the top.
        where: What is looked through, in words.
        prefix: What makes a name one that the study may give.

    Raises:
        ModelError: There is none, or several.
    """
    models = sorted(
        {
            str(PurePosixPath(name).with_name(gguf_parts(PurePosixPath(name).name)[0]))
            for name in names
            if name.endswith(".gguf") and not PurePosixPath(name).name.lower().startswith(_BESIDE_THE_MODEL)
        }
    )
    if not models:
        raise ModelError(f"{where} has no *.gguf file, and llama_server loads nothing else.")
    if len(models) > 1:
        raise ModelError(
            f"{where} has {len(models)} GGUF models, name one: {listed([prefix + name for name in models])}."
        )
    return models[0]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
