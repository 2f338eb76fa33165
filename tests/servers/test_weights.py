"""Quantization, parameters and bits per weight come from the files themselves, and damaged files say nothing."""

import random
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from servers.spec import Server, ServerSpec
from servers.weights import gguf as weights_gguf
from servers.weights import mlx as weights_mlx
from servers.weights.facts import FileFacts, at_hand, mentions_qat
from servers.weights.hashing import template_sha256
from tests.support.model_files import u64

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
Q4_0, Q8_0 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0
UNKNOWN = FileFacts()


def write_gguf(
    path: Path, tensors: Sequence[tuple[str, tuple[int, ...], Any]] = (), file_type: int | None = 2, **texts: Any
) -> Path:
    """Write a GGUF of noughts; a type of None is f32."""
    writer = gguf.GGUFWriter(path, "llama")
    if file_type is not None:
        writer.add_file_type(file_type)
    for key, value in texts.items():
        (writer.add_array if isinstance(value, list) else writer.add_string)(key.replace("__", "."), value)
    for name, shape, kind in tensors:
        data = np.zeros(shape, dtype=np.float32)
        writer.add_tensor(name, data if kind is None else gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


MIXED = [("a.weight", (4, 64), Q4_0), ("b.weight", (2, 64), Q8_0), ("norm.weight", (64,), None)]


def test_a_gguf_says_its_types_and_bits(tmp_path: Path) -> None:
    facts = weights_gguf.read(write_gguf(tmp_path / "m.gguf", MIXED))

    assert facts.parameters == 256 + 128 + 64
    assert facts.quantization == "Q4_0 (Q4_0 × 1, Q8_0 × 1)"
    assert facts.bits_per_weight == (256 * 4.5 + 128 * 8.5 + 64 * 32) / 448  # 18 and 34 bytes for each 32 weights


def test_our_reading_is_that_of_the_library() -> None:
    tensors = gguf.GGUFReader(LAB).tensors
    facts = weights_gguf.read(LAB)

    assert facts.parameters == sum(tensor.n_elements for tensor in tensors)
    assert facts.bits_per_weight == 8 * sum(tensor.n_bytes for tensor in tensors) / facts.parameters
    assert (facts.quantization, facts.qat) == ("F16", None)
    assert facts.chat_template_sha256


@pytest.mark.parametrize(
    ("file_type", "said"),
    [
        pytest.param(15, "Q4_K_M (Q4_0 × 1, Q8_0 × 1)", id="named"),
        pytest.param(0, "F32 (Q4_0 × 1, Q8_0 × 1)", id="all-f32"),
        pytest.param(None, "Q4_0 × 1, Q8_0 × 1", id="unsaid"),
        pytest.param(999, "Q4_0 × 1, Q8_0 × 1", id="of-a-later-version"),
        pytest.param(1024, "Q4_0 × 1, Q8_0 × 1", id="guessed"),
    ],
)
def test_the_name_is_the_files_own(tmp_path: Path, file_type: int | None, said: str) -> None:
    assert weights_gguf.read(write_gguf(tmp_path / "m.gguf", MIXED, file_type)).quantization == said


def test_all_parts_of_a_split_gguf_count(tmp_path: Path) -> None:
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", MIXED, general__name="Some QAT")
    write_gguf(tmp_path / "m-00002-of-00002.gguf", [("c.weight", (1, 64), Q4_0)], None)
    facts = weights_gguf.read(first)

    assert (facts.parameters, facts.quantization, facts.qat) == (512, "Q4_0 (Q4_0 × 2, Q8_0 × 1)", True)


def test_a_missing_part_makes_it_unknown(tmp_path: Path) -> None:
    assert weights_gguf.read(write_gguf(tmp_path / "m-00001-of-00002.gguf", MIXED)) == UNKNOWN


@pytest.mark.parametrize(
    ("metadata", "qat"),
    [
        pytest.param({"general__name": "Gemma 3 4b It Qat Q4_0 Unquantized"}, True, id="name"),
        pytest.param({"general__tags": ["gemma", "qat"]}, True, id="tags"),
        pytest.param({"general__base_model__0__name": "gemma-3-4b-it-qat-q4_0"}, True, id="base"),
        pytest.param({"general__finetune": "it-qat"}, True, id="finetune"),
        pytest.param({"general__description": "Quantization-aware training."}, True, id="description"),
        pytest.param({"general__base_model__0__repo_url": "https://x.org/google/gemma-3-4b-it-qat"}, True, id="url"),
        pytest.param({"quantize__imatrix__file": "x_qat_y.dat"}, None, id="the-name-of-another-file"),
        pytest.param({"general__quantized_by": "qat-lab"}, None, id="the-name-of-a-person"),
        pytest.param({"general__base_model__0__organization": "QAT"}, None, id="the-name-of-an-organization"),
        pytest.param({"general__name": "Qatar 7B", "tokenizer__chat_template": "qat"}, None, id="another-word"),
        pytest.param({}, None, id="silence"),
    ],
)
def test_metadata_tell_of_qat(tmp_path: Path, metadata: dict[str, Any], qat: bool | None) -> None:
    assert weights_gguf.read(write_gguf(tmp_path / "m.gguf", MIXED, **metadata)).qat is qat


@pytest.mark.parametrize("text", ["non-QAT", "not QAT", "no QAT here", "qatari", "aqat", "", "QAT4"])
def test_what_does_not_say_qat(text: str) -> None:
    assert mentions_qat([text]) is None


def test_a_gguf_has_its_chat_template(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", MIXED, tokenizer__chat_template="{{ x }}\n")

    assert weights_gguf.read(path).chat_template_sha256 == template_sha256("{{ x }}")


def header(pairs: bytes = b"", *, tensors: int = 0, count: int = 1, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + pairs


KEY = u64(1) + b"k"
HUGE = u64(2**60)
ONE = KEY + struct.pack("<II", 4, 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GGUF", id="four-bytes"),
        pytest.param(b"PK\x03\x04" * 99, id="no-gguf"),
        pytest.param(header(ONE, version=1), id="version-1"),
        pytest.param(header(ONE, version=0x03000000), id="big-endian"),
        pytest.param(header(ONE, count=2**60), id="huge-count"),
        pytest.param(header(ONE, tensors=2**60), id="huge-tensors"),
        pytest.param(header(KEY + struct.pack("<I", 8) + HUGE), id="huge-text"),
        pytest.param(header(KEY + struct.pack("<II", 9, 0) + HUGE + bytes(999)), id="huge-array"),
        pytest.param(header(KEY + struct.pack("<II", 9, 8) + HUGE + bytes(999)), id="huge-texts"),
        pytest.param(header(KEY + struct.pack("<I", 9) + (struct.pack("<I", 9) + u64(1)) * 9999), id="deep-array"),
        pytest.param(header(KEY + struct.pack("<I", 77)), id="unknown-value"),
        pytest.param(header(u64(2) + b"\xff\xfe" + struct.pack("<II", 4, 1)), id="key-no-text"),
        pytest.param(header(u64(17) + b"general.alignment" + struct.pack("<II", 4, 0)), id="no-alignment"),
        pytest.param(header(ONE + KEY + struct.pack("<I", 99), tensors=1), id="many-dimensions"),
        pytest.param(header(ONE + KEY + struct.pack("<I", 1) + HUGE + struct.pack("<IQ", 0, 0), tensors=1), id="vast"),
        pytest.param(
            header(ONE + KEY + struct.pack("<I", 1) + u64(33) + struct.pack("<IQ", 2, 0), tensors=1), id="odd"
        ),
        pytest.param(
            header(ONE + KEY + struct.pack("<I", 1) + u64(1) + struct.pack("<IQ", 3000, 0), tensors=1), id="type"
        ),
    ],
)
def test_a_hostile_gguf_says_nothing_and_soon(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    started = time.process_time()

    assert weights_gguf.read(path) == UNKNOWN
    assert time.process_time() - started < 5


def test_a_truncated_gguf_says_nothing(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "whole.gguf", MIXED, general__name="x").read_bytes()
    last = len(whole) - len(whole) % 32 - 32  # what stands behind the last tensor is padding
    path = tmp_path / "m.gguf"
    for length in range(0, last, 7):
        path.write_bytes(whole[:length])

        assert weights_gguf.read(path) == UNKNOWN, length


def test_damage_anywhere_in_a_gguf_breaks_nothing(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "whole.gguf", MIXED, general__name="x", general__tags=["a", "b"]).read_bytes()
    path, dice = tmp_path / "m.gguf", random.Random(7)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 5)):
            damaged[dice.randrange(500)] = dice.choice([0, 1, 9, 127, 255])
        path.write_bytes(damaged)

        assert isinstance(weights_gguf.read(path), FileFacts)


@pytest.mark.parametrize("read", [weights_gguf.read, weights_mlx.read])
def test_what_is_not_there_says_nothing(tmp_path: Path, read: Any) -> None:
    assert read(tmp_path / "none") == UNKNOWN
    assert read(tmp_path) == UNKNOWN


HERE, ELSEWHERE = "http://127.0.0.1:1/v1", "http://192.168.1.2:1/v1"


@pytest.mark.parametrize(
    ("server", "named", "found"),
    [
        pytest.param((HERE, ()), "{folder}/m.gguf", True, id="here"),
        pytest.param((HERE, ()), "{folder}", True, id="directory"),
        pytest.param((HERE, ()), "{folder}/other.gguf", False, id="gone"),
        pytest.param((HERE, ()), "m.gguf", False, id="from-where-it-stands"),
        pytest.param((HERE, ("llama-server",)), "m.gguf", True, id="ours-from-here"),
        pytest.param((ELSEWHERE, ()), "{folder}/m.gguf", False, id="elsewhere"),
        pytest.param((HERE, ()), None, False, id="unnamed"),
        pytest.param((HERE, ()), "/" + "x" * 300, False, id="too-long"),
    ],
)
def test_only_a_model_of_this_machine_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[str, tuple[str, ...]], named: str | None, found: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.gguf").touch()
    spec = ServerSpec(runtime="llama_server", model="m")
    seen = Server(spec=spec, base_url=server[0], model="m", engine="e", command=server[1])

    assert bool(at_hand(seen, named.format(folder=tmp_path) if named else None)) is found
