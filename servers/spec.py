"""The types of serving: what to start, what was started, requests, and facts about the server."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta, Struct

RuntimeName = Literal["llama_server", "mlx_lm", "omlx", "ollama", "lm_studio", "vllm", "openai"]
NAMED_BY_SERVER: frozenset[RuntimeName] = frozenset({"ollama", "lm_studio", "vllm", "openai"})
"""Runtimes that know their models by names of their own: there is no file to look for, nothing to fetch."""
KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]


class ServerSpec(Struct, frozen=True, kw_only=True):
    """What to start, or what is running already."""

    runtime: RuntimeName
    model: str
    """Path of a file or directory; of a server that runs already the model's id, or empty for its only one."""
    base_url: str | None = None
    """Of a server that runs already, up to and including `/v1`; then nothing is launched."""
    binary: str | None = None
    """Program to run in place of the one on PATH."""
    context: int | None = None
    """Tokens of context for each slot, where whichquant can set it; None leaves it to the server."""
    slots: int = 1
    """Requests that the server works on at once."""
    slots_why: str = ""
    """Why no more than `slots`, where nobody asked for that number: then fewer are as good; else empty."""
    thinking: bool | None = None
    """None leaves the model's own default."""
    kv_cache: KvType | None = None
    """Type of keys and values in the cache; None leaves the server's default."""
    args: tuple[str, ...] = ()
    """Further arguments, handed to the server as they are."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key. The key itself is never stored."""
    startup_seconds: float = 900
    verbose: bool = False
    """Whether its log is to say what can be read nowhere else, as the size of the KV cache, however long it gets."""

    @property
    def asked_slots(self) -> int:
        """Give how many slots somebody asked for; 0 where any number is as good."""
        return 0 if self.slots_why else self.slots


def one_at_a_time(spec: ServerSpec) -> bool:
    """Whether it is certain from the beginning that a server has one request at a time."""
    return spec.slots == 1 and not spec.slots_why


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
    log_start: int = 0
    """Bytes of the log that were there before this server."""
    load_s: float | None = None
    """Seconds from starting it until it answered, its model loaded; None where that was not measured."""
    gpu_in_use_before: tuple[int, ...] = ()
    """Bytes in use on each graphics card before it was started; empty where that is not known."""


class Usage(Struct, frozen=True, kw_only=True):
    """What a server took of its machine while it was asked. None is unknown, never a guess."""

    load_s: float | None = None
    """Of its first start in this run: later ones find the model's file in the machine's memory."""
    memory_bytes: int | None = None
    """Largest memory of its processes together; weights mapped from a file count once. Apple silicon: GPU included."""
    memory_how: str = ""
    """How that was measured, in words."""
    gpu_bytes: int | None = None
    """Largest memory of its processes on graphics cards; None where there is none of their own, as on a Mac."""
    gpu_how: str = ""
    kv_cache_bytes: int | None = None
    """As the server says itself, of all slots together."""
    energy_j: float | None = None
    """While questions were in flight, of what `energy_of` names: of all that ran there, not of this server alone; None
    where other servers of the study were asked at the same time."""
    energy_of: str = ""


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tokens are drawn. None is neutral where the runtime is known, and not sent where it is not."""

    temperature: (
        Annotated[
            float,
            Meta(ge=0, le=5, description="0 is greedy; null leaves it to each server's own default, which differ"),
        ]
        | None
    ) = 0.0
    top_p: (
        Annotated[float, Meta(gt=0, le=1, description="draw from the likeliest tokens up to this sum; 1 is all")] | None
    ) = None
    top_k: Annotated[int, Meta(ge=0, description="draw from so many of the likeliest tokens; 0 is all")] | None = None
    min_p: (
        Annotated[float, Meta(ge=0, le=1, description="leave out tokens below this share of the likeliest; 0 is none")]
        | None
    ) = None
    seed: Annotated[int, Meta(ge=0, lt=2**31, description="of the drawing; default: the server's own")] | None = None
    max_tokens: Annotated[int, Meta(ge=1, description="limit of each reply, thinking included")] = 4096


class Prompt(Struct, frozen=True, kw_only=True):
    """What a model is shown: chat messages, or raw text to go on with."""

    messages: tuple[dict[str, str], ...] = ()
    text: str | None = None
    stop: tuple[str, ...] = ()

    @property
    def chat(self) -> bool:
        """Whether this goes to the chat endpoint."""
        return self.text is None


class Reuse(NamedTuple):
    """How a request may use what the server kept of earlier prompts."""

    cache: bool | None = None
    """False: the whole prompt is evaluated anew, as far as the server can be asked to; None: as the server does."""
    slot: int | None = None
    """Which of llama-server's slots answers it; None: the server chooses. Others have no say in it."""


ANY = Reuse()
"""As the server does by itself."""


class Request(NamedTuple):
    """A prompt in the format of one server."""

    url: str
    body: dict[str, Any]


class Machine(Struct, frozen=True, kw_only=True):
    """What a server of this machine runs on. None is unknown."""

    os: str
    """Operating system and its version."""
    chip: str | None = None
    """Name of the processor."""
    cores: int | None = None
    """Of the processor."""
    memory_bytes: int | None = None
    """All that is built in."""
    gpu: str | None = None
    """Name and memory, as its driver says; None on Apple silicon, where `chip` includes it."""
    power: str | None = None
    """Mains or battery, and a power mode where one is set."""


class ServerFacts(Struct, frozen=True, kw_only=True):
    """What is known about a server and its model. None is unknown, never a guess."""

    runtime: str
    """Kind of server, as in a study."""
    engine: str
    """Which program serves, in words."""
    version: str | None = None
    """Version of the program, with its build where that is reported."""
    model_id: str | None = None
    """Name by which the server knows the model."""
    model_path: str | None = None
    """File or folder, with `~` for the home folder."""
    model_bytes: int | None = None
    """Size of the weights' files."""
    model_sha256: str | None = None
    """Hash of the weights' files."""
    parameters: int | None = None
    """Number of weights."""
    quantization: str | None = None
    """In the file's terms: `Q4_K_M (Q5_0 × 81, Q4_K × 27)`, or `4 bits, groups of 64`."""
    bits_per_weight: float | None = None
    """Bits that the tensors take, divided by `parameters`."""
    qat: bool | None = None
    """Whether the file's metadata mention quantization-aware training; None where they do not."""
    quantized_by: str | None = None
    """Who quantized it, as its metadata say."""
    broken_promise: str | None = None
    """What the file's name or its metadata promise of the quantization and its tensors do not hold, in a sentence."""
    context: int | None = None
    """Tokens for each slot."""
    slots: int | None = None
    """Requests that it works on at once."""
    thinking: bool | None = None
    """As whichquant set it, at launch or with every request; None where the model's default rules."""
    thinking_default: bool | None = None
    """Whether the model thinks when a request does not set it."""
    thinking_heard: bool | None = None
    """Whether the switch for thinking changes the rendered prompt."""
    kv_cache: str | None = None
    """Type of the keys and values in the cache, as the server or its log says."""
    chat_template_sha256: str | None = None
    """Of the template that makes a prompt of messages."""
    machine: Machine | None = None
    command: tuple[str, ...] = ()
    """As started; empty where nothing was started."""
    unmet: tuple[str, ...] = ()
    """What the study asks for and this server was found not to do, one sentence each."""
    restarts: int = 0
    """How often it died or hung while it was asked, and was started again."""
    adapter: str | None = None
    """How whichquant's support of this runtime was tested."""
    unsent: tuple[str, ...] = ()
    """Settings that cannot be sent to this server, so that its own default holds, one sentence each."""
