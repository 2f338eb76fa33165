"""Which files are no language model, though they lie beside one: by what their headers say, or else by their names."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from servers.errors import ModelError
from servers.weights.disk import gguf_parts
from servers.weights.gguf_header import Header, read_header
from servers.wording import listed

_TYPES = {
    "mmproj": "a vision projector",
    "imatrix": "an importance matrix",
    "adapter": "a LoRA adapter",
    "vocab": "a vocabulary without weights",
}
"""By `general.type`."""
_ARCHITECTURES = {
    "clip": "a vision projector",
    "imatrix": "an importance matrix",
    "controlvector": "a control vector",
    "whisper": "a speech recognizer",
    "wavtokenizer-dec": "a decoder of speech",
    **dict.fromkeys(("sd1", "sd3", "sdxl", "flux", "wan", "ltxv", "qwen_image", "lumina2"), "a model of images"),
}
_EMBEDDERS = (
    *("bert", "modern-bert", "neo-bert", "eurobert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3"),
    *("t5encoder", "gemma-embedding", "llama-embed"),
)
_ENCODERS = (
    *("bert", "roberta", "xlm-roberta", "distilbert", "modernbert", "nomic_bert", "mpnet", "deberta-v2", "electra"),
    *("eurobert", "jina_bert", "camembert", "albert"),
)
"""Embedding models by the `model_type` of their config.json."""
_POOLING = {1: "MEAN", 2: "CLS", 3: "LAST", 4: "RANK"}
_DRAFT = re.compile(r"(?:^|[-_])(?:eagle\d?|medusa|dflash|mtp|nextn|assistant|draft)(?:[-_]|$)", re.IGNORECASE)
_NEVER = re.compile(r"^\._|(?:^|[-_.])(?:mmproj|imatrix)(?=[-_.])", re.IGNORECASE)
"""Names of what is no language model: macOS's side files, projectors, importance matrices."""
_IMATRIX = re.compile(r"(?<=[-_.])(?:I?Q\d|TQ\d|MXFP4)\w*", re.IGNORECASE)
"""A type in the name of `x-Q4_K_M-imatrix.gguf`: a model that was quantized with an importance matrix."""
_SELDOM = re.compile(
    r"(?:^|[-_.])(?:lora|adapter|vocab|control[-_]?vector|eagle\d?|mtp|draft|dflash)(?=[-_.])", re.IGNORECASE
)
"""Names that may belong to a model all the same: `x-lora-merged.gguf`."""


def role(header: Header) -> str | None:
    """Say what a GGUF is where it is no language model; None where nothing says so."""
    architecture, kind = header.metadata.get("general.architecture"), header.metadata.get("general.type")
    by_type = _TYPES.get(kind) if isinstance(kind, str) else None
    if by_type or not isinstance(architecture, str):
        return by_type
    if architecture in _EMBEDDERS or architecture.endswith(("-bert", "encoder")):
        return f"an embedding model (architecture {architecture})"
    pooling_type = header.metadata.get(f"{architecture}.pooling_type")
    pooling = _POOLING.get(pooling_type) if isinstance(pooling_type, int) else None
    if pooling:
        return f"{'a reranker' if pooling == 'RANK' else 'an embedding model'} (its pooling_type is {pooling})"
    if _DRAFT.search(architecture) or _only_draft_layers(header):
        return "a head that drafts for another model"
    if not header.tensors and not header.metadata.get("split.count"):
        return _TYPES["vocab"]
    return _ARCHITECTURES.get(architecture)


def _only_draft_layers(header: Header) -> bool:
    names = [tensor.name for tensor in header.tensors]
    return any(".nextn." in name for name in names) and not any(name.startswith("token_embd") for name in names)


def only_model(folder: Path) -> Path:
    """Pick the one model among the GGUFs of a folder, by its first part where it is split.

    Raises:
        ModelError: There is none, or several.
    """
    first = {entry.with_name(gguf_parts(entry.name)[0]) for entry in folder.glob("*.gguf")}
    others = {file.name: what for file in sorted(first) if (what := _role_of(file))}
    models = [file.name for file in first if file.name not in others]
    if others and not models:
        lying = listed([f"{name} is {what}" for name, what in others.items()])
        raise ModelError(f"{folder} has no GGUF of a language model: {lying}.")
    return folder / only_gguf(models, str(folder), f"{folder}/")


def _role_of(file: Path) -> str | None:
    """Say what a file is by its header; by its name alone where it has none."""
    try:
        return role(read_header(file))
    except (OSError, ModelError):
        return "no model, by its name" if _is_beside(file.name) else None


def _is_beside(name: str) -> bool:
    """Whether a name is one of what lies beside models, and is never one."""
    found = _NEVER.search(name)
    return found is not None and not ("imatrix" in found[0].lower() and _IMATRIX.search(name))


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
            if name.endswith(".gguf") and not _is_beside(PurePosixPath(name).name)
        }
    )
    models = [name for name in models if not _SELDOM.search(PurePosixPath(name).name)] or models
    if not models:
        raise ModelError(f"{where} has no *.gguf file, and llama_server loads nothing else.")
    if len(models) > 1:
        raise ModelError(
            f"{where} has {len(models)} GGUF models, name one: {listed([prefix + name for name in models])}."
        )
    return models[0]


def refuse_role(file: Path, header: Header) -> None:
    """Refuse a GGUF that writes no text.

    Raises:
        ModelError: It is no language model.
    """
    if what := role(header):
        writes = "it writes no answers" if "model (" in what or "reranker" in what else "it is no language model"
        raise ModelError(f"{file} is {what}: {writes}", remedy="name the file of a chat or base model.")


def refuse_encoder(path: Path) -> None:
    """Refuse a directory of weights whose config.json names a model that writes no text.

    Raises:
        ModelError: It is no language model.
    """
    try:
        kind = msgspec.json.decode((path / "config.json").read_bytes(), type=dict[str, Any]).get("model_type")
    except (OSError, ValueError, RecursionError, msgspec.DecodeError):
        return  # the server says what is wrong with it
    what = "an embedding model" if kind in _ENCODERS else _ARCHITECTURES.get(kind) if isinstance(kind, str) else None
    if what:
        problem = f"{path} is {what} (model_type {kind}): it writes no answers"
        raise ModelError(problem, remedy="name the folder of a chat or base model.")


def names_in_words(names: Sequence[str]) -> str:
    """List files, with the verb that follows: `a, b are`."""
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
