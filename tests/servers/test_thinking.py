"""Whether the switch for thinking reaches the prompt is proved, or unknown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from servers import thinking
from servers.fake import FakeServer, Reply
from servers.fake.dialects import LLAMA_ROUTER, LLAMA_SERVER, LM_STUDIO, OLLAMA, Dialect
from servers.fake.spec import FakeModel
from servers.http import HttpReply
from servers.launch import launch
from servers.probe import probe
from servers.spec import RuntimeName, Server, ServerSpec
from servers.thinking import switch

# As llama.cpp b11434 rendered them with the templates of Gemma 4 and Qwen 3.
GEMMA_ON = "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\n2+2?<turn|>\n<|turn>model\n"
GEMMA_OFF = "<bos><|turn>user\n2+2?<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
QWEN_ON = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
QWEN_OFF = f"{QWEN_ON}<think>\n\n</think>\n\n"


def server_of(fake: FakeServer, runtime: str, *, thinking: bool | None = True, command: tuple[str, ...] = ()) -> Server:
    spec = ServerSpec(runtime=runtime, model="fake", thinking=thinking)  # type: ignore[arg-type]
    return Server(spec=spec, base_url=fake.base_url, model="fake", engine="e", command=command)


@pytest.mark.parametrize(
    ("dialect", "others"), [(LLAMA_SERVER, []), (LLAMA_ROUTER, [FakeModel(id="a")])], ids=["one-model", "router"]
)
@pytest.mark.parametrize(
    ("model", "found"),
    [
        pytest.param(FakeModel(id="fake", thinking=True), (True, True), id="thinks"),
        pytest.param(FakeModel(id="fake", thinking=False), (True, False), id="thinks-when-asked"),
        pytest.param(FakeModel(id="fake", obeys=False), (False, None), id="deaf"),
        pytest.param(FakeModel(id="fake", thinking=None), (False, None), id="cannot"),
    ],
)
async def test_llama_server_shows_the_prompt(
    dialect: Dialect, others: list[FakeModel], model: FakeModel, found: tuple[bool | None, bool | None]
) -> None:
    async with FakeServer(Reply(), dialect=dialect, models=[*others, model]) as fake:
        assert await switch(server_of(fake, "llama_server", thinking=None)) == found
        assert not fake.prompts


@pytest.mark.parametrize(
    ("on", "off", "plain", "found"),
    [
        pytest.param(GEMMA_ON, GEMMA_OFF, GEMMA_ON, (True, True), id="gemma-4"),
        pytest.param(QWEN_ON, QWEN_OFF, QWEN_ON, (True, True), id="qwen-3"),
        pytest.param(QWEN_ON, QWEN_OFF, QWEN_OFF, (True, False), id="off-at-launch"),
        pytest.param(QWEN_ON, QWEN_OFF, "third", (True, None), id="third"),
        pytest.param(QWEN_ON, QWEN_ON, QWEN_ON, (False, None), id="deaf"),
        pytest.param(QWEN_ON, 7, QWEN_ON, (None, None), id="no-text"),
        pytest.param("", "", "", (None, None), id="empty"),
    ],
)
async def test_prompts_are_compared_whole(
    monkeypatch: pytest.MonkeyPatch, on: Any, off: Any, plain: Any, found: tuple[bool | None, bool | None]
) -> None:
    async def fetch(url: str, *, post: dict[str, Any], **_: object) -> HttpReply:
        assert url.endswith("/apply-template")
        said = {True: on, False: off, None: plain}[post.get("chat_template_kwargs", {}).get("enable_thinking")]
        return HttpReply(200, {"prompt": said})

    monkeypatch.setattr(thinking, "fetch", fetch)
    async with FakeServer(Reply()) as fake:
        assert await switch(server_of(fake, "llama_server")) == found


def counted(on: int, off: int, plain: int) -> Callable[[Any, int], Reply]:
    """Return a script whose prompts have so many tokens, however the runtime puts the switch."""

    def reply(body: Any, _: int) -> Reply:
        said = body.get("think", (body.get("chat_template_kwargs") or {}).get("enable_thinking"))
        if "reasoning_effort" in body:
            said = body["reasoning_effort"] != "none"
        assert body.get("max_tokens", (body.get("options") or {}).get("num_predict")) == 1
        assert not body["stream"]
        return Reply(prompt_tokens={True: on, False: off, None: plain}[said])

    return reply


TOKENS = [name for name in get_args(RuntimeName) if name not in ("llama_server", "ollama", "lm_studio")]


@pytest.mark.parametrize("runtime", TOKENS)
@pytest.mark.parametrize(
    ("counts", "found", "cost"),
    [
        pytest.param((46, 55, 46), (True, True), 3, id="thinks"),
        pytest.param((46, 55, 55), (True, False), 3, id="does-not"),
        pytest.param((46, 55, 50), (True, None), 3, id="third"),
        pytest.param((46, 46, 46), (None, None), 2, id="equal-numbers-prove-nothing"),
    ],
)
async def test_of_others_the_tokens_are_counted(
    runtime: str, counts: tuple[int, int, int], found: tuple[bool | None, bool | None], cost: int
) -> None:
    async with FakeServer(counted(*counts)) as fake:
        assert await switch(server_of(fake, runtime)) == found
        assert len(fake.requests) == cost


@pytest.mark.parametrize(("runtime", "dialect"), [("ollama", OLLAMA), ("lm_studio", LM_STUDIO)])
async def test_those_with_words_of_their_own_are_counted_too(runtime: str, dialect: Dialect) -> None:
    async with FakeServer(counted(46, 55, 46), dialect=dialect) as fake:
        assert await switch(server_of(fake, runtime)) == (True, True)


@pytest.mark.parametrize(
    ("runtime", "thinking", "command", "asks"),
    [
        pytest.param("mlx_lm", None, ("mlx_lm.server",), True, id="ours-and-silent"),
        pytest.param("omlx", None, ("omlx",), True, id="ours-and-silent-too"),
        pytest.param("mlx_lm", False, ("mlx_lm.server",), True, id="ours"),
        pytest.param("vllm", None, (), True, id="attached"),
        pytest.param("openai", None, (), False, id="unknown-and-silent"),
        pytest.param("openai", True, (), True, id="unknown"),
    ],
)
async def test_no_more_is_asked_than_is_of_use(
    runtime: str, thinking: bool | None, command: tuple[str, ...], asks: bool
) -> None:
    async with FakeServer(counted(1, 2, 2)) as fake:
        assert (await switch(server_of(fake, runtime, thinking=thinking, command=command))).works is (asks or None)
        assert bool(fake.requests) is asks


FAULTS = [Reply(status=400), Reply(status=500), Reply(fault="refuse"), Reply(fault="drop"), Reply(fault="garbage")]


@pytest.mark.parametrize("runtime", get_args(RuntimeName))
@pytest.mark.parametrize("reply", [*FAULTS, Reply(usage=False)], ids=lambda reply: f"{reply.fault or reply.status}")
async def test_a_fault_leaves_it_unknown(runtime: str, reply: Reply) -> None:
    async with FakeServer(reply) as fake:
        assert await switch(server_of(fake, runtime)) == (None, None)


async def test_nobody_there_leaves_it_unknown() -> None:
    async with FakeServer(Reply()) as fake:
        pass

    assert await switch(server_of(fake, "llama_server")) == (None, None)


@pytest.mark.parametrize(
    ("model", "thinking", "sentence"),
    [
        pytest.param(FakeModel(id="fake", obeys=False), True, "thinking is set on, but", id="on"),
        pytest.param(FakeModel(id="fake", obeys=False), False, "harmless if the model does not think", id="off"),
        pytest.param(FakeModel(id="fake", obeys=False), None, None, id="not-asked"),
        pytest.param(FakeModel(id="fake"), True, None, id="heard"),
    ],
)
async def test_a_template_that_does_not_listen_is_told(
    model: FakeModel, thinking: bool | None, sentence: str | None
) -> None:
    async with FakeServer(Reply(), dialect=LLAMA_SERVER, models=[model]) as fake:
        facts = await probe(server_of(fake, "llama_server", thinking=thinking))

    assert (facts.thinking_heard, facts.thinking_default) == ((True, True) if model.obeys else (False, None))
    assert len(facts.unmet) == (sentence is not None)
    assert sentence is None or sentence in facts.unmet[0]


LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
TEMPLATES = Path(__file__).parents[1] / "support" / "templates"


@pytest.mark.live
@pytest.mark.parametrize(
    ("template", "thinking", "default"),
    [
        pytest.param("Qwen-Qwen3-0.6B.jinja", None, True, id="qwen-3"),
        pytest.param("google-gemma-4-31B-it.jinja", None, True, id="gemma-4"),  # llama-server says it where we do not
        pytest.param("google-gemma-4-31B-it.jinja", False, False, id="gemma-4-off"),
    ],
)
async def test_a_real_llama_server_hears_the_switch(
    tmp_path: Path, template: str, thinking: bool | None, default: bool
) -> None:
    args = ("-t", "2", "--chat-template-file", str(TEMPLATES / template))
    spec = ServerSpec(runtime="llama_server", model=str(LAB), context=512, thinking=thinking, args=args)
    async with launch(spec, log=tmp_path / "log") as server:
        assert await switch(server) == (True, default)
