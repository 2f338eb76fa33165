"""vLLM, which does not run here: its words as its source reads them, its replies as the fake has them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import VLLM
from servers.http import fetch
from servers.launch import launch
from servers.runtime import vllm
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerFacts, ServerSpec

CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
SPEC = ServerSpec(runtime="vllm", model="qwen3", base_url="http://127.0.0.1:8000/v1", context=8192)
MODEL = FakeModel(id="qwen3", context=40960, path="Qwen/Qwen3-8B")


def server(spec: ServerSpec = SPEC, base_url: str = "http://127.0.0.1:8000/v1") -> Server:
    return Server(spec=spec, base_url=base_url, model=spec.model, engine="e")


def test_every_value_is_said_over_the_models_own_defaults() -> None:
    url, body = request(server(), CHAT, Sampling(max_tokens=100), stream=True)

    assert url == "http://127.0.0.1:8000/v1/chat/completions"
    assert body == {
        "model": "qwen3",
        "messages": list(CHAT.messages),
        "temperature": 0.0,
        "max_tokens": 100,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(("top_k", "sent"), [(None, -1), (0, -1), (20, 20)], ids=["unsaid", "all", "some"])
def test_all_tokens_are_drawn_from_in_the_one_way_that_every_version_takes(top_k: int | None, sent: int) -> None:
    assert request(server(), CHAT, Sampling(top_k=top_k), stream=False).body["top_k"] == sent


def test_the_studys_values_go_first() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, min_p=0.1, seed=0)
    url, body = request(server(), Prompt(text="def f", stop=("\n",)), sampling, stream=False)

    assert url.endswith("/v1/completions")
    assert (body["prompt"], body["stop"]) == ("def f", ["\n"])
    assert (body["temperature"], body["top_p"], body["min_p"], body["seed"]) == (0.7, 0.9, 0.1, 0)


@pytest.mark.parametrize("thinking", [True, False, None])
def test_thinking_is_said_whenever_the_study_does(thinking: bool | None) -> None:
    to = server(replace(SPEC, thinking=thinking))
    chat, text = (request(to, prompt, Sampling(), stream=False).body for prompt in (CHAT, Prompt(text="x")))

    assert chat.get("chat_template_kwargs") == (None if thinking is None else {"enable_thinking": thinking})
    assert "chat_template_kwargs" not in text


@pytest.mark.parametrize(
    ("spec", "sampling", "sentences"),
    [
        pytest.param({"slots": 8, "thinking": True}, Sampling(seed=1), [], id="all-is-sent"),
        pytest.param({}, Sampling(temperature=0.005), ["temperature 0.005 is sent, but"], id="nearly-greedy"),
        pytest.param({}, Sampling(temperature=0.01), [], id="warm-enough"),
    ],
)
def test_unsent(spec: dict[str, Any], sampling: Sampling, sentences: list[str]) -> None:
    said = vllm.unsent(replace(SPEC, **spec), sampling)

    assert len(said) == len(sentences)
    assert all(one.startswith(begin) for one, begin in zip(said, sentences, strict=True))


@pytest.mark.parametrize(
    ("context", "unmet"),
    [
        pytest.param(40960, [], id="long-enough"),
        pytest.param(4096, ["vLLM gives this model 4096 tokens of context, not 8192 (--max-model-len)"], id="short"),
    ],
)
async def test_facts(context: int, unmet: list[str], tmp_path: Path) -> None:
    async with (
        FakeServer(Reply(), dialect=VLLM, models=[replace(MODEL, context=context)]) as fake,
        launch(replace(SPEC, base_url=fake.base_url), log=tmp_path / "log") as attached,
    ):
        facts = await vllm.facts(attached)

    assert facts == ServerFacts(
        runtime="vllm",
        engine=facts.engine,
        version="0.26.0",
        model_id="qwen3",
        model_path="Qwen/Qwen3-8B",
        context=context,
        unmet=tuple(unmet),
    )


@pytest.mark.parametrize("odd", [None, [], 7, {"data": 7}, {"data": [7]}, {"data": [{"id": "other"}]}], ids=repr)
async def test_pages_of_any_shape_say_nothing(odd: Any) -> None:
    async with FakeServer(Reply(), pages=dict.fromkeys(("/v1/models", "/version"), odd)) as fake:
        assert await vllm.facts(server(SPEC, fake.base_url)) == ServerFacts(runtime="vllm", engine="e")


async def test_a_question_is_answered(tmp_path: Path) -> None:
    async with (
        FakeServer(Reply(text="Paris"), dialect=VLLM, models=[MODEL]) as fake,
        launch(replace(SPEC, base_url=fake.base_url), log=tmp_path / "log") as attached,
    ):
        url, body = request(attached, CHAT, Sampling(), stream=False)

        assert (await fetch(url, post=body)).get("choices", 0, "message", "content") == "Paris"


async def test_it_is_never_launched(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="give the base_url"):
        async with launch(replace(SPEC, base_url=None), log=tmp_path / "log"):
            raise AssertionError
