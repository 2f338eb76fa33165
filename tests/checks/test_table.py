"""The rules of checks as a table: what they say of the committed run, and that each is documented and tested."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator import checks
from evaluator.analyse.load import read_grades
from evaluator.checks.__main__ import lines
from evaluator.checks.rule import CheckInput
from evaluator.checks.table import RULES, after
from evaluator.decide.score import score
from evaluator.records import Grade
from evaluator.store.facts import read_facts
from evaluator.store.folder import read_plan
from evaluator.store.journal import read
from evaluator.study.requests import plan
from tests.support.outlined import outlined, seen

DEMO = Path(__file__).parents[2] / "runs" / "example-demo"


def demo(regrade: Callable[[Grade], Grade] = lambda grade: grade) -> CheckInput:
    """Read the committed run, as it was graded."""
    settings = read_plan(DEMO)
    asked = {ask.key: ask.question for ask in plan(settings.study)}
    grades = [regrade(grade) for grade in read_grades(DEMO).values()]
    records = {v.name: list(read(DEMO / "records" / f"{v.name}.jsonl").values()) for v in settings.study.variants}
    scores = [
        score(
            name,
            benchmark,
            planned=len(mine),
            records=outlined(mine).records,
            grades=[g for g in grades if g.variant == name and g.key.benchmark == benchmark],
        )
        for name, by in records.items()
        for benchmark in settings.study.benchmarks.chosen()
        for mine in ([record for record in by if record.key.benchmark == benchmark],)
    ]
    return CheckInput(
        study=settings.study, facts=read_facts(DEMO), asked=asked, **seen(records, asked, grades), scores=scores
    )


def test_code_that_could_not_be_run_blocks_and_is_no_failing_of_the_model() -> None:
    def unrun(grade: Grade) -> Grade:
        is_run = grade.key.benchmark == "humaneval" and grade.outcome in {"correct", "wrong"}
        return replace(grade, outcome="not_scored", why="no sandbox") if is_run else grade

    found = after(demo(unrun))

    assert [check.code for check in found if check.severity == "block"] == ["not_scored"] * 4
    assert [c.code for c in found if c.severity == "warn"] == ["cut_off", "unparsed", "unparsed", "loops"]


def test_the_committed_run_has_just_what_is_known_of_it() -> None:
    assert [(check.code, check.severity, check.variant) for check in after(demo())] == [
        ("unchecked", "note", None),
        *[("disputed", "note", None)] * 3,
        ("cut_off", "warn", "q2_k"),
        ("unparsed", "warn", "q8_0"),
        ("unparsed", "warn", "q2_k"),
        ("loops", "warn", "q2_k"),
    ]


def test_the_documentation_is_what_the_rules_say() -> None:
    readme = Path(checks.__file__).with_name("README.md")

    assert readme.read_text() == "\n".join(lines()) + "\n", "make it with: python -m evaluator.checks"


def test_the_documentation_can_be_printed() -> None:
    printed = subprocess.run([sys.executable, "-m", "evaluator.checks"], capture_output=True, text=True, check=True)

    assert printed.stdout == "\n".join(lines()) + "\n"


def planted() -> Iterator[str]:
    for path in (*Path(__file__).parent.glob("test_*.py"), Path(__file__).parents[1] / "ask" / "test_run_early.py"):
        yield path.read_text()


@pytest.mark.parametrize("code", sorted({rule.code for rule in RULES}))
def test_each_rule_has_a_test_that_plants_what_it_guards_against(code: str) -> None:
    assert any(f'"{code}"' in text for text in planted())


def test_each_code_is_one_rule_s() -> None:
    codes = [rule.code for rule in RULES]

    assert len(set(codes)) == len(codes)


def test_each_rule_says_what_is_threatened_and_what_to_do() -> None:
    for rule in RULES:
        assert rule.advice.endswith("."), rule.code
        assert rule.threat.endswith("."), rule.code
