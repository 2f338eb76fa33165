"""What is kept of graded records is taken again as long as nothing that it depends on has changed, and then only."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from evaluator.analyse import kept, outlines
from evaluator.analyse.columns import packed, unpacked
from evaluator.analyse.kept import KeptOutlines, forget
from evaluator.analyse.outlines import at_sight, read_outlines
from evaluator.grade.grader import Grader
from evaluator.grade.outlines import Outlines
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Key, Question
from evaluator.store.folder import read_plan, records_path
from evaluator.study.requests import plan, plan_again
from servers.cache import user_cache

DEMO = Path(__file__).parents[2] / "runs" / "example-demo"
VARIANT = "q2_k"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept, "LEAST", 0)
    return Path(shutil.copytree(DEMO, tmp_path / "run"))


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Name the journals that are graded."""
    read: list[Path] = []

    def noted(path: Path, questions: dict[Key, Question], grader: Grader) -> Outlines:
        read.append(path)
        return at_sight(path, questions, grader)

    monkeypatch.setattr(outlines, "at_sight", noted)
    return read


@cache
def asked(folder: Path) -> dict[Key, Question]:
    made = read_plan(folder)
    asks = plan(made.study, made.order)
    return {ask.key: ask.question for ask in (*asks, *plan_again(made.study, asks))}


def read(folder: Path, questions: dict[Key, Question] | None = None) -> dict[str, Outlines]:
    grader = Grader(NoSandbox("no sandbox here", ""))
    return read_outlines(folder, [VARIANT], questions or asked(DEMO), grader)


def test_outlines_come_out_of_their_columns_as_they_went_in() -> None:
    questions = asked(DEMO)
    for path in sorted((DEMO / "records").glob("*.jsonl")):
        mine = at_sight(path, questions, Grader(NoSandbox("", "")))
        assert unpacked(packed(mine, questions), list(questions)) == mine
    assert unpacked(packed(Outlines(), questions), list(questions)) == Outlines([])


def test_what_did_not_change_is_graded_once(run: Path, graded: list[Path]) -> None:
    first, second = read(run), read(run)

    assert second == first
    assert graded == [records_path(run, VARIANT)]


def _another_letter(run: Path) -> None:
    path = records_path(run, VARIANT)
    before = path.read_bytes()
    path.write_bytes(before.replace(b"answer is (", b"answer is [", 1))
    assert path.stat().st_size == len(before)
    assert path.read_bytes() != before


def _one_record_less(run: Path) -> None:
    path = records_path(run, VARIANT)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _other_bytes(run: Path) -> None:
    (file,) = (user_cache() / "graded").iterdir()
    file.write_bytes(file.read_bytes()[:40])


def _nothing_there(run: Path) -> None:
    forget([records_path(run, VARIANT)])


@pytest.mark.parametrize("change", [_another_letter, _one_record_less, _other_bytes, _nothing_there])
def test_what_changed_is_graded_again(
    run: Path, graded: list[Path], change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(run)
    change(run)
    again = read(run)
    assert len(graded) == 2

    monkeypatch.setattr(kept, "LEAST", 1 << 40)
    assert again == read(run)


def test_other_questions_or_rules_are_graded_again(
    run: Path, graded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = asked(DEMO)
    read(run)
    fewer = dict(list(everything.items())[:-1])
    read(run, fewer)
    monkeypatch.setattr(kept, "_CODE", ("*.py",))
    read(run, fewer)

    assert len(graded) == 3


def test_a_small_journal_is_not_kept_and_old_files_go(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(run)
    old = user_cache() / "graded" / "old"
    old.touch()
    monkeypatch.setattr(kept, "_DAYS", -1)
    KeptOutlines(asked(DEMO)).put(records_path(run, VARIANT), Outlines())
    assert not old.exists()

    monkeypatch.setattr(kept, "LEAST", 1 << 40)
    KeptOutlines(asked(DEMO)).put(records_path(run, VARIANT), Outlines())
    assert not list((user_cache() / "graded").iterdir())
