"""What the name of a GGUF says where its header cannot, and where it misleads."""

from pathlib import Path

import pytest

from servers.weights.roles import only_gguf
from tests.servers.test_gguf_whole import WHOLE, checked, refused


@pytest.mark.parametrize(
    "name",
    [
        *("m-Q4_K_M-imatrix.gguf", "m-imatrix-Q4_K_M.gguf", "m.imatrix.IQ2_XXS.gguf", "m_imatrix_q8_0.gguf"),
        *("m-imatrix-TQ1_0.gguf", "M-7B-IQ4_XS-imatrix-00001-of-00001.gguf", "m-imatrix-MXFP4_MOE.gguf"),
    ],
)
def test_a_model_quantized_with_an_importance_matrix_is_no_importance_matrix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE)

    assert checked(tmp_path) == tmp_path / name
    assert only_gguf([name, "m.imatrix.gguf", "imatrix.gguf", "mmproj-Q8_0.gguf"], "repo", "") == name


@pytest.mark.parametrize(
    "name",
    ["m.Q5_K_M.gguf.part1of2", "m.gguf.part2of8", "m.gguf-split-a", "m.gguf-part-b", "m.gguf.part-aa", "m.gguf.part0"],
)
def test_a_piece_of_a_file_that_was_cut_up_is_to_be_joined_not_fetched_again(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[:-5])

    said = refused(tmp_path / name)
    assert "is one piece of a file that was cut up" in said
    assert "cat PIECES > m." in said
    assert "fetch" not in said
