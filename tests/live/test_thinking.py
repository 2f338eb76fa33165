"""Thinking on or off reaches the prompt, with the real chat templates of Gemma 4 and Qwen 3 on real servers.

The lab model answers with either template; what it answers does not matter here, what it is shown does.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from servers.launch import launch
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerSpec
from tests.support.real_llama import post

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
TEMPLATES = Path(__file__).parents[1] / "support" / "templates"
ASK = Prompt(messages=({"role": "user", "content": "Write a function that adds two numbers."},))
ONE = Sampling(max_tokens=1)


class Form(NamedTuple):
    """How a template is told to think: what stands at the prompt's beginning, and what at its end."""

    file: str
    on: tuple[str, str]
    off: tuple[str, str]

    def says(self, prompt: str) -> bool | None:
        """Whether this prompt asks for thinking; None where it is neither form."""
        prompt = prompt.removeprefix("<s>")  # the lab model's first token, which llama-server does not show
        forms = {
            thinking: prompt.startswith(begins) and prompt.endswith(ends)
            for thinking, (begins, ends) in ((True, self.on), (False, self.off))
        }
        return next((thinking for thinking, fits in forms.items() if fits), None) if sum(forms.values()) == 1 else None


GEMMA_4 = Form(
    "google-gemma-4-31B-it.jinja",
    on=("<|turn>system\n<|think|>\n<turn|>\n<|turn>user\n", "numbers.<turn|>\n<|turn>model\n"),
    off=("<|turn>user\n", "numbers.<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"),
)
QWEN_3 = Form(
    "Qwen-Qwen3-0.6B.jinja",
    on=("<|im_start|>user\n", "numbers.<|im_end|>\n<|im_start|>assistant\n"),
    off=("<|im_start|>user\n", "numbers.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"),
)


@pytest.fixture(params=[GEMMA_4, QWEN_3], ids=["gemma-4", "qwen-3"])
def form(request: pytest.FixtureRequest) -> Form:
    chosen: Form = request.param
    return chosen


@pytest.fixture(params=[True, False, None], ids=["on", "off", "left-out"])
def thinking(request: pytest.FixtureRequest) -> bool | None:
    chosen: bool | None = request.param
    return chosen


@pytest.fixture(params=["binary", "wheel"])
async def llama(
    request: pytest.FixtureRequest,
    form: Form,
    thinking: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Server]:
    spec = ServerSpec(
        runtime="llama_server",
        model=str(LAB),
        context=512,
        thinking=thinking,
        args=("-t", "2", "--no-warmup", "--chat-template-file", str(TEMPLATES / form.file)),
        startup_seconds=60,
    )
    if request.param == "binary":
        spec = replace(spec, binary=request.getfixturevalue("llama_binary"))
    else:
        pytest.importorskip("xllamacpp")
        monkeypatch.setenv("PATH", str(tmp_path))  # so that no llama-server there is taken
    async with launch(spec, log=tmp_path / "log") as server:
        yield server


async def test_llama_server_shows_the_model_what_the_study_says(
    llama: Server, form: Form, thinking: bool | None
) -> None:
    root = llama.base_url.removesuffix("/v1")
    url, body = request(llama, ASK, ONE, stream=False)
    by_flag = (await post(f"{root}/apply-template", {"messages": body["messages"]}))["prompt"]
    by_request = (await post(f"{root}/apply-template", body))["prompt"]
    shown = {"content": by_request, "add_special": True, "parse_special": True}
    tokens = (await post(f"{root}/tokenize", shown))["tokens"]
    answer = await post(url, body)

    assert form.says(by_request) is (thinking is not False)  # left to itself, llama-server thinks
    assert by_flag == by_request
    assert answer["usage"]["prompt_tokens"] == len(tokens)


@pytest.mark.parametrize("wanted", [True, False], ids=["asks-for-it", "asks-against-it"])
@pytest.mark.parametrize("thinking", [None], ids=[""], indirect=True)
async def test_a_request_alone_turns_llama_server(llama: Server, form: Form, *, wanted: bool) -> None:
    asked = replace(llama, spec=replace(llama.spec, thinking=wanted))
    _, body = request(asked, ASK, ONE, stream=False)
    prompt = (await post(f"{llama.base_url.removesuffix('/v1')}/apply-template", body))["prompt"]

    assert form.says(prompt) is wanted


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    out = tmp_path_factory.mktemp("mlx") / "lab"
    convert(LAB, out, bits=None)
    return out


@pytest.fixture
def model(converted: Path, form: Form) -> Path:
    """The lab model in MLX's format, with this template for its own."""
    shutil.copy(TEMPLATES / form.file, converted / "chat_template.jinja")
    return converted


async def test_mlx_lm_shows_the_model_what_the_study_says(
    model: Path, form: Form, thinking: bool | None, tmp_path: Path
) -> None:
    from mlx_lm.tokenizer_utils import load  # noqa: PLC0415 - heavy, and only where MLX is

    tokenizer: Any = load(model)
    forms = {
        wanted: tokenizer.apply_chat_template(
            list(ASK.messages), tokenize=False, add_generation_prompt=True, enable_thinking=wanted
        )
        for wanted in (True, False)
    }
    lengths = {wanted: len(tokenizer.encode(text, add_special_tokens=False)) for wanted, text in forms.items()}
    spec = ServerSpec(runtime="mlx_lm", model=str(model), thinking=thinking, startup_seconds=120)
    async with launch(spec, log=tmp_path / "log") as server:
        url, body = request(server, ASK, ONE, stream=False)
        asked = (await post(url, body))["usage"]["prompt_tokens"]
        body.pop("chat_template_kwargs", None)
        by_flag = (await post(url, body))["usage"]["prompt_tokens"]

    assert {wanted: form.says(text) for wanted, text in forms.items()} == {True: True, False: False}
    assert lengths[True] != lengths[False]
    assert asked == by_flag == lengths[thinking is not False]
