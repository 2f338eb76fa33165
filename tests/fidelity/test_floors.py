"""The runtime's own noise: measured once, kept, and what lies below it."""

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.fidelity import floors, subjects
from evaluator.fidelity.floors import LLAMA, Way, under, with_floors
from evaluator.fidelity.nouns import Estimate, Floor
from evaluator.fidelity.run import Job, measure_all
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.texts import Passage
from tests.support import scripted_logits
from tests.support.measured_fidelity import BOUND, Q8

TEXT = Passage("words", "The quick brown fox jumps over the lazy dog. " * 20, "0" * 64)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    def command(subject: Subject, threads: int | None) -> list[str]:
        return [sys.executable, str(scripted_logits.__file__), str(subject.path)]

    monkeypatch.setattr(subjects, "command", command)
    monkeypatch.setattr(floors, "LLAMA", (LLAMA[0], Way("with a card, and without", ("--no-gpu",), needs_gpu=True)))
    for name, content in {"f16": "0 0 50", "near": "1 0.0001 50", "far": "2 0.3 50"}.items():
        (tmp_path / f"{name}.gguf").write_text(content)
    f16, near, far = (Subject(name=name, path=tmp_path / f"{name}.gguf") for name in ("f16", "near", "far"))
    return Job(text=TEXT, comparisons=((near, f16), (far, f16)), tokens=800, context=40)


def test_builds_below_the_noise_are_told_from_those_above(job: Job, tmp_path: Path) -> None:
    told: list[str] = []
    found = with_floors(measure_all(job, tmp_path / "kept", told.append), job, tmp_path / "kept", told.append)

    assert [(floor.build, floor.ways) for floor in found.floors] == [
        (n, LLAMA[0].words) for n in ("near", "f16", "far")
    ]
    assert all(0 < floor.mean_kld.value < 1e-5 for floor in found.floors)
    assert [build.below_floor for build in found.builds] == [True, False]


def test_floors_are_measured_once_and_their_way_without_a_card_is_not_there(job: Job, tmp_path: Path) -> None:
    whole = measure_all(job, tmp_path / "kept", print)
    first = with_floors(whole, job, tmp_path / "kept", print)
    told: list[str] = []
    again = with_floors(whole, job, tmp_path / "kept", told.append)

    assert again == first
    assert not any(LLAMA[0].words in sentence for sentence in told)
    assert len(list((tmp_path / "kept").glob("floor-*.npz"))) == 3


def noise(build: str, kld: float) -> Floor:
    return Floor(build, "two ways", Estimate(kld), Estimate(1.0))


@pytest.mark.parametrize(
    ("noises", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([noise("q8_0", 0.0005)], True, id="as-large"),
        pytest.param([noise("q8_0", 0.0004)], False, id="smaller"),
        pytest.param([noise("q8_0", 0.0001), noise("f16", 0.001)], True, id="of-the-reference"),
        pytest.param([noise("q8_0", 0.001), noise("q8_0", 0.0001)], True, id="the-largest-way"),
        pytest.param([noise("q4_0", 1.0)], None, id="of-another-build"),
    ],
)
def test_the_largest_noise_of_a_build_and_its_reference_is_its_floor(
    noises: list[Floor], expected: bool | None
) -> None:
    assert under([replace(Q8, mean_kld=Estimate(0.0005), below_floor=None)], noises)[0].below_floor == expected


def test_a_lower_bound_is_never_below_the_floor() -> None:
    assert under([BOUND], [noise(BOUND.build, 9.0), noise(BOUND.reference, 9.0)])[0].below_floor is None
