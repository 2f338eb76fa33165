"""A real run on a real llama-server, looked at from beside while it goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.demo.builds import builds
from tests.commands.test_serve_report import ROOT, WHICHQUANT, get, served, state, until
from tests.live.test_run import LAB

pytestmark = pytest.mark.live
STUDY = """\
study: s
baseline: q8
variants:
  - {{name: q8, runtime: llama_server, model: {folder}/lab-full-Q8_0.gguf}}
  - {{name: q2, runtime: llama_server, model: {folder}/lab-full-Q2_K.gguf}}
benchmarks: {{mmlu_pro: {{questions: 30, shots: 0, margin: 20}}}}
sampling: {{temperature: 0, max_tokens: 600}}
concurrency: 1
"""


def test_a_run_of_a_real_server_is_seen_going_on_and_at_its_end(tmp_path: Path) -> None:
    builds(LAB, ["Q8_0", "Q2_K"], tmp_path)
    study, folder = tmp_path / "study.yaml", tmp_path / "runs" / "s"
    study.write_text(STUDY.format(folder=tmp_path))
    command = [*WHICHQUANT, "run", str(study), "--runs", str(tmp_path / "runs")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        journal = folder / "records" / "q8.jsonl"
        until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 5, 300)
        with served(folder) as (url, _):
            page = get(f"{url}/report.html")
            assert "Still running: " in page
            assert "Verdicts come at the end" in page
            listed = subprocess.run(
                [sys.executable, "-m", "evaluator", "show", str(folder), "--json", "--outcome", "q8=correct"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            assert all(json.loads(line)["replies"]["q8"]["outcome"] == "correct" for line in listed.splitlines())
            assert listed
            said, _ = run.communicate(timeout=600)
            assert run.returncode in (0, 1), said
            until(lambda: bool(state(url)["phase"] == "ended"))
            assert get(url) == (folder / "report.html").read_text()
