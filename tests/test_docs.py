"""The code in docs/python.md runs as it stands."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from servers.fake import Reply
from tests.support.probe_scripts import honest
from tests.support.scripted import ANSWERS, Bench, prompt_of, wrong

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
STUDY = """\
study: two-builds
baseline: q8
variants:
  - {{name: q8, model: q8, base_url: "{q8}"}}
  - {{name: q4, model: q4, base_url: "{q4}"}}
benchmarks: {{mmlu_pro: {{questions: 20, shots: 0, margin: 10}}}}
"""


def mistaken(body: Any, number: int) -> Reply:
    return wrong(body) if prompt_of(body) in ANSWERS else honest(body, number)


def test_the_page_has_code_for_each_function_of_the_api() -> None:
    text = "\n".join(BLOCKS)

    for name in ("run_study", "evaluate", "check_study", "plan_study", "compare", "compare_counts", "load_run"):
        assert f"evaluator.{name}(" in text or f"evaluator.{name}," in text, name
    assert "evaluator.extract_choice(" in text
    assert "evaluator.extract_code(" in text


def test_every_block_runs_one_after_the_other(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.study(1, q8=honest, q4=mistaken)
    urls = {name: fake.base_url for name, fake in bench.fakes.items()}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY.format(**urls))
    names: dict[str, object] = {}
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        for block in BLOCKS:
            code = block.replace("http://127.0.0.1:8080/v1", urls["q8"]).replace("http://127.0.0.1:8081/v1", urls["q4"])
            exec(compile(code, "docs/python.md", "exec"), names)

    lines = printed.getvalue().splitlines()
    assert "clearly worse - q4 is clearly worse than q8 on MMLU-Pro" in printed.getvalue()
    assert "20 right answers" in lines
    assert 'the study:2: baseline: "q5" is no variant of this study: name one of q8, q4' in lines
    assert "baseline 2 2" in lines
