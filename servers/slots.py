"""How many slots a server is started with where nobody says so: as many as are of use, and as memory holds."""

import platform
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from servers.errors import ModelError
from servers.spec import KvType, RuntimeName, ServerSpec
from servers.usage import graphics
from servers.weights.disk import directory_at, file_at, gguf_parts, weight_files
from servers.weights.gguf_header import read_header
from servers.wording import in_bytes

MOST = 256
_CAPS: dict[RuntimeName, int] = {"llama_server": 16, "mlx_lm": 16, "omlx": 16, "ollama": 4, "lm_studio": 4}
"""Of servers that are started. Ollama and LM Studio do not say how large a model's cache is, and share it out."""
_ON_A_CARD = 64
"""Of llama-server where it has a graphics card: on an H200 a model of 1 billion weights in 8 bits gave 724 tokens per
second with 1 in flight, 1,623 with 4, 2,266 with 16 and 2,519 with 64."""
_UNKNOWN = 4
"""Where it is not known what a slot takes."""
_ODD = (OSError, ModelError, LookupError, AttributeError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What a damaged file raises, JSON with other things in it than MLX's among them."""
_KEPT_FREE = 0.2
"""Part of the free memory that is left for buffers and for others."""
_OF_A_MAC = 0.7
"""Part of a Mac's memory that its graphics processor may hold."""
_BITS: dict[KvType | None, float] = {
    **dict.fromkeys((None, "f16", "bf16"), 16.0),
    "f32": 32,
    "q8_0": 8.5,
    "q5_1": 6,
    "q5_0": 5.5,
    "q4_1": 5,
    **dict.fromkeys(("q4_0", "iq4_nl"), 4.5),
}
"""Bits of a number in the cache, by its type; None is the default."""


def with_slots(spec: ServerSpec, *, sharing: int = 1) -> ServerSpec:
    """Give a server as many slots as may be of use; of one that runs already, as many as it has.

    Args:
        spec: Its model is on this machine.
        sharing: How many such servers are in memory at once.
    """
    if spec.base_url is not None:
        return replace(spec, slots=MOST, slots_why="the server has no more")
    cap = _CAPS.get(spec.runtime, _UNKNOWN)
    if spec.runtime == "llama_server" and graphics.cards() is not None:
        cap = _ON_A_CARD
    slots, why = _by_memory(spec, cap, free_bytes() // sharing)
    return replace(spec, slots=slots, slots_why=why)


def free_bytes() -> int:
    """Return how much memory a model and its cache can have: of the graphics cards, or where there is none, of all."""
    import psutil  # noqa: PLC0415 - only where a server is started

    memory = psutil.virtual_memory()
    if on_cards := graphics.free():
        return sum(on_cards)
    free = int(memory.available)
    return min(free, int(_OF_A_MAC * memory.total)) if platform.system() == "Darwin" else free


def _by_memory(spec: ServerSpec, cap: int, free: int) -> tuple[int, str]:
    model, each = _sizes(spec)
    if not model or not each or spec.context is None:
        slots = min(cap, _UNKNOWN)
        return slots, f"how much memory more than {slots} would take is not known" if slots < cap else _usual(cap)
    room = int((1 - _KEPT_FREE) * free) - model
    slots = max(1, min(cap, room // (each * spec.context)))
    if slots == cap:
        return cap, _usual(cap)
    took = f"the model takes {in_bytes(model)} and each question up to {in_bytes(each * spec.context)}"
    return slots, f"memory holds no more: {in_bytes(free)} are free, {took}"


def _usual(cap: int) -> str:
    return f"the server was started with {cap} slots"


def _sizes(spec: ServerSpec) -> tuple[int, int]:
    """Return the bytes of a model, and of one token in its cache, at most; 0 where it is not known."""
    try:
        if file := file_at(spec.model):
            parts = [file.with_name(name) for name in gguf_parts(file.name)]
            size, numbers = sum(part.stat().st_size for part in parts), _of_gguf(read_header(file).metadata)
        elif folder := directory_at(spec.model):
            size, numbers = sum(part.stat().st_size for part in weight_files(folder)), _of_config(folder)
        else:
            return 0, 0
    except _ODD:
        return 0, 0
    return size, max(0, int(numbers * _BITS[spec.kv_cache] / 8))


def _of_gguf(metadata: dict[str, Any]) -> int:
    """Count the numbers of one token's keys and values in all layers, none of them with a window."""
    of = f"{metadata['general.architecture']}." if "general.architecture" in metadata else ""
    heads = metadata.get(f"{of}attention.head_count")
    kv_heads = metadata.get(f"{of}attention.head_count_kv", heads)
    usual = (metadata.get(f"{of}embedding_length") or 0) // heads if heads else 0
    key, value = (metadata.get(f"{of}attention.{part}_length", usual) for part in ("key", "value"))
    return int((metadata.get(f"{of}block_count") or 0) * (kv_heads or heads or 0) * (key + value))


def _of_config(folder: Path) -> int:
    config = msgspec.json.decode((folder / "config.json").read_bytes())
    config = config.get("text_config", config)
    heads = config.get("num_attention_heads") or 0
    size = config.get("head_dim") or (config["hidden_size"] // heads)
    return int(config["num_hidden_layers"] * config.get("num_key_value_heads", heads) * size * 2)
