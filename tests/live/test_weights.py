"""Weights that llama.cpp and mlx wrote: their errors are those that these programs' own numbers have."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.demo.builds import builds
from evaluator.fidelity.models import open_model
from evaluator.fidelity.weight_errors import measure
from tests.support.model_files import mlx_folder

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"


def test_fewer_bits_have_larger_errors_and_every_type_is_read(tmp_path: Path) -> None:
    made = builds(LAB, ("Q8_0", "IQ4_XS", "Q2_K"), tmp_path)
    reference = open_model(LAB)
    found = {name: measure(open_model(path), reference) for name, path in made.items()}

    errors = {name: build.error or 1.0 for name, build in found.items()}
    assert 0.003 < errors["Q8_0"] < 0.01 < errors["IQ4_XS"] < 0.12 < errors["Q2_K"] < 0.4
    assert all(build.notes == () for build in found.values())
    assert found["Q2_K"].promises[0].where == ("its name", "general.file_type")


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_weights_that_mlx_packed_are_read_as_mlx_reads_them(bits: int, tmp_path: Path) -> None:
    mx = pytest.importorskip("mlx.core")
    weight = mx.array(np.random.default_rng(bits).normal(size=(6, 256)).astype(np.float32))
    words, scales, offsets = mx.quantize(weight, group_size=64, bits=bits)
    packed, plain = (mlx_folder(tmp_path / name, ["model.safetensors"]) for name in ("packed", "plain"))
    config = f'{{"model_type": "llama", "quantization": {{"bits": {bits}, "group_size": 64}}}}'
    (packed / "config.json").write_text(config)
    layer = {"lm_head.weight": words, "lm_head.scales": scales, "lm_head.biases": offsets}
    mx.save_safetensors(str(packed / "model.safetensors"), layer)
    whole = mx.dequantize(words, scales, offsets, group_size=64, bits=bits)
    mx.save_safetensors(str(plain / "model.safetensors"), {"lm_head.weight": whole})

    assert measure(open_model(packed), open_model(plain)).error == pytest.approx(0, abs=1e-6)
