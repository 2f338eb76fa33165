"""The dialects that the fake server speaks: each runtime's pages, words and faults."""

from collections.abc import Mapping

from servers.fake_llama_server import LLAMA_ROUTER, LLAMA_SERVER
from servers.fake_lm_studio import LM_STUDIO
from servers.fake_mlx_lm import BROKEN, MLX_LM, NO_HUB
from servers.fake_ollama import OLLAMA
from servers.fake_omlx import OMLX
from servers.fake_spec import PLAIN, Dialect
from servers.fake_vllm import VLLM

__all__ = [
    "BROKEN",
    "DIALECTS",
    "LLAMA_ROUTER",
    "LLAMA_SERVER",
    "LM_STUDIO",
    "MLX_LM",
    "NO_HUB",
    "OLLAMA",
    "OMLX",
    "PLAIN",
    "VLLM",
    "Dialect",
]

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (PLAIN, LLAMA_SERVER, LLAMA_ROUTER, MLX_LM, OMLX, OLLAMA, LM_STUDIO, VLLM)
}
"""By name, as the program takes them."""
