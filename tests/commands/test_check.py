"""`whichquant check`, and the check that every run begins with: found before a question is asked, or forced."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from evaluator.checks.table import RULES
from evaluator.cli import main
from evaluator.report.preflight import ASPECTS
from servers.fake import FakeModel, FakeServer, Reply, Script
from servers.fake.dialects import LLAMA_SERVER
from tests.support.probe_scripts import (
    Mixing,
    another_template,
    deaf_to_temperature,
    honest,
    refusing,
    thinking,
    truncating,
)
from tests.support.scripted import ANSWERS, Bench

pytestmark = pytest.mark.usefixtures("hasty")


SAMPLING = "sampling: {max_tokens: 800, top_p: 1, top_k: 0, min_p: 0}"
"""All is said, so that no server is left to its own defaults."""


def study_of(bench: Bench, **scripts: Any) -> Path:
    path = bench.study(**scripts)
    path.write_text(path.read_text().replace("sampling: {max_tokens: 100}", SAMPLING))
    return path


def check(bench: Bench, study: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["check", str(study), "--runs", str(bench.folder / "runs"), *more])


def check_json(bench: Bench, study: Path) -> Any:
    return json.loads(check(bench, study, "--json").stdout)


def questions(bench: Bench, name: str) -> int:
    """Count the study's questions that a server was asked, but for the one of the check."""
    return sum(asked in ANSWERS for asked in bench.asked(name))


def test_a_clean_study_passes_and_leaves_nothing_behind(bench: Bench) -> None:
    study = study_of(bench, good=honest, other=honest)

    result = check(bench, study)

    assert result.exit_code == 0, result.output
    assert "Nothing was found that speaks against this comparison." in " ".join(result.output.split()), result.output
    assert not (bench.folder / "runs").exists()
    assert max(len(line) for line in result.output.splitlines() if "proved" in line) <= 80


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(truncating, "cut_prompts", id="prompts-cut-in-silence"),
        pytest.param(refusing, "context", id="long-prompts-refused"),
        pytest.param(deaf_to_temperature, "sampling_ignored", id="temperature-ignored"),
        pytest.param(Mixing(), "mixed", id="answers-mixed"),
        pytest.param(another_template, "template_tokens", id="another-template"),
    ],
)
def test_a_planted_fault_is_found_and_told_of_its_variant(bench: Bench, script: Script, code: str) -> None:
    study = study_of(bench, good=honest, bad=script)

    output = check_json(bench, study)

    assert [c["variant"] for c in output["checks"] if c["code"] == code] == ["bad"], output["checks"]
    (aspect,) = [aspect for aspect, codes in ASPECTS.items() if code in codes]
    assert output["variants"]["bad"][aspect] in ("block", "warn")
    assert output["variants"]["good"][aspect] == "proved"


def test_thinking_that_is_on_though_declared_off_is_found(bench: Bench) -> None:
    study = study_of(bench, good=honest, bad=thinking)
    study.write_text(study.read_text().replace("model: fake,", "model: fake, thinking: false,"))

    output = check_json(bench, study)

    assert [c["variant"] for c in output["checks"] if c["code"] == "thinking_on"] == ["bad"], output["checks"]


def test_a_finding_that_blocks_is_exit_code_1_and_with_force_0(bench: Bench) -> None:
    study = study_of(bench, good=honest, bad=truncating)

    blocked, forced = check(bench, study), check(bench, study, "--force")

    assert blocked.exit_code == 1
    assert "block cut_prompts bad: " in " ".join(blocked.output.split())
    assert forced.exit_code == 0


def gone(bench: Bench, nobody: int, **scripts: Any) -> Path:
    """Write a study of one server that answers, and of one that nobody has started."""
    study = study_of(bench, good=honest, gone=honest, **scripts)
    study.write_text(study.read_text().replace(str(bench.fakes["gone"].port), str(nobody)))
    return study


@pytest.mark.parametrize("parallel", [False, True], ids=["in-turn", "parallel"])
def test_a_server_that_is_not_there_is_exit_code_3_before_any_other_is_tried(
    bench: Bench, nobody: int, *, parallel: bool
) -> None:
    study = gone(bench, nobody)
    study.write_text(f"{study.read_text()}parallel: {str(parallel).lower()}\n")

    result = check(bench, study)

    assert result.exit_code == 3
    assert f"block no_server gone: Nothing answers at http://127.0.0.1:{nobody}/v1" in " ".join(result.output.split())
    assert bench.fakes["good"].requests == []


def test_forced_the_others_are_checked(bench: Bench, nobody: int) -> None:
    study = gone(bench, nobody)

    found = json.loads(check(bench, study, "--force", "--json").stdout)

    assert found["variants"]["good"]["context"] == "proved"
    assert set(found["variants"]["gone"].values()) == {"unknown"}


@pytest.mark.parametrize("command", ["run", "check"])
def test_of_several_that_do_not_start_each_is_named(bench: Bench, nobody: int, command: str) -> None:
    study = gone(bench, nobody, also=honest)
    study.write_text(study.read_text().replace(str(bench.fakes["also"].port), str(nobody)))

    result = bench.run(study, check=True) if command == "run" else check(bench, study)

    assert result.exit_code == 3
    assert {"gone", "also"} == set(re.findall(r"no_server (\w+):", result.output))


def test_a_run_asks_nothing_where_a_server_does_not_start_and_the_others_when_forced(bench: Bench, nobody: int) -> None:
    study = gone(bench, nobody)

    refused = bench.run(study, check=True)
    asked = questions(bench, "good")
    forced = bench.run(study, "--force", check=True)

    assert refused.exit_code == 3
    assert "Nothing was asked: a server does not start. --force asks the others" in " ".join(refused.output.split())
    assert asked == 0
    assert forced.exit_code == 1
    by_name = {score["variant"]: score for score in bench.report()["scores"]}
    assert sum(by_name["good"]["outcomes"].values()) == by_name["good"]["planned"]
    codes = {(c["code"], c["variant"], c["severity"]) for c in bench.report()["checks"]}
    assert ("no_server", "gone", "block") in codes
    assert not [code for code in codes if code[0] == "no_reply"], "the cause is named, not its effect"
    assert "not finished" not in (bench.folder / "runs" / "s" / "report.md").read_text()


def test_a_run_begins_with_the_check_and_asks_nothing_where_it_blocks(bench: Bench) -> None:
    study = study_of(bench, good=honest, bad=truncating)

    result = bench.run(study, check=True)

    assert result.exit_code == 1
    assert "--force asks all the same, and the report says so" in " ".join(result.output.split())
    assert questions(bench, "good") == questions(bench, "bad") <= 2
    assert not (bench.folder / "runs" / "s" / "records").exists()


def test_force_asks_all_the_same_and_the_report_says_so(bench: Bench) -> None:
    study = study_of(bench, good=honest, bad=truncating)

    result = bench.run(study, "--force", check=True)
    report = bench.report()

    assert result.exit_code == 1, result.output
    assert report["plan"]["forced"] is True
    assert "forced" in {c["code"] for c in report["checks"]}
    assert "cut_prompts" in {c["code"] for c in report["checks"]}
    assert report["scores"][1]["questions"] == 20


def test_a_clean_run_is_checked_and_says_nothing_of_it(bench: Bench) -> None:
    result = bench.run(study_of(bench, good=honest, other=honest), "--force", check=True)
    report = bench.report()

    assert result.exit_code == 0, result.output
    assert (report["plan"]["forced"], report["plan"]["unchecked"]) == (False, False)
    assert not {"forced", "unchecked"} & {c["code"] for c in report["checks"]}
    proofs = json.loads((bench.folder / "runs" / "s" / "proofs.json").read_text())
    assert set(proofs) == {"good", "other"}


def test_without_the_check_the_report_says_so(bench: Bench) -> None:
    bench.run(study_of(bench, good=honest))

    assert bench.report()["plan"]["unchecked"] is True
    assert "unchecked" in {c["code"] for c in bench.report()["checks"]}


def test_a_finished_run_is_not_checked_again(bench: Bench) -> None:
    study = study_of(bench, good=honest)
    bench.run(study, check=True)
    asked = len(bench.fakes["good"].calls)

    again = bench.run(study, check=True)

    assert again.exit_code == 0, again.output
    assert len(bench.fakes["good"].calls) == asked


def test_a_server_that_was_mended_passes_the_next_time(bench: Bench) -> None:
    mended: list[bool] = []

    def script(body: Any, number: int) -> Reply:
        return (honest if mended else truncating)(body, number)

    study = study_of(bench, good=honest, bad=script)
    first = bench.run(study, check=True)
    mended.append(True)

    assert first.exit_code == 1
    assert bench.run(study, check=True).exit_code == 0
    assert bench.report()["plan"]["forced"] is False


def test_a_server_that_is_another_after_the_questions_is_found(bench: Bench, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    with FakeServer(honest, dialect=LLAMA_SERVER, models=[FakeModel(id="fake", served_context=8192)]) as fake:

        def turning(body: Any, number: int) -> Reply:
            if number == 60:  # in the middle of the questions
                fake.state.models = {"fake": replace(fake.state.models["fake"], path="/models/another.gguf")}
            return honest(body, number)

        fake._reply = turning
        study.write_text(
            f'study: s\nbaseline: a\nvariants: [{{name: a, model: fake, base_url: "{fake.base_url}"}}]\n'
            "benchmarks: {mmlu_pro: {questions: 60, shots: 0}}\nsampling: {max_tokens: 500}\n"
        )
        result = bench.run(study, check=True)

    changed = [c["message"] for c in bench.report()["checks"] if c["code"] == "changed"]
    assert result.exit_code == 1, result.output
    assert "another.gguf" in changed[0]


def test_eval_is_checked_too(tmp_path: Path) -> None:
    few = ["--mmlu-pro", "5", "--shots", "0", "--humaneval", "0", "--max-tokens", "400", "--runs", str(tmp_path)]

    def reply(body: Any, number: int) -> Reply:
        return truncating(body, number)

    with FakeServer(reply, models=["m"]) as fake:
        blocked = CliRunner().invoke(main, ["eval", "--base-url", fake.base_url, *few])
        forced = CliRunner().invoke(main, ["eval", "--base-url", fake.base_url, *few, "--force"])

    assert blocked.exit_code == forced.exit_code == 1
    assert "cut_prompts" in blocked.output
    assert not list(tmp_path.glob("*/report.json")) or "The report" in forced.output


def test_the_table_knows_the_codes_of_the_rules() -> None:
    known = {rule.code for rule in RULES}

    assert {code for codes in ASPECTS.values() for code in codes} <= known


def test_hostile_words_of_a_server_are_harmless(bench: Bench) -> None:
    def hostile(body: Any, number: int) -> Reply:
        reply = honest(body, number)
        refused = replace(reply, status=400, error="\x1b[31mexceeds the context\x07 [bold]")
        return refused if reply.prompt_tokens > 150 else reply

    result = check(bench, study_of(bench, good=hostile))

    assert "\x1b" not in result.output
    assert "\x07" not in result.output
    assert "exceeds the context [bold]" in " ".join(result.output.split())
