"""What was given in place of a study file, and what the model of a variant says of the runtime that it needs."""

import shlex
from pathlib import Path

from msgspec.structs import replace

from evaluator.study.study import Study, Variant
from servers.spec import RuntimeName
from servers.weights.disk import directory_at, expand

_MODEL = "that is a model, not a study"
_WRITE = "write a study file that names it as the model of a variant, as README shows"

_BY_END = {
    (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx"): (_MODEL, _WRITE),
    (".jsonl",): ("those are answers or records, not a study", "to grade answers: whichquant grade FILE"),
    ("report.html", "report.md", "report-post.md", "report.json", "plan.json"): (
        "that is a part of a run, not a study",
        "to write its report again: whichquant report RUN",
    ),
}


def not_a_study(path: Path) -> tuple[str, str] | None:
    """Say what a path is that is no study file, and what to do; None where nothing tells.

    Raises:
        OSError: It cannot be read.
    """
    name = str(path)
    if name.startswith("hf:"):
        return _MODEL, _WRITE
    if name.lower().startswith(("http:/", "https:/")):
        return "that is an address, not a study", "for a server that runs already: whichquant eval --base-url"
    if path.is_dir():
        return _directory(path)
    with path.open("rb") as file:
        head = file.read(64)
    if head[:4] == b"GGUF":
        return _MODEL, _WRITE
    return next((words for ends, words in _BY_END.items() if name.lower().endswith(ends)), None)


def _directory(path: Path) -> tuple[str, str]:
    if (path / "plan.json").is_file():
        return "that is a run, not a study", f"to write its report again: whichquant report {shlex.quote(str(path))}"
    files = sorted(entry.name for entry in path.glob("*.y*ml"))
    if not files and (any(path.glob("*.gguf")) or any(path.glob("*.safetensors"))):
        return _MODEL, _WRITE
    return "that is a folder, not a study", f"give a file in it: {path / files[0]}" if files else "give a study file"


def with_runtimes(study: Study, base: Path) -> Study:
    """Name the runtime of each variant that is to be started and names none, where its model leaves no doubt."""
    return replace(study, variants=tuple(_with_runtime(variant, base) for variant in study.variants))


def _with_runtime(variant: Variant, base: Path) -> Variant:
    if variant.runtime is not None or variant.base_url is not None:
        return variant
    return replace(variant, runtime=_runtime_of(variant.model, base))


def _runtime_of(model: str, base: Path) -> RuntimeName | None:
    if model.lower().endswith(".gguf"):
        return "llama_server"
    folder = None if model.startswith("hf:") else directory_at(str(base / expand(model)))
    if folder is None:
        return None
    gguf, mlx = any(folder.glob("*.gguf")), any(folder.glob("*.safetensors")) and (folder / "config.json").is_file()
    return None if gguf == mlx else "llama_server" if gguf else "mlx_lm"
