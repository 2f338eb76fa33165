"""The check takes a tenth of the run that follows: what only warns is left out first, and what can block never."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.preflight import probes
from evaluator.preflight.probes import prove, share_of
from evaluator.store.proofs import Proofs
from evaluator.study.file import parse
from evaluator.study.requests import plan
from servers.fake import FakeModel, FakeServer
from servers.launch import launch
from servers.spec import ServerSpec
from tests.support.probe_scripts import honest

STUDY = """
study: s
baseline: a
variants: [{name: a, model: fake, base_url: "http://h/v1"}]
benchmarks: {mmlu_pro: {questions: 5, shots: 0}}
"""
ALWAYS = ("tokens", "thought", "lengths", "needle", "alone", "at_once", "together")
"""What can block, whatever the study samples with."""


async def tried(questions: int | None, sampling: str) -> Proofs:
    study = parse(f"{STUDY}sampling: {{max_tokens: 500, {sampling}}}\n", "s")
    async with FakeServer(
        lambda body, n: replace(honest(body, n), delay=0.01), models=[FakeModel(id="fake", served_context=8192)]
    ) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url, slots=4)
        async with launch(spec, log=Path()) as server:
            return await prove(server, study, asks=plan(study), settings="x", questions=questions)


@pytest.mark.parametrize(
    ("questions", "sampling", "left_out"),
    [
        pytest.param(None, "temperature: 0", (), id="no run follows"),
        pytest.param(10**6, "temperature: 0", (), id="a long run"),
        pytest.param(1, "temperature: 0", ("hot", "cold"), id="a run of one question"),
        pytest.param(1, "temperature: 0.7", ("cold",), id="sampling that can block"),
    ],
)
async def test_what_only_warns_is_left_out_before_a_short_run(
    questions: int | None, sampling: str, left_out: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LEAST_S", 0.0)
    found = await tried(questions, sampling)

    assert [name for name in ("hot", "cold") if getattr(found, name) is None] == list(left_out)
    assert all(getattr(found, name) for name in ALWAYS)
    said = [sentence for sentence in found.failures if sentence.startswith("Left out, since the check took a tenth")]
    assert len(said) == bool(left_out)
    assert all(f"of what {questions} questions will take" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("questions", "question_s", "at_once", "seconds"),
    [
        pytest.param(100, 2.0, 1, 20.0, id="one at a time"),
        pytest.param(100, 2.0, 4, 5.0, id="four at once"),
        pytest.param(1, 2.0, 1, 3.0, id="a run of one question"),
        pytest.param(None, 2.0, 1, float("inf"), id="no run follows"),
        pytest.param(100, None, 1, float("inf"), id="no question was answered"),
    ],
)
def test_a_tenth_of_the_run(questions: int | None, question_s: float | None, at_once: int, seconds: float) -> None:
    assert share_of(questions, question_s, at_once) == pytest.approx(seconds)
