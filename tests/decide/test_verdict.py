"""What is said of a variant: the decision rule of statistics.md, part 3, and its exact words."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.decide.comparison import Comparison
from evaluator.stats.paired import PairedTable
from tests.support.paired_answers import Answers, answers, compared, q4_beside_q8, repeats


def one(
    table: tuple[int, int, int, int],
    benchmark: str = "humaneval",
    margin: float = 0.05,
    totals: dict[str, int] | None = None,
    blocked: str | None = None,
) -> Comparison:
    """Compare q4_0 with the baseline q8_0 on one benchmark; the table is (both, only q4_0, only q8_0, neither)."""
    return q4_beside_q8(
        *answers(*table),
        benchmark,
        margins={benchmark: margin},
        totals=totals or {},
        blocked={("q4_0", benchmark): blocked} if blocked else {},
    )


SENTENCES = [
    pytest.param(
        (20, 1, 121, 22),
        "humaneval",
        0.05,
        "clearly worse",
        "q4_0 is clearly worse than q8_0 on HumanEval: 73.2 points lower (95 % interval 65.5 to 79.5; "
        "of 164 questions only q8_0 solved 121, only q4_0 1; p < 0.001).",
        id="clearly worse",
    ),
    pytest.param(
        (20, 121, 1, 22),
        "humaneval",
        0.05,
        "clearly better",
        "q4_0 is clearly better than q8_0 on HumanEval: 73.2 points higher (95 % interval 65.5 to 79.5; "
        "of 164 questions only q8_0 solved 1, only q4_0 121; p < 0.001).",
        id="clearly better",
    ),
    pytest.param(
        (1400, 20, 50, 530),
        "mmlu_pro",
        0.03,
        "worse by less than the margin",
        "q4_0 is worse than q8_0 on MMLU-Pro, but by less than 3 points: 1.5 points lower (95 % interval 0.7 to 2.4; "
        "of 2,000 questions only q8_0 solved 50, only q4_0 20; p < 0.001).",
        id="worse by less than the margin",
    ),
    pytest.param(
        (1400, 45, 25, 530),
        "mmlu_pro",
        0.02,
        "better by less than the margin",
        "q4_0 is better than q8_0 on MMLU-Pro, but by less than 2 points: 1.0 points higher (95 % interval 0.2 to 1.9; "
        "of 2,000 questions only q8_0 solved 25, only q4_0 45; p = 0.017).",
        id="better by less than the margin",
    ),
    pytest.param(
        (140, 3, 15, 6),
        "humaneval",
        0.05,
        "worse, size uncertain",
        "q4_0 is worse than q8_0 on HumanEval; whether by more than 5 points is uncertain: 7.3 points lower "
        "(95 % interval 2.5 to 13.0; of 164 questions only q8_0 solved 15, only q4_0 3; p = 0.004).",
        id="worse, size uncertain",
    ),
    pytest.param(
        (140, 11, 3, 10),
        "my_own",
        0.01,
        "better, size uncertain",
        "q4_0 is better than q8_0 on my_own; whether by more than 1 point is uncertain: 4.9 points higher "
        "(95 % interval 0.5 to 10.1; of 164 questions only q8_0 solved 3, only q4_0 11; p = 0.035).",
        id="better, size uncertain",
    ),
    pytest.param(
        (160, 1, 2, 1),
        "humaneval",
        0.05,
        "equivalent",
        "q4_0 and q8_0 are equivalent within 5 points on HumanEval: q4_0 scored 0.6 points lower "
        "(90 % interval 3.1 lower to 1.6 higher, for equivalence; of 164 questions only q8_0 solved 2, only q4_0 1; "
        "p = 0.008 against a larger difference).",
        id="equivalent",
    ),
    pytest.param(
        (160, 0, 0, 4),
        "humaneval",
        0.05,
        "equivalent",
        "q4_0 and q8_0 are equivalent within 5 points on HumanEval: both scored the same "
        "(90 % interval 1.6 lower to 1.6 higher, for equivalence; no question was answered differently: both solved "
        "the same 160 of 164; p = 0.002 against a larger difference).",
        id="equivalent without a flip",
    ),
    pytest.param(
        (60, 1, 3, 36),
        "mmlu_pro",
        0.02,
        "cannot tell",
        "Cannot tell whether q4_0 and q8_0 differ on MMLU-Pro: q4_0 scored 2.0 points lower "
        "(95 % interval 7.6 lower to 2.8 higher; of 100 questions only q8_0 solved 3, only q4_0 1; p = 0.375). "
        "At this rate of disagreement (4 %) about 780 questions would tell a difference of 2 points "
        "with 80 % power; this comparison has 100.",
        id="cannot tell",
    ),
    pytest.param(
        (60, 0, 0, 40),
        "mmlu_pro",
        0.02,
        "cannot tell",
        "Cannot tell whether q4_0 and q8_0 differ on MMLU-Pro: both scored the same "
        "(95 % interval 3.7 lower to 3.7 higher; no question was answered differently: both solved the same 60 of 100; "
        "p = 1.000). About 390 questions would tell a difference of 2 points with 80 % power; "
        "this comparison has 100.",
        id="cannot tell without a flip",
    ),
]


@pytest.mark.parametrize(("table", "benchmark", "margin", "verdict", "sentence"), SENTENCES)
def test_the_words(
    table: tuple[int, int, int, int], benchmark: str, margin: float, verdict: str, sentence: str
) -> None:
    comparison = one(table, benchmark, margin)

    assert comparison.verdict == verdict
    assert comparison.sentence == sentence


def test_a_blocked_pair_is_not_compared_and_carries_no_number() -> None:
    comparison = one((160, 1, 2, 1), blocked="q4_0 was served with another KV cache type.")

    assert comparison.verdict == "not comparable"
    assert comparison.sentence == (
        "q4_0 and q8_0 cannot be compared on HumanEval: q4_0 was served with another KV cache type."
    )
    assert comparison.n == 164
    assert {comparison.p, comparison.p_holm, comparison.difference, comparison.interval} == {None}


@pytest.mark.parametrize(
    ("table", "end"),
    [
        pytest.param(
            (130, 10, 14, 10),
            "All 164 questions of HumanEval were compared, and they are too few at this rate of disagreement (14.6 %) "
            "to tell. What these data alone do show is equivalence within 7.6 points.",
            id="all compared",
        ),
        pytest.param(
            (80, 5, 9, 6),
            "Even all 164 questions of HumanEval would be too few at this rate of disagreement (14 %) to tell; "
            "this comparison has 100. What these data alone do show is equivalence within 10.7 points.",
            id="some left",
        ),
    ],
)
def test_no_more_questions_are_asked_for_than_there_are(table: tuple[int, int, int, int], end: str) -> None:
    comparison = one(table, totals={"humaneval": 164})

    assert comparison.verdict == "cannot tell"
    assert comparison.sentence.endswith(end)


def test_the_numbers_beside_the_words() -> None:
    comparison = one((140, 3, 15, 6))

    assert comparison.table == PairedTable(both=140, only_a=3, only_b=15, neither=6)
    assert comparison.difference == pytest.approx(-12 / 164)
    assert (comparison.won, comparison.lost, comparison.n, comparison.family) == (3, 15, 164, 1)
    assert comparison.interval is not None
    assert comparison.interval.level == 0.95
    assert comparison.flips is not None
    assert comparison.flips.low < 18 / 164 < comparison.flips.high
    assert comparison.questions_needed is None
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison


def test_the_original_study_does_not_survive_its_six_comparisons() -> None:
    """98 v 90 of 100 on HumanEval, (9,1) flips: p .0117 alone, .07 after the six (statistics.md 1)."""
    six, four = answers(89, 9, 1, 1)
    same = answers(88, 2, 2, 8)[0]
    scores: dict[str, dict[str, Answers]] = {
        "4-bit": {"humaneval": four, "mmlu_pro": same},
        "6-bit": {"humaneval": six, "mmlu_pro": same},
        "qat": {"humaneval": same, "mmlu_pro": same},
        "other": {"humaneval": same, "mmlu_pro": same},
    }

    alone = compared({k: scores[k] for k in ("4-bit", "6-bit")}, baseline="4-bit")
    family = compared(scores, baseline="4-bit")
    six_bit = family[0]

    assert alone[0].verdict == "better, size uncertain"
    assert (six_bit.variant, six_bit.family) == ("6-bit", 6)
    assert six_bit.p == pytest.approx(0.011719, abs=1e-6)
    assert six_bit.p_holm == pytest.approx(6 * 0.011719, abs=1e-5)
    assert six_bit.verdict == "cannot tell"
    assert "p = 0.012 taken alone" in six_bit.sentence
    assert (
        "After allowing for the 6 comparisons made, this is not firm evidence (corrected p = 0.070)."
        in six_bit.sentence
    )


def test_what_cannot_be_compared_stays_in_the_family() -> None:
    """How many comparisons there are is chosen before anything is known of them."""
    ours, theirs = answers(140, 3, 15, 6)
    scores = {"q8_0": {"humaneval": theirs}, "q4_0": {"humaneval": ours}, "q2_k": {"humaneval": ours}}

    first, second = compared(scores, blocked={("q2_k", "humaneval"): "it was cut off"})

    assert first.p is not None
    assert first.p_holm == pytest.approx(2 * first.p)
    assert (first.family, second.family) == (2, 2)
    assert second.verdict == "not comparable"


def test_a_blocked_baseline_blocks_all_on_that_benchmark() -> None:
    ours, theirs = answers(140, 3, 15, 6)

    comparison = q4_beside_q8(ours, theirs, blocked={("q8_0", "humaneval"): "q8_0 gave 40 empty answers"})

    assert comparison.sentence == "q4_0 and q8_0 cannot be compared on HumanEval: q8_0 gave 40 empty answers."


def test_only_questions_that_both_answered_equally_often_count() -> None:
    scores: dict[str, dict[str, Answers]] = {
        "q8_0": {"humaneval": {"a": (True,), "b": (True,), "c": (True, False), "e": ()}},
        "q4_0": {"humaneval": {"b": (True,), "c": (True,), "d": (False,), "e": ()}},
        "none": {},
    }

    q4_0, none = compared(scores)

    assert (q4_0.n, q4_0.table) == (1, PairedTable(1, 0, 0, 0))
    assert none.sentence == "none and q8_0 cannot be compared on HumanEval: no question was answered by both."


def test_benchmark_by_benchmark_in_the_order_given() -> None:
    ours, theirs = answers(90, 3, 3, 4)
    both = {"mmlu_pro": ours, "humaneval": theirs}

    comparisons = compared({"z": both, "a": both, "b": both}, baseline="a")

    in_order = [("mmlu_pro", "z"), ("mmlu_pro", "b"), ("humaneval", "z"), ("humaneval", "b")]
    assert [(c.benchmark, c.variant) for c in comparisons] == in_order


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "sentence"),
    [
        pytest.param(
            [2] * 60 + [5] * 100 + [4] * 4,
            [5] * 60 + [5] * 100 + [3] * 4,
            "clearly worse",
            "q4_0 is clearly worse than q8_0 on HumanEval: 21.5 points lower (95 % interval 16.4 to 26.0; "
            "of 164 questions q8_0 solved 60 more often, q4_0 4; p < 0.001).",
            id="clearly worse",
        ),
        pytest.param(
            [5] * 150 + [2] * 14,
            [5] * 150 + [2] * 14,
            "equivalent",
            "q4_0 and q8_0 are equivalent within 5 points on HumanEval: both scored the same (90 % interval 1.4 lower "
            "to 1.4 higher, for equivalence; no question was answered differently: equally often right in each of 164; "
            "p < 0.001 against a larger difference). q8_0 disagrees with itself on 5.1 % of the 164 questions that "
            "it was asked more than once, and q4_0 (which disagrees with itself on 5.1 %) with it on 4.1 %: "
            "no more than its own run-to-run variation (p = 1.000).",
            id="equivalent without a flip",
        ),
        pytest.param(
            [4] * 10 + [3] * 10,
            [3] * 10 + [4] * 10,
            "cannot tell",
            "Cannot tell whether q4_0 and q8_0 differ on HumanEval: both scored the same (95 % interval 15.3 lower "
            "to 15.3 higher; of 20 questions q8_0 solved 10 more often, q4_0 10; p = 1.000). "
            "About 120 questions would tell a difference of 5 points with 80 % power; this comparison has 20. q8_0 "
            "disagrees with itself on 50.0 % of the 20 questions that it was asked more than once, and q4_0 (which "
            "disagrees with itself on 50.0 %) with it on 44.0 %: no more than its own run-to-run variation "
            "(p = 1.000).",
            id="cannot tell",
        ),
    ],
)
def test_with_several_answers_to_a_question_their_means_are_compared(
    ours: list[int], theirs: list[int], verdict: str, sentence: str
) -> None:
    comparison = q4_beside_q8(repeats(ours), repeats(theirs))

    assert comparison.table is None
    assert comparison.verdict == verdict
    assert comparison.sentence == sentence


def test_a_handful_of_questions_asked_often_is_no_proof_of_equality() -> None:
    same = repeats([5, 5, 5])

    comparison = q4_beside_q8(same, same)

    assert comparison.verdict == "cannot tell"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"baseline": "bf16"}, "the baseline 'bf16' has no scores; there are 'q8_0', 'q4_0'", id="baseline"
        ),
        pytest.param({"margins": {}}, "no margin is given for humaneval", id="margin"),
        pytest.param({"alpha": 0.5}, "alpha must lie between 0 and 0.5", id="alpha"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], message: str) -> None:
    ours, theirs = answers(5, 1, 1, 1)

    with pytest.raises(ValueError, match=message):
        q4_beside_q8(ours, theirs, **change)


cells = st.integers(0, 40)
tables = st.tuples(cells, cells, cells, cells).filter(lambda t: sum(t) > 0)


@settings(deadline=None)
@given(tables)
def test_swapping_variant_and_baseline_turns_better_into_worse(table: tuple[int, int, int, int]) -> None:
    comparison = one(table)
    mirrored = one((table[0], table[2], table[1], table[3]))

    better = comparison.verdict.replace("worse", "better")

    assert mirrored.verdict == (better if better != comparison.verdict else better.replace("better", "worse"))
    assert mirrored.questions_needed == comparison.questions_needed


@settings(deadline=None)
@given(tables)
def test_the_words_never_overstate(table: tuple[int, int, int, int]) -> None:
    comparison = one(table)

    assert "significant" not in comparison.sentence
    assert comparison.interval is not None
    if comparison.verdict.startswith("clearly"):
        assert min(abs(comparison.interval.low), abs(comparison.interval.high)) > comparison.margin
    if comparison.verdict == "equivalent":
        assert comparison.supported_margin is not None
        assert comparison.supported_margin <= comparison.margin + 1e-9
    if comparison.verdict == "cannot tell":
        assert comparison.questions_needed is not None
        assert comparison.questions_needed > comparison.n


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40), st.randoms())
def test_the_order_of_the_questions_changes_nothing(counts: list[tuple[int, int]], rng: random.Random) -> None:
    ours, theirs = repeats([a for a, _ in counts], 3), repeats([b for _, b in counts], 3)
    shuffled = {i: ours[i] for i in rng.sample(list(ours), len(ours))}

    first, second = (q4_beside_q8(mine, theirs) for mine in (ours, shuffled))

    assert first == second
