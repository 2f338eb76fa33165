"""Runs that are looked at on the way: what is asked, what is not, and what stays valid afterwards."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.decide.stopping import StoppingRule, design_of, rounds
from evaluator.records import Grade, Key
from evaluator.study.file import parse
from evaluator.study.requests import plan
from servers.fake import Reply, Script
from tests.support.scripted import Bench, mostly, prompt_of, right, without_noise_floor, wrong

pytestmark = pytest.mark.usefixtures("hasty")


def rewritten(study: Path, before: str, after: str) -> str:
    """Put other settings into a study, whose builder adds one of its own."""
    return without_noise_floor(study.read_text().replace("noise_floor: 0, ", "").replace(before, after))


def early(bench: Bench, n: int, decide: str, **scripts: Script) -> Path:
    path = bench.study(n, extra=f"decide: {decide}\n", **scripts)
    path.write_text(path.read_text().replace("margin: 10", "margin: 5"))
    return path


SEQUENTIAL = "{mode: sequential}"


def verdicts(bench: Bench) -> dict[str, str]:
    return {c["variant"]: c["verdict"] for c in bench.report()["comparisons"]}


def asked(bench: Bench) -> dict[str, int]:
    return {name: len(fake.requests) for name, fake in bench.fakes.items()}


@pytest.mark.parametrize("parallel", [False, True], ids=["in turns", "all at once"])
def test_a_sequential_run_ends_when_all_is_decided(bench: Bench, parallel: bool) -> None:
    study = early(bench, 600, SEQUENTIAL, good=mostly(0.9, "a"), bad=mostly(0.4, "b"), same=mostly(0.9, "a"))
    study.write_text(study.read_text() + f"parallel: {str(parallel).lower()}\n")

    result = bench.run(study)

    assert result.exit_code == 0, result.output
    assert verdicts(bench) == {"bad": "clearly worse", "same": "equivalent"}
    counts = asked(bench)
    assert counts["bad"] < counts["same"] < 300
    assert counts["good"] < 600
    assert "no_reply" not in {check["code"] for check in bench.report()["checks"]}
    told = " ".join(result.output.split())
    assert "This was decided early: " in told
    assert f"{600 - counts['same']} of the 600 planned questions were not needed." in told


def test_what_is_not_decided_is_asked_to_the_end(bench: Bench) -> None:
    study = early(bench, 120, SEQUENTIAL, good=mostly(0.8, "a"), close=mostly(0.82, "b"))

    bench.run(study)

    assert asked(bench) == {"good": 120, "close": 120}
    assert verdicts(bench) == {"close": "cannot tell"}


def test_a_decided_run_asks_nothing_again_and_may_be_extended(bench: Bench) -> None:
    study = early(bench, 200, SEQUENTIAL, good=right, bad=wrong, same=mostly(0.99, "b"))
    bench.run(study)
    before, said = asked(bench), verdicts(bench)
    bench.run(study)
    again = asked(bench)
    study.write_text(study.read_text().replace("questions: 200", "questions: 400"))
    bench.run(study)

    assert again == before
    assert said["bad"] == verdicts(bench)["bad"] == "clearly worse"
    assert asked(bench)["bad"] == before["bad"]


def test_a_group_sequential_run_looks_at_the_planned_questions_only(bench: Bench) -> None:
    study = early(bench, 200, "{mode: group_sequential, looks: 4}", good=mostly(0.9, "a"), bad=mostly(0.2, "b"))

    bench.run(study)

    assert asked(bench) == {"good": 50, "bad": 50}
    assert verdicts(bench) == {"bad": "clearly worse"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(SEQUENTIAL, "{mode: fixed}", "decide.mode was sequential, now fixed", id="sequential to fixed"),
        pytest.param("{mode: fixed}", "{mode: group_sequential}", "decide.mode was fixed", id="fixed to planned looks"),
        pytest.param(
            "{mode: group_sequential}",
            "{mode: group_sequential, looks: 4}",
            "the planned looks are at other questions now, or more or fewer of them",
            id="other looks",
        ),
        pytest.param("{mode: group_sequential}", "{mode: fixed}", "was group_sequential", id="planned looks to fixed"),
        pytest.param(
            "{mode: group_sequential}",
            "{mode: group_sequential, alpha: 0.2}",
            "its looks were planned otherwise: alpha was 0.05, then 0.2",
            id="other levels",
        ),
        pytest.param("{mode: fixed}", SEQUENTIAL, "", id="fixed to sequential"),
        pytest.param("{mode: group_sequential}", SEQUENTIAL, "", id="planned looks to sequential"),
        pytest.param("{mode: sequential, alpha: 0.05}", "{mode: sequential, alpha: 0.01}", "", id="another alpha"),
    ],
)
def test_what_was_looked_at_in_one_way_is_not_judged_in_another(
    bench: Bench, before: str, after: str, said: str
) -> None:
    study = early(bench, 40, before, good=right, bad=wrong)
    bench.run(study)
    study.write_text(rewritten(study, before, after))

    result = bench.run(study)

    assert result.exit_code == (2 if said else 0), result.output
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        pytest.param("{mode: fixed}", "{mode: fixed}", False, id="nothing-left"),
        pytest.param("{mode: fixed}", "{mode: fixed, noise_floor: 15}", True, id="the-baseline-again"),
    ],
)
def test_a_run_is_marked_as_unchecked_where_a_question_is_left(
    bench: Bench, before: str, after: str, *, marked: bool
) -> None:
    study = early(bench, 20, before, good=right, bad=wrong)
    path = bench.folder / "runs" / "s" / "plan.json"
    bench.run(study)
    path.write_text(path.read_text().replace('"unchecked": true', '"unchecked": false'))
    study.write_text(rewritten(study, before, after))

    bench.run(study)

    assert json.loads(path.read_text())["unchecked"] == marked
    assert asked(bench) == {"good": 35 if marked else 20, "bad": 20}


def test_the_baseline_alone_is_asked_again(bench: Bench) -> None:
    study = early(bench, 40, "{noise_floor: 15}", good=right, bad=wrong)

    bench.run(study)

    assert asked(bench) == {"good": 55, "bad": 40}
    (comparison,) = bench.report()["comparisons"]
    assert (comparison["noise_questions"], comparison["noise"]["within_a"]) == (15, 0)
    assert (comparison["n"], {s["variant"]: s["planned"] for s in bench.report()["scores"]}) == (
        40,
        {"good": 40, "bad": 40},
    )


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        pytest.param("margin: 5", "margin: 20", "the margin of mmlu_pro was 5, then 20", id="margin"),
        pytest.param("{alpha: 0.05}", "{alpha: 0.2}", "alpha was 0.05, then 0.2", id="alpha"),
        pytest.param("baseline: good", "baseline: bad", "the baseline was good, then bad", id="baseline"),
    ],
)
def test_a_rule_that_changes_after_the_answers_is_told(bench: Bench, was: str, now: str, said: str) -> None:
    study = early(bench, 40, "{alpha: 0.05}", good=right, bad=mostly(0.8, "a"))
    bench.run(study)
    study.write_text(rewritten(study, was, now))

    bench.run(study)

    told = [check["message"] for check in bench.report()["checks"] if check["code"] == "rule_changed"]
    assert told == [f"after the first answers, {said}"]


def test_a_fixed_number_of_questions_that_grows_after_its_report_is_judged_as_looked_at(bench: Bench) -> None:
    study = early(bench, 40, "{mode: fixed}", good=right, bad=mostly(0.8, "a"))
    bench.run(study)
    first = bench.report()["comparisons"][0]
    study.write_text(study.read_text().replace("questions: 40", "questions: 80"))
    result = bench.run(study)
    again = bench.run(study)

    assert (first["mode"], bench.report()["comparisons"][0]["mode"]) == ("fixed", "sequential")
    assert result.exit_code == again.exit_code == 0, again.output
    assert asked(bench) == {"good": 80, "bad": 80}
    assert "extended" in {check["code"] for check in bench.report()["checks"]}
    assert "anytime p" in result.output


def test_the_last_answers_to_a_question_do_not_stay_open_when_all_is_decided(bench: Bench) -> None:
    study = early(bench, 60, SEQUENTIAL, good=right, bad=wrong)
    study.write_text(study.read_text().replace("shots: 0", "shots: 0, repeats: 3"))

    result = bench.run(study)

    assert result.exit_code == 0, result.output
    assert "no_reply" not in {check["code"] for check in bench.report()["checks"]}
    assert verdicts(bench) == {"bad": "clearly worse"}


def test_a_server_that_fails_at_certain_questions_is_asked_the_others(bench: Bench) -> None:
    """Questions that failed come last, so that each run gets further."""

    def moody(body: Any, _number: int = 0) -> Reply:
        hard = hashlib.sha256(prompt_of(body).encode()).digest()[0] % 2
        return Reply(status=400, error="no") if hard else right(body)

    study = early(bench, 60, SEQUENTIAL, good=right, moody=moody)
    for _ in range(2):
        bench.run(study)

    missing = [check["message"] for check in bench.report()["checks"] if check["code"] == "no_reply"]
    assert len(missing) == 1
    assert "0 not asked" in missing[0] or "not asked" not in missing[0]


STUDY = """\
study: s
baseline: a
variants:
  - {name: a, model: m, base_url: "http://127.0.0.1:1/v1"}
  - {name: b, model: m, base_url: "http://127.0.0.1:2/v1"}
benchmarks: {mmlu_pro: {questions: 300, repeats: REPEATS}, humaneval: {questions: 50}}
decide: {mode: MODE}
"""


def of(mode: str, repeats: int = 1, extra: str = "") -> tuple[StoppingRule, list[Key]]:
    study = parse(STUDY.replace("MODE", mode).replace("REPEATS", str(repeats)) + extra, "s")
    asks = plan(study)
    return StoppingRule(study, design_of(study, asks)), [ask.key for ask in asks]


def tell(referee: StoppingRule, variant: str, key: Key, right: bool) -> None:
    outcome: Any = "correct" if right else "wrong"
    referee.add(Grade(key=key, variant=variant, outcome=outcome, extracted="A", why=""))


def test_only_the_beginning_that_both_have_answered_counts() -> None:
    """Quick answers come first: were they counted before the slow ones, the e-value would no longer be one."""
    referee, keys = of("sequential")
    for key in keys[1:60]:
        tell(referee, "a", key, right=True)
        tell(referee, "b", key, right=False)
    held_back = referee.is_open("b", keys[100])
    for variant in "ab":
        tell(referee, variant, keys[0], right=True)

    assert held_back
    assert not referee.is_open("b", keys[100])
    assert not referee.is_open("a", keys[100])
    assert referee.is_open("b", next(key for key in keys if key.benchmark == "humaneval"))


def test_a_question_counts_when_all_its_answers_are_there() -> None:
    referee, keys = of("sequential", repeats=2)
    for repeat in (0, 1):
        for key in (key for key in keys[:80] if key.repeat == repeat):
            for variant in "ab":
                tell(referee, variant, key, right=variant == "a")
        assert referee.is_open("b", keys[200]) == (repeat == 0)


def test_with_a_fixed_number_of_questions_all_of_them_matter() -> None:
    referee, keys = of("fixed")
    for key in keys[:-1]:
        for variant in "ab":
            tell(referee, variant, key, right=variant == "a")

    assert referee.is_open("a", keys[-1])


@pytest.mark.parametrize(
    ("mode", "extra", "turns"),
    [
        pytest.param("fixed", "", [(300, 50)], id="fixed"),
        pytest.param("sequential", "", [(100, 50), (200, 50), (300, 50)], id="sequential: they double"),
        pytest.param("sequential", "parallel: true", [(300, 50)], id="all at once"),
        pytest.param(
            "group_sequential",
            "",
            [(60, 10), (120, 20), (180, 30), (240, 40), (300, 50)],
            id="group-sequential: the planned looks",
        ),
    ],
)
def test_variants_take_turns(mode: str, extra: str, turns: list[tuple[int, int]]) -> None:
    study = parse(STUDY.replace("MODE", mode).replace("REPEATS", "1") + extra, "s")

    found = rounds(study, design_of(study, plan(study)))

    assert [(upto["mmlu_pro"], upto["humaneval"]) for upto in found] == turns
