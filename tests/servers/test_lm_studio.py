"""LM Studio is asked in its own words; what it cannot be told, or was found not to do, is said."""

import re
from typing import Any

import msgspec
import pytest

from servers.errors import ServerError
from servers.fake import Answer, FakeModel, FakeServer, Reply
from servers.fake.dialects import LM_STUDIO
from servers.http import fetch
from servers.runtime.lm_studio import facts, request, unsent
from servers.spec import Prompt, Sampling, Server, ServerFacts, ServerSpec

KEY = "google/gemma-4-26b-a4b"
# As in the public documentation of GET /api/v1/models.
GEMMA: dict[str, Any] = {
    "type": "llm",
    "key": KEY,
    "architecture": "gemma4",
    "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
    "size_bytes": 17990911801,
    "loaded_instances": [{"id": KEY, "config": {"context_length": 4096, "parallel": 4, "flash_attention": True}}],
    "max_context_length": 262144,
    "format": "gguf",
    "capabilities": {"vision": True, "reasoning": {"allowed_options": ["off", "on"], "default": "on"}},
    "variants": [f"{KEY}@q4_k_m", f"{KEY}@q8_0"],
    "selected_variant": f"{KEY}@q4_k_m",
}
# As in the public documentation of POST /api/v0/completions.
RUNTIME = {"name": "llama.cpp-mac-arm64-apple-metal-advsimd", "version": "1.3.0", "supported_formats": ["gguf"]}
UNKNOWN = {"error": "Unexpected endpoint or method. (GET /x)"}


def attached(base_url: str = "http://x:1234/v1", **more: Any) -> Server:
    spec = ServerSpec(**{"runtime": "lm_studio", "model": KEY, "base_url": base_url, **more})
    return Server(spec=spec, base_url=base_url, model=KEY, engine="LM Studio running already")


CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
NEUTRAL = {
    "temperature": 0.0,
    "max_tokens": 4096,
    "top_p": 1.0,
    "top_k": 0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [(None, {}), (True, {"reasoning_effort": "medium"}), (False, {"reasoning_effort": "none"})],
    ids=["default", "on", "off"],
)
def test_a_chat_says_all_and_switches_thinking_by_effort(thinking: bool | None, effort: dict[str, str]) -> None:
    url, body = request(attached(thinking=thinking), CHAT, Sampling(), stream=True)

    assert url == "http://x:1234/api/v0/chat/completions"
    asked = {"model": KEY, "messages": [{"role": "user", "content": "hi"}]}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert body == {**asked, **NEUTRAL, **effort, **streamed}


def test_raw_text_goes_to_completions_without_a_switch() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=20, min_p=0.1, seed=7, max_tokens=9)
    url, body = request(attached(thinking=True), Prompt(text="def f", stop=("\n",)), sampling, stream=False)

    assert url == "http://x:1234/api/v0/completions"
    drawn = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 7, "max_tokens": 9}
    assert body == {"model": KEY, "prompt": "def f", **NEUTRAL, **drawn, "stop": ["\n"], "stream": False}


@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        pytest.param(Sampling(), False, id="greedy"),
        pytest.param(Sampling(temperature=0.7), True, id="drawn"),
        pytest.param(Sampling(min_p=0.1), True, id="asked-for"),
    ],
)
def test_min_p_is_named_where_it_matters(sampling: Sampling, said: bool) -> None:
    found = unsent(ServerSpec(runtime="lm_studio", model=KEY), sampling)

    assert [sentence.partition(",")[0] for sentence in found] == (["min_p is not sent"] if said else [])


def pages(model: dict[str, Any], v0: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "/api/v1/models": {"models": [{"key": "other"}, model]} if model else UNKNOWN,
        "/api/v0/models": {"data": [v0]} if v0 else UNKNOWN,
        "POST /api/v0/completions": {"choices": [{"text": "a"}], "runtime": RUNTIME},
    }


async def facts_of(answers: dict[str, Any], **settings: Any) -> ServerFacts:
    async with FakeServer(Reply(), pages=answers) as fake:
        return await facts(attached(fake.base_url, **settings))


async def test_a_running_lm_studio_tells_what_it_has_loaded() -> None:
    assert await facts_of(pages(GEMMA)) == ServerFacts(
        runtime="lm_studio",
        engine="LM Studio running already",
        version="llama.cpp-mac-arm64-apple-metal-advsimd 1.3.0",
        model_id=KEY,
        model_bytes=17990911801,
        quantization="Q4_K_M (gguf)",
        context=4096,
        slots=4,
        thinking_default=True,
    )


async def test_an_lm_studio_before_0_4_tells_less() -> None:
    v0 = {"id": KEY, "compatibility_type": "mlx", "quantization": "4bit", "loaded_context_length": 8192}
    facts = await facts_of(pages({}, {**v0, "state": "loaded", "max_context_length": 32768}), thinking=True)

    assert (facts.quantization, facts.context, facts.slots, facts.model_id) == ("4bit (mlx)", 8192, None, KEY)
    assert (facts.thinking_default, facts.unmet) == (None, ())


async def test_of_several_copies_the_one_that_is_asked_is_told() -> None:
    copies = [{"id": "x", "config": {"context_length": 1}}, {"id": KEY, "config": {"context_length": 2}}]

    assert (await facts_of(pages({**GEMMA, "loaded_instances": copies}))).context == 2


@pytest.mark.parametrize(
    ("reasoning", "thinking", "said"),
    [
        pytest.param({"allowed_options": ["off", "on"]}, True, [], id="on"),
        pytest.param({"allowed_options": ["off", "on"]}, False, [], id="off"),
        pytest.param(
            {"allowed_options": ["on"]}, False, ["turned off: of this model, LM Studio allows on"], id="always"
        ),
        pytest.param({"allowed_options": ["low", "high"]}, False, ["LM Studio allows low, high"], id="always-some"),
        pytest.param({"allowed_options": ["low", "high"]}, True, [], id="some"),
        pytest.param({"allowed_options": ["off"]}, True, ["cannot be turned on"], id="never"),
        pytest.param(None, True, ["cannot be turned on: LM Studio has no reasoning setting"], id="no-reasoning"),
        pytest.param(None, False, [], id="no-reasoning-to-turn-off"),
        pytest.param(None, None, [], id="not-asked"),
    ],
)
async def test_a_switch_that_the_model_lacks_is_told(
    reasoning: dict[str, Any] | None, thinking: bool | None, said: list[str]
) -> None:
    capabilities = {"vision": False} | ({"reasoning": reasoning} if reasoning else {})
    unmet = (await facts_of(pages({**GEMMA, "capabilities": capabilities}), thinking=thinking)).unmet

    assert len(unmet) == len(said)
    assert all(part in sentence for part, sentence in zip(said, unmet, strict=True))


async def test_a_model_that_is_loaded_too_small_is_told_and_left_alone() -> None:
    async with FakeServer(Reply(), pages=pages(GEMMA)) as fake:
        unmet = (await facts(attached(fake.base_url, context=9000, slots=8))).unmet
        posted = [call.path for call in fake.calls if call.method == "POST"]

    assert [sentence.partition(":")[0] for sentence in unmet] == [
        "the model is loaded with a context of 4096 tokens for 4 questions at once, where 9000 are needed for each",
        "LM Studio works on 4 question(s) at once, not on 8",
    ]
    assert posted == ["/api/v0/completions"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": {"type": "model_load_failed", "message": "no room"}}, "no room"),
        ({"error": "Unexpected endpoint or method. (POST /x)"}, "Unexpected endpoint"),
        (Answer(500, "broken"), "broken"),
    ],
    ids=["error", "200-to-everything", "no-json"],
)
async def test_a_model_that_cannot_be_loaded_is_told(answer: Any, words: str) -> None:
    answers = {**pages({**GEMMA, "loaded_instances": []}), "POST /api/v1/models/load": answer}
    with pytest.raises(ServerError, match=rf"could not load {KEY} \({words}.*: load it there"):
        await facts_of(answers)


async def test_a_model_that_is_not_loaded_is_loaded_once_and_large_enough() -> None:
    model = FakeModel(id=KEY, loaded=False, context=32768)
    async with FakeServer(Reply(), dialect=LM_STUDIO, models=[model]) as fake:
        server = attached(fake.base_url, context=9000, slots=2)
        first, second = await facts(server), await facts(server)
        loads = [call.body for call in fake.calls if call.path == "/api/v1/models/load"]

    assert loads == [{"model": KEY, "context_length": 18000}]
    assert (first.context, first.unmet) == (9000, ())
    assert second == first


LOADED = "the model is loaded with a context of"


@pytest.mark.parametrize(
    ("settings", "loaded", "form", "context", "said"),
    [
        pytest.param({"context": 8192}, 8192, "gguf", 8192, [], id="one-alone-may-take-all"),
        pytest.param({"context": 2048, "slots": 4}, 8192, "gguf", 2048, [], id="four-share-it"),
        pytest.param(
            {"context": 8192, "slots": 4},
            8192,
            "gguf",
            2048,
            [f"{LOADED} 8192 tokens for 4 questions at once, where 8192 are needed for each: .* lower concurrency"],
            id="four-want-it-all",
        ),
        pytest.param({"context": 8192, "slots": 4}, 32768, "gguf", 8192, [], id="four-times-enough"),
        pytest.param(
            {"context": 9000},
            8192,
            "gguf",
            8192,
            [f"{LOADED} 8192 tokens where 9000 .* smaller max_tokens"],
            id="small",
        ),
        pytest.param({"context": 8192, "slots": 4}, 8192, "mlx", 8192, [], id="mlx-gives-it-to-each"),
    ],
)
async def test_what_each_question_gets_of_a_shared_context_is_told(
    settings: dict[str, Any], loaded: int, form: str, context: int, said: list[str]
) -> None:
    instance = {"id": KEY, "config": {"context_length": loaded, "parallel": 4}}
    facts = await facts_of(pages({**GEMMA, "loaded_instances": [instance], "format": form}), **settings)

    assert facts.context == context
    assert len(facts.unmet) == len(said)
    assert all(re.search(words, sentence) for words, sentence in zip(said, facts.unmet, strict=True))


@pytest.mark.parametrize(
    ("context", "form", "length", "each", "unmet"),
    [
        pytest.param(8192, "gguf", 32768, 8192, 0, id="four-times-8192"),
        pytest.param(32768, "gguf", 32768, 8192, 1, id="no-more-than-the-model-takes"),
        pytest.param(32768, "mlx", 32768, 32768, 0, id="mlx-takes-no-more-for-four"),
    ],
)
async def test_a_model_is_loaded_with_room_for_all_questions_in_flight(
    context: int, form: Any, length: int, each: int, unmet: int
) -> None:
    model = FakeModel(id=KEY, loaded=False, context=32768, format=form)
    async with FakeServer(Reply(), dialect=LM_STUDIO, models=[model]) as fake:
        found = await facts(attached(fake.base_url, context=context, slots=4))
        loads = [call.body["context_length"] for call in fake.calls if call.path == "/api/v1/models/load"]

    assert (loads, found.context, len(found.unmet)) == ([length], each, unmet)


@pytest.mark.parametrize(
    ("thinking", "reasoning"), [(None, "hm"), (True, "hm"), (False, None)], ids=["default", "on", "off"]
)
async def test_the_switch_for_thinking_works(thinking: bool | None, reasoning: str | None) -> None:
    async with FakeServer(Reply(text="B", reasoning="hm"), dialect=LM_STUDIO, models=[KEY]) as fake:
        url, body = request(attached(fake.base_url, thinking=thinking), CHAT, Sampling(), stream=False)
        reply = await fetch(url, post=body)

    assert reply.text("choices", 0, "message", "reasoning_content") == reasoning
    assert reply.text("stats", "stop_reason") == "eosFound"


ODD: list[Any] = [1234, "4", "", -1, 0.5, True, None, {}, [], [1], {"a": "b"}, 10**30]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_facts_survive_pages_of_any_shape(odd: Any) -> None:
    entry = {**dict.fromkeys((*GEMMA, "capabilities", "compatibility_type"), odd), "key": KEY, "id": KEY}
    instances = [
        odd,
        {"id": odd, "config": odd},
        {"id": KEY, "config": dict.fromkeys(("context_length", "parallel"), odd)},
    ]
    for models in (
        odd,
        [odd],
        [odd, {**entry, "loaded_instances": instances}],
        [{**entry, "loaded_instances": odd or 1}],
    ):
        reply = {"runtime": odd if models is odd else {"name": odd, "version": odd}}
        found = {"/api/v1/models": {"models": models}, "/api/v0/models": {"data": models}}
        told = await facts_of({**found, "POST /api/v0/completions": reply}, thinking=True, context=1, slots=1)

        assert msgspec.json.decode(msgspec.json.encode(told), type=ServerFacts) == told
        assert (told.context, told.thinking_default) in ((None, None), (1234, None), (None, True), (1234, True))
