"""The check on real servers with real weights: silent where all is well, and loud where it is not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evaluator.demo.builds import builds
from evaluator.demo.to_mlx import convert
from evaluator.report.preflight import ASPECTS
from tests.support.planted_runs import whichquant

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
THINKS = """\
{% for m in messages %}{% if m['role'] == 'assistant' %}<|im_start|>assistant
<think>
{{ m['reasoning_content'] | default('') }}
</think>

{{ m['content'] }}<|im_end|>
{% else %}<|im_start|>{{ m['role'] }}
{{ m['content'] }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is false %}<think>

</think>

{% else %}<think>
{% endif %}{% endif %}"""
"""A chat template that begins the thinking: whatever the lab model writes then is thought, and never ends."""


@pytest.fixture(scope="module")
def q8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builds(LAB, ["Q8_0"], tmp_path_factory.mktemp("models"))["Q8_0"]


@pytest.fixture(scope="module")
def mlx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlx_lm")
    folder = tmp_path_factory.mktemp("mlx") / "4bit"
    convert(LAB, folder, bits=4)
    return folder


def study(
    folder: Path, variants: Mapping[str, str], *, sampling: str = "temperature: 0, max_tokens: 700", at_once: int = 4
) -> Path:
    """Write a study of these variants, the first of them the baseline."""
    lines = "\n".join(f"  - {{name: {name}, {settings}}}" for name, settings in variants.items())
    path = folder / "study.yaml"
    path.write_text(
        f"study: live\nbaseline: {next(iter(variants))}\nconcurrency: {at_once}\nvariants:\n{lines}\n"
        f"benchmarks: {{mmlu_pro: {{questions: 8, shots: 0, margin: 5}}}}\nsampling: {{{sampling}}}\n"
    )
    return path


def check(path: Path) -> Any:
    result = whichquant("check", path, "--json")
    assert result.exit_code in (0, 1), result.output
    found = json.loads(result.stdout)
    assert found["problems"] == {}
    assert result.exit_code == (1 if found["blocked"] else 0)
    return found


def grave(found: Any) -> list[tuple[str, str, str | None]]:
    return [(c["code"], c["severity"], c["variant"]) for c in found["checks"] if c["severity"] != "note"]


def llama(model: Path, more: str = "") -> str:
    return f"runtime: llama_server, model: {model}, thinking: false, kv_cache: f16{more}"


def test_a_clean_study_of_llama_cpp_raises_no_alarm(q8: Path, llama_binary: str, tmp_path: Path) -> None:
    of_its_own = f", binary: {llama_binary}"

    found = check(study(tmp_path, {"f16": llama(LAB, of_its_own), "q8": llama(q8, of_its_own)}))

    assert grave(found) == []
    for states in found["variants"].values():
        assert set(states) == set(ASPECTS)
        assert {state for aspect, state in states.items() if aspect != "KV"} == {"proved"}, states
    assert found["proofs"]["q8"]["applied"] == {
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 0.0,
        "min_p": 0.0,
        "max_tokens": 700.0,
    }


def test_a_clean_study_of_the_wheel_raises_no_alarm(q8: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")

    found = check(study(tmp_path, {"q8": llama(q8), "again": llama(q8)}, sampling="temperature: 0.7, max_tokens: 300"))

    assert grave(found) == []
    assert found["proofs"]["q8"]["applied"]["temperature"] == 0.7


def test_a_clean_study_of_mlx_lm_raises_no_alarm(mlx: Path, tmp_path: Path) -> None:
    variants = {"4bit": f"runtime: mlx_lm, model: {mlx}, thinking: false"}

    found = check(study(tmp_path, variants, sampling="temperature: 0, max_tokens: 100", at_once=2))

    assert grave(found) == []
    assert found["variants"]["4bit"]["template"] == found["variants"]["4bit"]["context"] == "proved"


def test_a_context_of_1024_tokens_is_found(q8: Path, tmp_path: Path) -> None:
    found = check(
        study(
            tmp_path,
            {"q8": llama(q8), "short": llama(q8, ", context: 1024")},
            sampling="temperature: 0, max_tokens: 1000",
        )
    )

    assert grave(found) == [("context", "block", "short")]


def test_another_chat_template_is_found(q8: Path, tmp_path: Path) -> None:
    template = tmp_path / "old.jinja"
    template.write_text(
        "{{ bos_token }}{% for m in messages %}<|turn>{{ m['role'] }}\nListen well.\n{{ m['content'] }}<turn|>\n"
        "{% endfor %}{% if enable_thinking %}<|think|>{% endif %}<|turn>model\n"
    )
    args = f', args: ["--chat-template-file", "{template}"]'

    found = check(study(tmp_path, {"q8": llama(q8), "old": llama(q8, args)}))

    assert ("template_tokens", "block", "old") in grave(found)


def test_temperature_left_to_the_server_is_found(q8: Path, tmp_path: Path) -> None:
    found = check(study(tmp_path, {"q8": llama(q8)}, sampling="temperature: null, max_tokens: 300"))

    assert ("sampling_default", "warn", None) in grave(found)
    assert found["proofs"]["q8"]["applied"]["temperature"] == 0.8, "llama.cpp's own"


def test_thinking_that_the_limit_cuts_off_is_found(q8: Path, tmp_path: Path) -> None:
    template = tmp_path / "thinks.jinja"
    template.write_text(THINKS)
    settings = f'runtime: llama_server, model: {q8}, thinking: true, args: ["--chat-template-file", "{template}"]'
    path = study(tmp_path, {"thinks": settings}, sampling="temperature: 0, max_tokens: 20")

    result = whichquant("run", path, "--force")

    report = json.loads((tmp_path / "runs" / "live" / "report.json").read_text())
    assert result.exit_code == 1, result.output
    assert ("cut_off", "block", "thinks") in grave(report)


def test_a_run_is_checked_before_the_first_question(q8: Path, tmp_path: Path) -> None:
    result = whichquant("run", study(tmp_path, {"q8": llama(q8)}, sampling="temperature: 0, max_tokens: 300"))

    report = json.loads((tmp_path / "runs" / "live" / "report.json").read_text())
    assert result.exit_code == 0, result.output
    assert "q8: checked in " in result.output
    assert grave(report) == []
    assert json.loads((tmp_path / "runs" / "live" / "proofs.json").read_text())["q8"]["changed"] == []
