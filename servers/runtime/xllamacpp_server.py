"""Run llama.cpp's server out of the xllamacpp wheel, under llama-server's own flags.

`python -m servers.runtime.xllamacpp_server -m model.gguf --port 8080 -c 4096 -np 2`. The wheel takes no command line
but an object with attributes; the tables below say which flag sets which. It serves the same routes.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, Never

import xllamacpp
from xllamacpp import CommonParams

Setter = Callable[[Any, str], None]
_ON_OFF_AUTO = {"on": 1, "off": 0, "auto": -1}
_TRUTH = {"on": True, "off": False}


def _set(params: Any, path: str, value: object) -> None:  # noqa: ANN401 - the wheel has no types
    *owners, name = path.split(".")
    for owner in owners:
        params = getattr(params, owner)
    setattr(params, name, value)


def text(path: str) -> Setter:
    """Set an attribute to the word as it stands."""
    return lambda params, word: _set(params, path, word)


def whole(*paths: str) -> Setter:
    """Set attributes to a whole number."""

    def setter(params: Any, word: str) -> None:  # noqa: ANN401
        for path in paths:
            _set(params, path, int(word))

    return setter


def real(path: str) -> Setter:
    """Set an attribute to a number."""
    return lambda params, word: _set(params, path, float(word))


def listed(path: str, container: type[list[str]] | type[set[str]] = list) -> Setter:
    """Set an attribute to the words between commas."""
    return lambda params, word: _set(params, path, container(word.split(",")))


def choice(path: str, words: dict[str, Any]) -> Setter:
    """Set an attribute to what a word stands for."""

    def setter(params: Any, word: str) -> None:  # noqa: ANN401
        if word not in words:
            raise ValueError("one of " + ", ".join(words))
        _set(params, path, words[word])

    return setter


def _names(kind: type[IntEnum], prefix: str, names: str) -> dict[str, Any]:
    return {name: kind[prefix + name.upper().replace("-", "_")] for name in names.split()}


def _reasoning(params: Any, word: str) -> None:  # noqa: ANN401
    choice("enable_reasoning", _ON_OFF_AUTO)(params, word)
    if word != "auto":  # the switch alone does not reach a template that llama.cpp does not recognise
        _template_kwargs(params, json.dumps({"enable_thinking": word == "on"}))


def _template_kwargs(params: Any, word: str) -> None:  # noqa: ANN401
    values = json.loads(word)
    if not isinstance(values, dict):
        raise ValueError("a JSON object")  # noqa: TRY004 - of the user's words, not of a type in the code
    texts = {key: json.dumps(value) for key, value in values.items()}
    params.default_template_kwargs = {**params.default_template_kwargs, **texts}


def _template_file(params: Any, word: str) -> None:  # noqa: ANN401
    params.chat_template = Path(word).read_text(encoding="utf-8")


def _threads(params: Any, word: str) -> None:  # noqa: ANN401
    params.cpuparams.n_threads = int(word)
    if params.cpuparams_batch.n_threads < 0:  # as in llama-server: -t speaks for -tb too
        params.cpuparams_batch.n_threads = int(word)


_KV = _names(xllamacpp.ggml_type, "GGML_TYPE_", "f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1")
_FLASH = {word: xllamacpp.llama_flash_attn_type(number) for word, number in _ON_OFF_AUTO.items()}
_FORMATS = _names(xllamacpp.common_reasoning_format, "COMMON_REASONING_FORMAT_", "none auto deepseek deepseek-legacy")
_LOAD = _names(xllamacpp.llama_load_mode, "LLAMA_LOAD_MODE_", "auto none mmap mlock") | {
    "mmap+mlock": xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_MMAP_MLOCK,
    "dio": xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_DIRECT_IO,
}

VALUES: dict[tuple[str, ...], Setter] = {
    ("-m", "--model"): text("model.path"),
    ("-a", "--alias"): listed("model_alias", set),
    ("--host",): listed("hostnames"),
    ("--port",): whole("port"),
    ("--api-prefix",): text("api_prefix"),
    ("--api-key",): listed("api_keys"),
    ("-to", "--timeout"): whole("timeout_read", "timeout_write"),
    ("--threads-http",): whole("n_threads_http"),
    ("-c", "--ctx-size"): whole("n_ctx"),
    ("-np", "--parallel"): whole("n_parallel"),
    ("-n", "--predict", "--n-predict"): whole("n_predict"),
    ("-b", "--batch-size"): whole("n_batch"),
    ("-ub", "--ubatch-size"): whole("n_ubatch"),
    ("-t", "--threads"): _threads,
    ("-tb", "--threads-batch"): whole("cpuparams_batch.n_threads"),
    ("-ngl", "--gpu-layers", "--n-gpu-layers"): whole("n_gpu_layers"),
    ("-mg", "--main-gpu"): whole("main_gpu"),
    ("-ctk", "--cache-type-k"): choice("cache_type_k", _KV),
    ("-ctv", "--cache-type-v"): choice("cache_type_v", _KV),
    ("-fa", "--flash-attn"): choice("flash_attn_type", _FLASH),
    ("-fit", "--fit"): choice("fit_params", _TRUTH),
    ("-lm", "--load-mode"): choice("load_mode", _LOAD),
    ("-cram", "--cache-ram"): whole("cache_ram_mib"),
    ("--cache-reuse",): whole("n_cache_reuse"),
    ("-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"): whole("n_ctx_checkpoints"),
    ("-sps", "--slot-prompt-similarity"): real("slot_prompt_similarity"),
    ("--rope-freq-base",): real("rope_freq_base"),
    ("--rope-freq-scale",): real("rope_freq_scale"),
    ("-rea", "--reasoning"): _reasoning,
    ("--reasoning-budget",): whole("sampling.reasoning_budget_tokens"),
    ("--reasoning-budget-message",): text("sampling.reasoning_budget_message"),
    ("--reasoning-format",): choice("reasoning_format", _FORMATS),
    ("--chat-template",): text("chat_template"),
    ("--chat-template-file",): _template_file,
    ("--chat-template-kwargs",): _template_kwargs,
    ("-s", "--seed"): whole("sampling.seed"),
    ("--temp", "--temperature"): real("sampling.temp"),
    ("--top-k",): whole("sampling.top_k"),
    ("--top-p",): real("sampling.top_p"),
    ("--min-p",): real("sampling.min_p"),
    ("--repeat-penalty",): real("sampling.penalty_repeat"),
    ("--presence-penalty",): real("sampling.penalty_present"),
    ("--frequency-penalty",): real("sampling.penalty_freq"),
    ("-lv", "--verbosity", "--log-verbosity"): whole("verbosity"),
}
"""Flags that take a value."""

SWITCHES: dict[tuple[str, ...], tuple[str, bool]] = {
    ("--metrics",): ("endpoint_metrics", True),
    ("--props",): ("endpoint_props", True),
    ("--slots",): ("endpoint_slots", True),
    ("--no-slots",): ("endpoint_slots", False),
    ("--jinja",): ("use_jinja", True),
    ("--no-jinja",): ("use_jinja", False),
    ("--context-shift",): ("ctx_shift", True),
    ("--no-context-shift",): ("ctx_shift", False),
    ("--cache-prompt",): ("cache_prompt", True),
    ("--no-cache-prompt",): ("cache_prompt", False),
    ("-cb", "--cont-batching"): ("cont_batching", True),
    ("-nocb", "--no-cont-batching"): ("cont_batching", False),
    ("-kvu", "--kv-unified"): ("kv_unified", True),
    ("-no-kvu", "--no-kv-unified"): ("kv_unified", False),
    ("-kvo", "--kv-offload"): ("no_kv_offload", False),
    ("-nkvo", "--no-kv-offload"): ("no_kv_offload", True),
    ("--repack",): ("no_extra_bufts", False),
    ("-nr", "--no-repack"): ("no_extra_bufts", True),
    ("--swa-full",): ("swa_full", True),
    ("--warmup",): ("warmup", True),
    ("--no-warmup",): ("warmup", False),
    ("--prefill-assistant",): ("prefill_assistant", True),
    ("--no-prefill-assistant",): ("prefill_assistant", False),
    ("--skip-chat-parsing",): ("force_pure_content_parser", True),
    ("--offline",): ("offline", True),
}
"""Flags that stand alone."""

_VALUE = {flag: setter for flags, setter in VALUES.items() for flag in flags}
_SWITCH = {flag: setting for flags, setting in SWITCHES.items() for flag in flags}


def parse(argv: Sequence[str]) -> Any:  # noqa: ANN401 - the wheel has no types
    """Turn llama-server's command line into the wheel's parameters; exit with code 2 on what it cannot take."""
    params = CommonParams()
    params.port = 8080
    words = iter(argv)
    for flag in words:
        if flag in _SWITCH:
            _set(params, *_SWITCH[flag])
        elif flag not in _VALUE:
            _refuse(f"The xllamacpp wheel does not know {flag}: a real llama-server binary takes it.")
        elif (word := next(words, None)) is None:
            _refuse(f"{flag} needs a value.")
        else:
            try:
                _VALUE[flag](params, word)
            except (ValueError, OverflowError, OSError) as error:
                _refuse(f"{flag} cannot be {word!r}: {error}.")
    if not params.model.path:
        _refuse("-m is missing: give the path of a .gguf file.")
    return params


def main(argv: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    params = parse(argv)
    # While the model loads, Python's own handlers would not run: let signals end the process at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(f"llama.cpp could not start: {error}")
    print(f"serving at {server.listening_address}", flush=True)  # noqa: T201 - for the log
    _wait_for_signal()
    # Not by the wheel's destructor: it was seen to hang when the server had hardly started.
    os._exit(0)


def _wait_for_signal() -> None:
    """Sleep until SIGINT or SIGTERM reaches any thread, llama.cpp's own included."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    os.read(reading, 1)


def _refuse(sentence: str) -> Never:
    print(sentence, file=sys.stderr)  # noqa: T201
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
