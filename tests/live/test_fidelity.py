"""Fidelity with llama.cpp's real library and real weights."""

from pathlib import Path

import httpx2
import numpy as np
import pytest

from evaluator.demo.builds import requantize
from evaluator.fidelity.llama_library import find
from evaluator.fidelity.logits import log_sum
from evaluator.fidelity.rows import module, open_rows
from evaluator.fidelity.run import Job, measure_all
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.texts import Passage
from evaluator.fidelity.windows import cut
from servers.launch import launch
from servers.spec import ServerSpec

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
TEXT = Passage("words", "The quick brown fox jumps over the lazy dog. What is that? " * 120, "0" * 64)

pytestmark = pytest.mark.live


def test_builds_of_real_weights_are_measured(tmp_path: Path) -> None:
    requantize(LAB, tmp_path / "q4.gguf", "Q4_0")
    reference = Subject(name="f16", path=LAB)
    builds = [
        Subject(name="again", path=tmp_path / "again.gguf"),
        Subject(name="kv", path=LAB, kv_cache="q8_0"),
        Subject(name="q4", path=tmp_path / "q4.gguf"),
    ]
    builds[0].path.symlink_to(LAB)
    job = Job(text=TEXT, comparisons=tuple((b, reference) for b in builds), tokens=1024, context=128, threads=1)
    again, kv, q4 = measure_all(job, tmp_path / "kept", print).builds

    assert again.mean_kld is not None
    assert kv.mean_kld is not None
    assert q4.mean_kld is not None
    assert abs(again.mean_kld.value) < 1e-4  # what llama.cpp's form of the reference rounds away
    assert again.top1_agreement is not None
    assert again.top1_agreement.value == 1
    assert again.perplexity == again.reference_perplexity
    assert again.mean_kld.value < kv.mean_kld.value < q4.mean_kld.value


async def test_the_logits_are_those_that_a_server_answers_by(llama_binary: str, tmp_path: Path) -> None:
    windows = cut(list(range(100, 164)), 32, 64, 2)
    with open_rows(module("logits_llama", LAB, "--threads", "1"), windows, LAB) as rows:
        logits = np.concatenate([piece.copy() for piece in rows.pieces])
    ordered = np.sort(logits, axis=1)
    sure = np.flatnonzero(ordered[:, -1] - ordered[:, -2] > 0.5)[:12]
    assert rows.head.program == find().name

    spec = ServerSpec(runtime="llama_server", model=str(LAB), binary=llama_binary, context=256, args=("-t", "1"))
    async with launch(spec, log=tmp_path / "log") as server, httpx2.AsyncClient(trust_env=False) as http:
        compared = 0
        for place in map(int, sure):
            window, at = divmod(place, windows.scored)
            prompt = windows.ids[window, : windows.first + 1 + at].tolist()
            body = {"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": 1, "cache_prompt": False}
            answer = await http.post(server.base_url.removesuffix("/v1") + "/completion", json=body, timeout=60)
            for said in answer.json().get("completion_probabilities", ()):  # none where the text ends
                assert said["id"] == logits[place].argmax()
                assert said["logprob"] == pytest.approx(logits[place].max() - log_sum(logits[place]), abs=0.05)
                compared += 1
        assert compared > 2
