"""Answers of a run that flip: which they are, and what is said of where they part."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from evaluator.analyse.partings import counted, flips_of, kept_partings, said
from evaluator.analyse.questions import Asked
from evaluator.cli import main
from evaluator.fidelity.file import keep_partings
from evaluator.fidelity.parting import Likely, Parting
from evaluator.report.questions import questions_section
from evaluator.store.folder import read_plan
from tests.report.test_questions import blocks_of
from tests.support.asked import asked

DEMO = Path(__file__).parents[2] / "runs" / "example-demo"


def parting(question: str) -> Parting:
    return Parting(
        benchmark="mmlu_pro",
        question=question,
        repeat=0,
        build="q2_k",
        reference="q8_0",
        token=4,
        theirs="<b>",
        ours="(B)",
        by_reference=Likely(0.4, 0.3, 0.01),
    )


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Copy the run of the demo, with what servers said of one flip."""
    folder = shutil.copytree(DEMO, tmp_path / "run")
    keep_partings(folder, [parting(flipped(folder)[0])])
    return folder


def flipped(folder: Path) -> list[str]:
    return [f.key.question_id for f in flips_of(folder) if f.build == "q2_k" and f.key.benchmark == "mmlu_pro"]


def with_texts(one: Asked, texts: tuple[str, str], thoughts: tuple[str, str] = ("", "")) -> Asked:
    said_by = zip(one.replies.items(), texts, thoughts, strict=True)
    return replace(one, replies={name: replace(r, text=text, thinking=more) for (name, r), text, more in said_by})


def test_flips_are_those_of_the_report() -> None:
    report = json.loads((DEMO / "report.json").read_text())

    for comparison in report["comparisons"]:
        table = comparison["table"]
        found = [
            f for f in flips_of(DEMO) if (f.build, f.key.benchmark) == (comparison["variant"], comparison["benchmark"])
        ]
        assert len(found) == table["only_a"] + table["only_b"]
        assert all(f.request["messages"] and f.reference == "q8_0" for f in found)


def test_of_drawn_answers_none_are_put_again(tmp_path: Path) -> None:
    folder = shutil.copytree(DEMO, tmp_path / "run")
    plan = folder / "plan.json"
    read = json.loads(plan.read_text())
    read["study"]["sampling"]["temperature"] = 0.7
    plan.write_text(json.dumps(read))

    assert flips_of(folder) == []


def test_they_are_counted_for_builds_whose_servers_were_asked(demo: Path) -> None:
    (found,) = counted(demo, flips_of(demo), kept_partings(demo).values())

    flips = [f for f in flips_of(demo) if f.build == "q2_k"]
    assert (found.build, found.flips, found.near_ties, found.changes_of_mind) == ("q2_k", len(flips), 1, 0)


def test_without_probabilities_the_place_alone_is_said() -> None:
    one = with_texts(asked({"a": "correct", "b": "wrong"}), ("The answer is (B).", "The answer is (C)."))

    assert dict(said(one, "a", {})) == {"b": "b leaves a after 15 equal characters: “B).” there, “C).” here."}


def test_in_thinking_they_may_part_before_the_answer() -> None:
    one = with_texts(asked({"a": "correct", "b": "wrong"}), ("(B)", "(C)"), ("so yes", "so no"))

    assert dict(said(one, "a", {})) == {
        "b": "b leaves a after 3 equal characters of its thinking: “yes” there, “no” here."
    }


def test_one_question_is_shown_with_it(demo: Path) -> None:
    question = flipped(demo)[0]

    shown = CliRunner().invoke(main, ["show", str(demo), f"mmlu_pro/{question}"], env={"COLUMNS": "200"}).output
    as_json = CliRunner().invoke(main, ["show", str(demo), f"mmlu_pro/{question}", "--json"]).output

    sentence = "q2_k leaves q8_0 at token 5 of its answer, a near tie: q8_0 itself was nearly undecided."
    assert sentence in shown
    assert json.loads(as_json.splitlines()[0])["partings"]["q2_k"].startswith(sentence)


def test_flips_are_listed_with_how_they_begin(demo: Path) -> None:
    shown = CliRunner().invoke(main, ["show", str(demo), "--flips", "q8_0", "q2_k"]).output

    assert "flip between q8_0 and q2_k, 1 at a near tie, 0 with a real change of mind; of " in " ".join(shown.split())


def test_the_page_holds_what_is_said_of_each_flip(demo: Path) -> None:
    report: Any = SimpleNamespace(plan=read_plan(demo))
    blocks = blocks_of(questions_section(report, demo))

    index, question = blocks["index"], flipped(demo)[0]
    number = next(i for i, name in enumerate(index["id"]) if name == question)
    at = max(i for i, start in enumerate(index["starts"]) if start <= number)
    replies = blocks[f"texts-{at}"][number - index["starts"][at]][4]
    told = {index["variants"][index["columns"][reply[0]][0]]: reply[-1] for reply in replies}
    assert told["q8_0"] == ""
    assert told["q2_k"].startswith("q2_k leaves q8_0 at token 5")
    assert "“<b>”" in told["q2_k"]
