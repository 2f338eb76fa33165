"""llama.cpp's own library, by ctypes: tokens of a text, and the logits of every scored token without a copy.

Its calls are stable, its two structs of settings are not: fields come and go between versions. So the settings are
found by what the library itself fills in as defaults, and a library that fills in something else is refused. What the
structs hold is written in include/llama.h of ggml-org/llama.cpp; the form was compared with builds 9190, 10434, 11549.
"""

import contextlib
import ctypes
import ctypes.util
import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from servers.errors import ModelError
from servers.spec import KvType

KV_TYPES: dict[KvType, int] = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
"""`enum ggml_type`."""
_WORDS = 128
"""Of 4 bytes: more than either struct has; what is behind its end the library does not read."""
_ALL_UNSET = 0xFFFFFFFF
_ERROR = 4
"""`GGML_LOG_LEVEL_ERROR`."""
_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class _Settings(ctypes.Structure):
    _fields_ = (("words", ctypes.c_uint32 * _WORDS),)


class Batch(ctypes.Structure):
    """`struct llama_batch`: it has not changed since 2023."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


class Found(Struct, frozen=True):
    """Where a library is, and what to call it."""

    path: Path
    name: str


def find(binary: str | None = None) -> Found:
    """Find the library: beside the llama-server that is named or on PATH, else in the xllamacpp package.

    Raises:
        ModelError: There is none.
    """
    program = shutil.which(binary or "llama-server")
    if program:
        folder = Path(program).resolve().parent
        for place in (folder, folder.parent / "lib", folder.parent / "lib64"):
            for name in ("libllama.so", "libllama.dylib"):
                if (place / name).is_file():
                    return Found(place / name, f"llama.cpp beside {program}")
    if spec := importlib.util.find_spec("xllamacpp"):
        for file in sorted(Path(spec.origin or "").parent.glob("xllamacpp*.so")):
            from importlib.metadata import version  # noqa: PLC0415 - slow to import

            return Found(file, f"llama.cpp in xllamacpp {version('xllamacpp')}")
    raise ModelError(
        "There is no llama.cpp library here: neither beside a llama-server nor in the xllamacpp package",
        remedy="pip install xllamacpp",
    )


class Library:
    """A loaded library."""

    def __init__(self, found: Found) -> None:
        self.name = found.name
        self.last_error = ""
        self.calls = self._load(found.path)
        self._keep = _Log(self._heard)
        self.calls.llama_log_set(self._keep, None)
        self.calls.llama_backend_init()

    def _load(self, path: Path) -> Any:  # noqa: ANN401 - a library of C
        try:
            calls = ctypes.CDLL(str(path))
            _declare(calls)
        except (OSError, AttributeError) as error:
            raise ModelError(f"The llama.cpp library {path} cannot be used: {error}.") from error
        with contextlib.suppress(AttributeError):  # where the parts for each processor are files of their own
            calls.ggml_backend_load_all_from_path(str(path.parent).encode())
        return calls

    def _heard(self, level: int, words: bytes | None, _data: object) -> None:
        if level == _ERROR and words:
            self.last_error = words.decode(errors="replace").strip() or self.last_error

    def refuse(self, what: str) -> ModelError:
        """Say what failed, with the library's own last words."""
        return ModelError(f"{what}: {self.last_error.rstrip('.') or 'it did not say why'}")

    @contextlib.contextmanager
    def model(self, path: Path, *, words_only: bool = False, repack: bool = True, gpu: bool = True) -> Iterator[Any]:
        """Load a GGUF.

        Args:
            path: The file.
            words_only: Only its tokenizer.
            repack: Whether weights may be put into another order for this processor, as llama.cpp does by default.
            gpu: Whether a graphics card may be used, as llama.cpp does by default.

        Raises:
            ModelError: The library cannot load it.
        """
        settings = self.calls.llama_model_default_params()
        switches = _model_switches(settings)
        if words_only and switches is not None:
            switches[0] = 1
        if not repack:
            if switches is None:
                raise ModelError(f"{self.name} has no switch for repacking that is known here")
            switches[2] = 0
        none = (ctypes.c_void_p * 1)()
        if not gpu:
            # the first field: a list of devices that ends with a null; here nothing stands before it
            ctypes.memmove(settings.words, ctypes.byref(ctypes.c_void_p(ctypes.addressof(none))), 8)
        model = self.calls.llama_model_load_from_file(str(path).encode(), settings)
        if not model:
            raise self.refuse(f"{path} cannot be loaded by {self.name}")
        try:
            yield model
        finally:
            self.calls.llama_model_free(model)

    @contextlib.contextmanager
    def context(self, model: Any, tokens: int, batch: int, threads: int, kv_cache: KvType | None) -> Iterator[Any]:  # noqa: ANN401
        """Make a context for one window of tokens, of which `batch` are evaluated at a time.

        Raises:
            ModelError: There is too little memory, or the library has another form.
        """
        settings = self.calls.llama_context_default_params()
        words = settings.words
        flash, types = self._places(words)
        words[0], words[1], words[2] = tokens, batch, batch
        if kv_cache is not None:
            words[types] = words[types + 1] = KV_TYPES[kv_cache]
            if kv_cache not in ("f32", "f16", "bf16"):
                words[flash] = 1  # values are quantized only under flash attention
        context = self.calls.llama_init_from_model(model, settings)
        if not context:
            raise self.refuse(f"{self.name} could make no context of {tokens} tokens")
        try:
            self.calls.llama_set_n_threads(context, threads, threads)
            yield context
        finally:
            self.calls.llama_free(context)

    def _places(self, words: Sequence[int]) -> tuple[int, int]:
        """Return where the switch of flash attention and the types of the cache stand."""
        unset = next((i for i in range(4, 24) if all(words[i + k] == _ALL_UNSET for k in range(4))), None)
        types = next((i for i in range((unset or 0) + 12, 40) if words[i] == 1 == words[i + 1]), None)
        if tuple(words[:4]) != (512, 2048, 512, 1) or unset is None or types is None:
            raise ModelError(f"{self.name} has settings of a form that is not known here")
        return unset + 3, types


def _model_switches(settings: _Settings) -> Any:  # noqa: ANN401
    """Return the switches of loading as bytes: vocabulary only, check, repack; None where the form is another."""
    found = [i for i in range(12, 24) if settings.words[i] == 0x10000]  # of the first four only repacking is on
    if len(found) != 1:
        return None
    at = ctypes.addressof(settings) + 4 * found[0]
    return (ctypes.c_uint8 * 4).from_address(at)


def _declare(calls: Any) -> None:  # noqa: ANN401
    pointer, text, i32, yes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_bool
    forms: dict[str, tuple[Any, list[Any]]] = {
        "llama_log_set": (None, [_Log, pointer]),
        "llama_backend_init": (None, []),
        "llama_model_default_params": (_Settings, []),
        "llama_context_default_params": (_Settings, []),
        "llama_model_load_from_file": (pointer, [text, _Settings]),
        "llama_model_free": (None, [pointer]),
        "llama_init_from_model": (pointer, [pointer, _Settings]),
        "llama_free": (None, [pointer]),
        "llama_set_n_threads": (None, [pointer, i32, i32]),
        "llama_model_get_vocab": (pointer, [pointer]),
        "llama_supports_gpu_offload": (yes, []),
        "llama_vocab_n_tokens": (i32, [pointer]),
        "llama_vocab_get_add_bos": (yes, [pointer]),
        "llama_vocab_bos": (i32, [pointer]),
        "llama_vocab_get_attr": (i32, [pointer, i32]),
        "llama_tokenize": (i32, [pointer, text, i32, ctypes.POINTER(i32), i32, yes, yes]),
        "llama_get_memory": (pointer, [pointer]),
        "llama_memory_clear": (None, [pointer, yes]),
        "llama_batch_init": (Batch, [i32, i32, i32]),
        "llama_batch_free": (None, [Batch]),
        "llama_decode": (i32, [pointer, Batch]),
        "llama_get_logits": (ctypes.POINTER(ctypes.c_float), [pointer]),
    }
    for name, (result, arguments) in forms.items():
        call = getattr(calls, name)
        call.restype, call.argtypes = result, arguments
    if sys.platform == "win32":
        raise OSError("it was never tried on Windows")
