"""A model as MLX wants it: a directory with its config.json."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from servers.errors import ServerError
from servers.weights.disk import directory_at, expand

_CONFIG = "config.json"


class Config(Struct, frozen=True):
    """The few keys of a model's config.json that matter here; multimodal models have them in their text_config."""

    model_type: str | None = None
    sliding_window: Any = None
    layer_types: tuple[str, ...] | None = None
    max_position_embeddings: int | None = None
    """Tokens of context that the model was made for."""
    text_config: "Config | None" = None

    @property
    def parts(self) -> "tuple[Config, ...]":
        """Itself, and its part for the model that reads and writes text."""
        return (self, self.text_config) if self.text_config else (self,)


def directory(name: str, who: str) -> Path:
    """Return the directory that a model's name means.

    Args:
        name: A path.
        who: The program that is to load it.

    Raises:
        ServerError: There is none, or no model in it.
    """
    model = directory_at(name)
    if model is None or not (model / _CONFIG).is_file():
        raise ServerError(f"There is no MLX model in {expand(name)}: {who} needs a directory with a {_CONFIG}.")
    return model


def config(model: Path) -> Config:
    """Read a model's config.json.

    Raises:
        ServerError: It cannot be read.
    """
    file = model / _CONFIG
    try:
        return msgspec.json.decode(file.read_bytes(), type=Config)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ServerError(f"{file} cannot be read ({error})", remedy="fetch or convert the model again.") from error
