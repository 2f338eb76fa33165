"""`whichquant eval`: a running server is looked at first, then asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import LLAMA_SERVER, LM_STUDIO, MLX_LM, OLLAMA, OMLX, VLLM, Dialect
from tests.support.scripted import ANSWERS, prompt_of, right, wrong

pytestmark = pytest.mark.usefixtures("hasty")
GREETING = "Reply with the single word: yes"


def answer(body: Any, number: int) -> Reply:
    return Reply(text="yes") if body["messages"][0]["content"] == GREETING else right(body, number)


def evaluate(fake: FakeServer, folder: Path, *more: str) -> Result:
    few = ["--mmlu-pro", "8", "--shots", "0", "--humaneval", "0", "--max-tokens", "64"]
    told = ["--base-url", fake.base_url, "--runs", str(folder), "--no-check"]
    return CliRunner().invoke(main, ["eval", *told, *few, *more])


def test_the_only_model_of_a_server_is_evaluated(tmp_path: Path) -> None:
    with FakeServer(answer, models=["org/some model:Q4"]) as fake:
        result = evaluate(fake, tmp_path)

    report = json.loads((tmp_path / "eval-openai-org-some-model-Q4" / "report.json").read_text())
    assert result.exit_code == 0, result.output
    assert report["scores"][0]["outcomes"] == {"correct": 8}
    assert "served by: an OpenAI-compatible server running already at http://127.0.0.1" in result.output
    assert "bits per weight: unknown" in result.output


def test_every_key_of_a_study_of_one_server_has_its_option(tmp_path: Path) -> None:
    more = ["--temperature", "0.7", "--top-p", "0.9", "--top-k", "40", "--min-p", "0.05", "--seed", "7"]
    more += ["--repeats", "2", "--margin", "4", "--margin", "mmlu_pro=1.5", "--gsm8k", "3"]
    with FakeServer(answer, dialect=LLAMA_SERVER) as fake:
        evaluate(fake, tmp_path, *more)

    (plan,) = tmp_path.glob("eval-*/plan.json")
    study = json.loads(plan.read_text())["study"]
    assert study["sampling"] == {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "seed": 7,
        "max_tokens": 64,
    }
    chosen = {name: (s["questions"], s["repeats"], s["margin"]) for name, s in study["benchmarks"].items() if s}
    assert chosen == {"mmlu_pro": (8, 2, 1.5), "gsm8k": (3, 2, 4)}


def test_all_questions_of_a_benchmark_are_asked_for_by_that_word(tmp_path: Path) -> None:
    with FakeServer(answer) as fake:
        result = evaluate(fake, tmp_path, "--mmlu-pro", "0", "--humaneval", "all")

    assert "all HumanEval questions" in result.output
    assert (
        json.loads(next(tmp_path.glob("eval-*/plan.json")).read_text())["study"]["benchmarks"]["humaneval"]["questions"]
        == "all"
    )


@pytest.mark.parametrize("thinking", ["on", "off"])
@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        pytest.param(LLAMA_SERVER, "llama-server", id="llama_server"),
        pytest.param(MLX_LM, "mlx_lm.server", id="mlx_lm"),
        pytest.param(OMLX, "oMLX", id="omlx"),
        pytest.param(OLLAMA, "Ollama", id="ollama"),
        pytest.param(LM_STUDIO, "LM Studio", id="lm_studio"),
        pytest.param(VLLM, "vLLM", id="vllm"),
    ],
)
def test_each_kind_of_server_is_recognised_told_and_understood(
    tmp_path: Path, dialect: Dialect, name: str, thinking: str
) -> None:
    said: dict[str, str] = {}

    def mixed(body: Any, _number: int) -> Reply:
        prompt = prompt_of(body) if "messages" in body else ""
        if prompt not in ANSWERS:
            return Reply(text="yes")
        odd = [str(wrong(body).text), "word " * 200, "Hm.", "I'm sorry, but I can't help with that."]
        said.setdefault(prompt, odd[len(said)] if len(said) < len(odd) else str(right(body).text))
        return Reply(text=said[prompt], reasoning="let me see")

    model = FakeModel(id="m", thinking=thinking == "off", served_context=32768)
    with FakeServer(mixed, dialect=dialect, models=[model]) as fake:
        result = evaluate(fake, tmp_path, "--thinking", thinking)

    (report,) = tmp_path.glob("eval-*/report.json")
    told = json.loads(report.read_text())
    outcomes = {"correct": 4, "wrong": 1, "truncated": 1, "unparsed": 1, "refused": 1}
    assert told["scores"][0]["outcomes"] == outcomes, result.output
    assert f"served by: {name} running already at {fake.base_url}" in result.output
    assert not {check["code"] for check in told["checks"]} & {"thinking_on", "thinking_off", "model_name"}


def test_another_model_behind_the_same_name_is_refused(tmp_path: Path) -> None:
    pages = {"/props": {"build_info": "b1", "model_path": "one.gguf", "chat_template": "t"}}
    with FakeServer(answer, dialect=LLAMA_SERVER, pages=pages) as fake:
        first = evaluate(fake, tmp_path)
        fake._pages["GET /props"] = {**pages["/props"], "model_path": "two.gguf"}
        asked = len(fake.prompts)
        second = evaluate(fake, tmp_path)
        asked_again = [prompt_of(body) for body in fake.prompts[asked:]]

    assert first.exit_code == 0, first.output
    assert second.exit_code == 2
    assert "another server answered" in second.stderr
    assert second.stderr.count("\n") == 1
    assert not set(asked_again) & ANSWERS.keys()


def test_the_same_command_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with FakeServer(answer) as fake:
        evaluate(fake, tmp_path)
        asked = len([body for body in fake.requests if body["messages"][0]["content"] != GREETING])
        again = evaluate(fake, tmp_path)
        asked_again = len([body for body in fake.requests if body["messages"][0]["content"] != GREETING])

    assert again.exit_code == 0, again.output
    assert asked == asked_again == 8


@pytest.mark.parametrize(
    ("models", "more", "code", "says"),
    [
        pytest.param(["a", "b"], [], 2, "has several models, name one (eval: --model): a, b", id="several-models"),
        pytest.param([], [], 3, "has no model: load one there", id="no-model"),
    ],
)
def test_a_model_that_cannot_be_chosen_is_asked_for(
    tmp_path: Path, models: list[str], more: list[str], code: int, says: str
) -> None:
    with FakeServer(answer, models=models) as fake:
        result = evaluate(fake, tmp_path, *more)

    assert result.exit_code == code
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param(["--concurrency", "0"], "concurrency: ", id="concurrency"),
        pytest.param(["--mmlu-pro", "99999"], "whichquant: --mmlu-pro: ", id="too-many-questions"),
        pytest.param(["--mmlu-pro", "0"], "so nothing is asked", id="nothing-to-ask"),
        pytest.param(["--name", "a/b"], "whichquant: --name: ", id="name"),
        pytest.param(["--mmlu-pro", "some"], "--mmlu-pro: 'some' is no number of questions", id="no-number"),
        pytest.param(["--humaneval", "-3"], "whichquant: --humaneval: ", id="negative"),
        pytest.param(["--repeats", "0"], "whichquant: --repeats: ", id="repeats"),
        pytest.param(["--margin", "much"], "--margin much: write points", id="margin"),
        pytest.param(["--margin", "gpqa=2"], "there is no benchmark gpqa", id="margin-of-another"),
        pytest.param(["--margin", "mmlu_pro=200"], "a margin lies between", id="margin-too-large"),
        pytest.param(["--top-p", "3"], "whichquant: --top-p: ", id="top-p"),
        pytest.param(["--top-k", "-1"], "whichquant: --top-k: ", id="top-k"),
        pytest.param(["--min-p", "2"], "whichquant: --min-p: ", id="min-p"),
        pytest.param(["--seed", "-1"], "whichquant: --seed: ", id="seed"),
    ],
)
def test_impossible_settings_are_refused_before_the_server_is_asked(tmp_path: Path, more: list[str], says: str) -> None:
    with FakeServer(answer) as fake:
        result = evaluate(fake, tmp_path, *more)

    assert result.exit_code == 2
    assert says in result.stderr
    assert fake.calls == []


def test_a_server_that_does_not_answer_a_question_is_told_so_before_the_run(tmp_path: Path) -> None:
    with FakeServer(Reply(status=500, error="the model is broken")) as fake:
        result = evaluate(fake, tmp_path)

    assert result.exit_code == 3
    assert "does not answer a first question: HTTP 500: the model is broken" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        pytest.param(503, "Loading model", "its model is loading, asked again in", id="loading"),
        pytest.param(503, "no worker is free", "the server is busy, asked again in", id="busy"),
        pytest.param(429, "rate limited", "the server is busy, asked again in", id="too many"),
        pytest.param(500, "unexpected server status: llm busy - no slots available", "is busy", id="busy, 500"),
        pytest.param(502, "bad gateway", "it answers", id="a failure that passes"),
    ],
)
def test_the_first_question_is_asked_again_as_later_ones_are(
    tmp_path: Path, status: int, error: str, says: str
) -> None:
    def script(body: Any, number: int) -> Reply:
        return Reply(status=status, error=error) if number < 3 else answer(body, number)

    with FakeServer(script) as fake:
        result = evaluate(fake, tmp_path)

    assert result.exit_code == 0, result.output
    assert says in result.output
    assert "server: it answers" in result.output


def test_nobody_there_is_one_sentence(tmp_path: Path, nobody: int) -> None:
    result = CliRunner().invoke(main, ["eval", "--base-url", f"http://127.0.0.1:{nobody}", "--runs", str(tmp_path)])

    assert result.exit_code == 3
    assert f"Nothing answers at http://127.0.0.1:{nobody}/v1: is the server running?" in result.stderr


def test_a_context_that_is_too_short_is_told_before_the_run(tmp_path: Path) -> None:
    pages = {"/props": {"build_info": "b1", "default_generation_settings": {"n_ctx": 256}, "total_slots": 1}}
    with FakeServer(answer, pages=pages) as fake:
        result = evaluate(fake, tmp_path, "--model", "fake")

    assert "the server gives 256 tokens of context" in " ".join(result.output.split())
