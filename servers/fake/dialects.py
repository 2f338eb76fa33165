"""The dialects that the fake server speaks: each runtime's pages, words and faults."""

from collections.abc import Mapping

from servers.fake.llama_server import LLAMA_ROUTER, LLAMA_SERVER
from servers.fake.lm_studio import LM_STUDIO
from servers.fake.mlx_lm import BROKEN, MLX_LM, NO_HUB
from servers.fake.ollama import OLLAMA
from servers.fake.omlx import OMLX
from servers.fake.spec import PLAIN, Dialect
from servers.fake.vllm import VLLM

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
