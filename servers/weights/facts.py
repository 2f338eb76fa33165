"""What a model's files hold about it, in terms that all formats share."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from servers.spec import Server
from servers.weights.disk import directory_at, file_at

_QAT = re.compile(
    r"(?<!non[-_ ])(?<!not )(?<!no )(?<![a-z0-9])(?:qat(?![a-z0-9])|quanti[sz]ation[-_ ]aware)", re.IGNORECASE
)


class FileFacts(Struct, frozen=True, kw_only=True):
    """What was read from the files of a model; the fields are those of `ServerFacts`. None is unknown."""

    parameters: int | None = None
    quantization: str | None = None
    bits_per_weight: float | None = None
    qat: bool | None = None
    quantized_by: str | None = None
    broken_promise: str | None = None
    chat_template_sha256: str | None = None


def at_hand(server: Server, model_path: str | None) -> Path | None:
    """Return the model that a server names where it lies on this machine.

    A server that we did not start may run elsewhere, or in another folder: its path must be a whole one.
    """
    from servers.http import trusts_environment  # noqa: PLC0415 - a report needs no HTTP library

    if model_path is None or trusts_environment(server.base_url):
        return None
    if not server.command and not Path(model_path).is_absolute():
        return None
    return file_at(model_path) or directory_at(model_path)


def mentions_qat(texts: Iterable[str]) -> bool | None:
    """Whether metadata name quantization-aware training, as a word: True, or None, as no mention proves nothing."""
    return True if any(_QAT.search(text) for text in texts) else None


def types_in_words(name: str | None, counts: Counter[str]) -> str | None:
    """Put the types of tensors into words: `Q4_K_M (Q5_0 × 81, Q4_K × 27)`, and `F16` where all have that type.

    Args:
        name: What the file calls the whole.
        counts: Tensors of each type.
    """
    listed = ", ".join(
        f"{kind} × {count}" for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    if name is None:
        return listed or None
    return name if set(counts) <= {name} else f"{name} ({listed})"
