"""`run --more-tokens N`: what was cut off is asked again with a larger limit, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main
from evaluator.demo.builds import builds
from evaluator.events import Event, Graded
from evaluator.pipeline import run_study
from evaluator.records import Answer, Failure, Key, Record, limit_of
from evaluator.store import journal
from evaluator.study.file import parse
from evaluator.study.requests import context_needed, plan
from servers.fake import Reply, Script
from servers.runtime.table import request
from servers.spec import Prompt, RuntimeName, Sampling, Server, ServerSpec
from tests.support.scripted import ANSWERS, Bench, prompt_of, right, wrong

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
IDS = list(ANSWERS)


def of(every: int, tokens: int, then: Script = right) -> Script:
    """Take so many tokens for one question of `every` and 20 for the others; the limit of the request cuts replies."""

    def answer(body: Any, number: int = 0) -> Reply:
        assert callable(then)
        whole = then(body, number)
        n = tokens if IDS.index(prompt_of(body)) % every == 0 else 20
        if n > body["max_tokens"]:
            return Reply(text="Let us", finish_reason="length", completion_tokens=body["max_tokens"])
        return Reply(text=whole.text, completion_tokens=n)

    return answer


def more(bench: Bench, study: Path, tokens: int) -> Result:
    options = ["--more-tokens", str(tokens), "--no-check", "--runs", str(bench.folder / "runs")]
    return CliRunner().invoke(main, ["run", str(study), *options])


def truncated(bench: Bench) -> dict[str, int]:
    return {score["variant"]: score["outcomes"].get("truncated", 0) for score in bench.report()["scores"]}


def limits(bench: Bench, name: str) -> list[int]:
    return [body["max_tokens"] for body in bench.fakes[name].requests]


@pytest.mark.usefixtures("hasty")
def test_only_what_was_cut_off_is_asked_again_of_all_variants_alike(bench: Bench) -> None:
    study = bench.study(30, good=of(3, 300), other=of(2, 300))
    bench.run(study)
    cut = truncated(bench)
    before = {name: len(limits(bench, name)) for name in cut}

    result = more(bench, study, 500)

    assert min(cut.values()) > 3
    for name, count in cut.items():
        asked = limits(bench, name)[before[name] :]
        assert asked == [500] * count
    assert truncated(bench) == {"good": 0, "other": 0}
    assert {score["accuracy"] for score in bench.report()["scores"]} == {1.0}
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("hasty")
def test_the_study_stays_what_it_was_and_the_records_say_how_each_was_asked(bench: Bench) -> None:
    study = bench.study(12, good=of(3, 300))
    bench.run(study)
    cut = truncated(bench)["good"]
    more(bench, study, 500)
    more(bench, study, 400)
    told = json.loads((bench.folder / "runs/s/plan.json").read_text())
    kept = journal.read(bench.folder / "runs/s/records/good.jsonl")
    lines = (bench.folder / "runs/s/records/good.jsonl").read_text().splitlines()

    again = bench.run(study)

    assert told["study"]["sampling"]["max_tokens"] == 100
    assert told["more_tokens"] == 500
    assert sorted(record.request["max_tokens"] for record in kept.values()) == [100] * (12 - cut) + [500] * cut
    assert len(lines) == 12 + cut, "the replies that were cut off stay on disk"
    assert again.exit_code == 0, again.output
    assert (bench.folder / "runs/s/records/good.jsonl").read_text().splitlines() == lines
    assert "more_tokens" in {check["code"] for check in bench.report()["checks"]}


@pytest.mark.usefixtures("hasty")
def test_what_is_cut_off_again_is_not_asked_for_ever(bench: Bench) -> None:
    study = bench.study(12, good=of(3, 700))
    bench.run(study)
    cut = truncated(bench)["good"]

    for tokens, times in ((300, 1), (300, 1), (800, 2), (900, 2)):
        more(bench, study, tokens)
        lines = (bench.folder / "runs/s/records/good.jsonl").read_text().splitlines()
        assert len(lines) == 12 + times * cut, tokens

    assert truncated(bench)["good"] == 0


@pytest.mark.usefixtures("hasty")
def test_an_interrupted_run_goes_on_with_the_same_command_and_loses_nothing(bench: Bench) -> None:
    failing = True

    def answer(body: Any, number: int = 0) -> Reply:
        if failing and body.get("max_tokens") == 500 and IDS.index(prompt_of(body)) % 2:
            return Reply(status=400, error="not now")
        script = of(3, 300)
        assert callable(script)
        return script(body, number)

    study = bench.study(40, good=answer)
    bench.run(study)
    cut = truncated(bench)["good"]
    more(bench, study, 500)
    left = truncated(bench)["good"]
    failing = False

    more(bench, study, 500)

    assert 0 < left < cut, "a failure leaves the reply that was there"
    assert truncated(bench)["good"] == 0
    assert limits(bench, "good").count(500) == cut + left


@pytest.mark.parametrize(
    ("tokens", "ran", "sentence"),
    [
        pytest.param(100, True, "the study gives 100 already (sampling.max_tokens): give more", id="not more"),
        pytest.param(0, True, "the study gives 100 already", id="nothing"),
        pytest.param(500, False, "holds no replies yet: run the study without it first", id="no run"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_what_cannot_bring_anything_is_refused(bench: Bench, tokens: int, ran: bool, sentence: str) -> None:
    study = bench.study(6, good=of(2, 300))
    if ran:
        bench.run(study)
    before = len(bench.fakes["good"].requests)

    result = more(bench, study, tokens)

    assert result.exit_code == 2
    assert sentence in result.output
    assert len(bench.fakes["good"].requests) == before
    assert (bench.folder / "runs" / "s").exists() == ran


@pytest.mark.parametrize("mode", ["{mode: sequential}", "{mode: group_sequential, looks: 3}"])
@pytest.mark.usefixtures("hasty")
def test_where_it_was_decided_early_no_new_question_is_put(bench: Bench, mode: str) -> None:
    study = bench.study(300, extra=f"decide: {mode}\n", good=right, bad=of(4, 300, then=wrong))
    bench.run(study)
    cut, put = truncated(bench)["bad"], {name: bench.asked(name) for name in ("good", "bad")}

    more(bench, study, 500)

    assert 0 < len(put["bad"]) < 300
    assert cut > 0
    assert bench.asked("good") == put["good"]
    assert len(bench.asked("bad")) == len(put["bad"]) + cut
    assert set(bench.asked("bad")) == set(put["bad"])
    (comparison,) = bench.report()["comparisons"]
    assert comparison["verdict"] == "clearly worse"


@pytest.mark.parametrize("mode", ["fixed", "sequential", "group_sequential"])
@pytest.mark.usefixtures("hasty")
def test_who_watches_sees_the_new_replies(bench: Bench, mode: str) -> None:
    study = bench.study(12, extra=f"decide: {{mode: {mode}}}\n", good=of(3, 300), other=of(2, 300))
    bench.run(study)
    put = {name: len(bench.asked(name)) for name in ("good", "other")}
    shown: dict[tuple[str, Key], str] = {}

    def watch(event: Event) -> None:
        if isinstance(event, Graded):
            shown[event.record.variant, event.record.key] = event.grade.outcome

    run_study(study, runs=bench.folder / "runs", more_tokens=500, check=False, on_event=watch)

    assert sum(len(bench.asked(name)) - before for name, before in put.items()) > 0
    assert len(shown) == 24
    assert set(shown.values()) == {"correct"}


@pytest.mark.usefixtures("hasty")
def test_what_was_decided_by_replies_cut_off_is_undone(bench: Bench) -> None:
    """Half of the first replies were cut off, and it was found worse; with room it answers as the baseline does."""
    wordy = True

    def answer(body: Any, number: int = 0) -> Reply:
        script = of(2 if wordy else 10_000, 300)
        assert callable(script)
        return script(body, number)

    study = bench.study(300, extra="decide: {mode: sequential}\n", good=right, cut=answer)
    bench.run(study)
    (first,) = bench.report()["comparisons"]
    more(bench, study, 500)
    wordy = False

    bench.run(study)

    (second,) = bench.report()["comparisons"]
    assert first["verdict"] in ("clearly worse", "worse, size uncertain")
    assert second["verdict"] == "equivalent"
    assert truncated(bench)["cut"] == 0


@pytest.mark.parametrize("runtime", get_args(RuntimeName))
def test_the_limit_is_read_from_the_words_of_every_runtime(runtime: RuntimeName) -> None:
    spec = ServerSpec(runtime=runtime, model="m", base_url="http://127.0.0.1:1/v1")
    server = Server(spec=spec, base_url="http://127.0.0.1:1/v1", model="m", engine="e")
    for prompt in (Prompt(messages=({"role": "user", "content": "Hello"},)), Prompt(text="Hello")):
        assert limit_of(request(server, prompt, Sampling(max_tokens=123), stream=True).body) == 123


def test_a_failure_takes_no_answers_place(tmp_path: Path) -> None:
    key, path = Key("mmlu_pro", "1"), tmp_path / "a.jsonl"
    common: Any = {"key": key, "variant": "a", "started": "2026-01-01T00:00:00+00:00", "request": {}}
    failed = Record(**common, failure=Failure(kind="timeout", message="late"))
    first, second = (Record(**common, answer=Answer(text=text, duration_s=1.0)) for text in ("one", "two"))

    for records, kept in (([failed, first], first), ([first, failed], first), ([first, failed, second], second)):
        path.unlink(missing_ok=True)
        with journal.Journal(path) as book:
            book.append(records)
        assert journal.read(path) == {key: kept}


def test_the_context_holds_the_longer_replies() -> None:
    study = parse(
        "study: s\nbaseline: a\nvariants: [{name: a, model: m, base_url: 'http://h/v1'}]\n"
        "benchmarks: {humaneval: {questions: 5}}\nsampling: {max_tokens: 1000}\n",
        "s.yaml",
    )
    asks = plan(study)

    assert 0 <= context_needed(asks, 9000) - context_needed(asks) - 8000 + 256 < 512, "a multiple of 256"
    assert context_needed(asks, 500) == context_needed(asks)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    builds(LAB, ["Q8_0"], folder)
    return folder / "lab-full-Q8_0.gguf"


def real(folder: Path, model: Path, max_tokens: int, *options: str, name: str, context: str = "") -> Any:
    """Run 16 HumanEval problems on a real server; give exit code, output and, where there is one, the report."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"study: {name}\nbaseline: q8\nvariants:\n"
        f"  - {{name: q8, runtime: llama_server, model: {model}, thinking: false{context}}}\n"
        f"benchmarks: {{humaneval: {{questions: 16}}}}\nsampling: {{temperature: 0, max_tokens: {max_tokens}}}\n"
    )
    result = CliRunner().invoke(main, ["run", str(path), "--no-check", "--runs", str(folder / "runs"), *options])
    report = folder / "runs" / name / "report.json"
    return result, json.loads(report.read_text()) if report.exists() else None


@pytest.mark.live
def test_on_a_real_server_more_tokens_mend_what_the_limit_cut(lab: Path, tmp_path: Path) -> None:
    """What is asked again scores as if it had had the room from the start.

    Greedy answers of one server may flip with what happens to be in the same batch, so the scores may differ by one
    problem of 16, and the outcomes of two.
    """
    _, cut = real(tmp_path, lab, 40, name="mended")
    result, mended = real(tmp_path, lab, 40, "--more-tokens", "1024", name="mended")
    _, whole = real(tmp_path, lab, 1024, name="whole")

    assert cut["scores"][0]["outcomes"]["truncated"] >= 8, "40 tokens are too few for most functions"
    assert cut["scores"][0]["accuracy"] < 0.5
    assert result.exit_code in (0, 1), result.output
    assert mended["scores"][0]["outcomes"].get("truncated", 0) == whole["scores"][0]["outcomes"].get("truncated", 0)
    assert mended["scores"][0]["accuracy"] > 0.8
    assert abs(mended["scores"][0]["accuracy"] - whole["scores"][0]["accuracy"]) <= 1 / 16
    assert mended["facts"]["q8"]["context"] >= 1024
    grades = [_outcomes(tmp_path / "runs" / name) for name in ("mended", "whole")]
    assert sum(grades[0][key] != grades[1][key] for key in grades[0]) <= 2
    kept = journal.read(tmp_path / "runs/mended/records/q8.jsonl")
    asked = [record.request["max_tokens"] for record in kept.values()]
    assert asked.count(1024) == cut["scores"][0]["outcomes"]["truncated"]


@pytest.mark.live
def test_on_a_real_server_a_context_of_its_own_that_is_too_small_is_refused(lab: Path, tmp_path: Path) -> None:
    real(tmp_path, lab, 40, name="small", context=", context: 1024")

    result, _ = real(tmp_path, lab, 40, "--more-tokens", "1000", name="small", context=", context: 1024")

    assert result.exit_code == 2
    told = re.search(r"variants\[0\]\.context: 1024 tokens cannot hold .* question, (\d+) could", result.output)
    assert told, result.output
    assert 1024 < int(told[1]) < 2024, "by the tokens that the server counted, not by a guess"


def _outcomes(run: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (run / "grades.jsonl").read_text().splitlines()]
    return {line["key"]["question_id"]: line["outcome"] for line in lines}
