"""The speed of one request alone: by the server's figures or by arrival, never with a cache, never at any price."""

import asyncio
import time
from typing import Any

import pytest

from evaluator.preflight.alone import measure_alone
from evaluator.records import Alone
from evaluator.study.file import parse
from servers.fake import FakeModel, FakeServer, Reply, Script
from servers.fake.dialects import LLAMA_SERVER, LM_STUDIO, MLX_LM, OLLAMA, PLAIN, Dialect
from servers.launch import launch
from servers.runtime.table import RUNTIMES
from servers.spec import ServerFacts, ServerSpec
from tests.support.scripted import prompt_of

STUDY = """
study: s
baseline: a
variants: [{name: a, model: fake, base_url: "http://h/v1"}]
benchmarks: {mmlu_pro: {questions: 5, shots: 0}}
"""
STORY = " ".join(["once upon a time"] * 12)


async def measured(
    script: Script,
    dialect: Dialect = PLAIN,
    *,
    runtime: Any = "openai",
    context: int | None = None,
    seconds: float = 60,
    extra: str = "",
) -> tuple[Alone | None, list[Any]]:
    """Give what was measured, and the prompts that were put for it."""
    async with FakeServer(script, dialect=dialect, models=[FakeModel(id="fake", served_context=8192)]) as fake:
        spec = ServerSpec(runtime=runtime, model="fake", base_url=fake.base_url, slots=4)
        async with launch(spec, log=_NOWHERE) as server:
            fake.prompts.clear()
            facts = ServerFacts(runtime=spec.runtime, engine="e", context=context)
            return await measure_alone(server, parse(STUDY + extra, "s"), facts, seconds=seconds), fake.prompts


_NOWHERE: Any = None


def story(_body: Any, _number: int) -> Reply:
    return Reply(text=STORY, prompt_tokens=400, completion_tokens=48, delay=0.02, pause=0.001)


@pytest.mark.parametrize(
    ("dialect", "runtime", "by_server"),
    [
        pytest.param(LLAMA_SERVER, "llama_server", True, id="llama-server"),
        pytest.param(OLLAMA, "ollama", True, id="ollama"),
        pytest.param(LM_STUDIO, "lm_studio", True, id="lm-studio"),
        pytest.param(MLX_LM, "mlx_lm", False, id="mlx-lm"),
        pytest.param(PLAIN, "openai", False, id="any"),
    ],
)
async def test_every_dialect_has_speeds(dialect: Dialect, runtime: Any, by_server: bool) -> None:
    assert runtime in RUNTIMES
    alone, prompts = await measured(story, dialect, runtime=runtime)

    assert alone is not None
    assert alone.by_server == by_server
    assert (alone.prompt_tokens, alone.tokens) == (400, 48)
    assert (alone.tokens_per_second or 0) > 0
    assert (alone.prompt_tokens_per_second or 0) > 0
    assert (alone.first_token_s or 0) > 0
    assert len(prompts) == 3


async def test_the_servers_own_figures_are_taken_as_they_are() -> None:
    alone, _ = await measured(story, LLAMA_SERVER, runtime="llama_server")

    assert alone is not None
    assert (alone.prompt_tokens_per_second, alone.tokens_per_second) == (100, 50)


async def test_no_two_prompts_begin_alike() -> None:
    texts = [prompt_of(body) for _ in range(2) for body in (await measured(story))[1]]

    assert len({text[:12] for text in texts}) == len(texts) == 6
    assert all("ferry" in text for text in texts)


@pytest.mark.parametrize(("context", "longest"), [(None, 2000), (8192, 2000), (512, 1200), (64, 400)])
async def test_the_prompt_fits_the_context(context: int | None, longest: int) -> None:
    _, prompts = await measured(story, context=context)

    assert max(len(prompt_of(body)) for body in prompts) <= longest


async def test_a_prompt_out_of_a_cache_has_no_speed() -> None:
    cached = Reply(
        text=STORY,
        prompt_tokens=400,
        completion_tokens=48,
        extra={"timings": {"cache_n": 399, "prompt_per_second": 9e9, "predicted_per_second": 20.0}},
    )

    alone, _ = await measured(cached, LLAMA_SERVER, runtime="llama_server")

    assert alone is not None
    assert (alone.prompt_tokens_per_second, alone.tokens_per_second) == (None, 20)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(status=500, error="out of memory"), id="refuses"),
        pytest.param(Reply(fault="refuse"), id="hangs-up"),
        pytest.param(Reply(text=""), id="says-nothing"),
        pytest.param(Reply(text="Hi.", completion_tokens=1, usage=False), id="too-short"),
        pytest.param(Reply(text=STORY, delay=30), id="too-slow"),
    ],
)
@pytest.mark.usefixtures("hasty")
async def test_what_cannot_be_measured_is_unknown_and_no_error(reply: Reply) -> None:
    began = time.monotonic()
    alone, _ = await measured(reply, seconds=2)

    assert alone is None or alone.tokens_per_second is None
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "figure",
    [float("nan"), float("inf"), -1, 0, True, "fast", None, [], 10**400],
    ids=["nan", "inf", "negative", "0", "true", "word", "null", "list", "larger-than-any-float"],
)
async def test_figures_of_any_kind_do_no_harm(figure: Any) -> None:
    odd = Reply(
        text=STORY,
        prompt_tokens=400,
        completion_tokens=48,
        pause=0.001,
        extra={"timings": {"prompt_per_second": figure, "predicted_per_second": figure, "cache_n": figure}},
    )

    alone, _ = await measured(odd, LLAMA_SERVER, runtime="llama_server")

    assert alone is not None
    assert alone.by_server is False


async def test_a_server_that_is_gone_is_no_error_of_the_measurement() -> None:
    async with FakeServer(story) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url)
        async with launch(spec, log=_NOWHERE) as server:
            pass
    await asyncio.sleep(0)

    assert await measure_alone(server, parse(STUDY, "s"), ServerFacts(runtime="openai", engine="e")) is None
