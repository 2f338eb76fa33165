"""A study file is read whole or refused in one sentence."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from evaluator.errors import StudyError
from evaluator.study.file import json_schema, load_study, parse

STUDY = """\
study: quants
baseline: q8
variants:
  - name: q8
    runtime: llama_server
    model: q8.gguf
  - name: q4
    runtime: mlx_lm
    model: org/q4
    thinking: true
    kv_cache: q8_0
    args: ["--flash-attn", "on"]
  - name: mine
    base_url: http://localhost:1234/v1
    model: some-model
benchmarks:
  mmlu_pro: {questions: 500, shots: 5, margin: 2}
  humaneval: {questions: all, repeats: 3}
sampling: {temperature: 0, max_tokens: 32768}
decide: {alpha: 0.05, mode: fixed}
"""


def test_everything_in_the_file_arrives_in_the_study() -> None:
    study = parse(STUDY, "s.yaml")

    assert [variant.name for variant in study.variants] == ["q8", "q4", "mine"]
    assert study.variants[1].thinking is True
    assert study.variants[1].kv_cache == "q8_0"
    assert study.variants[1].args == ("--flash-attn", "on")
    assert study.variants[2].base_url == "http://localhost:1234/v1"
    assert study.sampling.max_tokens == 32768
    chosen = study.benchmarks.chosen()
    assert chosen["mmlu_pro"].questions == 500
    assert chosen["humaneval"].questions == "all"
    assert chosen["humaneval"].repeats == 3
    assert chosen["humaneval"].margin == 6.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("decide:", "decides:", "20: decides: unknown key: did you mean decide?", id="unknown-key-near"),
        pytest.param(
            "kv_cache: q8_0", "colour: red", "11: variants[1].colour: unknown key: known here", id="unknown-key-far"
        ),
        pytest.param(
            "temperature", "temprature", "19: sampling.temprature: unknown key: did you mean temp", id="nested"
        ),
        pytest.param(
            "shots: 5", "shots: 9", "17: benchmarks.mmlu_pro.shots: expected a whole number <= 5, not 9", id="range"
        ),
        pytest.param(
            "shots: 5", "shots: many", "17: benchmarks.mmlu_pro.shots: expected a whole number, not 'many'", id="type"
        ),
        pytest.param("name: q8", "name: 8", "4: variants[0].name: expected text, not 8: put it in quotes", id="quotes"),
        pytest.param(
            "name: q8",
            "name: ../q8",
            "4: variants[0].name: '../q8' does not fit: letters",
            id="name-is-a-path",
        ),
        pytest.param(
            "name: q4", "name: q8", '7: variants[1].name: "q8" is the name of variants[0] already', id="same-name"
        ),
        pytest.param(
            "name: q4", "name: Q8", '7: variants[1].name: "Q8" differs from another name in case only', id="case"
        ),
        pytest.param(
            "baseline: q8",
            "baseline: f16",
            '2: baseline: "f16" is no variant of this study: name one of',
            id="baseline",
        ),
        pytest.param(
            "runtime: mlx_lm",
            "runtime: mlxlm",
            '8: variants[1].runtime: "mlxlm" is not known here: did you mean mlx_lm?',
            id="runtime",
        ),
        pytest.param(
            "    runtime: mlx_lm\n", "", "7: variants[1].runtime: missing: name a runtime to start", id="no-runtime"
        ),
        pytest.param(
            "kv_cache: q8_0", "kv_cache: q7", '11: variants[1].kv_cache: "q7" is not known here', id="kv-type"
        ),
        pytest.param(
            "http://localhost:1234/v1",
            "localhost",
            "14: variants[2].base_url: base_url 'localhost' is no address",
            id="url",
        ),
        pytest.param(
            "model: some-model",
            "model: m\n    context: 40960",
            "16: variants[2].context: a server that runs",
            id="set-there",
        ),
        pytest.param(
            "mode: fixed", "mode: guess", '20: decide.mode: "guess" is not known here: write fixed', id="mode"
        ),
        pytest.param("alpha: 0.05", "alpha: 5", "20: decide.alpha: expected a number < 0.5, not 5", id="alpha"),
        pytest.param(
            "questions: 500",
            "questions: half",
            '17: benchmarks.mmlu_pro.questions: "half" is not known',
            id="questions",
        ),
        pytest.param("repeats: 3", "questions: 900", "18: benchmarks.humaneval.questions: ", id="more-than-there-are"),
        pytest.param('"--flash-attn"', '"--api-key"', "12: variants[1].args: a key would be written", id="key-in-args"),
        pytest.param("alpha: 0.05", "alpha: 1.0e-17", "20: decide.alpha: expected a number >= 1e-06", id="alpha-tiny"),
        pytest.param("study: quants\n", "", "1: study: missing: it must be given", id="missing"),
        pytest.param(
            "study: quants", "study: quants\nstudy: other", "2: study: written twice (first on line 1)", id="twice"
        ),
        pytest.param("decide: {", "decide: [", "20: not valid YAML", id="yaml"),
        pytest.param(STUDY, "", "1: study: missing: the file is empty", id="empty"),
        pytest.param(STUDY, "- 1\n", "1: study: expected keys with values", id="a-list"),
    ],
)
def test_a_mistake_is_one_sentence_with_line_and_key(old: str, new: str, said: str) -> None:
    assert old in STUDY

    with pytest.raises(StudyError, match=re.escape(f"s.yaml:{said}")) as caught:
        parse(STUDY.replace(old, new, 1), "s.yaml")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot be read (No such file or directory)", id="no-file"),
        pytest.param(b"study: \xff", "is not UTF-8 text (byte 7)", id="not-utf8"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StudyError, match=re.escape(said)):
        load_study(path)


def test_the_schema_knows_every_key_of_a_study() -> None:
    schema = json.loads(json.dumps(json_schema()))

    study = schema["$defs"]["Study"]
    assert set(study["properties"]) == set(msgspec.to_builtins(parse(STUDY, "s.yaml")))
    assert study["additionalProperties"] is False
