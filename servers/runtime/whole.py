"""Servers that evaluate every prompt whole: which of them can be told to, and with which flags they start for it."""

from servers.spec import RuntimeName, ServerSpec

_BY_REQUEST: frozenset[RuntimeName] = frozenset({"llama_server", "vllm"})
"""By cache_prompt, and by a cache_salt of each request's own."""
_BY_FLAG: dict[RuntimeName, tuple[str, ...]] = {"mlx_lm": ("--prompt-cache-size", "0"), "omlx": ()}
"""Where whichquant starts them; oMLX it always starts without its cache."""
_NAMES: dict[RuntimeName, str] = {
    "mlx_lm": "mlx_lm.server",
    "omlx": "oMLX",
    "ollama": "Ollama",
    "lm_studio": "LM Studio",
    "openai": "a server of an unknown kind",
}


def why_not_whole(spec: ServerSpec) -> str:
    """Say why a server cannot be told to evaluate every prompt whole; empty where it can."""
    if spec.runtime in _BY_REQUEST or (spec.runtime in _BY_FLAG and spec.base_url is None):
        return ""
    if spec.runtime in _BY_FLAG:
        return f"{_NAMES[spec.runtime]} can be told so only when it is started, and it runs already"
    return f"{_NAMES[spec.runtime]} cannot be told not to use what it kept of earlier prompts"


def whole_flags(spec: ServerSpec) -> tuple[str, ...]:
    """Return the flags with which a server evaluates every prompt whole; none where requests say it."""
    return _BY_FLAG.get(spec.runtime, ())
