"""A GGUF is held against its size before anything starts; what is none of a language model is told apart by its header.

The law: any header, with any numbers for types of tensors, gives facts or one sentence.
"""

import contextlib
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.errors import ModelError
from servers.weights import gguf as weights_gguf
from servers.weights.facts import FileFacts
from servers.weights.source import check
from tests.support.model_files import gguf_bytes, pair, text, u64

Q4_0, F32 = 2, 0
BODY = [("blk.0.a.weight", (64, 8), Q4_0, 288), ("norm.weight", (64,), F32, 256)]
LENGTHS = {
    "2-bytes-all-ones": 2**16 - 1,
    "32-bits": 2**32 - 1,
    "63-bits": 2**63 - 1,
    "sign": 2**63,
    "64-bits": 2**64 - 1,
}
"""Lengths of a text that no file has; places are counted in 63 bits."""
KNOWN = {kind.value for kind in gguf.GGMLQuantizationType}


def checked(path: Path) -> Path:
    found = check(str(path), runtime="llama_server", base=Path())
    assert isinstance(found, Path)
    return found


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        checked(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def facts_of(tmp_path: Path, content: bytes, name: str = "m.gguf") -> FileFacts:
    (tmp_path / name).write_bytes(content)
    return weights_gguf.read(tmp_path / name)


@given(at=st.integers(4, 6000), odd=st.sampled_from([b"\xff", b"\x7f", b"\0", b"\x80"]), count=st.integers(1, 40))
def test_damage_anywhere_in_a_header_gives_facts_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, at: int, odd: bytes, count: int
) -> None:
    path = tmp_path_factory.mktemp("law") / "m.gguf"
    whole = gguf_bytes({"tokenizer.ggml.tokens": ["word"] * 400, "general.name": "m"}, BODY)
    path.write_bytes((whole[:at] + odd * count + whole[at + count :])[: len(whole)])

    weights_gguf.read(path)
    with contextlib.suppress(ModelError):
        checked(path)


@pytest.mark.parametrize("kind", [151, 155, 4, 5, 31, 38, 2**31, 2**32 - 1, 230])
def test_a_type_that_is_unknown_is_so_alone(tmp_path: Path, kind: int) -> None:
    """Those of ik_llama.cpp, some that llama.cpp has taken back, and what may come."""
    strange = [(f"blk.{i}.b.weight", (64, 8), kind, 320) for i in range(12)]
    template = {"tokenizer.chat_template": "{{ x }}", "general.file_type": 2, "general.quantized_by": "somebody"}
    facts = facts_of(tmp_path, gguf_bytes(template, [*strange, *BODY]))

    assert facts.parameters == 13 * 512 + 64
    assert facts.quantization is not None
    assert facts.quantization.startswith(f"Q4_0 (type {kind} × 12, Q4_0 × 1); type {kind} is unknown to gguf 0.")
    assert facts.bits_per_weight == 8 * (12 * 320 + 288 + 256) / facts.parameters
    assert facts.chat_template_sha256
    assert (facts.quantized_by, facts.broken_promise) == ("somebody", None)
    assert checked(tmp_path / "m.gguf")


NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from(sorted(KNOWN)))
HEADERS = st.fixed_dictionaries(
    {
        "kinds": st.lists(NUMBERS, max_size=6),
        "shape": st.lists(st.integers(0, 2**63), min_size=0, max_size=4),
        "version": st.one_of(st.sampled_from([2, 3]), st.integers(0, 2**32 - 1)),
        "more": st.dictionaries(
            st.text(max_size=9), st.one_of(st.text(max_size=9), st.integers(0, 2**32 - 1)), max_size=4
        ),
        "cut": st.one_of(st.none(), st.integers(0, 3000)),
    }
)


@given(header=HEADERS)
def test_any_header_gives_facts_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, header: Any) -> None:
    shapes = [tuple(header["shape"]) if i % 2 else (256,) for i in range(len(header["kinds"]))]
    tensors = [(f"blk.{i}.a.weight", shapes[i], kind, 288) for i, kind in enumerate(header["kinds"])]
    path = tmp_path_factory.mktemp("law") / "m.gguf"
    path.write_bytes(gguf_bytes(header["more"], tensors, header["version"])[: header["cut"]])
    facts = weights_gguf.read(path)
    words = ""
    try:
        checked(path)
    except ModelError as error:
        words = str(error)

    assert "\n" not in words
    if words:
        assert "m.gguf" in words
        assert facts == FileFacts() or "no language model" in words
    elif header["version"] in (2, 3):
        assert (facts.parameters or 0) == sum(map(math.prod, shapes))


WHOLE = gguf_bytes({"general.name": "x"}, BODY)


@pytest.mark.parametrize("length", range(1, len(WHOLE), 37))
def test_a_cut_download_is_said_wherever_it_ends(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(WHOLE[:length])
    words = refused(path)

    assert "download was cut" in words if length >= 4 else "is no GGUF file" in words


def test_the_sizes_are_said(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    whole = gguf_bytes({}, [("token_embd.weight", (1024, 1300), F32, 1024 * 1300 * 4)])
    for content, words in [(whole[:3_000_000], "is 3.0 MB, its tensors need 5.3 MB"), (whole[:-1], " bytes, its")]:
        path.write_bytes(content)

        assert f"{words}" in refused(path)
        assert "its download was cut: fetch it again." in refused(path)


@pytest.mark.parametrize("more", [b"\0", b"x" * 33, bytes(10_000)])
def test_bytes_behind_the_last_tensor_are_fine(tmp_path: Path, more: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(WHOLE + more)

    assert checked(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer", id="lfs"),
        pytest.param(b"<!DOCTYPE html><html>", "is a web page", id="html"),
        pytest.param(b"\n <html lang=en>", "is a web page", id="html-with-blanks"),
        pytest.param(b'\xef\xbb\xbf<?xml version="1.0"?><Error>', "is a web page", id="xml"),
        pytest.param(b'{"error":"Repository not found"}', "is a JSON text", id="json"),
        pytest.param(b"\0\5\x16\7" + bytes(99), "AppleDouble", id="macos"),
        pytest.param(b"PK\x03\x04" + bytes(99), "is a ZIP archive or a PyTorch file", id="pytorch"),
        pytest.param(b"\x1f\x8b\x08" + bytes(99), "is a compressed file", id="gzip"),
        pytest.param(b"tjgg" + bytes(99), "the format before GGUF", id="ggml"),
        pytest.param(u64(60) + b'{"a":{"dtype":"F16"', "holds safetensors", id="safetensors"),
        pytest.param(bytes(4096), "begins with noughts", id="set-aside"),
        pytest.param(b"this is no model", "is no GGUF file", id="text"),
        pytest.param(b"GG", "is no GGUF file", id="two-bytes"),
        pytest.param(b"GGUF", "ends inside its header", id="four-bytes"),
        pytest.param(b"GGUF" + struct.pack("<IQQ", 1, 1, 1), "GGUF version 1", id="version-1"),
        pytest.param(b"GGUF" + struct.pack(">IQQ", 3, 1, 1), "big-endian", id="big-endian"),
        pytest.param(b"GGUF and so on", "damaged header (its version is", id="no-version"),
        pytest.param(b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "ends inside its header", id="many-pairs"),
        pytest.param(
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 77), "damaged header", id="value"
        ),
        *(
            pytest.param(
                gguf_bytes({"k": ["x"] * 400}).replace(text("x"), u64(length) + b"x", 1), "ends inside", id=name
            )
            for name, length in LENGTHS.items()
        ),
        pytest.param(gguf_bytes({}, [("a", (33,), Q4_0, 18)]), "damaged header (a has broken rows)", id="rows"),
        pytest.param(gguf_bytes({}, [("a", (2**62,), F32, 18)]), "damaged header (a tensor of", id="vast"),
        pytest.param(gguf_bytes({"general.alignment": 0}, BODY), "damaged header (its alignment", id="alignment"),
    ],
)
def test_what_is_no_gguf_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "m.gguf").write_bytes(content)

    assert words in refused(tmp_path / "m.gguf")


def test_a_later_version_is_left_to_the_server(tmp_path: Path) -> None:
    assert facts_of(tmp_path, gguf_bytes({}, BODY, version=4)) == FileFacts()
    assert checked(tmp_path / "m.gguf")


NAMES = ("m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, None, id="whole"),
        pytest.param({NAMES[1]: None}, "m-00002-of-00003.gguf is missing beside it", id="the-second-missing"),
        pytest.param({NAMES[0]: None}, "m-00001-of-00003.gguf is missing beside it", id="the-first-missing"),
        pytest.param({NAMES[2]: WHOLE[:-99]}, "m-00003-of-00003.gguf is", id="the-last-cut"),
        pytest.param({NAMES[1]: b""}, "m-00002-of-00003.gguf is empty", id="the-second-empty"),
        pytest.param({NAMES[1]: b"<html>"}, "m-00002-of-00003.gguf is a web page", id="the-second-a-page"),
        pytest.param({NAMES[2]: gguf_bytes({}, BODY[:1])}, "hold 5 tensors, and 6 belong", id="of-another-download"),
    ],
)
def test_a_split_model_is_whole_or_not(tmp_path: Path, change: Mapping[str, bytes | None], words: str | None) -> None:
    first = gguf_bytes({"split.count": 3, "split.tensors.count": 6}, BODY)
    contents: dict[str, bytes | None] = {NAMES[0]: first, NAMES[1]: WHOLE, NAMES[2]: WHOLE, **change}
    for name, content in contents.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    named = tmp_path / next(name for name, content in contents.items() if content is not None)
    if words is None:
        assert checked(named) == checked(tmp_path) == tmp_path / NAMES[0]
        assert weights_gguf.read(named).parameters == 3 * (512 + 64)
    else:
        assert words in refused(named)


def test_a_part_under_another_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes({"split.count": 3, "split.no": 0}, BODY))

    assert "m.gguf is one of 3 parts, by its header: put all of them into one folder" in refused(tmp_path / "m.gguf")


def test_a_download_under_way_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(WHOLE)
    (tmp_path / "m.gguf.aria2").touch()

    assert "m.gguf is a download that stopped" in refused(tmp_path / "m.gguf")


OTHERS: dict[str, tuple[str, bytes, str]] = {
    "apple": ("._m.gguf", b"\0\5\x16\7" + bytes(4092), "AppleDouble"),
    "mmproj-first": ("mmproj-f16.gguf", gguf_bytes({"general.type": "mmproj"}), "a vision projector"),
    "mmproj-last": ("m-mmproj-f16.gguf", gguf_bytes({"general.architecture": "clip"}), "a vision projector"),
    "imatrix": ("m.imatrix.gguf", gguf_bytes({"general.type": "imatrix"}), "an importance matrix"),
    "lora": ("anything.gguf", gguf_bytes({"general.type": "adapter"}), "a LoRA adapter"),
    "control": ("happy.gguf", gguf_bytes({"general.architecture": "controlvector"}), "a control vector"),
    "eagle": ("e.gguf", gguf_bytes({"general.architecture": "eagle3"}), "a head that drafts"),
    "assistant": ("a.gguf", gguf_bytes({"general.architecture": "gemma4-assistant"}), "a head that drafts"),
    "nextn": ("n.gguf", gguf_bytes({}, [("blk.9.nextn.a.weight", (4,), F32, 16)]), "a head that drafts"),
    "vocabulary": ("ggml-vocab-x.gguf", gguf_bytes({}, []), "a vocabulary without weights"),
    "speech": ("w.gguf", gguf_bytes({"general.architecture": "whisper"}), "a speech recognizer"),
    "image": ("f.gguf", gguf_bytes({"general.architecture": "flux"}), "a model of images"),
    **{
        name: ("e.gguf", gguf_bytes({"general.architecture": name}), f"an embedding model (architecture {name}): it")
        for name in ("bert", "nomic-bert", "jina-bert-v2", "modern-bert", "t5encoder", "gemma-embedding", "later-bert")
    },
    "pooled": ("q.gguf", gguf_bytes({"llama.pooling_type": 3}), "an embedding model (its pooling_type is LAST)"),
    "ranking": ("r.gguf", gguf_bytes({"llama.pooling_type": 4}), "a reranker (its pooling_type is RANK)"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_lies_beside_a_model_is_none(tmp_path: Path, name: str) -> None:
    file, content, words = OTHERS[name]
    (tmp_path / file).write_bytes(content)

    assert words in refused(tmp_path / file)
    assert "has no GGUF of a language model: " in refused(tmp_path)
    (tmp_path / "model.gguf").write_bytes(WHOLE)
    (tmp_path / "imatrix.dat").write_bytes(b"\1\0\0\0")
    assert checked(tmp_path) == tmp_path / "model.gguf"


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"llama.pooling_type": 0}, id="no-pooling"),
        pytest.param({"llama.pooling_type": ["LAST"]}, id="pooling-in-a-list"),
        pytest.param({"llama.pooling_type": "LAST"}, id="pooling-in-a-word"),
        pytest.param({"general.type": "model"}, id="a-model"),
        pytest.param({"general.type": "something new"}, id="a-type-of-later"),
        pytest.param({"general.architecture": "something-new"}, id="an-architecture-of-later"),
        pytest.param({"general.architecture": "t5"}, id="it-writes-too"),
        pytest.param({"general.architecture": 7}, id="no-text"),
    ],
)
def test_a_model_is_a_model(tmp_path: Path, metadata: dict[str, Any]) -> None:
    (tmp_path / "x-lora-merged.gguf").write_bytes(gguf_bytes(metadata, BODY))

    assert checked(tmp_path) == tmp_path / "x-lora-merged.gguf"


Q2_K, Q3_K, Q4_K, Q6_K, Q5_0, BF16 = 10, 11, 12, 14, 6, 30
SIZE = {Q4_0: 144, Q2_K: 84, Q3_K: 110, Q4_K: 144, Q6_K: 210, Q5_0: 176, BF16: 512, 151: 150}
TABLE = ("token_embd.weight", (256, 40), Q6_K, 8400)


@pytest.mark.parametrize(
    ("name", "asked", "kinds", "words"),
    [
        pytest.param(
            "m", 10, {Q4_0: 180, Q3_K: 30}, "its file says Q2_K, its tensors are Q4_0 × 180", id="rows-of-576"
        ),
        pytest.param("m", 15, {Q5_0: 81, Q4_K: 27}, "its file says Q4_K_M, its tensors are Q5_0 × 81", id="gemma-270m"),
        pytest.param("m-Q8_0", 2, {Q4_0: 9}, "its name says Q8_0, its tensors are Q4_0 × 9", id="renamed"),
        pytest.param("m-Q8_0", None, {Q4_0: 9}, "its name says Q8_0,", id="renamed-and-silent"),
        pytest.param("m-Q8_0", 10, {Q4_0: 9}, "its file says Q2_K and its name says Q8_0, its", id="neither"),
        pytest.param("m-Q2_K", 10, {Q4_0: 9}, "its file says Q2_K, its tensors", id="both-the-same"),
        pytest.param("m-bf16", 1, {BF16: 9}, "its file says F16", id="two-halves"),
        pytest.param("m-Q4_K_M", 15, {Q4_K: 48, Q6_K: 9}, None, id="q4_k_m"),
        pytest.param("m-Q2_K", 10, {Q2_K: 32, Q3_K: 16, Q4_K: 8}, None, id="q2_k"),
        pytest.param("m-Q3_K_M", 12, {Q3_K: 32, Q4_K: 22}, None, id="q3_k_m"),
        pytest.param("m-UD-Q4_K_XL", 15, {Q4_K: 30, Q6_K: 20}, None, id="dynamic"),
        pytest.param("m-IQ4_KT", None, {151: 9}, None, id="a-type-without-a-name"),
        pytest.param("m-Q4_K", 15, {151: 9}, None, id="unknown-weights"),
        pytest.param("m-qat-q4_0-unquantized", 32, {BF16: 9}, None, id="unquantized"),
        pytest.param("m-q4_0-to-bf16", 32, {BF16: 9}, None, id="two-names"),
        pytest.param("m", None, {Q4_0: 9}, None, id="nothing-is-said"),
    ],
)
def test_what_a_name_promises_is_held_against_the_tensors(
    tmp_path: Path, name: str, asked: int | None, kinds: dict[int, int], words: str | None
) -> None:
    tensors = [(f"blk.{n}.a.weight", (256, 1), kind, SIZE[kind]) for kind, count in kinds.items() for n in range(count)]
    metadata = {} if asked is None else {"general.file_type": asked}
    said = facts_of(tmp_path, gguf_bytes(metadata, [TABLE, *tensors]), f"{name}.gguf").broken_promise

    assert (said is None) == (words is None)
    assert words is None or (words in (said or "") and (said or "").endswith(" bits a weight"))


def test_a_key_that_is_no_text_is_no_damage(tmp_path: Path) -> None:
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + pair("general.architecture", "llama")
    content += u64(2) + b"\xff\xfe" + struct.pack("<II", 4, 1)

    (tmp_path / "m.gguf").write_bytes(content)

    assert "a vocabulary without weights" in refused(tmp_path / "m.gguf")
