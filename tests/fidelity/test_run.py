"""Builds measured one after the other, each kept as soon as it is measured."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import StudyError
from evaluator.fidelity import kept, subjects
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.run import Job, measure_all
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.texts import Passage
from servers.errors import ModelError
from tests.support import scripted_logits

TEXT = Passage("words", "The quick brown fox jumps over the lazy dog. " * 20, "0" * 64)


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(subject: Subject, threads: int | None) -> list[str]:
        return [sys.executable, str(scripted_logits.__file__), str(subject.path)]

    monkeypatch.setattr(subjects, "command", command)


class Shelf:
    """Models on disk, and what was measured of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, list[str]()
        for name, content in {"f16": "0 0 50", "q8": "1 0.01 50", "q4": "2 0.3 50"}.items():
            self.model(name, content)

    def model(self, name: str, content: str) -> None:
        (self.folder / f"{name}.gguf").write_text(content)

    def subject(self, name: str) -> Subject:
        return Subject(name=name, path=self.folder / f"{name}.gguf")

    def measure(self, builds: Sequence[str], reference: str = "f16", text: Passage = TEXT) -> Fidelity:
        comparisons = tuple((self.subject(name), self.subject(reference)) for name in builds)
        job = Job(text=text, comparisons=comparisons, tokens=800, context=40)
        return measure_all(job, self.folder / "kept", self.told.append)

    def starts(self, name: str) -> int:
        file = self.folder / f"{name}.starts"
        return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_each_build_gets_its_numbers(shelf: Shelf) -> None:
    found = shelf.measure(["q8", "q4"])

    q8, q4 = found.builds
    assert (q8.build, q8.reference, q8.method, q8.verdict) == ("q8", "f16", "exact", "equivalent")
    assert q4.verdict == "worse"
    assert (found.text.windows, found.text.context, found.text.scored) == (20, 40, 20 * 19)
    assert [pair.verdict for pair in found.pairs] == ["better"]
    assert set(found.sha256) == {"f16", "q8", "q4"}
    assert set(found.sizes) == {"f16", "q8", "q4"}  # the reference's, too
    assert any("the reference's probabilities take" in sentence for sentence in shelf.told)


def test_what_was_measured_is_not_measured_again(shelf: Shelf) -> None:
    first = shelf.measure(["q8", "q4"])
    again = shelf.measure(["q8", "q4"])

    assert again == first
    assert [shelf.starts(name) for name in ("f16", "q8", "q4")] == [1, 1, 1]


def test_a_further_build_needs_no_second_look_at_the_reference(shelf: Shelf) -> None:
    shelf.measure(["q8"])
    shelf.measure(["q8", "q4"])

    assert [shelf.starts(name) for name in ("f16", "q8", "q4")] == [1, 1, 1]
    assert "f16: its probabilities are there from before." in shelf.told


def test_what_was_measured_before_a_failure_is_kept(shelf: Shelf) -> None:
    shelf.model("bad", "breaks 0.1 50")
    with pytest.raises(ModelError, match=r"^bad\.gguf is broken$"):
        shelf.measure(["q8", "bad", "q4"])
    shelf.model("bad", "3 0.1 50")
    shelf.measure(["q8", "bad", "q4"])

    assert [shelf.starts(name) for name in ("f16", "q8", "bad", "q4")] == [1, 1, 1, 1]


def test_a_model_that_cannot_be_opened_is_known_before_anything_is_measured(shelf: Shelf) -> None:
    shelf.model("bad", "broken")
    with pytest.raises(ModelError, match=r"^bad\.gguf is broken$"):
        shelf.measure(["q8", "bad"])

    assert shelf.starts("f16") == shelf.starts("q8") == 0


def test_other_weights_under_the_same_name_are_measured(shelf: Shelf) -> None:
    before = shelf.measure(["q8"])
    shelf.model("q8", "1 0.5 50 ")
    after = shelf.measure(["q8"])

    assert shelf.starts("q8") == 2
    assert before.builds[0].mean_kld != after.builds[0].mean_kld


def test_another_text_is_read(shelf: Shelf) -> None:
    shelf.measure(["q8"])
    shelf.measure(["q8"], text=Passage("other", TEXT.text.upper(), "1" * 64))

    assert shelf.starts("f16") == shelf.starts("q8") == 2


def test_a_small_disk_takes_the_small_form(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = shelf.measure(["q8", "q4"])
    monkeypatch.setattr(kept, "fits", lambda *_: False)
    monkeypatch.setattr(kept, "LARGEST", 10)
    shelf.folder.joinpath("kept").rename(shelf.folder / "before")
    found = shelf.measure(["q8", "q4"])

    assert not list((shelf.folder / "kept").glob("*.kld"))
    assert any("too little room" in sentence for sentence in shelf.told)
    for build, true in zip(found.builds, exact.builds, strict=True):
        assert build.method == "top_k"
        assert build.covered is not None
        assert 0.5 < build.covered < 1
        assert build.error_bound is not None
        assert build.mean_kld is not None
        assert true.mean_kld is not None
        assert build.mean_kld.value <= true.mean_kld.value <= build.mean_kld.value + build.error_bound
        assert build.top1_agreement is not None
        assert true.top1_agreement is not None
        assert build.top1_agreement.value == true.top1_agreement.value
    assert shelf.measure(["q8", "q4"]) == found


def test_two_references_are_told_apart(shelf: Shelf) -> None:
    shelf.model("qat", "4 0.4 50")
    comparisons = tuple((shelf.subject(a), shelf.subject(b)) for a, b in (("q4", "qat"), ("q4", "f16"), ("qat", "f16")))
    found = measure_all(Job(text=TEXT, comparisons=comparisons, tokens=800, context=40), shelf.folder / "k", print)

    assert [(build.build, build.reference) for build in found.builds] == [("q4", "qat"), ("q4", "f16"), ("qat", "f16")]
    assert [(pair.build, pair.other) for pair in found.pairs] == [("q4", "qat")]


def test_another_tokenization_is_refused(shelf: Shelf) -> None:
    shelf.model("other", "5 0.1 51")

    with pytest.raises(ModelError, match="other reads the text as other tokens than its reference f16, from token 1 "):
        shelf.measure(["other"])


def test_places_without_a_token_are_left_out_on_both_sides(shelf: Shelf) -> None:
    shelf.model("filled", "1 0.01 300 256")
    shelf.model("plain", "0 0 256")
    found = shelf.measure(["filled"], reference="plain")
    wide, width, _ = kept.read_whole(next((shelf.folder / "kept").glob("*.kld")))

    assert (wide.context, width) == (40, 256)
    assert found.notes == (
        "filled has 300 places in its vocabulary and plain 256; the 44 that no token has were left out.",
    )
    back = shelf.measure(["plain"], reference="filled")
    assert back.notes == found.notes


def test_a_short_text_is_refused(shelf: Shelf) -> None:
    with pytest.raises(StudyError, match="two windows of 40 take 80"):
        shelf.measure(["q8"], text=Passage("short", "Too short.", "2" * 64))


def test_windows_begin_as_the_reference_begins_a_text(shelf: Shelf) -> None:
    shelf.measure(["q8"])
    windows, vocabulary, _ = kept.read_whole(next((shelf.folder / "kept").glob("*.kld")))

    assert vocabulary == 50
    assert (windows.ids[:, 0] == 1).all()
    assert windows.ids[0, 1:5].tolist() == [byte % 50 for byte in np.frombuffer(b"he q", np.uint8).tolist()]
