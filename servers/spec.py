"""The nouns of serving: what to start, what was started, what is asked of it, who answered."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

RuntimeName = Literal["llama_server", "mlx_lm", "openai"]
KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]


class ServerError(Exception):
    """A server could not be started or reached; the message is one for the user's eyes."""


class ServerSpec(Struct, frozen=True, kw_only=True):
    """What to start, or what is running already."""

    runtime: RuntimeName
    model: str
    """Path of a file or directory; for a server that runs already, the model id to ask for."""
    base_url: str | None = None
    """Of a server that runs already, up to and including `/v1`; then nothing is launched."""
    binary: str | None = None
    """Program to run in place of the one on PATH."""
    context: int | None = None
    """Tokens of context for each slot; None leaves it to the server."""
    slots: int = 1
    """Requests that the server works on at once."""
    thinking: bool | None = None
    """None leaves the model's own default."""
    kv_cache: KvType | None = None
    """Type of keys and values in the cache; None leaves the server's default."""
    args: tuple[str, ...] = ()
    """Further arguments, handed to the server as they are."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key. The key itself is never stored."""
    startup_seconds: float = 900


class Server(Struct, frozen=True, kw_only=True):
    """A server that answers."""

    spec: ServerSpec
    base_url: str
    """Up to and including `/v1`."""
    model: str
    """What goes into a request's `model`."""
    engine: str
    """Which program serves, in words: `llama-server on PATH (/usr/bin/llama-server)`."""
    command: tuple[str, ...] = ()
    """As launched; empty where nothing was launched."""
    pid: int | None = None
    """Of the process group we started; None where nothing was launched."""
    log: Path | None = None


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tokens are drawn. None is neutral where the runtime is known, and not sent where it is not."""

    temperature: Annotated[float, Meta(ge=0, le=5)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] = 4096


class Prompt(Struct, frozen=True, kw_only=True):
    """What a model is shown: chat messages, or raw text to go on with."""

    messages: tuple[dict[str, str], ...] = ()
    text: str | None = None
    stop: tuple[str, ...] = ()

    @property
    def chat(self) -> bool:
        """Whether this goes to the chat endpoint."""
        return self.text is None


class ServerFacts(Struct, frozen=True, kw_only=True):
    """Who answers, as far as it says so. None is unknown, never a guess."""

    runtime: str
    engine: str
    version: str | None = None
    model_id: str | None = None
    model_path: str | None = None
    model_bytes: int | None = None
    model_sha256: str | None = None
    context: int | None = None
    """Tokens for each slot."""
    slots: int | None = None
    thinking: bool | None = None
    """As set by us at launch; None where the model's default rules or nothing is known."""
    kv_cache: str | None = None
    chat_template_sha256: str | None = None
    command: tuple[str, ...] = ()
