"""Where models come from: a path on this machine, or the Hugging Face hub."""

import difflib
import glob
import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from servers.disk import expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from servers.spec import RuntimeName

HUB_TIMEOUT_S = 15
"""For the first question to the hub; a network that swallows packets is noticed after this many seconds."""

_MLX = ("mlx_lm", "omlx")
"""Runtimes that load MLX weights; the others load GGUF."""
_HUB_FORM = re.compile(r"hf:(?P<repo>[^/@\s]+/[^/@\s]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<file>\S(?:.*\S)?))?")
_BARE_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*(?:@[^/\s]+)?")
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<total>\d{5})\.gguf")
_MLX_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "tokenizer*", "*.tiktoken")
_BESIDE_THE_MODEL = ("mmproj", "imatrix")
"""Beginnings of GGUF names that are no language model: a vision projector, an importance matrix."""
_LISTED = 12
"""Names listed in an error at most."""
_HINTS = {
    401: "check HF_TOKEN",
    403: "check HF_TOKEN",
    404: "check HF_ENDPOINT and your proxy, this is not how the hub answers",
    429: "too many requests, wait some minutes or set HF_TOKEN",
}
"""What to do about an HTTP status of the hub."""


class ModelError(Exception):
    """A model could not be had; the message is one sentence for the user's eyes."""


class HubModel(Struct, frozen=True, kw_only=True):
    """A model on the Hugging Face hub."""

    repo: str
    """`organisation/name`."""
    revision: str | None = None
    """Branch, tag or commit; None is the default branch."""
    file: str | None = None
    """Path of one file in the repo."""

    def __str__(self) -> str:
        """Say it as the study file does."""
        return (
            f"hf:{self.repo}" + (f"@{self.revision}" if self.revision else "") + (f"/{self.file}" if self.file else "")
        )


def resolve(model: str, *, runtime: "RuntimeName", base: Path) -> Path:
    """Return the file or directory that the runtime loads, fetching it from the hub where the model is there.

    A download shows huggingface_hub's progress bar and lands in its cache; what is there already is not fetched again,
    and serves also while the hub cannot be reached.

    Raises:
        ModelError: The model is not there, is of the wrong kind, or cannot be fetched.
    """
    place = check(model, runtime=runtime, base=base)
    return place if isinstance(place, Path) else _fetch(place, runtime)


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
        if runtime in _MLX and _BARE_REPO.fullmatch(model) and not path.parent.is_dir():
            return _parse_hub(f"hf:{model}", runtime)
        why = _missing(path, model)
    except OSError as error:  # a name that is too long, a folder that may not be read
        why = f"The model {model} cannot be read: {error.strerror}."
    raise ModelError(why)


def _parse_hub(model: str, runtime: "RuntimeName") -> HubModel:
    found = _HUB_FORM.fullmatch(model)
    if found is None or not _BARE_REPO.fullmatch(found["repo"]):
        raise ModelError(
            f"{model} names no model of the hub: write hf:org/repo, hf:org/repo@revision or hf:org/repo/file.gguf."
        )
    file = found["file"]
    if file and runtime in _MLX:
        raise ModelError(
            f"{model} names one file, but {runtime} loads a whole repo of MLX weights: write hf:{found['repo']}."
        )
    if file and not file.endswith(".gguf"):
        raise ModelError(f"{model} is no GGUF file, and llama_server loads nothing else.")
    revision = found["revision"]
    return HubModel(repo=found["repo"], revision=revision.replace("%2F", "/") if revision else None, file=file)


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
    return _mlx_directory(path) if runtime in _MLX else _gguf_file(path)


def _mlx_directory(path: Path) -> Path:
    """Check a directory of MLX weights, all shards of it."""
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
            raise ModelError(f"{path} is incomplete: {_listed(lost)} missing, fetch the model again.")
    return path


class _ShardIndex(Struct, frozen=True):
    weight_map: dict[str, str]


def _gguf_file(path: Path) -> Path:
    """Check a GGUF file, all parts of it; of a directory take the only one in it."""
    if path.is_dir():
        name = _only_gguf([entry.name for entry in path.glob("*.gguf")], str(path), f"{path}/")
        return _gguf_file(path / name)
    parts = [path.with_name(name) for name in _parts(path.name)]
    lost = [part.name for part in parts if not part.is_file()]
    if lost:
        raise ModelError(f"{path} is one part of a split model, and {_listed(lost)} missing beside it.")
    with parts[0].open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{parts[0]} is no GGUF file (it does not begin with `GGUF`), fetch or convert it again.")
    return parts[0]


def _parts(name: str) -> list[str]:
    """List all files of a GGUF, the one to load first; a GGUF in one file is alone in the list."""
    found = _SPLIT.fullmatch(name)
    if found is None:
        return [name]
    return [f"{found['stem']}-{part:05}-of-{found['total']}.gguf" for part in range(1, int(found["total"]) + 1)]


def _only_gguf(names: "Iterable[str]", where: str, prefix: str) -> str:
    """Pick the one model among the files of a repo or directory, by its first part where it is split."""
    models = sorted(
        {
            str(PurePosixPath(name).with_name(_parts(PurePosixPath(name).name)[0]))
            for name in names
            if name.endswith(".gguf") and not PurePosixPath(name).name.lower().startswith(_BESIDE_THE_MODEL)
        }
    )
    if not models:
        raise ModelError(f"{where} has no *.gguf file, and llama_server loads nothing else.")
    if len(models) > 1:
        raise ModelError(
            f"{where} has {len(models)} GGUF models, name one: {_listed([prefix + name for name in models], '')}."
        )
    return models[0]


def _listed(names: "Sequence[str]", verb: Literal["", "is"] = "is") -> str:
    shown = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    return shown if not verb else f"{shown} {'is' if len(names) == 1 else 'are'}"


def _fetch(model: HubModel, runtime: "RuntimeName") -> Path:
    # Heavy, and needed by nobody whose models are on disk: 0.4 s.
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
        if runtime in _MLX:
            return _mlx_directory(folder)
        cached = [found.relative_to(folder).as_posix() for found in folder.rglob("*.gguf")]
        if not cached or (model.file and model.file not in cached):
            raise
        return _gguf_file(folder / _wanted(model, cached, where=f"The copy of {model} on this machine"))
    names = [file.rfilename for file in info.siblings or []]
    if runtime in _MLX:
        if not any(name.endswith(".safetensors") for name in names):
            raise ModelError(f"{model} has no *.safetensors file, and {runtime} loads nothing else: take an MLX build.")
        return _mlx_directory(
            Path(snapshot_download(model.repo, revision=model.revision, allow_patterns=list(_MLX_PATTERNS)))
        )
    chosen = PurePosixPath(_wanted(model, names, where=str(model)))
    patterns = [glob.escape(str(chosen.with_name(name))) for name in _parts(chosen.name)]
    return _gguf_file(Path(snapshot_download(model.repo, revision=model.revision, allow_patterns=patterns)) / chosen)


def _wanted(model: HubModel, names: "Sequence[str]", *, where: str) -> str:
    """Choose the GGUF to load: the named one, or the only one."""
    if model.file is None:
        return _only_gguf(names, where, f"{model}/")
    if model.file in names:
        return model.file
    models = [name for name in names if name.endswith(".gguf")]
    near = difflib.get_close_matches(model.file, models, n=_LISTED, cutoff=0.0)
    raise ModelError(
        f"{model.file} is not in {model.repo}"
        + (f", which has {_listed(near, '')}." if near else ", which has no GGUF file.")
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
    """Say in words what went wrong with the hub."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    hub = "the Hugging Face hub"
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    unreachable = (errors.XetDownloadError, errors.LocalEntryNotFoundError, httpx2.TransportError)
    # From the special error to the general: most of them are each other's subclasses.
    said: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
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
    words = next((words for kind, words in said if isinstance(error, kind)), f"{model} could not be stored: {error}")
    return words[0].upper() + words[1:].rstrip(".") + "." if words.startswith("the ") else words.rstrip(".") + "."


def _cause(error: BaseException) -> str:
    """Name the innermost cause: huggingface_hub wraps what really happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__).rstrip(".")
