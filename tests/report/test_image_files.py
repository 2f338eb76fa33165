"""Pictures as files: sharp, whole, and harmless whatever their texts hold."""

import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from evaluator import save_pictures
from evaluator.analyse.report import Report
from evaluator.cli import main
from evaluator.commands import run
from evaluator.report.image_files import with_glyphs
from evaluator.store.folder import is_being_written
from tests.support.measured_fidelity import BOUND, FIDELITY, TOP_K
from tests.support.scripted import Bench, mostly

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo" / "report.json"
HOSTILE = [
    pytest.param("$\\frac{1}{0}$ and $x", id="formula"),
    pytest.param("<script>alert(1)</script>&amp;]]>", id="markup"),
    pytest.param("\u202egpj.exe\u2066 \x00\x1b[31m\x07", id="controls"),
    pytest.param("\u6a21\u578b \U0001f916 \u0e42\u0e21\u0e40\u0e14\u0e25", id="no-glyphs"),
    pytest.param("x" * 100_000, id="long"),
    pytest.param("a\nb\tc %s {0}", id="lines"),
]


@pytest.fixture
def report() -> Report:
    return msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)


def size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_both_pictures_are_saved_in_both_forms(report: Report, tmp_path: Path) -> None:
    paths = save_pictures(report, tmp_path, ["png", "svg"])

    assert sorted(path.name for path in paths) == sorted(
        f"report-{what}.{form}" for what in ("quality", "differences") for form in ("png", "svg")
    )
    for path in paths:
        if path.suffix == ".png":
            width, height = size(path)
            assert width == 2400
            assert 1300 <= height <= 1500
        else:
            assert ET.fromstring(path.read_text()).tag == "{http://www.w3.org/2000/svg}svg"


def test_fidelity_has_a_picture_where_it_was_measured(report: Report, tmp_path: Path) -> None:
    name = "<&$\\frac{1}{2}$ " + 200 * "x"
    builds = (*FIDELITY.builds, BOUND, replace(TOP_K, build=name))
    paths = save_pictures(replace(report, fidelity=replace(FIDELITY, builds=builds)), tmp_path, ["png", "svg"])
    nothing = save_pictures(replace(report, fidelity=replace(FIDELITY, builds=())), tmp_path, ["svg"])

    assert [path.name for path in paths[-2:]] == ["report-fidelity.png", "report-fidelity.svg"]
    assert 1300 <= size(paths[-2])[1] <= 1500
    assert "report-fidelity.svg" not in [path.name for path in nothing]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_do_nothing_in_a_picture(report: Report, tmp_path: Path, text: str) -> None:
    study = report.plan.study
    variants = tuple(
        replace(variant, name=text, model=text) if i else variant for i, variant in enumerate(study.variants)
    )
    recommendation = report.recommendation and replace(report.recommendation, sentence=text)
    hostile = replace(
        report,
        plan=replace(report.plan, study=replace(study, study=text, variants=variants)),
        comparisons=tuple(replace(c, variant=text) for c in report.comparisons),
        scores=tuple(replace(s, variant=s.variant if s.variant == "q8_0" else text) for s in report.scores),
        facts={name if name == "q8_0" else text: facts for name, facts in report.facts.items()},
        recommendation=recommendation,
        resources=tuple(replace(r, variant=r.variant if r.variant == "q8_0" else text) for r in report.resources),
    )

    for path in save_pictures(hostile, tmp_path, ["png", "svg"]):
        if path.suffix == ".svg":
            names = {element.tag.rpartition("}")[2] for element in ET.fromstring(path.read_text()).iter()}
            assert not names & {"script", "image", "a", "foreignObject"}
        else:
            assert size(path)[0] == 2400


def test_what_the_font_lacks_is_shown_as_lacking() -> None:
    assert with_glyphs("q4_0 \u00b15 \u6a21 \u202ex\x00") == "q4_0 \u00b15 \ufffd x"


def test_the_same_report_gives_the_same_picture(report: Report, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save_pictures(report, tmp_path, ["svg", "png"])]

    assert [path.read_bytes() for path in save_pictures(report, tmp_path, ["svg", "png"])] == first


def test_the_command_says_where_they_are(bench: Bench) -> None:
    bench.run(bench.study(20, good=mostly(0.9, "a"), bad=mostly(0.4, "b")))
    folder = bench.folder / "runs" / "s"
    result = CliRunner().invoke(main, ["report", str(folder), "--png"])

    assert result.exit_code == 0, result.output
    told = re.findall(r"A picture: (\S+)", result.output)
    assert told == [str(folder / "report-quality.png"), str(folder / "report-differences.png")]
    assert all(size(Path(path))[0] == 2400 for path in told)
    assert not list(folder.glob("*.svg"))


def test_one_variant_has_one_picture(bench: Bench) -> None:
    study = bench.study(20, good=mostly(0.7, "a"))
    result = bench.run(study)
    assert result.exit_code == 0, result.output
    folder = bench.folder / "runs" / "s"
    result = CliRunner().invoke(main, ["report", str(folder), "--svg"])

    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.glob("report-*.svg")] == ["report-quality.svg"]


@pytest.mark.parametrize("options", [["--png"], ["--png", "--format", "reddit"]], ids=["shown", "pasted"])
def test_no_other_process_writes_into_the_folder_while_pictures_are_saved(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    bench.run(bench.study(5, good=mostly(0.7, "a")))
    was_locked = []

    def save(_: Report, into: Path, __: Sequence[str]) -> tuple[Path, ...]:
        was_locked.append(is_being_written(into))
        return ()

    monkeypatch.setattr(run, "save_pictures", save)
    CliRunner().invoke(main, ["report", str(bench.folder / "runs" / "s"), *options], catch_exceptions=False)

    assert was_locked == [True]
