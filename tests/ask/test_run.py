"""The whole job against scripted servers: what is asked, kept, graded and said."""

import json
import re
from collections import Counter
from typing import Any

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.grade.sandbox import NoSandbox
from evaluator.store import journal
from servers.fake import FakeServer, Reply
from tests.support.scripted import ANSWERS, HUMANEVAL, STUDY, Bench, prompt_of, right, wrong

pytestmark = pytest.mark.usefixtures("hasty")


def test_a_run_ends_with_a_verdict_and_the_path_of_its_report(bench: Bench) -> None:
    result = bench.run(bench.study(40, good=right, bad=wrong))

    assert result.exit_code == 0, result.output
    assert "bad is clearly worse than good on MMLU-Pro: 100.0 points lower" in " ".join(result.output.split())
    assert "report.html" in result.output
    assert {path.name for path in (bench.folder / "runs" / "s").iterdir() if not path.name.startswith(".")} == {
        "study.yaml",
        "plan.json",
        "facts.json",
        "resources.json",
        "serving.json",
        "records",
        "grades.jsonl",
        "report.json",
        "report.md",
        "report-post.md",
        "report.html",
    }


def test_all_variants_get_the_same_questions_once(bench: Bench) -> None:
    bench.run(bench.study(30, good=right, bad=wrong))

    assert Counter(bench.asked("good")) == Counter(bench.asked("bad"))
    assert len(set(bench.asked("good"))) == len(bench.asked("good")) == 30


def test_the_report_counts_what_happened(bench: Bench) -> None:
    def mixed(body: Any, number: int) -> Reply:
        letter = ANSWERS[prompt_of(body)]
        kinds = [
            *[Reply(text=f"The answer is ({letter}).")] * 6,
            Reply(text=f"The answer is ({letter})", finish_reason="length", completion_tokens=body["max_tokens"]),
            Reply(text=None),
            Reply(text="I think it depends."),
            Reply(text="I'm sorry, but I can't help with that."),
        ]
        return kinds[list(ANSWERS).index(prompt_of(body)) % 10]

    result = bench.run(bench.study(50, good=right, odd=mixed))

    score = next(s for s in bench.report()["scores"] if s["variant"] == "odd")
    assert set(score["outcomes"]) == {"correct", "truncated", "empty", "unparsed", "refused"}
    assert sum(score["outcomes"].values()) == 50
    assert score["accuracy"] == score["outcomes"]["correct"] / 50
    assert score["answered_only"] == 1.0
    assert score["bounds"] == [score["accuracy"], 1.0]
    assert result.exit_code == 0
    assert "cut off or empty" in result.output


def test_failures_are_left_out_and_asked_again_by_the_next_run(bench: Bench) -> None:
    broken = True

    def moody(body: Any, _number: int) -> Reply:
        odd = list(ANSWERS).index(prompt_of(body)) % 2
        return Reply(status=400, error="no") if broken and odd else right(body)

    study = bench.study(20, good=moody)
    first = bench.run(study)
    counts = bench.report()["scores"][0]
    failed = counts["outcomes"]["failed"]
    broken = False
    asked_before = len(bench.fakes["good"].requests)
    second = bench.run(study)

    assert first.exit_code == 1
    assert 0 < failed < 20
    assert counts["accuracy"] == 1.0
    assert counts["questions"] == 20 - failed
    assert len(bench.fakes["good"].requests) - asked_before == failed
    assert second.exit_code == 0
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 20}


def test_a_finished_run_asks_nothing_again(bench: Bench) -> None:
    study = bench.study(10, good=right)
    bench.run(study)

    again = bench.run(study)

    assert again.exit_code == 0
    assert len(bench.fakes["good"].requests) == 10


def test_more_questions_ask_only_the_new_ones(bench: Bench) -> None:
    study = bench.study(10, good=right)
    bench.run(study)
    study.write_text(study.read_text().replace("questions: 10", "questions: 25"))

    bench.run(study)

    assert len(bench.fakes["good"].requests) == 25
    assert len(set(bench.asked("good"))) == 25


def test_a_server_that_is_not_there_is_named_and_the_others_go_on(bench: Bench, nobody: int) -> None:
    study = bench.study(10, good=right)
    study.write_text(
        study.read_text().replace(
            "benchmarks:", f'  - {{name: gone, model: m, base_url: "http://127.0.0.1:{nobody}/v1"}}\nbenchmarks:'
        )
    )

    result = bench.run(study)

    assert result.exit_code == 1
    assert f"block gone: Nothing answers at http://127.0.0.1:{nobody}/v1" in " ".join(result.output.split())
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 10}


def test_when_no_server_can_be_reached_the_exit_code_says_so(bench: Bench, nobody: int) -> None:
    study = bench.folder / "study.yaml"
    variant = f'  - {{name: good, model: m, base_url: "http://127.0.0.1:{nobody}/v1"}}'
    study.write_text(STUDY.format(variants=variant, n=5))

    assert bench.run(study).exit_code == 3


def test_a_server_that_goes_away_in_the_middle_does_not_fail_every_question(bench: Bench) -> None:
    def dying(body: Any, number: int) -> Reply:
        return right(body) if number < 8 else Reply(fault="refuse")

    study = bench.study(40, good=dying)
    result = bench.run(study)

    score = bench.report()["scores"][0]
    assert result.exit_code == 1
    assert "stopped answering in the middle" in " ".join(result.output.split())
    assert score["outcomes"]["correct"] == 8
    assert score["outcomes"].get("failed", 0) <= 3, "it must give up, not burn the rest of the questions"


def test_a_server_that_refuses_every_question_is_given_up_and_its_reason_told(bench: Bench) -> None:
    study = bench.study(60, good=Reply(status=404, error="model 'fake' not found"))
    result = bench.run(study)

    assert result.exit_code == 1
    assert "model 'fake' not found" in " ".join(result.output.split())
    assert len(bench.fakes["good"].requests) <= 15
    assert "model 'fake' not found" in (bench.folder / "runs/s/report.md").read_text()


def test_another_server_behind_the_same_address_is_refused(bench: Bench) -> None:
    pages = {"/props": {"build_info": "b1", "model_path": "one.gguf", "chat_template": "t"}}
    first = bench.stack.enter_context(FakeServer(right, pages=pages))
    study = bench.folder / "study.yaml"
    variant = f'  - {{name: good, model: fake, base_url: "{first.base_url}"}}'
    study.write_text(STUDY.format(variants=variant, n=5))
    bench.run(study)
    pages["/props"]["model_path"] = "two.gguf"
    first._pages.update(pages)
    study.write_text(study.read_text().replace("questions: 5", "questions: 9"))

    result = bench.run(study)

    assert result.exit_code == 2
    assert "its model_path was one.gguf, now two.gguf" in " ".join(result.stderr.split())
    assert len(first.requests) == 5


def test_a_report_is_not_unscored_on_a_machine_without_a_sandbox(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    study = bench.study(1, good=right)
    study.write_text(re.sub(r"benchmarks: .*", "benchmarks: {humaneval: {questions: 3}}", study.read_text()))
    bench.run(study)
    monkeypatch.setattr("evaluator.rebuild.find_sandbox", lambda: NoSandbox(reason="none here.", install="get one"))

    result = CliRunner().invoke(main, ["report", str(bench.folder / "runs" / "s")])

    assert result.exit_code == 2
    assert "nothing was changed" in result.stderr
    assert bench.report()["scores"][0]["outcomes"] == {"wrong": 3}


def test_repeats_give_pass_at_k(bench: Bench) -> None:
    def every_other(body: Any, number: int) -> Reply:
        return right(body) if number % 2 else wrong(body)

    study = bench.study(10, good=right, half=every_other)
    study.write_text(
        study.read_text().replace("shots: 0,", "shots: 0, repeats: 2,").replace("concurrency: 3", "concurrency: 1")
    )
    bench.run(study)

    score = next(s for s in bench.report()["scores"] if s["variant"] == "half")
    assert score["planned"] == 20
    assert score["pass_at_k"]["1"] == pytest.approx(score["accuracy"]) == 0.5
    assert score["pass_at_k"]["2"] >= score["pass_at_k"]["1"]


def test_code_is_run_and_its_verdict_counts(bench: Bench) -> None:
    solved = {
        "HumanEval/16": "    return len(set(string.lower()))\n",
        "HumanEval/58": "    return sorted(set(l1) & set(l2))\n",
    }

    def coder(body: Any, _number: int) -> Reply:
        question = HUMANEVAL[prompt_of(body)]
        code = question.code_prompt + solved.get(question.id, "    return None\n")
        return Reply(text=f"Here it is:\n```python\n{code}```\n")

    study = bench.study(1, good=coder)
    study.write_text(re.sub(r"benchmarks: .*", "benchmarks: {humaneval: {questions: 20}}", study.read_text()))
    result = bench.run(study)

    grades = [json.loads(line) for line in (bench.folder / "runs/s/grades.jsonl").read_text().splitlines()]
    correct = {grade["key"]["question_id"] for grade in grades if grade["outcome"] == "correct"}
    assert result.exit_code == 0, result.output
    assert correct == set(solved)
    assert len(grades) == 20


def test_without_a_sandbox_code_is_not_scored_and_this_is_said_before_the_first_question(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said_at: list[int] = []

    def none() -> NoSandbox:
        said_at.append(len(bench.fakes["good"].requests))
        return NoSandbox(reason="bubblewrap is not installed.", install="sudo apt install bubblewrap")

    monkeypatch.setattr("evaluator.rebuild.find_sandbox", none)
    study = bench.study(1, good=right)
    study.write_text(re.sub(r"benchmarks: .*", "benchmarks: {humaneval: {questions: 5}}", study.read_text()))
    result = bench.run(study)

    assert said_at == [0]
    assert "sudo apt install bubblewrap" in result.output
    assert result.exit_code == 1
    score = bench.report()["scores"][0]
    assert score["outcomes"] == {"not_scored": 5}
    assert score["accuracy"] is None


def test_model_output_is_inert_in_every_report(bench: Bench) -> None:
    def hostile(body: Any, _number: int) -> Reply:
        return Reply(status=400, error="\x1b[2J<script>alert(1)</script>\n\n# heading | cell")

    study = bench.study(3, good=right, evil=hostile)
    text = study.read_text().replace("name: evil, model: fake", 'name: evil, model: "<img src=x onerror=alert(1)>"')
    study.write_text(text)
    result = bench.run(study)

    page = (bench.folder / "runs/s/report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in result.output
    markdown = re.sub(r"`[^`\n]*`", "code", (bench.folder / "runs/s/report.md").read_text())
    assert not re.search(r"(?<!\\)<(?!/?details|/?summary)", markdown)


def test_a_key_comes_from_the_environment_and_is_never_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVER_KEY", "sk-very-secret")
    fake = bench.stack.enter_context(FakeServer(right, api_key="sk-very-secret"))
    bench.fakes["good"] = fake
    study = bench.folder / "study.yaml"
    variant = f'  - {{name: good, model: fake, base_url: "{fake.base_url}", api_key_env: MY_SERVER_KEY}}'
    study.write_text(STUDY.format(variants=variant, n=5))
    result = bench.run(study)

    assert result.exit_code == 0, result.output
    written = b"".join(path.read_bytes() for path in (bench.folder / "runs").rglob("*") if path.is_file())
    assert b"sk-very-secret" not in written


def test_the_report_can_be_written_again_from_the_records_alone(bench: Bench) -> None:
    bench.run(bench.study(20, good=right, bad=wrong))
    before = bench.report()
    run = bench.folder / "runs" / "s"
    for name in ("report.json", "report.md", "report.html", "grades.jsonl"):
        (run / name).unlink()

    result = CliRunner().invoke(main, ["report", str(run)])

    after = bench.report()
    assert result.exit_code == 0
    assert {**after, "written": None} == {**before, "written": None}


def test_parallel_variants_run_at_the_same_time(bench: Bench) -> None:
    def slow(body: Any, number: int) -> Reply:
        return Reply(text=right(body).text, delay=0.15)

    study = bench.study(6, "parallel: true\n", good=slow, other=slow)
    result = bench.run(study)

    def span(name: str) -> tuple[str, str]:
        starts = sorted(r.started for r in journal.read(bench.folder / "runs/s/records" / f"{name}.jsonl").values())
        return starts[0], starts[-1]

    assert result.exit_code == 0
    assert span("good")[0] < span("other")[1]
    assert span("other")[0] < span("good")[1]
