"""A server repeats the key that it was sent: nothing of it is printed, written, or handed to a program."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner

from evaluator import endpoint, run_study
from evaluator.cli import main
from servers.errors import WhichquantError
from tests.support.key_echo import IN_PAGES, IN_REPLIES, KEY, VARIABLE, echoing, traces, traces_in

if TYPE_CHECKING:
    from evaluator.events import Event

pytestmark = pytest.mark.usefixtures("hasty")
FEW = ["--mmlu-pro", "4", "--shots", "0", "--humaneval", "0", "--max-tokens", "64"]
STUDY = """\
study: s
baseline: good
variants:
  - {{name: good, model: m, base_url: "{good}"}}
  - {{name: bad, model: m, base_url: "{bad}", api_key_env: {variable}}}
benchmarks: {{mmlu_pro: {{questions: 4, shots: 0}}}}
sampling: {{max_tokens: 64}}
silence: 2
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let all that is written lie below one folder."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR", "WHICHQUANT_CACHE"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(endpoint, "_BUSY_S", 1.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return f"{result.stdout}{result.stderr}"


@pytest.mark.parametrize("place", [*IN_REPLIES, *IN_PAGES])
def test_nothing_of_the_key_is_printed_or_written(place: str, home: Path) -> None:
    with echoing(place) as bad, echoing("nowhere") as good:
        (home / "study.yaml").write_text(STUDY.format(good=good, bad=bad, variable=VARIABLE))
        port = str(urlsplit(bad).port)
        output = [
            printed("run", "study.yaml", "--no-check"),
            printed("eval", "--base-url", bad, "--api-key-env", VARIABLE, "--no-check", *FEW),
            printed("servers", "--port", port, "--api-key-env", VARIABLE),
            printed("servers", "--port", port, "--api-key-env", VARIABLE, "--json"),
        ]
    output += [printed("report", "runs/s"), printed("compare", "runs/s"), printed("compare", "runs/s", "--json")]

    assert (home / "runs/s/report.json").exists()
    assert [traces(text) for text in output] == [set()] * len(output)
    assert traces_in(home) == {}


@pytest.mark.parametrize("place", ["body of a 500", "text", "name of the model", "ids of two models", "finish reason"])
def test_nothing_of_the_key_is_found_by_a_check_or_handed_to_a_program(place: str, home: Path) -> None:
    seen: list[Event] = []
    with echoing(place) as bad, echoing("nowhere") as good:
        (home / "study.yaml").write_text(STUDY.format(good=good, bad=bad, variable=VARIABLE))
        output = printed("check", "study.yaml", "--json") + printed("check", "study.yaml")
        try:
            report = repr(run_study("study.yaml", force=True, on_event=seen.append))
        except WhichquantError as error:
            report = str(error)

    assert traces(output + report + repr(seen)) == set()
    assert len(output) > 200
    assert traces_in(home) == {}


def test_the_hunt_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a" / KEY.replace("/", "")).mkdir(parents=True)
    (tmp_path / "b").write_bytes(b"\xff" + msgspec.json.encode({"x": KEY[4:15]}))

    assert len(traces_in(tmp_path)) == 2


def test_a_model_named_by_the_key_is_asked_by_its_own_name(home: Path) -> None:
    with echoing("id of the only model") as url:
        said = printed("eval", "--base-url", url, "--api-key-env", VARIABLE, "--no-check", *FEW)
        again = printed(
            "eval", "--base-url", url, "--api-key-env", VARIABLE, "--no-check", *FEW, "--model", f"m Bearer {KEY}"
        )

    (folder,) = (home / "runs").iterdir()
    assert folder.name.startswith("eval-openai-m-Bearer-API-key-")
    assert "The report" in said
    assert "The report" in again
    assert traces(said + again) == set()


@pytest.mark.parametrize(
    ("written", "line"),
    [
        pytest.param(f"note: 'my key is {KEY}'", 9, id="note"),
        pytest.param(f"# {KEY}", 9, id="comment"),
        pytest.param(f"note: '{KEY.upper()}'", 9, id="other-letters"),
    ],
)
def test_a_study_that_holds_the_key_is_refused(home: Path, written: str, line: int) -> None:
    text = STUDY.format(good="http://127.0.0.1:9/v1", bad="http://127.0.0.1:9/v1", variable=VARIABLE)
    (home / "study.yaml").write_text(text + written)
    said = printed("run", "study.yaml")

    assert f"study.yaml:{line}: holds the key" in said
    assert traces(said) == set()


@pytest.mark.parametrize("variable", ["sk-abcdef0123456789", "sk-proj-a.b", "my key", "a=b", "1KEY"])
@pytest.mark.parametrize("command", ["run", "eval", "servers"])
def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated(home: Path, command: str, variable: str) -> None:
    text = STUDY.format(good="http://127.0.0.1:9/v1", bad="http://127.0.0.1:9/v1", variable=f'"{variable}"')
    (home / "study.yaml").write_text(text)
    arguments = {
        "run": ["study.yaml"],
        "eval": ["--base-url", "http://127.0.0.1:9/v1", "--api-key-env", variable],
        "servers": ["--api-key-env", variable],
    }
    result = CliRunner().invoke(main, [command, *arguments[command]])

    assert result.exit_code == 2
    assert "holds no name of an environment variable: put the key into one and name that" in result.stderr
    assert variable not in result.output
    assert not (home / "runs").exists()
