"""Tell what a file is that was saved under a model's name and holds none: a web page, a pointer, a cut download."""

import re

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (
        rb"version https://git-lfs",
        "is a Git LFS pointer, which only says where the model lies",
        "fetch the file itself: git lfs pull, or hf download.",
    ),
    (
        rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml|!--)",
        "is a web page saved under a model's name",
        "fetch the file behind the page; it may want a login, or its terms accepted.",
    ),
    (rb"\s*\{", "is a JSON text saved under a model's name", "read it, it may say why, and fetch the model again."),
    (
        rb"\x00\x05\x16[\x00\x07]",
        "is what macOS keeps beside a file (AppleDouble), no model",
        "name the one without ._",
    ),
    (rb"PK\x03\x04", "is a ZIP archive or a PyTorch file", "unpack it, or convert it to GGUF."),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf", "is a compressed file", "unpack it."),
    (rb"(?:lmgg|fmgg|tjgg|algg)", "is of the format before GGUF, which llama.cpp reads no longer", "fetch a GGUF."),
    (rb".{8}\{\s*\"", "holds safetensors, which llama_server does not load", "fetch or convert to a GGUF."),
    (rb"\x00{16}", "begins with noughts: its download set the space aside and did not fill it", "fetch it again."),
)
"""How such files begin, what they are, and what to do; the first that matches counts."""


def mistaken(head: bytes) -> tuple[str, str]:
    """Say what a file is that does not begin as a model does.

    Args:
        head: Its first bytes, 64 or more where there are as many.

    Returns:
        What it is, after its name, and what to do about it.
    """
    if not head:
        return "is empty: its download did not begin, or failed", "fetch it again."
    for beginning, what, remedy in _BEGINNINGS:
        if re.match(beginning, head, re.IGNORECASE | re.DOTALL):
            return what, remedy
    return "is no GGUF file (it does not begin with `GGUF`)", "fetch or convert it again."
