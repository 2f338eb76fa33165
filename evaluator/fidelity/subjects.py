"""What is measured, builds and references, and the process that evaluates each."""

from pathlib import Path

from msgspec import Struct

from evaluator.errors import StudyError
from evaluator.fidelity.rows import module
from servers.spec import KvType


class Subject(Struct, frozen=True, kw_only=True):
    """A build or a reference."""

    name: str
    path: Path
    """A GGUF file, or a folder of MLX weights."""
    kv_cache: KvType | None = None
    binary: str | None = None
    """The llama-server whose library evaluates it; None is the one on PATH, or the xllamacpp package."""

    @property
    def of_mlx(self) -> bool:
        """Whether mlx_lm evaluates it, and not llama.cpp."""
        return self.path.is_dir()


def command(subject: Subject, threads: int | None) -> list[str]:
    """Return the command that evaluates a build or a reference, by the program that its kind of file needs.

    Args:
        subject: What is evaluated.
        threads: Of llama.cpp; None for one a physical core.

    Raises:
        StudyError: It is to be evaluated in a way that its program does not have.
    """
    if subject.of_mlx:
        if subject.kv_cache not in (None, "f16", "bf16", "f32"):
            raise StudyError(f"{subject.name}: the fidelity of a quantized KV cache is measured of GGUF files only")
        return module("logits_mlx", subject.path)
    more = ["--threads", str(threads)] if threads else []
    more += ["--kv-cache", subject.kv_cache] if subject.kv_cache else []
    more += ["--binary", subject.binary] if subject.binary else []
    return module("logits_llama", subject.path, *more)
