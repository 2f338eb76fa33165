"""The grids of Q4_0 and Q8_0 in MLX's form: whatever stands in a block, the weights are gguf's own to the bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluator.demo.to_mlx_grid import GROUP, _codes, _packed

ROWS, BLOCKS = 2, 2


def as_mlx_reads_it(words: NDArray[np.uint32], scales: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Unpack as MLX documents it: scale times code plus bias, in float32."""
    places = np.arange(32 // bits, dtype=np.uint32) * np.uint32(bits)
    codes = ((words[..., None] >> places) & np.uint32((1 << bits) - 1)).reshape(ROWS, -1, GROUP).astype(np.float32)
    bias = scales * np.float32(-(1 << (bits - 1)))
    return (scales[..., None] * codes + bias[..., None]).reshape(ROWS, -1)


@pytest.mark.parametrize(("name", "bits"), [("Q4_0", 4), ("Q8_0", 8)])
@given(
    st.binary(min_size=ROWS * BLOCKS * GROUP, max_size=ROWS * BLOCKS * GROUP),
    st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
)
def test_no_weight_is_changed(name: str, bits: int, content: bytes, scales: list[float]) -> None:
    kind, code_bytes = GGMLQuantizationType[name], GROUP * bits // 8
    blocks = np.frombuffer(content, dtype=np.uint8).reshape(ROWS * BLOCKS, GROUP)[:, :code_bytes]
    data = np.concatenate([np.array(scales, dtype="<f2").view(np.uint8).reshape(-1, 2), blocks], axis=1)
    data = data.reshape(ROWS, -1)
    tensor = SimpleNamespace(data=data, shape=(BLOCKS * GROUP, ROWS))

    codes, steps = _codes(tensor, bits)
    found = as_mlx_reads_it(_packed(codes, bits), steps, bits)

    np.testing.assert_array_equal(found, dequantize(data, kind))
