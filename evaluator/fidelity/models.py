"""A path -> the model whose tensors are looked at."""

from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.errors import StudyError
from servers.errors import ModelError
from servers.weights.files import gguf_file, mlx_directory

if TYPE_CHECKING:
    from evaluator.fidelity.tensors import Model


def open_model(path: Path) -> "Model":
    """Read what the headers of a model's files say; none of its numbers.

    Args:
        path: A GGUF, the first part of a split one, or a folder of MLX weights.

    Raises:
        StudyError: It is none, not whole, or damaged; in one sentence.
    """
    try:
        if path.is_dir() and (path / "config.json").is_file():
            from evaluator.fidelity.tensors_mlx import open_mlx  # noqa: PLC0415

            return open_mlx(mlx_directory(path))
        if not path.exists():
            raise StudyError(
                "there is no such model", source=path, remedy="name a GGUF file or a folder of MLX weights"
            )
        from evaluator.fidelity.tensors_gguf import open_gguf  # noqa: PLC0415

        return open_gguf(gguf_file(path))
    except ModelError as error:
        raise StudyError(error.problem, remedy=error.remedy) from error
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}", source=path) from error
