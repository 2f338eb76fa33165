"""Why a server did not start is said in words, from what the real ones wrote."""

import signal

import pytest

from servers.start_errors import cause


@pytest.mark.parametrize(
    ("log", "says"),
    [
        pytest.param("ggml_backend_cuda_buffer_type_alloc: cudaMalloc failed: out of memory", "memory", id="cuda"),
        pytest.param("ggml_metal: error: failed to allocate buffer, size = 9000 MiB", "memory", id="metal"),
        pytest.param("terminate called after throwing an instance of 'std::bad_alloc'", "memory", id="bad-alloc"),
        pytest.param("[METAL] Insufficient Memory (kIOGPUCommandBufferCallbackErrorOutOfMemory)", "memory", id="mlx"),
        pytest.param("llama_model_load: error loading model: unknown model architecture: 'x'", "update it", id="arch"),
        pytest.param("ValueError: Model type qwen9 not supported.", "update it", id="mlx-arch"),
        pytest.param("jinja2.exceptions.TemplateSyntaxError: unexpected 'end'", "chat template", id="template"),
        pytest.param("srv init: chat template parsing error: Expected value", "chat template", id="llama-template"),
        pytest.param("HTTP 404: Expected an expression, got 'end of statement block'", "chat template", id="mlx-404"),
        pytest.param("ValueError: tokenizer.chat_template is not set", "chat template", id="no-template"),
        pytest.param(
            "error: invalid argument: --frobnicate", "does not know the argument --frobnicate: update", id="argument"
        ),
        pytest.param(
            "error: invalid argument: --chat-template-kwargs",
            "the argument --chat-template-kwargs: ",
            id="an-old-llama",
        ),
        pytest.param(
            "error: unrecognized arguments: --chat-template-args",
            "the argument --chat-template-args: ",
            id="an-old-mlx",
        ),
        pytest.param("gguf_init_from_file_impl: invalid magic characters", "fetch it again", id="magic"),
    ],
)
def test_what_a_log_says_is_explained(log: str, says: str) -> None:
    assert says in (cause(log) or "")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param(128 + signal.SIGILL, "another one, install another build", id="wrong-processor"),
        pytest.param(128 + signal.SIGKILL, "want of memory", id="killed"),
        pytest.param(128 + signal.SIGSEGV, "crashed", id="crashed"),
    ],
)
def test_how_it_ended_is_explained(code: int, says: str) -> None:
    assert says in (cause("loading", code) or "")


@pytest.mark.parametrize(
    "log",
    [
        "main: loading model\nsrv load_model: chat template, thinking = 0\nno error here",
        "srv  init: init: chat template, example_format: 'You are'",
        "error: failed to open file '/nowhere/chat_template.jinja'",
        "OSError: [Errno 22] Invalid argument",
        "",
    ],
)
def test_what_tells_nothing_is_not_explained(log: str) -> None:
    assert cause(log, 1) is None
