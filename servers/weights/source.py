"""Find where a model comes from: a path on this machine, or the Hugging Face hub."""

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from servers.errors import ModelError
from servers.weights.disk import expand
from servers.weights.files import MLX, gguf_file, mlx_directory
from servers.weights.hub import HubModel, fetch

if TYPE_CHECKING:
    from servers.spec import RuntimeName

__all__ = ["HubModel", "check", "resolve"]

_HUB_FORM = re.compile(r"hf:(?P<repo>[^/@\s]+/[^/@\s]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<file>\S(?:.*\S)?))?")
_BARE_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*(?:@[^/\s]+)?")


def resolve(model: str, *, runtime: "RuntimeName", base: Path) -> Path:
    """Return the file or directory that the runtime loads, fetching it from the hub where the model is there.

    A download shows huggingface_hub's progress bar and lands in its cache; what is there already is not fetched again,
    and serves also while the hub cannot be reached.

    Raises:
        ModelError: The model is not there, is of the wrong kind, or cannot be fetched.
    """
    place = check(model, runtime=runtime, base=base)
    return place if isinstance(place, Path) else fetch(place, runtime)


def check(model: str, *, runtime: "RuntimeName", base: Path) -> Path | HubModel:
    """Say where a model is, without asking the network.

    Args:
        model: A path, relative to `base`; `hf:org/repo`, `hf:org/repo@revision` or `hf:org/repo/file.gguf`; for mlx_lm
            also a bare `org/repo`, as long as there is no such path and no folder `org` beside the study file.
        runtime: What will load it.
        base: The folder of the study file.

    Raises:
        ModelError: The form is none of these, the path does not exist, or what is there is of the wrong kind.
    """
    if runtime == "openai":
        raise ModelError(f"{model}: the runtime `openai` loads no model, give its `base_url` or another runtime.")
    if model.startswith("hf:"):
        return _parse_hub(model, runtime)
    path = base / expand(model)
    try:
        if path.exists():
            return _local(path, runtime)
        if runtime in MLX and _BARE_REPO.fullmatch(model) and not path.parent.is_dir():
            return _parse_hub(f"hf:{model}", runtime)
        why = _missing(path, model)
    except OSError as error:  # a name that is too long, a folder that may not be read
        why = f"The model {model} cannot be read: {error.strerror}."
    raise ModelError(why)


def _parse_hub(model: str, runtime: "RuntimeName") -> HubModel:
    parts = _HUB_FORM.fullmatch(model)
    if parts is None or not _BARE_REPO.fullmatch(parts["repo"]):
        raise ModelError(
            f"{model} names no model of the hub",
            remedy="write hf:org/repo, hf:org/repo@revision or hf:org/repo/file.gguf.",
        )
    file = parts["file"]
    if file and runtime in MLX:
        raise ModelError(
            f"{model} names one file, but {runtime} loads a whole repo of MLX weights",
            remedy=f"write hf:{parts['repo']}.",
        )
    if file and not file.endswith(".gguf"):
        raise ModelError(f"{model} is no GGUF file, and llama_server loads nothing else.")
    revision = parts["revision"]
    return HubModel(repo=parts["repo"], revision=revision.replace("%2F", "/") if revision else None, file=file)


def _missing(path: Path, model: str) -> str:
    folder = path.parent
    if expand(model).startswith("~"):
        return f"There is no model {model}: this machine has no user {model[1:].partition('/')[0]}."
    if not folder.is_dir():
        hint = f"; for a model of the Hugging Face hub write hf:{model}" if _BARE_REPO.fullmatch(model) else ""
        return f"There is no model {path}: the folder {folder} does not exist{hint}."
    near = difflib.get_close_matches(path.name, [entry.name for entry in folder.iterdir()], n=1, cutoff=0.7)
    if near:
        return f"There is no model {path}; did you mean {near[0]}?"
    return f"There is no model {path}: give a path, or for the Hugging Face hub hf:org/repo."


def _local(path: Path, runtime: "RuntimeName") -> Path:
    return mlx_directory(path) if runtime in MLX else gguf_file(path)
