"""Recognise a kind of server, and its models, by what its pages hold; nothing is asked here."""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from servers.http import NO_REPLY, HttpReply
from servers.spec import RuntimeName

NAMES: dict[RuntimeName, str] = {
    "llama_server": "llama-server",
    "mlx_lm": "mlx_lm.server",
    "omlx": "oMLX",
    "ollama": "Ollama",
    "lm_studio": "LM Studio",
    "vllm": "vLLM",
    "openai": "an OpenAI-compatible server",
}

MODELS, _FRONT = "models", "/"
PAGES: tuple[str, ...] = (
    "/props",
    "/health",
    "/version",
    "/api/version",
    "/api/ps",
    "/api/tags",
    "/api/status",
    "/v1/models/status",
    "/api/v0/models",
    "/api/v1/models",
    _FRONT,
)
"""What distinguishes the runtimes, beside the list of models."""
_ANSWERS = frozenset({"llm", "vlm"})
"""Types of models that can be asked a question, as LM Studio and oMLX call them."""
_OTHER_TYPES = frozenset(
    {
        *("embedding", "embeddings", "text-embedding", "feature-extraction", "sentence-similarity", "embed"),
        *("rerank", "reranker", "reranking", "text-ranking", "moderation", "image", "text-to-image"),
        *("audio", "tts", "stt", "text-to-speech", "speech-to-text", "transcription", "automatic-speech-recognition"),
    }
)
"""What other servers call models that cannot be asked one."""
_NO_ANSWERS = re.compile(
    # Families, at the beginning of a name or behind its owner's: elsewhere e5 may be an epoch.
    r"(?:^|_)(?:all-minilm|all-mpnet|all-distilroberta|paraphrase-m|multi-qa-m|ms-marco-m|bge-|gte-|stella_en_"
    r"|(?:multilingual-)?e5-|labse|colbert|(?:faster-|distil-)?whisper-(?:\d|tiny|base|small|medium|large|turbo)"
    r"|tts-\d|dall-e|stable-diffusion)"
    # Words of their own, anywhere.
    r"|(?:^|[_.:-])(?:embed|embeddings?|embedder|embeddinggemma|rerank(?:er)?|minilm)(?:$|[_.:-]|v?\d)"
)
_CHATS = re.compile(r"(?:^|[_.:-])chat(?:$|[_.:-])")
_OWNERS_WITHOUT_ANSWERS = ("sentence-transformers/", "cross-encoder/")


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model that a server offers."""

    id: str
    loaded: bool | None = None
    """None where the server does not report it."""
    context: int | None = None
    """Tokens, as loaded; where it is not loaded, as it would be."""


class Running(Struct, frozen=True, kw_only=True):
    """A server that answers."""

    runtime: RuntimeName
    base_url: str
    """Up to and including `/v1`."""
    version: str | None = None
    models: tuple[ListedModel, ...] = ()
    """Those that can be asked a question, as far as the server reports it."""
    loading: bool = False
    """Whether it is still loading its only model."""
    wants_key: bool = False
    """Whether it answers only those who send a key."""
    key_refused: bool = False
    """Whether it does not take the key that was sent."""

    @property
    def name(self) -> str:
        """What the runtime is called."""
        return NAMES[self.runtime]


def identify(base_url: str, pages: Mapping[str, HttpReply]) -> Running | None:
    """Decide from what the pages hold, never from their status alone, who answers; None where no model server does."""
    runtime = _runtime(pages)
    if runtime is None:
        return None
    version = {
        "llama_server": pages["/props"].text("build_info"),
        "omlx": pages["/api/status"].text("version"),
        "ollama": pages["/api/version"].text("version"),
        "vllm": pages["/version"].text("version"),
    }
    models = {
        "omlx": _omlx_models,
        "ollama": _ollama_models,
        "lm_studio": _lm_studio_models,
        "llama_server": _llama_server_models,
    }
    listed = models.get(runtime, _openai_models)(pages)
    return Running(
        runtime=runtime,
        base_url=base_url,
        version=version.get(runtime),
        models=tuple({model.id: model for model in listed}.values()),
        loading=_is_loading(pages[MODELS]),
        # llama-server shows its models to everybody, and the rest to those with the key.
        wants_key=_refuses(pages[MODELS]) or (runtime == "llama_server" and _refuses(pages["/props"])),
    )


def _runtime(pages: Mapping[str, HttpReply]) -> RuntimeName | None:
    signs: tuple[tuple[RuntimeName, Callable[[Mapping[str, HttpReply]], bool]], ...] = (
        ("llama_server", _is_llama_server),
        ("omlx", _is_omlx),
        ("lm_studio", _is_lm_studio),
        ("ollama", _is_ollama),
        ("vllm", _is_vllm),
        ("mlx_lm", _is_mlx_lm),
        ("openai", _is_openai),
    )
    return next((runtime for runtime, fits in signs if fits(pages)), None)


def _owners(pages: Mapping[str, HttpReply]) -> set[str | None]:
    return {model.text("owned_by") for model in pages[MODELS].objects("data")} - {None}


def _is_llama_server(pages: Mapping[str, HttpReply]) -> bool:
    owners, props = _owners(pages), pages["/props"]
    # Others have a /props too, but not these two things on it, and they own their models.
    build = not owners and bool(props.text("build_info")) and isinstance(props.get("default_generation_settings"), dict)
    return "llamacpp" in owners or build or _is_loading(pages[MODELS])


def _is_omlx(pages: Mapping[str, HttpReply]) -> bool:
    status = pages["/api/status"]
    discovered = status.get("models_discovered") is not None and isinstance(status.get("loaded_models"), list)
    return "omlx" in _owners(pages) or discovered or isinstance(pages["/health"].get("engine_pool"), dict)


def _is_ollama(pages: Mapping[str, HttpReply]) -> bool:
    # Servers that imitate Ollama have its version page too.
    return bool(pages["/api/version"].text("version")) and pages[_FRONT].raw.startswith("Ollama is running")


def _is_vllm(pages: Mapping[str, HttpReply]) -> bool:
    listed = pages[MODELS]
    wants_key = listed.status == 401 and listed.body == {"error": "Unauthorized"}
    return bool(pages["/version"].text("version")) and ("vllm" in _owners(pages) or wants_key)


def _is_mlx_lm(pages: Mapping[str, HttpReply]) -> bool:
    health = pages["/health"]
    python = health.headers.get("server", "").startswith("BaseHTTP/")
    healthy = python and health.body in ({"status": "ok"}, {"status": "unavailable"})
    # Other servers in plain Python say so too. This one says who owns its models nowhere, and where it has no page
    # these two words, which are no JSON.
    lost = any(pages[page].raw == "Not Found" for page in ("/props", "/version", "/api/version"))
    return healthy and lost and not _owners(pages)


def _is_openai(pages: Mapping[str, HttpReply]) -> bool:
    return _is_list(pages[MODELS]) or _refuses(pages[MODELS])


def _is_loading(models: HttpReply) -> bool:
    """Whether llama.cpp's server answers every page with the error that it is not ready."""
    named = models.headers.get("server") == "llama.cpp"
    return named and models.status == 503 and models.get("error", "type") == "unavailable_error"


def _is_lm_studio(pages: Mapping[str, HttpReply]) -> bool:
    native = [model.get("loaded_instances") for model in pages["/api/v1/models"].objects("models")]
    older = [model.text("compatibility_type") for model in pages["/api/v0/models"].objects("data")]
    # It answers so, with status 200, wherever it has no page.
    lost = (pages["/props"].text("error") or "").startswith("Unexpected endpoint or method")
    return lost or any(isinstance(instances, list) for instances in native) or any(older)


def may_answer(model_id: str) -> bool:
    """Whether a model may answer questions, by its name: False for well-known embedding models, rerankers and speech.

    A name is a guess, so it decides only which model is offered, never which can be asked.
    """
    name = model_id.lower().rstrip("/").rpartition("/")[2]
    if model_id.startswith(_OWNERS_WITHOUT_ANSWERS):
        return False
    return not _NO_ANSWERS.search(name) or _CHATS.search(name) is not None


def _is_list(models: HttpReply) -> bool:
    data = models.get("data")
    return (
        models.status == 200
        and isinstance(data, list)
        and (not data or any(model.text("id") for model in models.objects("data")))
    )


def _refuses(page: HttpReply) -> bool:
    """Whether a key is wanted, as model servers say it: a web application answers with a page, or asks for a name."""
    as_servers_do = isinstance(page.body, dict) and ("error" in page.body or "detail" in page.body)
    return page.status in (401, 403) and as_servers_do


def _openai_models(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    models = pages[MODELS].objects("data")
    return [
        # vLLM lists what it has loaded, and with which context; an unknown server's silence is None.
        ListedModel(
            id=name,
            loaded=True if model.text("owned_by") == "vllm" else None,
            context=model.number("max_model_len"),
        )
        for model in models
        if (name := model.text("id")) and not _is_of_another_type(model)
    ]


def _is_of_another_type(model: HttpReply) -> bool:
    """Whether a server of any kind reports that a model makes no text: by a type, or by what it is capable of."""
    types = {str(model.get(name)).lower() for name in ("type", "model_type", "task")}
    capable = model.get("capabilities")
    if isinstance(capable, dict):
        return capable.get("completion_chat") is False or not types.isdisjoint(_OTHER_TYPES)
    embeds = isinstance(capable, list) and bool(capable) and all(str(word) in _OTHER_TYPES for word in capable)
    return embeds or not types.isdisjoint(_OTHER_TYPES)


def _llama_server_models(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the list; only a router reports the state of each, any other server has its one model loaded."""
    own = pages["/props"].number("default_generation_settings", "n_ctx")
    listed = []
    for model in pages[MODELS].objects("data"):
        state, context = model.text("status", "value"), model.number("meta", "n_ctx")
        if name := model.text("id"):
            listed.append(ListedModel(id=name, loaded=state in (None, "loaded"), context=context or own))
    return listed


def _omlx_models(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the list, which names models by their alias, and the state of each, which names them by their id."""
    states: dict[str | None, HttpReply] = {}
    for state in pages["/v1/models/status"].objects("models"):
        states |= {state.text("id"): state, state.text("model_alias"): state}
    listed = []
    for model in _openai_models(pages):
        state = states.get(model.id, NO_REPLY)
        if state.text("model_type") in (None, *_ANSWERS):
            context = state.number("max_context_window") or model.context
            listed.append(ListedModel(id=model.id, loaded=_yes_or_no(state.get("loaded")), context=context))
    return listed


def _ollama_models(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    awake = pages["/api/ps"].get("models")
    contexts = {model.text("name"): model.number("context_length") for model in pages["/api/ps"].objects("models")}
    known = isinstance(awake, list)
    embedders = {model.text("name") for model in pages["/api/tags"].objects("models") if _embeds(model)}
    return [
        ListedModel(id=model.id, loaded=model.id in contexts if known else None, context=contexts.get(model.id))
        for model in _openai_models(pages)
        if model.id not in embedders
    ]


def _embeds(model: HttpReply) -> bool:
    """Whether a model of Ollama's makes embeddings only: by its capabilities where they are listed, else by its family.

    Families that write no text are BERT and its descendants: bert, nomic-bert, nomic-bert-moe.
    """
    capabilities, families = model.get("capabilities"), model.get("details", "families")
    if isinstance(capabilities, list) and capabilities:
        return "completion" not in capabilities
    listed = families if isinstance(families, list) else []
    return any("bert" in str(family) for family in (*listed, model.text("details", "family")))


def _lm_studio_models(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the native list, of version 1 or else of version 0; models that are on the OpenAI list alone come last."""
    listed, others = _lm_studio_v1(pages["/api/v1/models"])
    if not listed:
        listed, more_others = _lm_studio_v0(pages["/api/v0/models"])
        others |= more_others
    known = {model.id for model in listed} | others
    return listed + [model for model in _openai_models(pages) if model.id not in known]


def _lm_studio_v1(page: HttpReply) -> tuple[list[ListedModel], set[str | None]]:
    """Return models that can be asked, and the names of all others.

    Each instance of a loaded model has a name of its own, under which it is asked.
    """
    listed: list[ListedModel] = []
    others: set[str | None] = set()
    for model in page.objects("models"):
        key, instances = model.text("key"), model.objects("loaded_instances")
        loaded = {name: instance for instance in instances if (name := instance.text("id"))}
        if not _answers(model):
            others |= {key, *loaded}
        elif loaded:
            contexts = {name: instance.number("config", "context_length") for name, instance in loaded.items()}
            listed += [ListedModel(id=name, loaded=True, context=context) for name, context in contexts.items()]
        elif key:
            listed.append(ListedModel(id=key, loaded=False))
    return listed, others


def _lm_studio_v0(page: HttpReply) -> tuple[list[ListedModel], set[str | None]]:
    """Return models that can be asked, and the names of all others."""
    listed: list[ListedModel] = []
    others: set[str | None] = set()
    for model in page.objects("data"):
        name, context = model.text("id"), model.number("loaded_context_length")
        if not _answers(model):
            others.add(name)
        elif name:
            listed.append(ListedModel(id=name, loaded=model.get("state") == "loaded", context=context))
    return listed, others


def _answers(model: HttpReply) -> bool:
    """Whether a model of LM Studio's can be asked a question, as far as its type is known."""
    return model.text("type") in (None, *_ANSWERS)


def _yes_or_no(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
