"""What a study asks for becomes the flags and requests that the server understands."""

import json
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.launch import launch
from servers.request import headers
from servers.runtime import llama_server, mlx_lm
from servers.runtime.table import RUNTIMES, Startable, request
from servers.spec import KvType, Prompt, RuntimeName, Sampling, Server, ServerSpec

CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
FULL = {"model_type": "llama", "num_hidden_layers": 2}


@pytest.fixture
def gguf(tmp_path: Path) -> ServerSpec:
    model, program = tmp_path / "a,b.gguf", tmp_path / "llama-server"
    for file in (model, program):
        file.touch(mode=0o755)
    return ServerSpec(runtime="llama_server", model=str(model), binary=str(program))


def mlx(directory: Path, config: dict[str, Any]) -> ServerSpec:
    (directory / "config.json").write_text(json.dumps(config))
    return ServerSpec(runtime="mlx_lm", model=str(directory))


def flags(command: tuple[str, ...]) -> dict[str, str | None]:
    """Flag -> its value; None for a switch. Of a flag said twice the last counts, as for the servers."""
    following = [*command[1:], "-"]
    return {
        word: None if after.startswith("-") else after
        for word, after in zip(command, following, strict=True)
        if word.startswith("-")
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, {"--host": "127.0.0.1", "--port": "81", "-np": "1", "--metrics": None}, id="always"),
        pytest.param({}, {"--no-context-shift": None, "--jinja": None, "--alias": "a-b.gguf"}, id="always-too"),
        pytest.param({"slots": 4}, {"-np": "4"}, id="slots-alone"),
        pytest.param({"slots": 4, "context": 1000}, {"-np": "4", "-c": "4000"}, id="context-is-for-each-slot"),
        pytest.param({"kv_cache": "f16"}, {"-ctk": "f16", "-ctv": "f16"}, id="plain-cache"),
        pytest.param({"kv_cache": "q4_0"}, {"-ctk": "q4_0", "-ctv": "q4_0", "-fa": "on"}, id="quantized-cache"),
        pytest.param(
            {"thinking": True},
            {"--reasoning": "on", "--chat-template-kwargs": '{"enable_thinking": true}'},
            id="thinking",
        ),
        pytest.param(
            {"thinking": False},
            {"--reasoning": "off", "--chat-template-kwargs": '{"enable_thinking": false}'},
            id="no-thinking",
        ),
        pytest.param({"slots": 2, "args": ("-np", "8", "-t", "2")}, {"-np": "8", "-t": "2"}, id="arguments-win"),
    ],
)
def test_llama_server_flags(gguf: ServerSpec, asked: dict[str, Any], expected: dict[str, str | None]) -> None:
    command = llama_server.command(replace(gguf, **asked), 81, Path())

    assert expected.items() <= flags(command).items()


@pytest.mark.parametrize("absent", ["-c", "-ctk", "-fa", "--reasoning", "--chat-template-kwargs"])
def test_llama_server_is_not_told_what_was_not_asked(gguf: ServerSpec, absent: str) -> None:
    assert absent not in llama_server.command(gguf, 81, Path())


@pytest.mark.parametrize("kv_type", get_args(KvType))
def test_flash_attention_is_forced_only_for_quantized_caches(gguf: ServerSpec, kv_type: KvType) -> None:
    command = llama_server.command(replace(gguf, kv_cache=kv_type), 81, Path())

    assert ("-fa" in command) == ("q" in kv_type or "nl" in kv_type)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        pytest.param({"model": "/nowhere/x.gguf"}, "There is no model file /nowhere/x.gguf", id="model"),
        pytest.param(
            {"model": "~nosuchuser/x.gguf"}, "There is no model file ~nosuchuser/x.gguf", id="model-of-nobody"
        ),
        pytest.param({"model": "x" * 300}, "There is no model file xxx", id="model-too-long"),
    ],
)
def test_llama_server_refuses_before_starting(gguf: ServerSpec, asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence):
        llama_server.command(replace(gguf, **asked), 81, Path())


def test_llama_server_is_looked_for_on_path_then_in_the_wheel(
    gguf: ServerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(gguf, binary=None)
    monkeypatch.setenv("PATH", str(Path(gguf.model).parent))
    assert llama_server.find(spec)[0].startswith("llama-server on PATH")

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "xllamacpp")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1")
    assert llama_server.find(spec)[1] == (sys.executable, "-P", "-m", "servers.runtime.xllamacpp_server")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServerError, match=r"brew install llama.cpp"):
        llama_server.find(spec)


@pytest.mark.parametrize("runtime", [llama_server, mlx_lm], ids=["llama_server", "mlx_lm"])
@pytest.mark.parametrize("binary", ["/nowhere/llama", "~nosuchuser/llama", "no-such-llama", "x" * 300, "./here", "/"])
def test_a_program_that_is_not_there_is_named(
    runtime: Startable, binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))  # where `here` is, but not `./here`
    with pytest.raises(ServerError, match=f"^The program {binary} does not exist or cannot be run"):
        runtime.find(ServerSpec(runtime="llama_server", model="m", binary=binary))


@pytest.mark.parametrize("binary", ["{}/served", "~/served", "./served", "served"])
def test_a_named_program_is_found(binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").touch(mode=0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    words, (path,) = llama_server.find(ServerSpec(runtime="openai", model="m", binary=binary.format(tmp_path)))

    assert Path(path).samefile(tmp_path / "served")
    assert words == f"served ({path})"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, {"--host": "127.0.0.1", "--port": "81", "--max-tokens": "32768"}, id="always"),
        pytest.param({"slots": 3}, {"--decode-concurrency": "3", "--prompt-concurrency": "3"}, id="slots"),
        pytest.param({"thinking": False}, {"--chat-template-args": '{"enable_thinking": false}'}, id="no-thinking"),
        pytest.param({"kv_cache": "q8_0"}, {"--kv-bits": "8", "--quantized-kv-start": "0"}, id="8-bit-cache"),
        pytest.param({"kv_cache": "q4_0"}, {"--kv-bits": "4", "--quantized-kv-start": "0"}, id="4-bit-cache"),
        pytest.param({"args": ("--log-level", "DEBUG")}, {"--log-level": "DEBUG"}, id="arguments"),
    ],
)
def test_mlx_lm_flags(tmp_path: Path, asked: dict[str, Any], expected: dict[str, str | None]) -> None:
    pytest.importorskip("mlx_lm")

    command = mlx_lm.command(replace(mlx(tmp_path, FULL), **asked), 81, Path())

    assert expected.items() <= flags(command).items()


@pytest.mark.parametrize("asked", [{}, {"kv_cache": "f16"}, {"context": 4096}], ids=str)
def test_mlx_lm_serves_plain_caches_of_any_length(tmp_path: Path, asked: dict[str, Any]) -> None:
    pytest.importorskip("mlx_lm")

    assert "--kv-bits" not in mlx_lm.command(replace(mlx(tmp_path, {"model_type": "gemma3_text"}), **asked), 81, Path())


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"model_type": "gemma2"}, id="gemma2"),
        pytest.param({"model_type": "gemma3_text"}, id="gemma3"),
        pytest.param({"model_type": "gemma4"}, id="gemma4"),
        pytest.param({"model_type": "mistral", "sliding_window": 4096}, id="window"),
        pytest.param({"model_type": "new", "layer_types": ["full_attention", "sliding_attention"]}, id="layer"),
        pytest.param({"model_type": "new", "text_config": {"sliding_window": 512}}, id="window-of-the-text-part"),
    ],
)
def test_mlx_lm_refuses_to_quantize_the_cache_of_sliding_windows(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="sliding-window layers"):
        mlx_lm.command(replace(mlx(tmp_path, config), kv_cache="q8_0"), 81, Path())


@pytest.mark.parametrize("kv_type", ["f32", "bf16", "q5_1", "iq4_nl"])
def test_mlx_lm_refuses_other_caches(tmp_path: Path, kv_type: KvType) -> None:
    with pytest.raises(ServerError, match=f"no KV cache of type {kv_type}"):
        mlx_lm.command(replace(mlx(tmp_path, FULL), kv_cache=kv_type), 81, Path())


@pytest.mark.parametrize(
    "config", [b"{", b'{"model_type": "\xff"}', b'{"layer_types": 5}'], ids=["cut", "no-text", "type"]
)
def test_mlx_lm_needs_to_know_the_model_to_quantize_its_cache(tmp_path: Path, config: bytes) -> None:
    (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(ServerError, match=r"config.json cannot be read .*: fetch or convert the model again"):
        mlx_lm.command(ServerSpec(runtime="mlx_lm", model=str(tmp_path), kv_cache="q8_0"), 81, Path())


@pytest.mark.parametrize("model", ["/nowhere/mlx", "./mlx", "~/no-such-mlx", "~nosuchuser/mlx", "/" + "x" * 300])
def test_mlx_lm_refuses_a_path_without_a_model(model: str) -> None:
    with pytest.raises(ServerError, match="There is no MLX model in"):
        mlx_lm.command(ServerSpec(runtime="mlx_lm", model=model), 81, Path())


def test_mlx_lm_stays_off_the_network_for_a_local_model(tmp_path: Path) -> None:
    assert mlx_lm.environment(mlx(tmp_path, FULL), 81)["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in mlx_lm.environment(ServerSpec(runtime="mlx_lm", model="owner/name"), 81)


def server(runtime: RuntimeName, **asked: Any) -> Server:
    return Server(spec=ServerSpec(runtime=runtime, model="m", **asked), base_url="http://x/v1", model="m", engine="e")


NEUTRAL = {"temperature": 0.0, "max_tokens": 4096, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
LLAMA = {**NEUTRAL, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@pytest.mark.parametrize(
    ("to", "sampling", "sent"),
    [
        pytest.param(server("llama_server"), Sampling(), LLAMA, id="llama-neutral"),
        pytest.param(server("mlx_lm"), Sampling(), NEUTRAL, id="mlx-neutral"),
        pytest.param(server("openai"), Sampling(), {"temperature": 0.0, "max_tokens": 4096}, id="openai-silent"),
        pytest.param(
            server("openai"),
            Sampling(temperature=1.0, top_p=0.9, top_k=64, min_p=0.1, seed=3, max_tokens=9),
            {"temperature": 1.0, "top_p": 0.9, "top_k": 64, "min_p": 0.1, "seed": 3, "max_tokens": 9},
            id="openai-told",
        ),
        pytest.param(server("llama_server", slots=4), Sampling(seed=3), {**LLAMA, "seed": 3}, id="llama-seed"),
        pytest.param(server("mlx_lm"), Sampling(seed=3), {**NEUTRAL, "seed": 3}, id="mlx-seed"),
        pytest.param(server("mlx_lm", slots=2), Sampling(seed=3), NEUTRAL, id="mlx-no-seed-in-a-batch"),
    ],
)
def test_sampling_in_a_request(to: Server, sampling: Sampling, sent: dict[str, Any]) -> None:
    _, body = request(to, CHAT, sampling, stream=False)

    assert body == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False, **sent}


@pytest.mark.parametrize("runtime", ["llama_server", "mlx_lm", "omlx", "vllm", "openai"])
@pytest.mark.parametrize("thinking", [True, False, None])
def test_thinking_is_said_in_every_chat_request(runtime: RuntimeName, thinking: bool | None) -> None:
    to = server(runtime, thinking=thinking)
    _, chat = request(to, CHAT, Sampling(), stream=False)
    _, raw = request(to, Prompt(text="def f"), Sampling(), stream=False)

    assert chat.get("chat_template_kwargs") == (None if thinking is None else {"enable_thinking": thinking})
    assert "chat_template_kwargs" not in raw


@pytest.mark.parametrize(
    ("prompt", "path", "key"),
    [(CHAT, "/chat/completions", "messages"), (Prompt(text="x", stop=("\n",)), "/completions", "prompt")],
    ids=["chat", "text"],
)
def test_path_stop_and_stream(prompt: Prompt, path: str, key: str) -> None:
    where, body = request(server("openai"), prompt, Sampling(), stream=True)

    assert where == f"http://x/v1{path}"
    assert key in body
    assert body.get("stop") == (list(prompt.stop) or None)
    assert body["stream_options"] == {"include_usage": True}


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ServerSpec(runtime="openai", model="m", api_key_env="THE_KEY")
    assert headers(spec) == {}

    for held in ("abc", "abc\n", " abc\r\n"):
        monkeypatch.setenv("THE_KEY", held)
        assert headers(spec) == {"Authorization": "Bearer abc"}


@pytest.mark.parametrize("key", ["schlüssel", "“abc”", "a\nb", "a\x01b", "abc\udcff"], ids=ascii)
def test_what_can_be_no_key_is_refused_without_saying_it(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("THE_KEY", key)
    with pytest.raises(ServerError, match=r"variable THE_KEY cannot be sent: .* copy it again") as caught:
        headers(ServerSpec(runtime="openai", model="m", api_key_env="THE_KEY"))

    assert key not in str(caught.value)


def test_every_runtime_name_has_a_runtime() -> None:
    assert set(RUNTIMES) == set(get_args(RuntimeName))


async def test_openai_is_never_launched(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="give the base_url"):
        async with launch(ServerSpec(runtime="openai", model="m"), log=tmp_path / "log"):
            raise AssertionError


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        pytest.param(["-m", "x", "--grammar", "y"], "wheel does not know --grammar: a real llama-server", id="unknown"),
        pytest.param(["-m", "x", "-c"], "-c needs a value", id="no-value"),
        pytest.param(["-m", "x", "-c", "many"], "-c cannot be 'many'", id="no-number"),
        pytest.param(["-m", "x", "-ctk", "q9"], "-ctk cannot be 'q9': one of f32, f16", id="no-choice"),
        pytest.param(["-m", "x", "--chat-template-kwargs", "[1]"], "a JSON object", id="no-object"),
        pytest.param(["-m", "x", "--chat-template-file", "/nowhere"], "No such file", id="no-file"),
        pytest.param(["--port", "1"], "-m is missing", id="no-model"),
    ],
)
def test_the_wheels_server_says_what_it_cannot_take(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("xllamacpp")
    from servers.runtime import xllamacpp_server  # noqa: PLC0415 - only where the wheel is

    with pytest.raises(SystemExit) as caught:
        xllamacpp_server.parse(argv)

    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_wheels_server_takes_every_flag_that_we_write(gguf: ServerSpec) -> None:
    pytest.importorskip("xllamacpp")
    from servers.runtime import xllamacpp_server  # noqa: PLC0415

    for kv_type in get_args(KvType):
        spec = replace(gguf, context=512, slots=2, thinking=True, kv_cache=kv_type)
        params = xllamacpp_server.parse(llama_server.command(spec, 81, Path())[1:])

        assert (params.n_ctx, params.n_parallel, params.port) == (1024, 2, 81)
        assert params.cache_type_k.name.lower() == f"ggml_type_{kv_type}"
        assert params.default_template_kwargs == {"enable_thinking": "true"}


VALUE_OF = {
    "--chat-template-kwargs": '{"a": 1}', "--chat-template-file": __file__, "--reasoning": "on", "-rea": "on",
    "-ctk": "q8_0", "--cache-type-k": "q8_0", "-ctv": "q8_0", "--cache-type-v": "q8_0", "-fa": "on",
    "--flash-attn": "on", "-fit": "off", "--fit": "off", "-lm": "mmap", "--load-mode": "mmap",
    "--reasoning-format": "none",
}  # fmt: skip


def test_every_flag_of_the_wheels_server_sets_something_that_exists() -> None:
    """The wheel's objects refuse attributes that they do not have, and values of a wrong type."""
    pytest.importorskip("xllamacpp")
    from servers.runtime import xllamacpp_server  # noqa: PLC0415

    values = [word for names in xllamacpp_server.VALUES for word in names]
    argv = [word for flag in values for word in (flag, VALUE_OF.get(flag, "1"))]
    argv += [flag for names in xllamacpp_server.SWITCHES for flag in names]

    assert xllamacpp_server.parse(argv).n_ctx == 1
