"""`whichquant weights` prints what files hold, within 80 columns, and one sentence where they are none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main
from tests.support.model_files import gguf_bytes, mlx_folder

NASTY = "a\x1b[31mred\x07\u202e[bold]b[/bold].attn_q.weight"
ONES = b"\x00\x00\x80\x3f"


def weights(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, ["weights", *map(str, arguments)])


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    """A reference of ones, and a Q2_K whose rows of 32 rule Q2_K out; half of its scales are 1."""
    reference, build = (
        tmp_path / "a-very-long-name-of-a-model-as-they-are-on-the-hub-F32.gguf",
        tmp_path / "m-Q2_K.gguf",
    )
    names = ("token_embd.weight", "blk.0.attn_q.weight", "blk.0.ffn_down.weight", "output_norm.weight")
    shapes = dict.fromkeys(names[:3], (32, 8)) | {names[3]: (32,)}
    plain = [(name, shape, 0, ONES * (256 if len(shape) > 1 else 32)) for name, shape in shapes.items()]
    reference.write_bytes(gguf_bytes({"general.file_type": 0}, plain))
    eights = [(name, (32, 8), 8, (b"\x00\x3c" + b"\x01" * 16 + b"\x02" * 16) * 8) for name in names[:3]]
    build.write_bytes(gguf_bytes({"general.file_type": 10}, [*eights, plain[3]]))
    return reference, build


def test_the_tables_show_types_bits_and_errors_and_the_promise(builds: tuple[Path, Path]) -> None:
    result = weights(*builds)
    words = " ".join(result.stdout.split())

    assert result.exit_code == 0
    assert "embedding 256 8.50 70.7 % 70.7 % Q8_0 × 1" in words  # half of the ones became twos
    assert "norms 32 32.00 0 % 0 % F32 × 1" in words
    assert "Its name and general.file_type say Q2_K: 0 of 3 matrices are Q2_K" in words
    assert "no multiple of 256 (32) got Q8_0 × 3 instead" in words


def test_everything_fits_into_80_columns(builds: tuple[Path, Path]) -> None:
    assert max(map(len, weights(*builds).stdout.splitlines())) <= 80


def test_one_file_alone_is_shown_without_errors(builds: tuple[Path, Path]) -> None:
    result = weights(builds[1])

    assert result.exit_code == 0
    assert "%" not in result.stdout
    assert "Q8_0 × 1" in result.stdout


def test_the_object_for_programs_has_all_of_it(builds: tuple[Path, Path]) -> None:
    found = json.loads(weights(*builds, "--json").stdout)

    assert found["reference"] == builds[0].name
    assert [build["error"] for build in found["builds"]] == [None, pytest.approx(0.5**0.5)]
    assert {tensor["name"]: tensor["error"] for tensor in found["builds"][1]["tensors"]}["output_norm.weight"] == 0
    assert found["builds"][1]["promises"][0]["denied"][0] == {
        "tensor": "token_embd.weight",
        "type": "Q8_0",
        "row": 32,
        "why": "rows",
    }


def test_names_in_a_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    reference, build = tmp_path / "f.gguf", tmp_path / "[bold]b.gguf"
    both = ("blk.0.ffn_up.weight", (4, 4), 0, 64)
    reference.write_bytes(gguf_bytes({}, [(NASTY, (4, 4), 0, 64), both]))
    build.write_bytes(gguf_bytes({"general.name": NASTY}, [both]))

    result = weights(reference, build)

    assert result.exit_code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(result.stdout)
    assert "[bold]b[/bold].attn_q.weight" in result.stdout


@pytest.mark.parametrize("order", [pytest.param((0, 1), id="build"), pytest.param((1, 0), id="reference")])
def test_a_file_that_is_none_is_one_sentence(order: tuple[int, int], builds: tuple[Path, Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(builds[1].read_bytes()[:-200])
    files = (builds[0], cut)

    result = weights(*(files[place] for place in order))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"{cut} is" in result.stderr
    assert "its download was cut" in result.stderr


def test_no_model_is_asked_for() -> None:
    result = weights()

    assert result.exit_code == 2
    assert "MODEL" in result.stderr


def test_a_folder_of_mlx_weights_is_shown(tmp_path: Path) -> None:
    result = weights(mlx_folder(tmp_path / "m", ["model.safetensors"]))

    assert result.exit_code == 0
    assert "m: MLX, F16" in result.stdout
