"""Quantized builds of a GGUF, made here by llama.cpp's own quantizer."""

import importlib.metadata
import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from servers.errors import ModelError
from servers.weights.hashing import sha256_of

# `enum llama_ftype` in llama.cpp's include/llama.h
FTYPES = {
    "F32": 0,
    "F16": 1,
    "Q4_0": 2,
    "Q4_1": 3,
    "Q8_0": 7,
    "Q5_0": 8,
    "Q5_1": 9,
    "Q2_K": 10,
    "Q3_K_S": 11,
    "Q3_K_M": 12,
    "Q3_K_L": 13,
    "Q4_K_S": 14,
    "Q4_K_M": 15,
    "Q5_K_S": 16,
    "Q5_K_M": 17,
    "Q6_K": 18,
    "IQ4_NL": 25,
    "IQ4_XS": 30,
    "BF16": 32,
}

# Runs in a process of its own: the quantizer writes hundreds of lines to the terminal from C, and may crash.
_CYLLAMA = """
import sys
from cyllama.llama import llama_cpp
params = llama_cpp.LlamaModelQuantizeParams()
params.ftype = int(sys.argv[3])
params.allow_requantize = True
llama_cpp.model_quantize(sys.argv[1], sys.argv[2], params)
"""


class Stamp(Struct, frozen=True, kw_only=True):
    """What a build was made of, kept beside it."""

    source_sha256: str
    quantization: str
    quantizer: str
    bytes: int


class Quantizer(Struct, frozen=True, kw_only=True):
    """A program that quantizes a GGUF."""

    name: str
    """With its version where it tells one."""
    command: tuple[str, ...]
    """Source, output and quantization follow."""
    takes_number: bool
    """Whether it wants a quantization's number in place of its name."""


def builds(source: Path, quantizations: Iterable[str], folder: Path) -> dict[str, Path]:
    """Make the builds of a GGUF that are not in the folder yet, and return the path of each by its quantization.

    Raises:
        ModelError: See `requantize`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source_sha256, quantizer = sha256_of(source), find_quantizer().name
    stem = re.sub(r"[-.](?:bf16|f16|f32)$", "", source.stem, flags=re.IGNORECASE)
    made: dict[str, Path] = {}
    for quantization in quantizations:
        out = made[quantization] = folder / f"{stem}-{quantization}.gguf"
        stamp_file = out.with_suffix(".gguf.json")
        stamp = Stamp(source_sha256=source_sha256, quantization=quantization, quantizer=quantizer, bytes=0)
        if _still_good(out, stamp_file, stamp):
            continue
        stamp_file.unlink(missing_ok=True)
        requantize(source, out, quantization)
        stamp_file.write_bytes(msgspec.json.encode(msgspec.structs.replace(stamp, bytes=out.stat().st_size)))
    return made


def _still_good(out: Path, stamp_file: Path, wanted: Stamp) -> bool:
    """Whether a build is there whole, and made of the same source by the same quantizer."""
    try:
        found = msgspec.json.decode(stamp_file.read_bytes(), type=Stamp)
        return found == msgspec.structs.replace(wanted, bytes=out.stat().st_size)
    except (FileNotFoundError, msgspec.DecodeError):
        return False


def requantize(source: Path, out: Path, quantization: str) -> None:
    """Write a quantized build of a GGUF; the output appears whole or not at all.

    A source that is quantized itself loses twice: such a build stands for damage, not for what its name says.

    Raises:
        ModelError: The quantization is unknown, no quantizer is installed, or it failed.
    """
    if quantization not in FTYPES:
        raise ModelError(f"{quantization} is no quantization known here", remedy=f"choose of {', '.join(FTYPES)}.")
    if not source.is_file():
        raise ModelError(f"There is no GGUF file {source} to quantize.")
    quantizer = find_quantizer()
    how = str(FTYPES[quantization]) if quantizer.takes_number else quantization
    with tempfile.TemporaryDirectory(prefix="quantizing-", dir=out.parent) as folder:
        unfinished = Path(folder) / out.name
        done = subprocess.run(
            [*quantizer.command, str(source), str(unfinished), how],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0 or not unfinished.is_file():
            raise ModelError(f"{quantizer.name} could not make {quantization} of {source}: {_reason(done)}.")
        unfinished.replace(out)


def find_quantizer() -> Quantizer:
    """Find llama.cpp's quantizer: in the cyllama package, else the program llama-quantize on PATH.

    Raises:
        ModelError: Neither is installed.
    """
    if importlib.util.find_spec("cyllama"):
        version = importlib.metadata.version("cyllama")
        return Quantizer(name=f"cyllama {version}", command=(sys.executable, "-c", _CYLLAMA), takes_number=True)
    program = shutil.which("llama-quantize")
    if program is None:
        raise ModelError("There is no quantizer here", remedy="pip install cyllama, or put llama-quantize on PATH.")
    return Quantizer(name=program, command=(program, "--allow-requantize"), takes_number=False)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"it was ended by {signal.Signals(-done.returncode).name}"
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    complaints = [line for line in lines if re.search(r"error|fail|unable|cannot", line, re.IGNORECASE)]
    return (complaints or lines or [f"it ended with code {done.returncode} and no words"])[0].rstrip(".")
