"""Logits of MLX folders: those of the whole model at once, and llama.cpp's of the same weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluator.demo import to_mlx
from evaluator.demo.builds import builds
from evaluator.demo.to_mlx import convert
from evaluator.demo.to_mlx_grid import changed, convert_grid
from evaluator.fidelity import measure, tokens, windows
from evaluator.fidelity.logits_mlx import logits
from evaluator.fidelity.rows import module, open_rows
from evaluator.fidelity.texts import read
from servers.errors import ModelError

pytestmark = pytest.mark.live
pytest.importorskip("mlx_lm")
LAB = Path(to_mlx.__file__).with_name("lab-full-f16.gguf")
LLAMA, MLX = (module(name) for name in ("logits_llama", "logits_mlx"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the lab model's Q4_0 as an MLX folder with the same weights."""
    place = tmp_path_factory.mktemp("mlx")
    convert_grid(builds(LAB, ["Q4_0"], place)["Q4_0"], place / "grid")
    return place


@pytest.fixture(scope="module")
def cut(folder: Path) -> windows.Windows:
    text = read("default").text[:6000]
    theirs = tokens.read([*MLX, str(folder / "grid")], text, folder)
    ours = tokens.read([*LLAMA, str(LAB)], text, LAB)
    assert tokens.in_common(ours, theirs, ("gguf", "mlx"), 10_000) == (4096, ())
    assert ours.begin == 2
    return windows.cut(ours.ids, 96, 192, ours.begin)


def test_the_grid_of_q4_0_is_kept_and_mlx_lays_another(folder: Path) -> None:
    q4_0 = folder / "lab-full-Q4_0.gguf"
    convert(q4_0, folder / "own", bits=4, group_size=32)
    exact, own = changed(q4_0, folder / "grid"), changed(q4_0, folder / "own")

    assert (exact.moved, exact.unequal) == (0, 0)
    assert own.moved / own.total > 0.1
    assert exact.total == own.total > 7_000_000


def test_both_programs_say_the_same_of_the_same_weights(folder: Path, cut: windows.Windows) -> None:
    q4_0 = folder / "lab-full-Q4_0.gguf"
    with (
        open_rows([*LLAMA, str(q4_0), "--threads", "1"], cut, q4_0) as ours,
        open_rows([*MLX, str(folder / "grid")], cut, folder / "grid") as theirs,
    ):
        found = measure.measure(cut, measure.log_probabilities(ours.pieces), theirs.pieces)

    assert theirs.head.program.startswith("mlx_lm ")
    assert theirs.head.gpu is not None
    assert found.kld.mean() < 0.02  # llama.cpp rounds activations to 8 bits, mlx does not
    assert found.same_top.mean() > 0.9


def test_pieces_are_what_the_whole_window_gives(folder: Path, cut: windows.Windows) -> None:
    import mlx.core as mx  # noqa: PLC0415
    from mlx_lm.utils import load_model  # noqa: PLC0415

    model, _ = load_model(folder / "grid")
    whole = np.array(model(mx.array(cut.ids[:1]))[0, cut.first : -1])
    pieces = np.concatenate(list(logits(folder / "grid", cut._replace(ids=cut.ids[:1]), at_once=17)))

    assert pieces.shape == whole.shape == (cut.scored, 4096)
    np.testing.assert_allclose(pieces, whole, atol=2e-3)


def test_a_broken_folder_is_one_sentence(folder: Path, cut: windows.Windows) -> None:
    broken = folder / "broken"
    shutil.copytree(folder / "grid", broken)
    (broken / "model.safetensors").unlink()
    with (
        pytest.raises(ModelError, match=r"broken cannot be evaluated by mlx_lm: No safetensors"),
        open_rows([*MLX, str(broken)], cut, broken),
    ):
        pass
