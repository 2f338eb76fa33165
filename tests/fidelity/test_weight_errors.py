"""How far weights are from the reference's: by hand, by gguf's own quantizer, in bounded memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from evaluator.errors import StudyError
from evaluator.fidelity import tensors
from evaluator.fidelity.models import open_model
from evaluator.fidelity.tensors import Model
from evaluator.fidelity.weight_errors import BuildWeights, measure
from tests.support.model_files import gguf_bytes, mlx_folder, packed, safetensors_bytes

ROWS, COLUMNS = 24, 256
Q, EMBEDDING, NORM = "blk.0.attn_q.weight", "token_embd.weight", "output_norm.weight"
PLAIN = {
    EMBEDDING: np.random.default_rng(1).normal(size=(ROWS, COLUMNS)).astype(np.float32),
    Q: np.random.default_rng(2).normal(size=(ROWS, COLUMNS)).astype(np.float32),
    NORM: np.full(COLUMNS, 40, np.float32),
}
Make = Callable[..., Model]


def encoded(numbers: Any, kind: str) -> tuple[tuple[int, ...], int, bytes]:
    number = GGMLQuantizationType[kind]
    return tuple(reversed(numbers.shape)), int(number), quantize(numbers, number).tobytes()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a GGUF of such numbers and types, and open it."""

    def write(name: str, numbers: dict[str, Any], kinds: dict[str, str] | None = None, **metadata: str) -> Model:
        parts = [(key, *encoded(value, (kinds or {}).get(key, "F32"))) for key, value in numbers.items()]
        file = tmp_path / f"{name}.gguf"
        file.write_bytes(gguf_bytes(metadata, parts))
        return open_model(file)

    return write


def relative(ours: Any, theirs: Any) -> float:
    return float(np.sqrt(((ours.astype(float) - theirs) ** 2).sum() / (theirs.astype(float) ** 2).sum()))


def errors(build: BuildWeights) -> dict[str, float | None]:
    return {tensor.name: tensor.error for tensor in build.tensors}


def test_errors_by_hand(make: Make) -> None:
    reference = make(
        "f32", {Q: np.array([[3.0, 4.0], [0.0, 0.0]], np.float32), NORM: np.array([10.0, 0.0], np.float32)}
    )
    build = make("b", {Q: np.array([[3.0, 4.0], [0.0, 1.0]], np.float32), NORM: np.array([10.0, 5.0], np.float32)})

    found = measure(build, reference)

    assert errors(found) == {Q: 0.2, NORM: 0.5}
    assert {group.group: group.error for group in found.groups} == {"attention": 0.2, "norms": 0.5}
    assert found.error == 0.2  # of the matrices


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "TQ1_0"])
@pytest.mark.parametrize("size", [pytest.param(1 << 20, id="in-one-slice"), pytest.param(700, id="in-slices")])
def test_errors_are_those_of_the_quantizer(kind: str, size: int, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "SLICE", size)
    found = measure(make("b", PLAIN, {Q: kind, EMBEDDING: kind}), make("f32", PLAIN))

    number = GGMLQuantizationType[kind]
    known = {name: relative(dequantize(quantize(PLAIN[name], number), number), PLAIN[name]) for name in (Q, EMBEDDING)}
    assert {name: error for name, error in errors(found).items() if name != NORM} == pytest.approx(known)
    together = [np.concatenate([numbers.ravel() for numbers in (PLAIN[Q], PLAIN[EMBEDDING])])]
    both = np.concatenate([dequantize(quantize(PLAIN[name], number), number).ravel() for name in (Q, EMBEDDING)])
    assert found.error == pytest.approx(relative(both, together[0]))
    assert {group.group: group.types for group in found.groups}["attention"] == {kind: 1}


def test_a_file_has_no_error_against_itself(make: Make) -> None:
    build = make("b", PLAIN, {Q: "Q4_0"})

    assert set(errors(measure(build, build)).values()) == {0.0}


def test_a_reference_is_weighed_without_reading_its_numbers(make: Make) -> None:
    found = measure(make("b", PLAIN, {Q: "Q8_0"}))

    assert set(errors(found).values()) == {None}
    assert found.error is None
    assert found.weights == 2 * ROWS * COLUMNS + COLUMNS
    assert {group.group: group.bits_per_weight for group in found.groups} == {
        "attention": 8.5,
        "embedding": 32,
        "norms": 32,
    }
    assert found.tensor_bits_per_weight < found.bits_per_weight == 8 * found.size_bytes / found.weights


def test_memory_holds_a_slice_however_large_the_tensor(make: Make) -> None:
    numbers = {EMBEDDING: np.ones((8192, 1024), np.float32)}
    build, reference = make("b", numbers, {EMBEDDING: "Q8_0"}), make("f32", numbers)
    tracemalloc.start()
    found = measure(build, reference)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.error is not None
    assert peak < numbers[EMBEDDING].nbytes  # 34 MB, and both files dequantized have twice that


@pytest.mark.parametrize(
    ("mine", "theirs", "metadata", "problem"),
    [
        pytest.param(
            PLAIN,
            PLAIN,
            {"general.architecture": "gemma3"},
            "is a gemma3, the reference f32.gguf is a llama",
            id="architecture",
        ),
        pytest.param(
            {Q: PLAIN[Q][:8]},
            PLAIN,
            {},
            "blk.0.attn_q.weight is 256 × 8, in the reference f32.gguf 256 × 24",
            id="shape",
        ),
        pytest.param(
            {Q: PLAIN[Q]}, {NORM: PLAIN[NORM]}, {}, "has no tensor that f32.gguf has", id="no-tensor-in-common"
        ),
    ],
)
def test_another_model_is_refused(mine: Any, theirs: Any, metadata: dict[str, str], problem: str, make: Make) -> None:
    reference = make("f32", theirs)
    with pytest.raises(StudyError) as refused:
        measure(make("b", mine, **metadata), reference)

    assert problem in str(refused.value)
    assert (refused.value.exit_code, refused.value.remedy) == (2, "compare builds of one model")


NAN = np.full((2, 4), np.nan, np.float32)


@pytest.mark.parametrize(
    ("mine", "theirs", "note"),
    [
        pytest.param({Q: PLAIN[Q]}, PLAIN, f"Not compared: b.gguf lacks {EMBEDDING}, {NORM}.", id="missing-here"),
        pytest.param(PLAIN, {Q: PLAIN[Q]}, f"Not compared: f32.gguf lacks {EMBEDDING}, {NORM}.", id="missing-there"),
        pytest.param(
            {Q: NAN, NORM: PLAIN[NORM]},
            {Q: np.ones((2, 4), np.float32), NORM: PLAIN[NORM]},
            f"Not compared: NaN or infinite numbers, or zeros alone in the reference, are in {Q}.",
            id="nan",
        ),
        pytest.param(
            {Q: np.ones((2, 4), np.float32)},
            {Q: np.zeros((2, 4), np.float32)},
            f"Not compared: NaN or infinite numbers, or zeros alone in the reference, are in {Q}.",
            id="a-reference-of-zeros",
        ),
    ],
)
def test_what_cannot_be_compared_is_named_and_the_rest_is(mine: Any, theirs: Any, note: str, make: Make) -> None:
    found = measure(make("b", mine), make("f32", theirs))

    assert found.notes == (note,)
    for tensor in found.tensors:
        named = tensor.name in note or not np.isfinite(mine[tensor.name]).all()
        assert (tensor.error is None) == named


@pytest.mark.parametrize("kind", [pytest.param(99, id="later-than-gguf"), pytest.param(26, id="whole-numbers")])
def test_types_that_cannot_be_dequantized_are_named(kind: int, make: Make, tmp_path: Path) -> None:
    file = tmp_path / "b.gguf"
    file.write_bytes(gguf_bytes({}, [(Q, (COLUMNS, ROWS), kind, 4 * ROWS * COLUMNS)]))

    found = measure(open_model(file), make("f32", PLAIN))

    assert found.error is None
    assert f"Not compared: of a type that cannot be dequantized here are {Q}." in found.notes


def test_mlx_and_gguf_are_not_compared(make: Make, tmp_path: Path) -> None:
    folder = mlx_folder(tmp_path / "m", ["model.safetensors"])

    found = measure(open_model(folder), make("f32", PLAIN))

    assert found.error is None
    assert "MLX and GGUF order rows differently" in found.notes[0]


def test_many_names_are_shortened(make: Make) -> None:
    many = {f"blk.{number}.attn_q.weight": PLAIN[Q] for number in range(9)}

    (note,) = measure(make("b", {Q: PLAIN[Q]}), make("f32", many)).notes

    assert note.endswith("blk.1.attn_q.weight, blk.2.attn_q.weight, blk.3.attn_q.weight and 5 more.")


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes({}, [("a.weight", (0, 4), 0, 0)]))

    with pytest.raises(StudyError, match="has no weights"):
        measure(open_model(file))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_the_numbers_of_mlx_are_unpacked(bits: int, tmp_path: Path) -> None:
    """MLX's layout: a stream of bits, the lowest first; w = scale * q + offset."""
    rng = np.random.default_rng(bits)
    rows, columns, group = 3, 128, 64
    numbers = rng.integers(0, 1 << bits, (rows, columns))
    stream = (numbers[..., None] >> np.arange(bits)) & 1
    words = np.packbits(stream.reshape(rows, -1).astype(np.uint8), axis=1, bitorder="little")
    scales, offsets = rng.normal(size=(2, rows, columns // group)).astype(np.float32)
    plain = numbers * np.repeat(scales, group, axis=1) + np.repeat(offsets, group, axis=1)

    packed_folder, plain_folder = (mlx_folder(tmp_path / name, ["model.safetensors"]) for name in ("q", "f"))
    config = f'{{"model_type": "llama", "quantization": {{"bits": {bits}, "group_size": {group}}}}}'
    (packed_folder / "config.json").write_text(config)
    layer = packed("lm_head", bits, group, rows, columns)
    layer |= {f"lm_head.{part}": ("F32", (rows, columns // group)) for part in ("scales", "biases")}
    parts = (words.tobytes(), scales.tobytes(), offsets.tobytes())
    (packed_folder / "model.safetensors").write_bytes(
        safetensors_bytes(layer)[: -sum(map(len, parts))] + b"".join(parts)
    )
    whole = plain.astype("<f4").tobytes()
    (plain_folder / "model.safetensors").write_bytes(
        safetensors_bytes({"lm_head.weight": ("F32", (rows, columns))})[: -len(whole)] + whole
    )

    found = measure(open_model(packed_folder), open_model(plain_folder))

    assert found.error == pytest.approx(0, abs=1e-6)
    assert found.notes == ()
