"""`whichquant plan`: what a study can show, how long it takes, and what the answers so far say."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evaluator.commands.plan import show_plan
from evaluator.decide.pilot import Disagreement, Measured, PilotData
from evaluator.decide.power import StudyPlan, plan_study
from evaluator.decide.wording import DASH, in_points
from evaluator.errors import StudyError
from evaluator.report.power import sentences
from evaluator.stats.proportions import wilson
from evaluator.study.file import parse
from evaluator.study.requests import plan as requests_of
from evaluator.study.requests import plan_again
from evaluator.study.study import Study
from tests.support.scripted import without_noise_floor

VARIANT = '{{name: {}, model: m, runtime: openai, base_url: "http://127.0.0.1:9/v1"}}'


def text_of(benchmarks: str = "mmlu_pro: {questions: 500}", extra: str = "", names: str = "q8_0 q4_0") -> str:
    variants = ", ".join(VARIANT.format(name) for name in names.split())
    return without_noise_floor(
        f"study: s\nbaseline: q8_0\nvariants: [{variants}]\nbenchmarks: {{{benchmarks}}}\n{extra}"
    )


def study_of(benchmarks: str = "mmlu_pro: {questions: 500}", extra: str = "", names: str = "q8_0 q4_0") -> Study:
    return parse(text_of(benchmarks, extra, names), "study.yaml")


def past_of(
    differ: int = 8, n: int = 200, *, difference: float = 0.0, rate: float | None = None, in_flight: int = 4
) -> PilotData:
    """Make a past of 200 answers of 300 tokens each, at 100 tokens a second: 3 seconds an answer."""
    return PilotData(
        measured={
            (name, "mmlu_pro"): Measured(answered=n, mean_tokens=300.0, tokens_per_second=100.0)
            for name in ("q8_0", "q4_0")
        },
        disagreements=(
            Disagreement(
                variant="q4_0",
                baseline="q8_0",
                benchmark="mmlu_pro",
                n=n,
                differ=differ,
                rate=differ / n if rate is None else rate,
                interval=wilson(differ, n),
                difference=difference,
            ),
        ),
        concurrency=in_flight,
        ignored=(),
    )


def shown(path: Path, runs: Path, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    given = {"tokens_per_second": None, "tokens_per_answer": None, "as_json": False, **options}
    assert show_plan(path, runs, console=console, **given) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def study_path(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text_of())
    return path


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        pytest.param(
            study_of(),
            "With 500 questions and 10 % disagreement this study can see differences of 4.0 points or more on MMLU-Pro;"
            " its margin of 2 points would need about 1,960, to show equivalence within it 2,180.",
            id="too few",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 2000}"),
            "With 2,000 questions and 10 % disagreement this study can see differences of 2.0 points or more on"
            " MMLU-Pro; to see its margin of 2 points about 1,960 are enough, to show equivalence within it 2,180.",
            id="enough",
        ),
        pytest.param(
            study_of("humaneval: {}"),
            "With 164 questions and 10 % disagreement this study can see differences of 6.9 points or more on"
            " HumanEval; its margin of 6 points would need about 220, more than the 164 there are,"
            " to show equivalence within it 270.",
            id="more than there are",
        ),
        pytest.param(
            study_of("humaneval: {}"),
            "HumanEval has 164 questions only: the smallest margin within which all of them can show equivalence is"
            " 7.9 points at 10 % disagreement.",
            id="what margin HumanEval supports at best",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 50}"),
            "With 50 questions and 10 % disagreement this study cannot count on seeing any difference on MMLU-Pro;"
            " its margin of 2 points would need about 1,960, to show equivalence within it 2,180.",
            id="hardly any",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 50, margin: 15}"),
            "With 50 questions and 10 % disagreement this study cannot count on seeing any difference on MMLU-Pro;"
            " its margin of 15 points is more than disagreement so rare allows.",
            id="a margin wider than the disagreement",
        ),
        pytest.param(study_of(), "All numbers are for 80 % power at the level 0.05.", id="one comparison"),
        pytest.param(
            study_of("mmlu_pro: {}, humaneval: {}", names="q8_0 q4_0 q2_k"),
            "All numbers are for 80 % power at Holm's strictest level, 0.05 / 4 = 0.013: there are 4 comparisons"
            " (2 variants beside the baseline, 2 benchmarks).",
            id="four comparisons",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 100, repeats: 3}"),
            "3 answers to each question of MMLU-Pro reduce noise only: what is said here is for one answer each, and is"
            " the least that this study can show. While there are unused questions, as many answers to more questions"
            " show more.",
            id="repeats while questions are left",
        ),
        pytest.param(
            study_of("humaneval: {repeats: 3}"),
            "3 answers to each question of HumanEval reduce noise only: what is said here is for one answer each, and"
            " is the least that this study can show. All questions are asked, so more answers are what is left to do.",
            id="repeats of all questions",
        ),
        pytest.param(
            study_of(extra="decide: {mode: sequential}"),
            "Sequential mode may end a comparison earlier, at no higher rate of false alarms. The numbers are for the"
            " whole budget of questions, tested once; looking often has its price: what it sees at the end of the"
            " budget is about 1.2 to 1.4 times as large (simulated).",
            id="sequential",
        ),
        pytest.param(
            study_of(extra="decide: {mode: group_sequential}"),
            "Group-sequential mode may end a comparison earlier, at one of its planned looks, at no higher rate of"
            " false alarms. The numbers are for the whole budget of questions, at whose end it sees nearly as much as"
            " one single test.",
            id="group-sequential",
        ),
        pytest.param(
            study_of(names="q8_0"), "There is one variant only: nothing to compare it with.", id="nothing to compare"
        ),
    ],
)
def test_what_a_study_can_show_is_said_in_a_sentence(study: Study, sentence: str) -> None:
    assert sentence in list(sentences(plan_study(study)))


@pytest.mark.parametrize("benchmarks", ["mmlu_pro: {questions: 20, repeats: 2}", "mmlu_pro: {}, humaneval: {}"])
def test_as_many_answers_are_planned_as_are_asked_for(benchmarks: str) -> None:
    study = study_of(benchmarks, "decide: {noise_floor: 30}")
    plan = plan_study(study)

    asks = requests_of(study)
    for_all, again = len(asks), len(plan_again(study, asks))
    assert sum(e.answers for e in plan.expected if e.variant == "q4_0") == for_all
    assert sum(e.answers for e in plan.expected if e.variant == "q8_0") == for_all + again


def test_the_numbers_at_every_rate_of_disagreement() -> None:
    (mmlu_pro,) = plan_study(study_of()).benchmarks

    assert [round(100 * (at.detectable or 0), 1) for at in mmlu_pro.at] == [1.8, 2.8, 4.0, 5.6]
    needed = {(t.aim, t.size): t.needed for t in mmlu_pro.targets}
    assert needed["difference", 0.02] == (391, 979, 1_960, 3_923)
    assert needed["difference", 0.03][0] is None
    assert needed["equivalence", 0.02] == (563, 1_146, 2_178, 4_297)


def test_the_printed_plan_fits_80_columns(study_path: Path, tmp_path: Path) -> None:
    study_path.write_text(
        text_of(
            "mmlu_pro: {questions: 12032, margin: 12.5}, humaneval: {repeats: 5}", names="q8_0 a_long_name-imatrix.gguf"
        )
    )

    out = shown(study_path, tmp_path / "runs", tokens_per_second=2.5)

    assert max(len(line) for line in out.splitlines()) <= 80
    assert "for equivalence within 12.5 points" in out
    assert "> 164: more than the benchmark has." in out
    assert f"{DASH}: takes more disagreement than that." in out
    assert not (tmp_path / "runs").exists()


def test_a_program_reads_the_same_as_one_object(study_path: Path, tmp_path: Path) -> None:
    said = json.loads(shown(study_path, tmp_path, as_json=True, tokens_per_second=100, tokens_per_answer=36))

    assert said["family"] == 1
    assert said["seconds"] == pytest.approx(2 * 500 * 36 / 100)
    assert said["benchmarks"][0]["targets"][1]["needed"] == [391, 979, 1960, 3923]
    assert said["sentences"][0].startswith("With 500 questions")


def last(plan: StudyPlan) -> str:
    return next(s for s in sentences(plan) if s.startswith(("Expected", "How long")))


@pytest.mark.parametrize(
    ("study", "options", "sentence"),
    [
        pytest.param(
            study_of(),
            {},
            "How long it takes is not known: give --tokens-per-second (completion tokens a second, over all requests in"
            " flight to one variant), and --tokens-per-answer if answers are shorter than the 4,096 tokens they may"
            " have.",
            id="nothing known",
        ),
        pytest.param(
            study_of(),
            {"tokens_per_answer": 300},
            "How long it takes is not known: give --tokens-per-second (completion tokens a second, over all requests in"
            " flight to one variant).",
            id="no speed known",
        ),
        pytest.param(
            study_of(),
            {"tokens_per_second": 100},
            "Expected: at most 11 hours in all, one variant after the other. Starting servers and grading take extra"
            " time.",
            id="longest answers",
        ),
        pytest.param(
            study_of(),
            {"tokens_per_second": 100, "tokens_per_answer": 300},
            "Expected: 50 minutes in all, one variant after the other. Starting servers and grading take extra time.",
            id="given",
        ),
        pytest.param(
            study_of(extra="parallel: true"),
            {"tokens_per_second": 100, "tokens_per_answer": 300},
            "Expected: 25 minutes in all, all variants at once. Starting servers and grading take extra time.",
            id="at once",
        ),
        pytest.param(
            study_of(),
            {"pilot": past_of()},
            "Expected: 50 minutes in all, one variant after the other; 30 minutes of it still to come. Starting servers"
            " and grading take extra time.",
            id="measured, 200 of 500 done",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 200}"),
            {"pilot": past_of()},
            "Expected: 20 minutes in all, one variant after the other; all of it is done. Starting servers and grading"
            " take extra time.",
            id="done",
        ),
        pytest.param(
            study_of(),
            {"pilot": past_of(), "tokens_per_second": 200},
            "Expected: 25 minutes in all, one variant after the other; 15 minutes of it still to come. Starting servers"
            " and grading take extra time.",
            id="given before measured",
        ),
    ],
)
def test_how_long_it_takes(study: Study, options: dict[str, Any], sentence: str) -> None:
    assert last(plan_study(study, **options)) == sentence


def test_speeds_measured_otherwise_are_said_to_be() -> None:
    notes = plan_study(study_of(extra="concurrency: 8"), past_of()).notes

    assert notes == ("Speeds were measured with 4 questions in flight, and the study now has 8.",)


@pytest.mark.parametrize(
    ("study", "past", "sentence"),
    [
        pytest.param(
            study_of(),
            past_of(),
            "q4_0 against q8_0 on MMLU-Pro disagree on 4.0 % (8 of 200 questions, 95 % interval 2.0 to 7.7 %): about"
            " 780 questions would tell 2 points apart; 58 minutes more on this server. If they are equal, about 950"
            " questions would show equivalence within 2 points; 75 minutes more on this server.",
            id="4 %",
        ),
        pytest.param(
            study_of(),
            past_of(40, 1_000),
            "q4_0 against q8_0 on MMLU-Pro disagree on 4.0 % (40 of 1,000 questions, 95 % interval 3.0 to 5.4 %): the"
            " 1,000 compared are enough to tell 2 points apart. If they are equal, the 1,000 compared are enough to"
            " show equivalence within 2 points.",
            id="enough already",
        ),
        pytest.param(
            study_of(),
            past_of(0, 100),
            "q4_0 against q8_0 on MMLU-Pro disagree on 0.0 % (0 of 100 questions, 95 % interval 0.0 to 3.7 %), where 2"
            " points take 2.0 % at least: about 390 questions would tell 2 points apart; 29 minutes more on this"
            " server. If they are equal, about 130 questions would show equivalence within 2 points; 3 minutes more on"
            " this server.",
            id="no disagreement",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 500, margin: 0.5}"),
            past_of(20, 200),
            "q4_0 against q8_0 on MMLU-Pro disagree on 10.0 % (20 of 200 questions, 95 % interval 6.6 to 14.9 %): about"
            " 31,390 questions would be needed to tell 0.5 points apart, more than the 12,032 there are. If they are"
            " equal, about 34,290 questions would be needed to show equivalence within 0.5 points, more than the 12,032"
            " there are.",
            id="more than there are",
        ),
        pytest.param(
            study_of(),
            past_of(40, 200, difference=-0.18),
            "q4_0 against q8_0 on MMLU-Pro disagree on 20.0 % (40 of 200 questions, 95 % interval 15.0 to 26.1 %) and"
            " are 18.0 points apart so far, more than the 8.8 that so many questions can see: the report says what that"
            " shows.",
            id="plainly apart",
        ),
        pytest.param(
            study_of("mmlu_pro: {questions: 500, repeats: 4}"),
            past_of(30, 200, rate=0.02),
            "q4_0 against q8_0 on MMLU-Pro differ on 30 of 200 questions (mean squared difference 0.020): about 390"
            " questions would tell 2 points apart; 76 minutes more on this server. If they are equal, about 560"
            " questions would show equivalence within 2 points; 2.4 hours more on this server.",
            id="several answers each",
        ),
    ],
)
def test_what_the_answers_so_far_say(study: Study, past: PilotData, sentence: str) -> None:
    assert sentence in list(sentences(plan_study(study, past)))


def test_without_a_speed_no_time_is_said() -> None:
    past = past_of()
    unmeasured = {part: Measured(answered=200, mean_tokens=None, tokens_per_second=None) for part in past.measured}
    plan = plan_study(study_of(), PilotData(**{**_fields(past), "measured": unmeasured}))

    assert plan.observed[0].hours is None
    assert not any("on this server" in s for s in sentences(plan))


def _fields(past: PilotData) -> dict[str, Any]:
    return {name: getattr(past, name) for name in past.__struct_fields__}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"tokens_per_second": 0.0}, "--tokens-per-second: a number above 0", id="no speed"),
        pytest.param({"tokens_per_second": float("nan")}, "--tokens-per-second: a number above 0", id="no number"),
        pytest.param({"tokens_per_answer": -1.0}, "--tokens-per-answer: a number above 0", id="negative"),
        pytest.param({"tokens_per_answer": 4097.0}, "max_tokens: 4096", id="more than an answer may have"),
    ],
)
def test_impossible_figures_are_refused(
    study_path: Path, tmp_path: Path, options: dict[str, float], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        shown(study_path, tmp_path, **options)


def test_a_study_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        shown(tmp_path / "nothing.yaml", tmp_path)


@pytest.mark.parametrize(("proportion", "words"), [(0.01, "1 point"), (0.02, "2 points"), (0.125, "12.5 points")])
def test_points_in_words(proportion: float, words: str) -> None:
    assert in_points(proportion) == words
