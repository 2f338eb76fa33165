"""The questions as a part of a page: what its blocks hold is what the run's folder holds."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from evaluator.analyse.load import read_grades
from evaluator.analyse.questions import asked_questions
from evaluator.records import OUTCOMES, Key, Record
from evaluator.report import questions
from evaluator.report.question_rows import WORDS, columns, together
from evaluator.report.questions import QuestionsSection, questions_section
from evaluator.store.folder import read_plan
from tests.report.test_packed import unpacked
from tests.support.large_run import Size, write_run

DEMO = Path(__file__).parents[2] / "runs" / "example-demo"
SMALL = Size(questions=24, variants=3, again=4, thinking=0.5)


def section_of(folder: Path, **more: Any) -> QuestionsSection:
    report: Any = SimpleNamespace(plan=read_plan(folder))
    return questions_section(report, folder, **more)


def blocks_of(section: QuestionsSection) -> dict[str, Any]:
    found = re.findall(
        r'<script type="application/gzip" id="questions-([a-z0-9-]+)">([^<]*)</script>', section.html + section.data
    )
    return {name: unpacked(block) for name, block in found}


def replies_in(blocks: dict[str, Any]) -> dict[Key, dict[tuple[str, int, bool], tuple[str, str]]]:
    """Put together answer and thinking of every reply, as the page does."""
    index, made = blocks["index"], {}
    places = [(at, place) for at in range(len(index["starts"])) for place in range(len(blocks[f"texts-{at}"]))]
    for number, (at, place) in enumerate(places):
        benchmark = index["benchmarks"][index["benchmark"][number]][0]
        thoughts = dict(blocks.get(f"thoughts-{at}", [[]] * (place + 1))[place])
        made[Key(benchmark, index["id"][number])] = {
            (index["variants"][variant], repeat, again): (told[1], thoughts.get(told[0], ""))
            for told in blocks[f"texts-{at}"][place][4]
            for variant, repeat, again in [index["columns"][told[0]]]
        }
    return made


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    write_run(folder, SMALL)
    return folder


@pytest.mark.parametrize("which", ["demo", "small"])
def test_every_reply_of_the_run_is_in_the_page(which: str, small: Path) -> None:
    folder = DEMO if which == "demo" else small
    shown = replies_in(blocks_of(section_of(folder)))

    count = 0
    for asked in asked_questions(folder):
        for name, reply in asked.replies.items():
            thinking = reply.thinking if reply.thinking.strip() else ""
            key = Key(asked.key.benchmark, asked.key.question_id)
            assert shown[key][name, 0, asked.again] == (reply.text, thinking)
            count += 1
    assert count == sum(map(len, shown.values())) > 0


def test_the_index_says_how_every_reply_was_graded(small: Path) -> None:
    index, grades = blocks_of(section_of(small))["index"], read_grades(small)
    seen = set()
    for number, (variant, repeat, again) in enumerate(index["columns"]):
        for i, question in enumerate(index["id"]):
            benchmark, _, kind = index["benchmarks"][index["benchmark"][i]]
            grade = grades.get((index["variants"][variant], Key(benchmark, question, repeat + again)))
            mark = index["outcome"][number][i]
            seen.add(mark)
            if grade is None:
                assert (mark, again) == (".", True)
            else:
                assert OUTCOMES[int(mark)] == grade.outcome
                assert index["read"][number][i] == ("" if kind == "code" else grade.extracted or "")
    assert {".", "0", "1"} <= seen


def test_worked_examples_are_stored_once_and_prompts_are_whole(small: Path) -> None:
    blocks = blocks_of(section_of(small))
    examples = blocks["examples"]
    prompts = [(examples[e] if e >= 0 else "") + own for e, own, *_ in blocks["texts-0"]]
    asked = [each for each in asked_questions(small) if not each.again]

    assert prompts == [each.question.text for each in asked]
    assert len(examples) == len({each.question.category for each in asked if each.question.benchmark == "mmlu_pro"})
    assert [own.count("Question:") for e, own, *_ in blocks["texts-0"] if e >= 0] == [1] * 18


def test_repeats_and_what_was_asked_again_are_columns_of_their_own(tmp_path: Path) -> None:
    study = write_run(tmp_path / "s", Size(questions=8, variants=2, repeats=2, again=3))
    rows = together(asked_questions(tmp_path / "s"))

    assert len(rows) == 8
    assert list(columns(rows, study)) == [
        *[("q8_0", 0, False), ("q8_0", 1, False), ("q8_0", 0, True)],
        *[("q6_k", 0, False), ("q6_k", 1, False)],
    ]
    assert sum(("q8_0", 0, True) in row.replies for row in rows) == 3 + 2


def test_answers_of_one_text_have_one_letter(tmp_path: Path) -> None:
    def alike(record: Record, number: int) -> Record:
        if record.answer is None or number or record.variant == "q4_k_m":
            return record
        return msgspec.structs.replace(record, answer=msgspec.structs.replace(record.answer, text="The same."))

    write_run(tmp_path / "s", Size(questions=4, variants=3, again=0), edit=alike)

    same = blocks_of(section_of(tmp_path / "s"))["index"]["same"]
    assert [marks[0] for marks in same] == ["A", "A", "B"]


def test_what_was_left_out_is_said(small: Path) -> None:
    whole, small_section = section_of(small), section_of(small, budget=1)

    assert blocks_of(whole)["index"]["kept"] is None
    assert blocks_of(small_section)["index"]["kept"] == 600


def test_a_run_without_replies_is_a_list_of_its_questions(tmp_path: Path) -> None:
    write_run(tmp_path / "s", Size(questions=8, variants=2, again=0))
    for path in (tmp_path / "s" / "records").iterdir():
        path.unlink()
    (tmp_path / "s" / "grades.jsonl").unlink()

    assert blocks_of(section_of(tmp_path / "s"))["index"]["outcome"] == ["." * 8] * 2


def test_the_part_keeps_to_a_strict_content_security_policy(small: Path) -> None:
    section = section_of(small)

    assert "</script" not in section.script.lower()
    assert "<!--" not in section.script
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|fetch\(", section.script
    )
    assert not re.search(r"url\(|@import|</style", section.style)
    assert not re.search(r"\s(on\w+|style|src|href)=", section.html)
    assert set(re.findall(r"<script[^>]*>", section.html + section.data)) == {
        f'<script type="application/gzip" id="questions-{name}">' for name in blocks_of(section)
    }


def test_every_outcome_has_a_word() -> None:
    assert tuple(WORDS) == OUTCOMES


@pytest.mark.parametrize(("replies", "columns_of_b"), [(1, [0]), (2 * 8 * 2, [0, 1]), (10**6, [0, 1, 2])])
def test_a_page_that_would_hold_too_much_leaves_later_answers_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replies: int, columns_of_b: list[int]
) -> None:
    write_run(tmp_path / "s", Size(questions=8, variants=2, repeats=3, again=3))
    monkeypatch.setattr(questions, "_REPLIES", replies)

    section = section_of(tmp_path / "s")
    index = blocks_of(section)["index"]

    assert [repeat for variant, repeat, again in index["columns"] if variant == 1] == columns_of_b
    assert [again for *_, again in index["columns"]].count(True) == 1
    assert all(len(outcomes) == 8 and "?" not in outcomes for outcomes in index["outcome"])
    assert ("Of the 3 answers to each" in section.html) == (len(columns_of_b) < 3)
