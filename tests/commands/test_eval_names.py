"""How `whichquant eval` names its runs, and what a comparison of them shows."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator import endpoint
from evaluator.cli import main
from evaluator.study.study import named_by_model
from servers.fake import FakeServer, Reply
from servers.spec import RuntimeName, ServerSpec
from tests.support.scripted import right, wrong

pytestmark = pytest.mark.usefixtures("hasty")
LONG = "bartowski/gemma-4-26B-A4B-it-qat-GGUF-a-finetune-with-a-long-name-by-someone-Q4_K_M-imatrix-v2"
FITS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def name(model: str, runtime: RuntimeName = "openai") -> str:
    return endpoint._name(ServerSpec(runtime=runtime, model=model))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        pytest.param("m", "eval-openai-m", id="short"),
        pytest.param("org/some model:Q4", "eval-openai-org-some-model-Q4", id="parts"),
        pytest.param("/srv/models/qwen-4bit", "eval-openai-qwen-4bit", id="folder"),
        pytest.param("x" * 80, f"eval-openai-{'x' * 80}", id="80-characters"),
        pytest.param("x" * 81, r"eval-openai-x{79}-[0-9a-f]{8}", id="81-characters"),
        pytest.param(LONG, rf"eval-openai-{LONG[:79].replace('/', '-')}-[0-9a-f]{{8}}", id="long"),
        pytest.param("通义千问", r"eval-openai-[0-9a-f]{8}", id="no-latin-letter"),
        pytest.param("modèle", r"eval-openai-mod-le-[0-9a-f]{8}", id="accent"),
        pytest.param("..", r"eval-openai-[0-9a-f]{8}", id="dots"),
        pytest.param("../../etc/x", r"eval-openai-etc-x-[0-9a-f]{8}", id="out-of-the-folder"),
        pytest.param("?!*", r"eval-openai-[0-9a-f]{8}", id="odd-characters-only"),
        pytest.param("a\nb\0c", r"eval-openai-a-b-c-[0-9a-f]{8}", id="control-characters"),
        pytest.param("\ud800", r"eval-openai-[0-9a-f]{8}", id="half-a-character"),
    ],
)
def test_a_run_is_named_by_its_model_as_far_as_that_fits(model: str, named: str) -> None:
    assert re.fullmatch(named, name(model))
    assert FITS.fullmatch(name(model))


@given(st.text(max_size=300), st.sampled_from(["openai", "llama_server", "vllm"]))
@example(LONG, "llama_server")
@example("", "openai")
def test_every_name_fits_and_is_the_same_tomorrow(model: str, runtime: RuntimeName) -> None:
    assert FITS.fullmatch(name(model, runtime))
    assert name(model, runtime) == name(model, runtime)


ALIKE = [
    "a?b",
    "a!b",
    "a#b",
    "ä",
    "ö",
    "",
    ".",
    "..",
    "-",
    "a",
    "a.",
    ".a",
    "a\n",
    LONG,
    f"{LONG}x",
    f"{LONG}y",
    "x" * 81,
]


def test_models_that_differ_late_or_in_odd_characters_only_have_names_of_their_own() -> None:
    assert len({name(model) for model in ALIKE}) == len(ALIKE)


def evaluated(folder: Path, model: str, script: object) -> Result:
    few = ["--mmlu-pro", "8", "--shots", "0", "--humaneval", "0", "--max-tokens", "64", "--no-check"]
    with FakeServer(script, models=[model]) as fake:  # type: ignore[arg-type]  # a script
        return CliRunner().invoke(main, ["eval", "--base-url", fake.base_url, "--runs", str(folder), *few])


def good(body: object, number: int = 0) -> Reply:
    try:
        return right(body, number)
    except KeyError:
        return Reply(text="yes")


@pytest.mark.parametrize(
    ("models", "shown"),
    [
        pytest.param(["org/a-Q8_0", "org/a-Q4_K_M"], ["org/a-Q8_0", "org/a-Q4_K_M"], id="two-models"),
        pytest.param([f"{LONG}-1", f"{LONG}-2"], [f"{LONG}-1", f"{LONG}-2"], id="long-and-alike"),
        pytest.param(["/srv/q8", "/srv/q4"], ["q8", "q4"], id="folders"),
        pytest.param(["モデル甲", "モデル乙"], ["モデル甲", "モデル乙"], id="not-latin"),
        pytest.param(["running", "a"], ["running", "a"], id="named-as-the-variant"),
    ],
)
def test_two_evaluated_servers_are_compared_under_the_names_of_their_models(
    tmp_path: Path, models: list[str], shown: list[str]
) -> None:
    codes = [evaluated(tmp_path, model, script).exit_code for model, script in zip(models, (good, wrong), strict=True)]
    folders = sorted(tmp_path.iterdir(), key=lambda folder: json.loads((folder / "report.json").read_text())["written"])
    arguments = ["compare", *map(str, sorted(folders, key=lambda folder: (folder / "study.yaml").stat().st_mtime))]
    as_json = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    text = "".join(CliRunner().invoke(main, arguments).output.split())
    named = CliRunner().invoke(main, [*arguments, "--baseline", shown[1], "--json"])

    assert codes == [0, 0]
    assert len(folders) == 2
    assert [as_json["baseline"], as_json["comparisons"][0]["variant"]] == shown
    assert f"{shown[1]}isclearlyworsethan{shown[0]}" in text
    assert json.loads(named.stdout)["baseline"] == shown[1]


def test_one_model_at_two_addresses_is_named_with_its_run(tmp_path: Path) -> None:
    for run in ("x", "y"):
        evaluated(tmp_path / run, "m", good if run == "x" else wrong)
    folders = [str(tmp_path / run / "eval-openai-m") for run in ("x", "y")]
    report = json.loads(CliRunner().invoke(main, ["compare", *folders, "--json"]).stdout)

    assert [report["baseline"], report["comparisons"][0]["variant"]] == [f"{folder}/m" for folder in folders]
    assert CliRunner().invoke(main, ["compare", *folders, "--baseline", "running"]).exit_code == 2


def test_a_run_that_an_earlier_version_began_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer(good, models=["org/m"]) as fake:
        few = ["--base-url", fake.base_url, "--runs", str(tmp_path), "--shots", "0", "--humaneval", "0", "--no-check"]
        with monkeypatch.context() as earlier:
            earlier.setattr(endpoint, "named_by_model", lambda model: "running")
            CliRunner().invoke(main, ["eval", *few, "--mmlu-pro", "4"])
        result = CliRunner().invoke(main, ["eval", *few, "--mmlu-pro", "8"])

    report = json.loads((tmp_path / "eval-openai-org-m" / "report.json").read_text())
    assert result.exit_code == 0, result.output
    assert [(score["variant"], score["planned"]) for score in report["scores"]] == [("running", 8)]
    assert len((tmp_path / "eval-openai-org-m" / "records" / "running.jsonl").read_text().splitlines()) == 8


@pytest.mark.parametrize("model", [*ALIKE, "qwen/qwen3-4b", "qwen3:4b", "モデル甲", "_x", "../../etc/x"])
def test_a_variant_s_name_of_any_model_is_one(model: str) -> None:
    assert FITS.fullmatch(named_by_model(model))
    assert model != "qwen/qwen3-4b" or named_by_model(model) == "qwen-qwen3-4b"


def test_variants_of_models_that_differ_have_names_of_their_own() -> None:
    assert len({named_by_model(model) for model in ALIKE}) == len(ALIKE)


def test_the_report_of_one_server_names_its_model(tmp_path: Path) -> None:
    result = evaluated(tmp_path, "qwen/qwen3-4b", good)

    texts = [path.read_text() for path in (tmp_path / "eval-openai-qwen-qwen3-4b").glob("report*")]
    assert len(texts) == 4
    for text in (result.output, *texts):
        assert "qwen-qwen3-4b" in text
        assert "running already" in text or "running" not in text
