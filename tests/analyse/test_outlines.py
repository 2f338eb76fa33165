"""A large run's records are read in processes of their own, and come out as those that are read here."""

from pathlib import Path

import pytest

from evaluator.analyse import outlines
from evaluator.analyse.outlines import read_outlines
from evaluator.grade.grader import Grader
from evaluator.grade.kept import KeptGrader
from evaluator.grade.outlines import Outlines
from evaluator.grade.sandbox import NoSandbox
from evaluator.store.folder import read_plan
from evaluator.study.requests import plan, plan_again

DEMO = Path(__file__).parents[2] / "runs" / "example-demo"
NOWHERE = NoSandbox("no sandbox here", "")


def read(grader: Grader, folder: Path = DEMO) -> dict[str, Outlines]:
    settings = read_plan(DEMO)
    asks = plan(settings.study, settings.order)
    questions = {ask.key: ask.question for ask in (*asks, *plan_again(settings.study, asks))}
    return read_outlines(folder, [variant.name for variant in settings.study.variants], questions, grader)


def test_records_that_are_read_apart_are_those_that_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = read(Grader(NOWHERE))
    monkeypatch.setattr(outlines, "LARGE", 0)
    asked: list[str] = []

    def counted(folder: Path, variant: str) -> bytes:
        asked.append(variant)
        return ask(folder, variant)

    ask = outlines._ask_process
    monkeypatch.setattr(outlines, "_ask_process", counted)

    assert read(Grader(NOWHERE)) == here
    assert asked == list(here)
    assert all(record.grade for mine in here.values() for record in mine.records)
    assert read(KeptGrader(NOWHERE, lambda _: None)) == here


def test_where_no_process_can_be_had_records_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = read(Grader(NOWHERE))
    monkeypatch.setattr(outlines, "LARGE", 0)
    monkeypatch.setattr(outlines, "_ask_process", lambda _folder, _variant: b"")

    assert read(Grader(NOWHERE)) == here
