"""Fetch a model from the Hugging Face hub, and explain why that fails."""

import difflib
import glob
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from servers.errors import ModelError, disk_full
from servers.weights.disk import gguf_parts
from servers.weights.files import MLX, gguf_file, mlx_directory
from servers.weights.roles import only_gguf
from servers.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.spec import RuntimeName

HUB_TIMEOUT_S = 15
"""For the first question to the hub; a network that swallows packets is noticed after this many seconds."""
_MLX_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "tokenizer*", "*.tiktoken")
_NEAR = 12
"""Files that resemble the one that is not there, listed at most."""
_HINTS = {
    401: "check HF_TOKEN",
    403: "check HF_TOKEN",
    404: "check HF_ENDPOINT and your proxy, this is not how the hub answers",
    429: "too many requests, wait some minutes or set HF_TOKEN",
}
"""What to do about an HTTP status of the hub."""


class HubModel(Struct, frozen=True, kw_only=True):
    """A model on the Hugging Face hub."""

    repo: str
    """`organisation/name`."""
    revision: str | None = None
    """Branch, tag or commit; None is the default branch."""
    file: str | None = None
    """Path of one file in the repo."""

    def __str__(self) -> str:
        """Write it as in a study file."""
        return (
            f"hf:{self.repo}" + (f"@{self.revision}" if self.revision else "") + (f"/{self.file}" if self.file else "")
        )


def fetch(model: HubModel, runtime: "RuntimeName") -> Path:
    """Fetch a model, or take it from the hub's cache, and return the file or directory that the runtime loads.

    Raises:
        ModelError: It cannot be had, or is of the wrong kind.
        DiskFullError: There is no room for it.
    """
    # Imported here because it takes 0.4 s, and is not needed for models on disk.
    import httpx2  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        return _download(model, runtime)
    except (
        errors.HfHubHTTPError,
        errors.EntryNotFoundError,
        errors.OfflineModeIsEnabled,
        errors.HFValidationError,
        errors.XetDownloadError,
        httpx2.TransportError,
        json.JSONDecodeError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and (full := disk_full(error)):
            raise full from error
        raise ModelError(_sentence(error, model)) from error


def _download(model: HubModel, runtime: "RuntimeName") -> Path:
    """Fetch what the runtime needs of a repo, or take it from the hub's cache while the hub cannot be reached."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import OfflineModeIsEnabled  # noqa: PLC0415

    try:
        info = HfApi().model_info(model.repo, revision=model.revision, timeout=HUB_TIMEOUT_S)
    except (httpx2.ConnectError, httpx2.TimeoutException, OfflineModeIsEnabled) as error:
        folder = _cached(model, error)
        if runtime in MLX:
            return mlx_directory(folder)
        cached = [file.relative_to(folder).as_posix() for file in folder.rglob("*.gguf")]
        if not cached or (model.file and model.file not in cached):
            raise
        return gguf_file(folder / _wanted(model, cached, where=f"The copy of {model} on this machine"))
    names = [file.rfilename for file in info.siblings or []]
    if runtime in MLX:
        if not any(name.endswith(".safetensors") for name in names):
            raise ModelError(
                f"{model} has no *.safetensors file, and {runtime} loads nothing else", remedy="take an MLX build."
            )
        return mlx_directory(
            Path(snapshot_download(model.repo, revision=model.revision, allow_patterns=list(_MLX_PATTERNS)))
        )
    chosen = PurePosixPath(_wanted(model, names, where=str(model)))
    patterns = [glob.escape(str(chosen.with_name(name))) for name in gguf_parts(chosen.name)]
    return gguf_file(Path(snapshot_download(model.repo, revision=model.revision, allow_patterns=patterns)) / chosen)


def _wanted(model: HubModel, names: "Sequence[str]", *, where: str) -> str:
    """Choose the GGUF to load: the named one, or the only one."""
    if model.file is None:
        return only_gguf(names, where, f"{model}/")
    if model.file in names:
        return model.file
    models = [name for name in names if name.endswith(".gguf")]
    near = difflib.get_close_matches(model.file, models, n=_NEAR, cutoff=0.0)
    raise ModelError(
        f"{model.file} is not in {model.repo}"
        + (f", which has {listed(near)}." if near else ", which has no GGUF file.")
    )


def _cached(model: HubModel, unreachable: Exception) -> Path:
    """Return the folder of the hub's cache that holds what was fetched of a repo before, complete or not."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(model.repo, revision=model.revision, local_files_only=True))
    except IncompleteSnapshotError as error:
        return Path(error.snapshot_path)
    except LocalEntryNotFoundError:
        raise unreachable from None


def _sentence(error: Exception, model: HubModel) -> str:
    """Explain what went wrong with the hub."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    hub = "the Hugging Face hub"
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    unreachable = (errors.XetDownloadError, errors.LocalEntryNotFoundError, httpx2.TransportError)
    # From the special error to the general: most of them are each other's subclasses.
    sentences: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (errors.GatedRepoError, f"{model.repo} is gated: accept its terms on its page of {hub}, and set HF_TOKEN"),
        (
            errors.RepositoryNotFoundError,
            f"{model.repo} is not on {hub}, or is private: check the name, and for a private repo set HF_TOKEN",
        ),
        (errors.DisabledRepoError, f"{model.repo} has been disabled on {hub}, choose another repo"),
        (errors.RevisionNotFoundError, f"{model.repo} has no revision {model.revision}"),
        (errors.RemoteEntryNotFoundError, f"{model} is listed on {hub} but not delivered, try again or pin a revision"),
        (
            errors.HfHubHTTPError,
            f"{hub} answered HTTP {status} for {model}: {_HINTS.get(status or 0, 'try again later')}",
        ),
        (
            errors.OfflineModeIsEnabled,
            f"{model} is not on this machine and HF_HUB_OFFLINE is set: unset it, or give a path",
        ),
        (json.JSONDecodeError, f"{hub} answered for {model} with no JSON: does this network ask for a login first?"),
        (errors.HFValidationError, f"{model.repo} can be no repo of {hub}: {error}"),
        (
            unreachable,
            f"{model} is not on this machine and {hub} cannot be reached ({_cause(error)}): go online, or give a path",
        ),
    )
    words = next(
        (words for kind, words in sentences if isinstance(error, kind)), f"{model} could not be stored: {error}"
    )
    return words[0].upper() + words[1:].rstrip(".") + "." if words.startswith("the ") else words.rstrip(".") + "."


def _cause(error: BaseException) -> str:
    """Name the innermost cause: huggingface_hub wraps what really happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__).rstrip(".")
