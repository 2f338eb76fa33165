"""`--json-log` writes every event as one JSON object a line, without a model's words; `--quiet` shows the end only."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import msgspec
import pytest
from click.testing import CliRunner

from evaluator import events
from evaluator.checks.rule import Check
from evaluator.cli import main
from evaluator.events import Event
from evaluator.records import Answer, Failure, Grade, Key, Record
from evaluator.report.json_log import JsonLog
from evaluator.report.log_lines import LINES, Ended, line
from evaluator.study.file import load_study
from servers.fake import Reply
from servers.spec import ServerFacts
from tests.report.test_checking import study
from tests.support.probe_scripts import honest
from tests.support.scripted import ANSWERS, Bench, prompt_of, right, wrong

HOSTILE = '\x1b[2J\x9b31m\u202e\ud800\u2028x\n"y"\x00'
KEY = Key("mmlu_pro", HOSTILE)
RECORD = Record(
    key=KEY,
    variant="q4",
    started="",
    request={"secret": HOSTILE},
    failure=Failure(kind="timeout", message=HOSTILE),
    attempts=(Failure(kind="timeout", message=""),),
)
GRADE = Grade(key=KEY, variant="q4", outcome="failed", extracted=HOSTILE, why=HOSTILE)


def every_event(folder: Path) -> list[Event]:
    (folder / "s.yaml").write_text(study("q8", "q4"))
    return [
        events.Begun(load_study(folder / "s.yaml").study, HOSTILE),
        events.Described("q4", ServerFacts(runtime="openai", engine=HOSTILE, model_id=HOSTILE), (HOSTILE,)),
        events.Status("q4", HOSTILE, 3.0, "busy"),
        events.Checking("q4", HOSTILE, 1, 2, what=HOSTILE),
        events.Checked((Check(code="c", severity="warn", message=HOSTILE, evidence={HOSTILE: HOSTILE}),)),
        events.NotScored((HOSTILE,), HOSTILE, HOSTILE),
        events.Planned(MappingProxyType({"q4": (KEY,)}), {}),
        events.Graded(RECORD, GRADE),
        events.Settled("q4", "mmlu_pro"),
        events.Analysing(),
        events.Unfinished("q4", HOSTILE),
    ]


def test_every_event_has_a_line_of_its_own_kind(tmp_path: Path) -> None:
    made = every_event(tmp_path)

    assert {type(event) for event in made} == set(get_args(Event))
    assert {type(line(event, "")) for event in made} | {Ended} == set(LINES)
    assert len({noun.__struct_config__.tag for noun in LINES}) == len(LINES)


def test_each_line_is_one_harmless_json_object(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with JsonLog(str(path)) as log:
        for event in every_event(tmp_path):
            log(event)
        log.end(1, error=HOSTILE)

    text = path.read_text()
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    objects = [json.loads(each) for each in text.splitlines()]
    assert len(objects) == 12
    for one in objects:
        assert {"event", "time"} <= one.keys()
        assert not [c for c in str(one) if not c.isprintable()]


def test_a_line_of_a_graded_question_has_no_text_of_the_model() -> None:
    answer = Answer(text="what it said", reasoning="what it thought", duration_s=1.5, completion_tokens=9)
    record = msgspec.structs.replace(RECORD, key=Key("mmlu_pro", "7"), failure=None, answer=answer)
    grade = msgspec.structs.replace(GRADE, outcome="correct", extracted="what it said", why="the last line")

    said = msgspec.json.encode(line(events.Graded(record, grade), "now")).decode()

    assert "what it" not in said
    assert '"completion_tokens":9' in said


def lines_of(path: Path) -> list[Mapping[str, Any]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def mistaken(body: Any, number: int) -> Reply:
    return wrong(body) if prompt_of(body) in ANSWERS else honest(body, number)


def test_a_run_and_its_continuation_write_one_log(bench: Bench) -> None:
    path = bench.folder / "log.jsonl"
    first = bench.run(bench.study(4, good=honest, bad=mistaken), "--json-log", str(path), "--force", check=True)
    kinds = [one["event"] for one in lines_of(path)]
    bench.run(bench.folder / "study.yaml", "--json-log", str(path))
    both = lines_of(path)

    assert first.exit_code == 0, first.output
    assert kinds[0] == "begun"
    assert kinds[-2:] == ["analysing", "ended"]
    assert {"checking", "checked", "planned", "status", "graded"} <= set(kinds)
    assert sum(kind == "graded" for kind in kinds) == 8
    assert both[len(kinds)]["event"] == "begun"
    assert all(one["earlier"] == (at > len(kinds)) for at, one in enumerate(both) if one["event"] == "graded")
    assert both[-1]["exit_code"] == 0
    assert both[-1]["report"].endswith("runs/s/report.json")


@pytest.mark.parametrize("target", ["file", "-"])
def test_the_log_goes_to_a_file_or_to_standard_error_and_the_result_to_the_screen(bench: Bench, target: str) -> None:
    study, path = bench.study(3, good=right, bad=wrong), bench.folder / "log.jsonl"
    to = "-" if target == "-" else str(path)
    command = [sys.executable, "-m", "evaluator", "run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]
    done = subprocess.run([*command, "--json-log", to, "--quiet"], capture_output=True, text=True, check=True)

    log = done.stderr if target == "-" else path.read_text()
    assert [json.loads(text)["event"] for text in log.splitlines()][-1] == "ended"
    assert done.stderr == (log if target == "-" else "")
    assert "What the data show" in done.stdout
    assert "good: asking" not in done.stdout
    assert "good: 3/3" not in done.stdout


def test_quiet_shows_the_end_only(bench: Bench) -> None:
    loud = bench.run(bench.study(3, good=right, bad=wrong))
    quiet = bench.run(bench.folder / "study.yaml", "--quiet")

    assert quiet.exit_code == 0
    assert len(quiet.output) < len(loud.output)
    assert loud.output.endswith(quiet.output.partition("What the data show")[2])
    assert "questions each for" not in quiet.output


def test_quiet_says_what_blocks(bench: Bench, nobody: int) -> None:
    study = bench.study(3, good=honest)
    study.write_text(
        study.read_text().replace(
            "benchmarks:", f'  - {{name: gone, model: m, base_url: "http://127.0.0.1:{nobody}/v1"}}\nbenchmarks:'
        )
    )
    path = bench.folder / "log.jsonl"
    result = bench.run(study, "--quiet", "--json-log", str(path), check=True)

    assert result.exit_code == 3
    assert "block" in result.output
    assert "Nothing was asked: a server does not start." in " ".join(result.output.split())
    assert lines_of(path)[-1]["exit_code"] == 3
    assert lines_of(path)[-1]["error"]


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_log_that_cannot_be_opened_is_one_sentence(bench: Bench, command: str) -> None:
    study = bench.study(1, good=right)

    result = CliRunner().invoke(main, [command, str(study), "--json-log", str(bench.folder / "no" / "log")])

    assert result.exit_code == 2
    assert "cannot be written (No such file or directory)" in result.output
    assert not (bench.folder / "runs").exists()


def test_a_wrong_study_is_in_the_log_too(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    result = CliRunner().invoke(main, ["run", str(tmp_path / "none.yaml"), "--json-log", str(path)])

    assert result.exit_code == 2
    (only,) = lines_of(path)
    assert (only["event"], only["exit_code"]) == ("ended", 2)
    assert "none.yaml" in only["error"]


def test_a_log_that_is_full_does_not_end_the_run(bench: Bench) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    study = bench.study(3, good=right)
    command = [sys.executable, "-m", "evaluator", "run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]

    done = subprocess.run([*command, "--json-log", "/dev/full"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stderr == "whichquant: /dev/full: No space left on device: the log ends here, the run goes on\n"


def test_a_check_has_a_log(bench: Bench) -> None:
    path = bench.folder / "log.jsonl"
    arguments = ["check", str(bench.study(2, good=honest)), "--runs", str(bench.folder / "runs")]

    result = CliRunner().invoke(main, [*arguments, "--quiet", "--json-log", str(path)])

    assert result.exit_code == lines_of(path)[-1]["exit_code"]
    assert "checking" not in result.output.partition("good")[0]
    assert [one["what"] for one in lines_of(path) if one["event"] == "checking" and one["what"]]
