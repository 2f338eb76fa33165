"""Recognise a kind of server, and its models, by what its pages hold; nothing is asked here."""

from collections.abc import Mapping

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
"""What tells the runtimes apart, beside the list of models."""
_ANSWERS = frozenset({"llm", "vlm"})
"""Types of models that can be asked a question, as LM Studio and oMLX call them."""


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model that a server offers."""

    id: str
    loaded: bool | None = None
    """None where the server does not tell."""
    context: int | None = None
    """Tokens, as loaded; where it is not loaded, as it would be."""


class Running(Struct, frozen=True, kw_only=True):
    """A server that answers."""

    runtime: RuntimeName
    base_url: str
    """Up to and including `/v1`."""
    version: str | None = None
    models: tuple[ListedModel, ...] = ()
    """Those that can be asked a question, as far as the server tells."""
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
    models = {"omlx": _of_omlx, "ollama": _of_ollama, "lm_studio": _of_lm_studio, "llama_server": _of_llama_server}
    listed = models.get(runtime, _of_any)(pages)
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
    listed, props, status = pages[MODELS], pages["/props"], pages["/api/status"]
    owners = {model.text("owned_by") for model in listed.objects("data")} - {None}
    # Others have a /props too, but not these two things on it, and they own their models.
    build = not owners and bool(props.text("build_info")) and isinstance(props.get("default_generation_settings"), dict)
    pool = isinstance(pages["/health"].get("engine_pool"), dict)
    discovered = status.get("models_discovered") is not None and isinstance(status.get("loaded_models"), list)
    # Others have Ollama's version page, to be taken for it.
    ollama = bool(pages["/api/version"].text("version")) and pages[_FRONT].raw.startswith("Ollama is running")
    shut = listed.status == 401 and listed.body == {"error": "Unauthorized"}
    python = pages["/health"].headers.get("server", "").startswith("BaseHTTP/")
    signs: tuple[tuple[RuntimeName, bool], ...] = (
        ("llama_server", "llamacpp" in owners or build or _is_loading(listed)),
        ("omlx", "omlx" in owners or discovered or pool),
        ("lm_studio", _is_lm_studio(pages)),
        ("ollama", ollama),
        ("vllm", bool(pages["/version"].text("version")) and ("vllm" in owners or shut)),
        ("mlx_lm", python and pages["/health"].body in ({"status": "ok"}, {"status": "unavailable"})),
        ("openai", _is_list(listed) or _refuses(listed)),
    )
    return next((runtime for runtime, shown in signs if shown), None)


def _is_loading(models: HttpReply) -> bool:
    """Whether llama.cpp's server says on every page that it is not ready."""
    named = models.headers.get("server") == "llama.cpp"
    return named and models.status == 503 and models.get("error", "type") == "unavailable_error"


def _is_lm_studio(pages: Mapping[str, HttpReply]) -> bool:
    native = [model.get("loaded_instances") for model in pages["/api/v1/models"].objects("models")]
    older = [model.text("compatibility_type") for model in pages["/api/v0/models"].objects("data")]
    # It answers so, with status 200, wherever it has no page.
    lost = (pages["/props"].text("error") or "").startswith("Unexpected endpoint or method")
    return lost or any(isinstance(instances, list) for instances in native) or any(older)


def _is_list(models: HttpReply) -> bool:
    data = models.get("data")
    return models.status == 200 and isinstance(data, list) and (not data or bool(_of_any({MODELS: models})))


def _refuses(page: HttpReply) -> bool:
    """Whether a key is wanted, as model servers say it: a web application answers with a page, or asks for a name."""
    as_servers_do = isinstance(page.body, dict) and ("error" in page.body or "detail" in page.body)
    return page.status in (401, 403) and as_servers_do


def _of_any(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    models = pages[MODELS].objects("data")
    return [
        # vLLM lists what it has loaded, and with which context; an unknown server's silence is None.
        ListedModel(
            id=name,
            loaded=True if model.text("owned_by") == "vllm" else None,
            context=model.number("max_model_len"),
        )
        for model in models
        if (name := model.text("id"))
    ]


def _of_llama_server(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the list; only a router tells the state of each, any other server has its one model loaded."""
    own = pages["/props"].number("default_generation_settings", "n_ctx")
    listed = []
    for model in pages[MODELS].objects("data"):
        state, context = model.text("status", "value"), model.number("meta", "n_ctx")
        if name := model.text("id"):
            listed.append(ListedModel(id=name, loaded=state in (None, "loaded"), context=context or own))
    return listed


def _of_omlx(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the list, which names models by their alias, and the state of each, which names them by their id."""
    states: dict[str | None, HttpReply] = {}
    for state in pages["/v1/models/status"].objects("models"):
        states |= {state.text("id"): state, state.text("model_alias"): state}
    listed = []
    for model in _of_any(pages):
        state = states.get(model.id, NO_REPLY)
        if state.text("model_type") in (None, *_ANSWERS):
            context = state.number("max_context_window") or model.context
            listed.append(ListedModel(id=model.id, loaded=_yes_or_no(state.get("loaded")), context=context))
    return listed


def _of_ollama(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    awake = pages["/api/ps"].get("models")
    contexts = {model.text("name"): model.number("context_length") for model in pages["/api/ps"].objects("models")}
    known = isinstance(awake, list)
    mute = {model.text("name") for model in pages["/api/tags"].objects("models") if _embeds(model)}
    return [
        ListedModel(id=model.id, loaded=model.id in contexts if known else None, context=contexts.get(model.id))
        for model in _of_any(pages)
        if model.id not in mute
    ]


def _embeds(model: HttpReply) -> bool:
    """Whether a model of Ollama's makes vectors alone: by its capabilities where they are listed, else by its family.

    Families that read text and write none are BERT and what came of it: bert, nomic-bert, nomic-bert-moe.
    """
    capabilities, families = model.get("capabilities"), model.get("details", "families")
    if isinstance(capabilities, list) and capabilities:
        return "completion" not in capabilities
    listed = families if isinstance(families, list) else []
    return any("bert" in str(family) for family in (*listed, model.text("details", "family")))


def _of_lm_studio(pages: Mapping[str, HttpReply]) -> list[ListedModel]:
    """Read the native lists; of a model that is loaded each instance has a name of its own, under which it is asked."""
    listed, mute = [], set()
    for model in pages["/api/v1/models"].objects("models"):
        instances = [i for i in model.objects("loaded_instances") if i.text("id")]
        if model.text("type") not in (None, *_ANSWERS):
            mute |= {model.text("key"), *(i.text("id") for i in instances)}
        elif instances:
            listed += [(i.text("id"), True, i.number("config", "context_length")) for i in instances]
        else:
            listed.append((model.text("key"), False, None))
    for model in [] if listed else pages["/api/v0/models"].objects("data"):
        if model.text("type") not in (None, *_ANSWERS):
            mute.add(model.text("id"))
        else:
            listed.append((model.text("id"), model.get("state") == "loaded", model.number("loaded_context_length")))
    known = {name for name, _, _ in listed} | mute
    more = [model for model in _of_any(pages) if model.id not in known]
    return [ListedModel(id=name, loaded=on, context=context) for name, on, context in listed if name] + more


def _yes_or_no(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
