"""The types of the fake server: requests, answers, models, and the dialects of the runtimes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from servers.fake.reply import Reply, chunks, error_body, whole


class Call(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """Decoded JSON; None of a GET."""
    query: str = ""
    """What stood behind the question mark."""


class Answer(NamedTuple):
    """What a page holds, where it is more than JSON with status 200."""

    status: int
    body: Any
    """A text is sent as it is, anything else as JSON."""
    content_type: str | None = None
    """None is plain text, or JSON."""


class FakeModel(Struct, frozen=True, kw_only=True):
    """A model that a fake server has."""

    id: str
    thinking: bool | None = True
    """Whether it thinks when a request does not say; None: it cannot."""
    obeys: bool = True
    """Whether its chat template listens to the switch for thinking."""
    loaded: bool = True
    """When the server starts."""
    context: int = 32768
    """The longest it takes, in tokens."""
    served_context: int = 4096
    """Tokens that llama-server, LM Studio and Ollama load it with unless a context is asked for."""
    format: Literal["gguf", "mlx"] = "gguf"
    quantization: str = "Q4_K_M"
    architecture: str = "gemma4"
    bytes: int = 2_500_000_000
    parameters: int = 4_000_000_000
    path: str = "/models/fake.gguf"
    template: str = "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"


class State(Struct, kw_only=True):
    """What a fake server remembers between requests."""

    models: dict[str, FakeModel]
    loaded: dict[str, dict[str, Any]]
    """Models in memory, and what each was loaded with: `context` in tokens, and what else the dialect knows."""


class Turn(NamedTuple):
    """A prompt and the reply that it gets."""

    reply: Reply
    body: dict[str, Any]
    path: str
    state: State

    @property
    def name(self) -> str:
        """The model as the request called it."""
        return str(self.body.get("model", "fake"))

    @property
    def chat(self) -> bool:
        """Whether it came to OpenAI's chat endpoint."""
        return self.path.endswith("/chat/completions")

    @property
    def usage(self) -> bool:
        """Whether a stream is to end with token counts."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))


def openai_whole(turn: Turn) -> dict[str, Any]:
    """Return an OpenAI body."""
    return whole(turn.reply, model=turn.name, chat=turn.chat)


def openai_parts(turn: Turn) -> list[dict[str, Any]]:
    """Return the chunks of an OpenAI stream."""
    return list(chunks(turn.reply, model=turn.name, chat=turn.chat, usage=turn.usage))


class Route(Struct, frozen=True, kw_only=True):
    """How a path that takes prompts replies."""

    whole: Callable[[Turn], dict[str, Any]] = openai_whole
    parts: Callable[[Turn], list[dict[str, Any]]] = openai_parts
    lines: bool = False
    """Whether a stream is one JSON object a line, in place of server-sent events."""
    streams: bool = False
    """Whether it streams when the request does not say."""


Page = Callable[[State, Call], Any]
"""Body, or `Answer`, of a path that takes no prompts."""

OPENAI_ROUTES: Mapping[str, Route] = MappingProxyType(
    {"/v1/chat/completions": Route(), "/v1/completions": Route()},
)


def _scripted(_state: State, _call: Call, reply: Reply) -> Reply:
    return reply


def _error(_path: str, message: str, status: int) -> Any:  # noqa: ANN401 - JSON
    return error_body(message, status)


def _missing(call: Call) -> Answer:
    return Answer(404, error_body(f"no such page: {call.method} {call.path}", 404))


class Dialect(Struct, frozen=True, kw_only=True):
    """How one runtime speaks, its faults included."""

    name: str
    routes: Mapping[str, Route] = OPENAI_ROUTES
    pages: Mapping[str, Page] = {}
    """By method and path, `GET /health`; a star stands for anything."""
    respond: Callable[[State, Call, Reply], Reply | Answer] = _scripted
    """Turns a scripted reply into this runtime's reply to the request; an `Answer` where it refuses."""
    error: Callable[[str, str, int], Any] = _error
    """Body of an error, from the path, the message and the status."""
    missing: Callable[[Call], Answer] = _missing
    """What a path that does not exist is answered with."""
    loading: Callable[[Call], Answer] = lambda _call: Answer(503, error_body("Loading model", 503))
    open_paths: tuple[str, ...] = ()
    """Beginnings of paths that need no key."""
    headers: Mapping[str, str] = {}
    http: Literal["1.0", "1.1"] = "1.1"
    opening: str = ""
    """Comments at the beginning of a stream."""
    padded: bool = False
    """Whether a reply that is not streamed begins with a space, before it is known whether it will succeed."""


def state_of(models: tuple[FakeModel, ...]) -> State:
    """Return the state that a server starts in."""
    loaded = {model.id: {"context": model.served_context} for model in models if model.loaded}
    return State(models={model.id: model for model in models}, loaded=loaded)


def listing(state: State, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the models as OpenAI lists them, with further keys."""
    return {"object": "list", "data": [{"id": name, "object": "model", **more} for name in state.models]}


def template_switch(body: Mapping[str, Any], model: FakeModel) -> bool:
    """Whether a model thinks whose template is switched by `chat_template_kwargs`."""
    asked = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
    obeyed = isinstance(asked, bool) and model.obeys and model.thinking is not None
    return bool(asked if obeyed else model.thinking)


def spoken(reply: Reply, field: Literal["reasoning_content", "reasoning"] | None = None, *, thinks: bool) -> Reply:
    """Return a reply with its thoughts in this server's field, or without them when thinking is off."""
    if not thinks:
        return replace(reply, reasoning="", thinking_cut=False)
    return replace(reply, reasoning_field=field or reply.reasoning_field)


PLAIN = Dialect(
    name="openai",
    pages={
        "GET /v1/models": lambda state, _call: listing(state, owned_by="fake"),
        "GET /health": lambda _state, _call: {"status": "ok"},
    },
)
"""Any server that speaks OpenAI's protocol, without faults."""
