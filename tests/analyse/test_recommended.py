"""What is recommended of whole runs, alone and together."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from evaluator.analyse.run import analyse
from evaluator.commands.compare import compare
from evaluator.errors import StudyError
from evaluator.grade.grader import VERSION, Grader
from evaluator.grade.sandbox import NoSandbox
from servers.fake import Reply
from tests.support.compared import compare_json, compare_text, edit, made
from tests.support.planted_runs import PlantedRun, run_in, started
from tests.support.scripted import Bench, mostly, right, wrong

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo"
pytestmark = pytest.mark.usefixtures("hasty")


class Case(Struct, frozen=True, kw_only=True):
    n: int
    scripts: dict[str, Any]
    """By variant, the baseline first."""
    variant: str | None
    sentence: str
    """How it begins."""
    missing: tuple[str, ...] = ()


CASES = {
    "worse": Case(
        n=30,
        scripts={"good": right, "bad": wrong},
        variant="good",
        sentence="Keep good: no other build is as good.",
    ),
    "better": Case(
        n=30,
        scripts={"bad": wrong, "good": right},
        variant="good",
        sentence="Run good: better than bad on MMLU-Pro (100 points higher)",
    ),
    "sizes-unknown": Case(
        n=60,
        scripts={"good": right, "same": right},
        variant=None,
        sentence="No build can be recommended by size: the file size of good and same is not known.",
        missing=("Set prefer: speed, which is known of good and same.",),
    ),
    "undecided": Case(
        n=8,
        scripts={"good": right, "fair": mostly(0.9, "b")},
        variant=None,
        sentence="Nothing in place of good can be recommended yet: the answers do not tell whether fair is as good.",
        missing=("To decide on fair: more questions of MMLU-Pro (8 are too few to say how many).",),
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_of_a_run(bench: Bench, case: Case) -> None:
    folder = made(bench, "one", case.n, **case.scripts)
    found = json.loads((folder / "report.json").read_text())["recommendation"]

    assert (found["variant"], tuple(found["missing"])) == (case.variant, case.missing)
    assert found["sentence"].startswith(case.sentence)


def test_of_a_run_that_is_blocked(bench: Bench) -> None:
    bench.run(bench.study(20, good=right, broken=Reply(status=400)))

    found = bench.report()["recommendation"]
    (comparison,) = bench.report()["comparisons"]
    assert found["variant"] is None
    assert found["sentence"] == "Nothing can be recommended: no build could be compared with good."
    reason = comparison["sentence"].partition("MMLU-Pro: ")[2]
    assert found["missing"] == [f"broken cannot be compared with good on MMLU-Pro: {reason}"]


def test_another_preference_asks_nothing_again(bench: Bench) -> None:
    study = bench.study(60, good=right, same=right)
    bench.run(study)
    asked = len(bench.asked("good"))
    study.write_text(study.read_text() + "prefer: speed\n")

    result = bench.run(study)

    assert result.exit_code == 0, result.output
    assert len(bench.asked("good")) == asked
    found = bench.report()["recommendation"]
    assert found["prefer"] == "speed"
    assert found["variant"] in ("good", "same")
    assert "whichquant" in bench.report()


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Copy the real run, without its code questions, which take long to grade."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "example"))
    edit(folder / "plan.json", lambda plan: plan["study"]["benchmarks"].pop("humaneval"))
    return folder


def test_of_the_example(example: Path) -> None:
    found = analyse(example, grader=Grader(NoSandbox("not needed", ""))).recommendation

    assert found is not None
    assert found.variant == "q4_0"
    assert found.sentence.startswith("Run q4_0: 43 % smaller ")
    assert found.sentence.endswith("(speed of 4 requests at once), equivalent within 5 points on MMLU-Pro.")
    assert found.others[0] == "q2_k is not worth it: 20 points lower on MMLU-Pro."
    assert found.others[1].startswith("q8_0-kv-q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro; the same size")


def test_of_runs_together_whose_reports_are_an_earlier_versions(example: Path) -> None:
    analyse(example, grader=Grader(NoSandbox("not needed", "")))
    (example / "report.json").write_text(json.dumps({"grader": VERSION, "checks": []}))

    found = compare_json(example)["recommendation"]

    assert found["sentence"] == "Run q4_0: 43 % smaller than q8_0, equivalent within 5 points on MMLU-Pro."
    assert found["prefer"] == "size"


def on_chip(chip: str, facts: Any) -> None:
    for of_variant in facts.values():
        of_variant["machine"] = {"os": "macOS 15", "chip": chip}


@pytest.mark.parametrize(
    ("chip", "speed"), [pytest.param("M4", True, id="the-same"), pytest.param("M1", False, id="another")]
)
def test_of_runs_together_speed_counts_on_one_machine_only(bench: Bench, chip: str, *, speed: bool) -> None:
    one = made(bench, "one", 60, good=right, bad=wrong)
    two = made(bench, "two", 60, good=right, same=right)
    for folder, its in ((one, "M4"), (two, chip)):
        edit(folder / "facts.json", partial(on_chip, its))

    report = compare_json(one, two, prefer="speed")

    assert report["recommendation"]["prefer"] == "speed"
    assert all((cost["tokens_per_second"] is not None) is speed for cost in report["resources"])
    assert (report["recommendation"]["variant"] is not None) is speed


def test_of_runs_together_it_stands_first(bench: Bench) -> None:
    code, shown = compare_text(made(bench, "one", 30, good=right, bad=wrong))

    assert code == 0
    assert shown.startswith(
        "Keep good: no other build is as good. • bad is not worth it: 100 points lower on MMLU-Pro."
    )


def test_counts_have_no_preference() -> None:
    nothing: Any = {"baseline": None, "margins": (), "alpha": None, "as_json": False, "write_to": None, "console": None}
    with pytest.raises(StudyError, match="works only with runs"):
        compare((), counts="{}", prefer="speed", **nothing)


def test_of_servers_that_were_started_and_whose_files_are_known(tmp_path: Path) -> None:
    run_in(
        tmp_path,
        PlantedRun(
            good=started(weights=b"0" * 3_000_000),
            bad=started(weights=b"0" * 1_000_000),
            benchmark="mmlu_pro: {questions: 60, shots: 0, margin: 10}",
        ),
    )

    found = json.loads((tmp_path / "runs" / "s" / "report.json").read_text())["recommendation"]

    assert found["variant"] == "bad"
    assert found["sentence"].startswith("Run bad: 67 % smaller ")
    assert found["sentence"].endswith("equivalent within 10 points on MMLU-Pro.")
