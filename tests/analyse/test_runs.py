"""Run runs are compared with each other, or refused with the reason."""

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from evaluator.analyse.run import analyse
from evaluator.errors import StudyError
from evaluator.grade.grader import VERSION, Grader
from evaluator.grade.sandbox import NoSandbox
from tests.support.compared import compare_json, compare_text, edit, edit_lines, made, often_right, settings, unusual
from tests.support.scripted import Bench, right, wrong

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run two studies of two variants each: `good` is in both, `bad` in the first and `fair` in the second."""
    with ExitStack() as stack:
        bench = Bench(tmp_path_factory.mktemp("compared"), stack)
        made(bench, "one", good=right, bad=wrong)
        made(bench, "two", good=right, fair=often_right)
    return bench.folder / "runs"


@pytest.fixture
def runs(made_once: Path, tmp_path: Path) -> Path:
    """Copy the two runs, to be damaged."""
    return Path(shutil.copytree(made_once, tmp_path / "r"))


def test_variants_of_two_runs_are_compared_with_the_first_ones_baseline(runs: Path) -> None:
    code, shown = compare_text(runs / "one", runs / "two")

    assert code == 0
    assert "bad is clearly worse than one/good on MMLU-Pro: 100.0 points lower" in shown
    assert "two/good and one/good are equivalent within 10 points on MMLU-Pro: both scored the same" in shown
    assert "baseline one/good" in shown


def test_the_family_is_all_variants_of_all_runs_but_the_baseline(runs: Path) -> None:
    report = compare_json(runs / "one", runs / "two")

    assert [c["variant"] for c in report["comparisons"]] == ["bad", "two/good", "fair"]
    assert {c["family"] for c in report["comparisons"]} == {3}
    assert [s["accuracy"] for s in report["scores"]][:3] == [1.0, 0.0, 1.0]
    assert {name: of["variants"] for of in report["runs"] for name in [of["name"]]} == {
        "one": {"one/good": "good", "bad": "bad"},
        "two": {"two/good": "good", "fair": "fair"},
    }
    assert unusual(report) == []


def test_nothing_is_written(runs: Path) -> None:
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}

    compare_text(runs / "one", runs / "two")

    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param("", id="fixed"),
        pytest.param("decide: {mode: sequential}\n", id="sequential"),
        pytest.param("decide: {noise_floor: 15}\n", id="noise-floor"),
    ],
)
def test_one_run_alone_shows_what_its_report_shows(bench: Bench, extra: str) -> None:
    folder = made(bench, "alone", 60, extra, good=right, bad=wrong, fair=often_right)
    report = json.loads((folder / "report.json").read_text())

    alone = compare_json(folder)

    assert alone["comparisons"] == report["comparisons"]
    assert [s["accuracy"] for s in alone["scores"]] == [s["accuracy"] for s in report["scores"]]


def test_the_example_shows_what_its_report_shows_and_its_copy_is_its_equal(tmp_path: Path) -> None:
    folders = [Path(shutil.copytree(EXAMPLE, tmp_path / name)) for name in ("first", "second")]
    for folder in folders:
        edit(folder / "plan.json", lambda plan: plan["study"]["benchmarks"].pop("humaneval"))  # code takes long
        report = analyse(folder, grader=Grader(NoSandbox("not needed", "")))
        (folder / "report.json").write_text(json.dumps({"grader": VERSION, "checks": []}))

    alone, both = compare_json(folders[0]), compare_json(*folders)

    assert [c["sentence"] for c in alone["comparisons"]] == [c.sentence for c in report.comparisons]
    by_name = {c["variant"]: c for c in both["comparisons"]}
    assert (by_name["second/q8_0"]["won"], by_name["second/q8_0"]["lost"]) == (0, 0)
    assert by_name["second/q2_k"]["table"] == by_name["first/q2_k"]["table"] == alone["comparisons"][1]["table"]


def test_another_baseline_margin_and_alpha_are_taken_and_told(runs: Path) -> None:
    report = compare_json(runs / "two", baseline="fair", margins={"": 20.0}, alpha=0.01)

    assert (report["baseline"], report["margins"], report["alpha"]) == ("fair", {"mmlu_pro": 20.0}, 0.01)
    assert [c["margin"] for c in report["comparisons"]] == [0.2]
    assert [line.partition(";")[0] for line in unusual(report)] == [
        "MMLU-Pro: the margin is 20 points here (10 in two)",
        "alpha is 0.01 here (0.05 in two)",
    ]


def test_a_margin_of_one_benchmark_goes_before_that_of_all(runs: Path) -> None:
    assert compare_json(runs / "one", margins={"": 20.0, "mmlu_pro": 3.0})["margins"] == {"mmlu_pro": 3.0}


@pytest.mark.parametrize(("name", "here"), [("two/good", "two/good"), ("fair", "fair"), ("two/fair", "fair")])
def test_a_baseline_may_be_any_variant(runs: Path, name: str, here: str) -> None:
    assert compare_json(runs / "one", runs / "two", baseline=name)["baseline"] == here


def test_runs_of_the_same_study_go_by_their_folders(runs: Path) -> None:
    again = Path(shutil.copytree(runs / "one", runs / "again"))

    report = compare_json(runs / "one", again)

    assert [c["variant"] for c in report["comparisons"]] == ["one/bad", "again/good", "again/bad"]


def test_a_folders_name_is_shown_as_it_is(runs: Path) -> None:
    odd = Path(shutil.copytree(runs / "one", runs / "[red]\x1b[2J"))

    shown = compare_text(odd, runs / "one")[1]

    assert "baseline [red][2J/good" in shown
    assert "\x1b" not in shown


def looked_at_in_two_orders(runs: Path) -> None:
    edit(runs / "one/plan.json", lambda plan: plan["study"].update(decide={"mode": "sequential"}))
    edit(runs / "two/plan.json", lambda plan: plan["study"].update(decide={"mode": "sequential"}, seed=7))


def looked_at_and_begun_earlier(r: Path) -> None:
    """As an earlier version wrote a plan, whose questions were put in order by the seed alone."""
    for name in ("one", "two"):
        edit(r / name / "plan.json", lambda plan: plan["study"]["decide"].update(mode="sequential"))
    edit(r / "two/plan.json", lambda plan: plan.pop("order"))


REFUSED = [
    pytest.param(lambda r: (r / "two/plan.json").unlink(), "two: no run lies here", id="no-run"),
    pytest.param(lambda r: (r / "two/grades.jsonl").unlink(), "run whichquant report", id="no-grades"),
    pytest.param(lambda r: (r / "two/grades.jsonl").write_text(""), "run whichquant report", id="nothing-graded"),
    pytest.param(lambda r: (r / "two/grades.jsonl").write_text("{}\n"), "grades.jsonl:1: not a grade", id="bad-grades"),
    pytest.param(lambda r: (r / "two/report.json").unlink(), "run whichquant report", id="no-report"),
    pytest.param(lambda r: (r / "two/report.json").write_text("{}"), "report.json: not what", id="bad-report"),
    pytest.param(
        lambda r: edit(r / "two/report.json", lambda report: report.update(grader="0")),
        rf"different versions of the graders \({VERSION} in one; 0 in two\): run whichquant regrade .*two$",
        id="other-grader",
    ),
    pytest.param(
        lambda r: edit(r / "two/plan.json", lambda plan: plan["data_sha256"].update(mmlu_pro="0" * 64)),
        r"the data of MMLU-Pro differ \(sha256: [0-9a-f]{12} in one; 000000000000 in two\)",
        id="other-data",
    ),
    pytest.param(
        lambda r: edit(r / "two/plan.json", lambda plan: settings(plan).update(shots=5)),
        r"asked in different ways \(shots: 0 in one; 5 in two\)",
        id="other-shots",
    ),
    pytest.param(
        lambda r: edit(r / "two/plan.json", lambda plan: settings(plan).update(format="completion")),
        r"asked in different ways \(format: chat in one; completion in two\)",
        id="other-format",
    ),
    pytest.param(
        lambda r: edit_lines(
            r / "two/records/fair.jsonl", lambda record: record["request"]["messages"][0].update(content="Hm?")
        ),
        r"MMLU-Pro, question \d+ \(and 59 more\): fair was not sent the same words as one/good",
        id="other-prompts",
    ),
    pytest.param(
        lambda r: edit(r / "two/plan.json", lambda plan: plan["study"].update(seed=7)),
        "one and two have no question in common",
        id="no-question-in-common",
    ),
    pytest.param(
        looked_at_and_begun_earlier,
        r"in different orders \(seed: 42 in one; 42, put in order by an earlier whichquant in two\)",
        id="looked-at-and-begun-earlier",
    ),
    pytest.param(
        looked_at_in_two_orders,
        r"looked at on the way, in different orders \(seed: 42 in one; 7 in two\)",
        id="two-orders-looked-at",
    ),
    pytest.param(
        lambda r: edit(r / "two/plan.json", lambda plan: settings(plan).update(margin=2)),
        r"the margins of MMLU-Pro differ \(10 in one; 2 in two\): choose one with --margin mmlu_pro=POINTS",
        id="other-margin",
    ),
    pytest.param(
        lambda r: (r / "two/records/fair.jsonl").unlink(),
        "60 of fair's answers and grades do not belong together",
        id="grades-without-answers",
    ),
    pytest.param(
        lambda r: (r / "two/grades.jsonl").write_text((r / "two/grades.jsonl").read_text().partition("\n")[2]),
        "1 of good's answers and grades do not belong together",
        id="answers-without-grades",
    ),
]


@pytest.mark.parametrize(("damage", "reason"), REFUSED)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    runs: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(runs)

    with pytest.raises(StudyError, match=reason):
        compare_text(runs / "one", runs / "two")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"baseline": "good"}, 'variant "good"; there are one/good, bad, two/good, fair', id="baseline"),
        pytest.param({"margins": {"humaneval": 2.0}}, "humaneval is not compared here; .* is mmlu_pro", id="margin"),
    ],
)
def test_an_option_that_fits_nothing_is_refused(runs: Path, options: Any, reason: str) -> None:
    with pytest.raises(StudyError, match=reason):
        compare_text(runs / "one", runs / "two", **options)


def test_a_run_is_not_compared_with_itself(runs: Path) -> None:
    with pytest.raises(StudyError, match="one: given twice: remove one"):
        compare_text(runs / "one", runs / "two" / ".." / "one")


def test_one_variant_alone_is_refused(runs: Path) -> None:
    edit(runs / "one/plan.json", lambda plan: plan["study"]["variants"].pop())

    with pytest.raises(StudyError, match="has one variant only"):
        compare_text(runs / "one")


WARNED = [
    pytest.param(
        lambda plan: settings(plan).update(questions=12),
        "MMLU-Pro: the 12 questions in common are compared (one has 60; two has 12)",
        id="fewer-questions",
    ),
    pytest.param(
        lambda plan: settings(plan).update(repeats=2),
        "MMLU-Pro: the first answer to each question are compared (repeats: 1 in one; 2 in two)",
        id="repeats",
    ),
    pytest.param(
        lambda plan: plan["study"]["benchmarks"].update(humaneval={"margin": 5}),
        "HumanEval is left out: only two asked it",
        id="benchmark-of-one",
    ),
    pytest.param(
        lambda plan: plan["study"]["sampling"].update(temperature=0.7, max_tokens=50),
        "sampling.temperature is 0 in one; 0.7 in two: this is part of what is compared",
        id="temperature",
    ),
    pytest.param(
        lambda plan: plan["study"]["sampling"].update(top_k=20),
        "sampling.top_k is not set in one; 20 in two: this is part of what is compared",
        id="not-set",
    ),
    pytest.param(
        lambda plan: plan["study"].update(concurrency=1),
        "concurrency is 3 in one; 1 in two: this is part of what is compared",
        id="concurrency",
    ),
    pytest.param(
        lambda plan: plan["study"].update(decide={"mode": "group_sequential"}),
        "decide.mode is fixed in one; group_sequential in two: anytime-valid statistics are used for all,"
        " which hold whenever one looked",
        id="mode",
    ),
    pytest.param(
        lambda plan: plan["study"].update(decide={"alpha": 0.01}),
        "alpha is 0.05 here (0.05 in one; 0.01 in two)",
        id="alpha",
    ),
]


@pytest.mark.parametrize(("change", "warning"), WARNED)
def test_what_sets_runs_apart_is_told_by_name_and_value(
    runs: Path, change: Callable[[Any], object], warning: str
) -> None:
    edit(runs / "two/plan.json", change)

    report = compare_json(runs / "one", runs / "two")

    assert any(line.startswith(warning) for line in report["warnings"]), report["warnings"]
    assert warning in compare_text(runs / "one", runs / "two")[1]


def test_another_machine_is_told_and_no_time_is_promised_on_it(runs: Path) -> None:
    def move(facts: Any) -> None:
        for of in facts.values():
            of.update(machine={"os": "macOS 26", "chip": "Apple M4"}, version="2")

    for name in ("one", "two"):
        edit(
            runs / name / "facts.json",
            lambda facts: [of.update(machine={"os": "Linux", "chip": None}, version="1") for of in facts.values()],
        )
    edit(runs / "two/facts.json", move)

    report = compare_json(runs / "one", runs / "two", margins={"": 1.0})

    assert "machine.os is Linux in one; macOS 26 in two: this is part of what is compared" in report["warnings"]
    assert "version is 1 in one; 2 in two: this is part of what is compared" in report["warnings"]
    assert not any("machine.chip" in line for line in report["warnings"])
    assert {c["hours_needed"] for c in report["comparisons"]} == {None}


def test_if_any_run_was_looked_at_anytime_valid_statistics_are_used_for_all(runs: Path) -> None:
    edit(runs / "two/plan.json", lambda plan: plan["study"].update(decide={"mode": "sequential"}))

    report = compare_json(runs / "one", runs / "two")

    assert report["mode"] == "sequential"
    assert {c["mode"] for c in report["comparisons"]} == {"sequential"}


def test_only_the_questions_in_common_are_counted(runs: Path) -> None:
    edit(runs / "two/plan.json", lambda plan: settings(plan).update(questions=12))

    report = compare_json(runs / "one", runs / "two")

    assert {c["n"] for c in report["comparisons"]} == {12}
    assert {s["questions"] for s in report["scores"]} == {12}


def test_samples_with_other_seeds_are_compared_where_they_meet(runs: Path) -> None:
    edit(runs / "two/plan.json", lambda plan: (settings(plan).update(questions=6000), plan["study"].update(seed=7)))

    report = compare_json(runs / "one", runs / "two")

    assert 0 < report["comparisons"][0]["n"] < 60
    assert report["warnings"][1] == (
        "the seeds differ (42 in one; 7 in two): the questions in common are still a random sample, but a smaller one"
    )


@pytest.mark.parametrize(
    ("check", "blocked"),
    [
        pytest.param({"variant": "fair"}, {"fair"}, id="a-variant"),
        pytest.param({"variant": "good", "benchmark": "mmlu_pro"}, {"two/good"}, id="another-runs-baseline"),
        pytest.param({}, {"two/good", "fair"}, id="a-whole-run"),
    ],
)
def test_what_blocks_a_report_blocks_here(runs: Path, check: Any, blocked: set[str]) -> None:
    block = {"code": "x", "severity": "block", "message": "it thinks"}
    edit(runs / "two/report.json", lambda report: report.update(checks=[{**block, **check}]))

    report = compare_json(runs / "one", runs / "two")
    code, shown = compare_text(runs / "one", runs / "two")

    assert {c["variant"] for c in report["comparisons"] if c["verdict"] == "not comparable"} == blocked
    assert "cannot be compared on MMLU-Pro: it thinks." in shown
    assert code == 1


def test_a_blocked_baseline_blocks_all_and_is_named(runs: Path) -> None:
    block = {"code": "x", "severity": "block", "variant": "good", "message": "it thinks"}
    edit(runs / "one/report.json", lambda report: report.update(checks=[block]))

    assert (
        "fair and one/good cannot be compared on MMLU-Pro: one/good: it thinks."
        in compare_text(runs / "one", runs / "two")[1]
    )


def test_what_a_report_warns_of_is_repeated_without_control_characters(runs: Path) -> None:
    warn = {"code": "x", "severity": "warn", "variant": "good", "benchmark": "mmlu_pro", "message": "\x1b[31mhm"}
    edit(runs / "two/report.json", lambda report: report.update(checks=[warn], problems={"fair": "it died"}))

    shown = compare_text(runs / "one", runs / "two")[1]

    assert "warn two/good, MMLU-Pro: [31mhm" in shown
    assert "warn fair was not finished: it died" in shown
    assert "\x1b" not in shown


def test_the_first_runs_further_answers_show_its_own_wobble(bench: Bench) -> None:
    one = made(bench, "one", 20, "decide: {noise_floor: 10}\n", good=right)
    two = made(bench, "two", 20, bad=wrong)

    (comparison,) = compare_json(one, two)["comparisons"]
    (other_way,) = compare_json(one, two, baseline="bad")["comparisons"]

    assert comparison["noise_questions"] == 10
    assert (comparison["noise"]["within_a"], comparison["noise"]["between"]) == (0.0, 1.0)
    assert other_way["noise"] is None
