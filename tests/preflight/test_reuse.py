"""Prompt caches off: what each server is sent or started with, what is kept, and that it is never mixed."""

import json
from pathlib import Path

import pytest

from evaluator.preflight.reuse import foreseen
from evaluator.study.file import parse
from servers.fake import FakeModel, FakeServer
from servers.fake.dialects import LLAMA_SERVER
from servers.runtime.table import request
from servers.runtime.whole import whole_flags, why_not_whole
from servers.spec import Prompt, Reuse, RuntimeName, Sampling, Server, ServerSpec
from tests.support.probe_scripts import honest
from tests.support.scripted import ANSWERS, Bench, prompt_of, right, wrong

PROMPT = Prompt(messages=({"role": "user", "content": "Hello"},))


def spec(runtime: RuntimeName, *, runs: bool) -> ServerSpec:
    return ServerSpec(runtime=runtime, model="m", base_url="http://127.0.0.1:9/v1" if runs else None)


@pytest.mark.parametrize(
    ("runtime", "runs", "can"),
    [
        pytest.param("llama_server", False, True, id="llama"),
        pytest.param("llama_server", True, True, id="llama-that-runs"),
        pytest.param("vllm", True, True, id="vllm"),
        pytest.param("mlx_lm", False, True, id="mlx_lm"),
        pytest.param("mlx_lm", True, False, id="mlx_lm-that-runs"),
        pytest.param("omlx", False, True, id="omlx"),
        pytest.param("omlx", True, False, id="omlx-that-runs"),
        pytest.param("ollama", False, False, id="ollama"),
        pytest.param("lm_studio", False, False, id="lm_studio"),
        pytest.param("openai", True, False, id="unknown"),
    ],
)
def test_which_servers_can_be_told_to(runtime: RuntimeName, *, runs: bool, can: bool) -> None:
    why = why_not_whole(spec(runtime, runs=runs))

    assert (why == "") == can
    server = Server(spec=spec(runtime, runs=runs), base_url="http://127.0.0.1:9/v1", model="m", engine="e")
    plain = request(server, PROMPT, Sampling(), stream=True).body
    off = [request(server, PROMPT, Sampling(), stream=True, reuse=Reuse(cache=False)).body for _ in range(2)]
    added = [{key: value for key, value in body.items() if plain.get(key) != value} for body in off]
    assert [body.get("messages") for body in off] == [plain["messages"]] * 2  # the prompt stays what it is
    assert bool(added[0] or whole_flags(spec(runtime, runs=runs)) or runtime == "omlx") == can or runs
    if runtime == "llama_server":
        assert added == [{"cache_prompt": False}] * 2
    if runtime == "vllm":
        assert added[0].keys() == {"cache_salt"}
        assert added[0] != added[1]


def kept(bench: Bench) -> dict[str, object]:
    found: dict[str, object] = json.loads((bench.folder / "runs" / "s" / "serving.json").read_text())
    return found


def sent_of(bench: Bench) -> set[object]:
    """Return what was said of the cache with the questions."""
    asked = [body for fake in bench.fakes.values() for body in fake.requests if body.get("messages")]
    return {body.get("cache_prompt") for body in asked if prompt_of(body) in ANSWERS}


def study_of(bench: Bench, extra: str, *, said: bool = True) -> Path:
    path = bench.study(20, extra, good=right, bad=wrong)
    for name in ("good", "bad"):
        before = bench.fakes[name].base_url
        model = FakeModel(id="fake", served_context=16_384)
        bench.fakes[name] = bench.stack.enter_context(FakeServer(honest, dialect=LLAMA_SERVER, models=[model]))
        path.write_text(path.read_text().replace(before, bench.fakes[name].base_url))
    if said:
        path.write_text(path.read_text().replace("model: fake,", "model: fake, runtime: llama_server,"))
    return path


@pytest.mark.parametrize(
    ("extra", "sent"),
    [
        pytest.param("repeatable: true\n", False, id="on"),
        pytest.param("repeatable: false\n", None, id="off"),
        pytest.param("", False, id="by-itself"),
    ],
)
def test_every_variant_is_sent_the_same(bench: Bench, extra: str, sent: bool | None) -> None:
    done = bench.run(study_of(bench, extra))

    assert done.exit_code == 0, done.output
    assert sent_of(bench) == {sent}
    assert kept(bench)["repeatable"] == (sent is False)
    why = str(kept(bench)["repeatable_why"])
    assert bench.report()["serving"]["repeatable_why"] == why
    for form in ("md", "html"):
        assert why[1:] in (bench.folder / "runs" / "s" / f"report.{form}").read_text().replace("\\", "")
    assert why[1:] in " ".join(done.output.split())


def test_a_server_is_told_so_that_the_check_recognised(bench: Bench) -> None:
    study = study_of(bench, "repeatable: true\n", said=False)
    bench.run(study, "--force", check=True)

    assert kept(bench)["repeatable"] is True, kept(bench)
    asked = [body for fake in bench.fakes.values() for body in fake.requests if body.get("messages")]
    assert sum(body.get("cache_prompt") is False for body in asked) == 40


def test_a_server_that_cannot_be_told_is_named(bench: Bench) -> None:
    bench.run(bench.study(20, "repeatable: true\n", good=right, bad=wrong))

    assert kept(bench)["repeatable"] is False
    assert "though the study says otherwise: a server of an unknown kind cannot be told" in str(
        kept(bench)["repeatable_why"]
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("true", "true", "", id="the-same"),
        pytest.param("true", "auto", "", id="kept"),
        pytest.param("true", "false", "prompt caches were off, and now they are to be on", id="on-again"),
        pytest.param("false", "true", "prompt caches were on, and now they are to be off", id="off-later"),
        pytest.param("auto", "true", "", id="as-auto-found"),
        pytest.param("auto", "false", "prompt caches were off, and now they are to be on", id="on-after-auto"),
    ],
)
def test_a_run_keeps_what_it_began_with(bench: Bench, before: str, after: str, said: str) -> None:
    study = study_of(bench, f"repeatable: {before}\n")
    bench.run(study)
    began = kept(bench)
    text = study.read_text().replace(f"repeatable: {before}", f"repeatable: {after}")
    study.write_text(text.replace("questions: 20", "questions: 25"))

    done = bench.run(study)

    assert done.exit_code == (2 if said else 0), done.output
    assert said in " ".join(done.output.split())
    assert kept(bench) == began
    values = sent_of(bench)
    assert len(values) == 1


def test_a_run_of_an_earlier_version_goes_on_as_it_was(bench: Bench) -> None:
    study = study_of(bench, "repeatable: auto\n")
    study.write_text(study.read_text().replace("auto", "false"))
    bench.run(study)
    (bench.folder / "runs" / "s" / "serving.json").unlink()
    study.write_text(study.read_text().replace("false", "auto"))
    study.write_text(study.read_text().replace("questions: 20", "questions: 25"))

    assert bench.run(study).exit_code == 0

    assert sent_of(bench) == {None}


@pytest.mark.parametrize(
    ("runtime", "extra", "said"),
    [
        pytest.param("llama_server", "", "", id="to-be-measured"),
        pytest.param("llama_server", "repeatable: true", "prompt caches are off, as the study says", id="told"),
        pytest.param("llama_server", "sampling: {temperature: 1}", "answers that are drawn", id="warm"),
        pytest.param("ollama", "", "Ollama cannot be told", id="cannot"),
    ],
)
def test_a_plan_says_what_is_certain(tmp_path: Path, runtime: str, extra: str, said: str) -> None:
    variants = ", ".join(f"{{name: {name}, model: m, runtime: {runtime}}}" for name in ("q8", "q4"))
    text = f"study: s\nbaseline: q8\nvariants: [{variants}]\nbenchmarks: {{mmlu_pro: {{}}}}\n{extra}\n"

    why = foreseen(parse(text, "s"), tmp_path / "s")

    assert said in why
    assert bool(why) == bool(said)
