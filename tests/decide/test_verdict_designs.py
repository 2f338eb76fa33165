"""Verdicts before the end, beside the baseline's run-to-run variation, and where the correction takes one away."""

import random
from typing import get_args

import msgspec
import pytest

from evaluator.decide.designs import DESIGNS
from evaluator.decide.evidence import Design, looks_at
from evaluator.decide.sentences import interval_cell, interval_of
from evaluator.decide.wording import IntervalKind, lower_to_higher, signed_span
from evaluator.study.study import Mode
from tests.support.paired_answers import Answers, answers, compared, q4_beside_q8


def test_what_only_the_correction_takes_away_is_said() -> None:
    """Two comparisons, each equivalent when taken alone (p .03), not after Holm."""
    ours, theirs = answers(154, 3, 3, 4)
    both = {"q8_0": {"humaneval": theirs}, "q4_0": {"humaneval": ours}, "q5_0": {"humaneval": ours}}

    first, _ = compared(both, margins={"humaneval": 0.0335})

    assert first.verdict == "cannot tell"
    assert first.equivalence_p is not None
    assert first.equivalence_p < 0.05
    assert "Taken alone they would count as equivalent within 3.35 points (p = 0." in first.sentence
    assert "after allowing for the 2 comparisons made, they do not (corrected p = 0.0" in first.sentence


class Pace:
    mean_tokens, tokens_per_second = 1000.0, 50.0


def test_how_long_the_questions_that_would_tell_take() -> None:
    ours, theirs = answers(60, 1, 3, 36)
    paces = {("q8_0", "mmlu_pro"): Pace(), ("q4_0", "mmlu_pro"): Pace()}

    comparison = q4_beside_q8(ours, theirs, "mmlu_pro", paces=paces)

    # 20 s an answer, 782 questions, less the 100 there are, both variants
    assert comparison.questions_needed == 783
    assert comparison.hours_needed == pytest.approx(683 * 40 / 3600)
    assert comparison.sentence.endswith(
        "about 780 questions would tell a difference of 2 points with 80 % power; this comparison has 100; the others "
        "take 7.6 hours on this server."
    )


def shuffled(table: tuple[int, int, int, int], seed: int = 1) -> tuple[Answers, Answers, Design]:
    """The answers of a table in a random order, which is the order in which they are put."""
    ours, theirs = answers(*table)
    order = random.Random(seed).sample(list(ours), len(ours))
    return ours, theirs, Design(mode="sequential", order={"humaneval": order})


@pytest.mark.parametrize(
    ("mode", "table", "verdict", "parts"),
    [
        pytest.param(
            "sequential",
            (100, 2, 40, 22),
            "clearly worse",
            ("23.2 points lower (95 % interval ", "only q4_0 2; anytime p < 0.001)."),
            id="sequential, worse",
        ),
        pytest.param(
            "sequential",
            (160, 0, 0, 4),
            "equivalent",
            (
                "both scored the same (90 % interval 2.7 lower to 2.7 higher, for equivalence, anytime-valid;",
                "anytime p = 0.002 against a larger",
            ),
            id="sequential, equivalent",
        ),
        pytest.param(
            "sequential",
            (140, 6, 9, 9),
            "cannot tell",
            ("Cannot tell whether q4_0 and q8_0 differ on HumanEval", "anytime p = "),
            id="sequential, cannot tell",
        ),
        pytest.param(
            "group_sequential",
            (100, 2, 40, 22),
            "clearly worse",
            ("23.2 points lower (95 % interval 16.4 to 30.8, at planned looks;", "only q4_0 2; repeated p < 0.001)."),
            id="group-sequential, worse",
        ),
        pytest.param(
            "group_sequential",
            (160, 0, 0, 4),
            "equivalent",
            (
                "both scored the same (90 % interval 1.8 lower to 1.8 higher, for equivalence, at planned looks;",
                "repeated p = 0.002 against a larger",
            ),
            id="group-sequential, equivalent",
        ),
    ],
)
def test_looking_early_has_its_own_numbers_and_names_them(
    mode: Mode, table: tuple[int, int, int, int], verdict: str, parts: tuple[str, ...]
) -> None:
    ours, theirs, design = shuffled(table)

    comparison = q4_beside_q8(ours, theirs, design=msgspec.structs.replace(design, mode=mode))

    assert (comparison.verdict, comparison.mode, comparison.stopped) == (verdict, mode, False)
    for part in parts:
        assert part in comparison.sentence


def test_what_was_decided_early_says_what_was_not_needed() -> None:
    ours, theirs, design = shuffled((100, 2, 40, 22))
    seen = design.order["humaneval"][:60]

    comparison = q4_beside_q8({q: ours[q] for q in seen}, theirs, design=design)

    assert (comparison.n, comparison.planned, comparison.stopped) == (60, 164, True)
    assert "This was decided early: 104 of the 164 planned questions were not needed." in comparison.sentence


def test_a_comparison_still_to_come_counts_in_the_family_of_a_sequential_study() -> None:
    ours, theirs, design = shuffled((100, 2, 40, 22))

    worse, none = compared(
        {"q8_0": {"humaneval": theirs}, "q4_0": {"humaneval": ours}, "q2_k": {"humaneval": {}}}, design=design
    )

    assert worse.p is not None
    assert worse.family == 2
    assert worse.p_holm == pytest.approx(2 * worse.p)
    assert none.sentence == "q2_k and q8_0 cannot be compared on HumanEval: no question was answered by both."


@pytest.mark.parametrize(
    ("table", "again", "end"),
    [
        pytest.param(
            (96, 0, 4, 0),
            [True] * 98 + [False] * 2,
            "q8_0 disagrees with itself on 2.0 % of the 100 questions that it was asked more than once, and q4_0 with "
            "it on 3.0 %: which these questions do not show to be more than its own run-to-run variation (p = 0.407).",
            id="perhaps more",
        ),
        pytest.param(
            (98, 0, 2, 0),
            [True] * 94 + [False] * 6,
            "and q4_0 with it on 3.0 %: no more than its own run-to-run variation (p = ",
            id="no more",
        ),
        pytest.param(
            (80, 10, 10, 0),
            [True] * 80 + [False] * 10 + [True] * 10,
            "more than its own run-to-run variation (p < 0.001).",
            id="more",
        ),
    ],
)
def test_a_difference_is_set_beside_the_baselines_own_run_to_run_variation(
    table: tuple[int, int, int, int], again: list[bool], end: str
) -> None:
    ours, theirs = answers(*table)
    further = {q: (same,) for q, same in zip(theirs, again, strict=True)}

    comparison = q4_beside_q8(ours, theirs, again={"humaneval": further})

    assert end in comparison.sentence
    assert comparison.noise_questions == 100


def test_a_size_is_told_with_the_interval_it_is_judged_by() -> None:
    """2.5 to 13.0 would read as beyond the margin of 2.4; what it is judged by is wider."""
    ours, theirs = answers(140, 3, 15, 6)
    same = {"q8_0": {"humaneval": theirs}, "q4_0": {"humaneval": ours}, "q5_0": {"humaneval": ours}}

    first, _ = compared(same, margins={"humaneval": 0.024})

    assert first.interval is not None
    assert first.family_interval is not None
    assert first.family_interval.high > -0.024 > first.interval.high
    assert (
        "whether by more than 2.4 points is uncertain: 7.3 points lower (95 % interval 1.8 to 14.0, " in first.sentence
    )
    assert "1.8 to 14.0, simultaneous; of 164 questions" in first.sentence


def test_a_large_difference_needs_few_more_questions() -> None:
    """4 against 0 of 30: what is looked for is what was seen, not a margin of 1 point."""
    ours, theirs = answers(20, 0, 4, 6)

    comparison = q4_beside_q8(ours, theirs, margins={"humaneval": 0.01})

    assert comparison.questions_needed is not None
    assert 30 < comparison.questions_needed < 100


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("family", [1, 3])
@pytest.mark.parametrize(
    ("table", "kind"),
    [
        pytest.param((100, 2, 40, 22), "simultaneous", id="a size"),
        pytest.param((164, 0, 0, 0), "for equivalence", id="equivalence"),
        pytest.param((120, 12, 14, 18), "alone", id="undecided"),
    ],
)
def test_an_interval_is_what_its_label_says(
    mode: Mode, family: int, table: tuple[int, int, int, int], kind: IntervalKind
) -> None:
    """The shown ends are those of the level at which such intervals hold: alpha shared by all, or two one-sided."""
    ours, theirs, design = shuffled(table)
    kind = "alone" if kind == "simultaneous" and family == 1 else kind
    design = msgspec.structs.replace(design, mode=mode)
    others = {f"other{i}": {"humaneval": ours} for i in range(family - 1)}

    first = compared({"q8_0": {"humaneval": theirs}, "q4_0": {"humaneval": ours}, **others}, design=design)[0]
    shown = interval_of(first)

    looks, method = looks_at(ours, theirs, "humaneval", design), DESIGNS[mode]
    expected = {
        "alone": method.interval(looks, 0.05),
        "simultaneous": method.interval(looks, 0.05 / family),
        "for equivalence": method.equivalence_interval(looks, 0.05, first.margin),
    }[kind]
    assert shown is not None
    assert (shown.low, shown.high) == (expected.low, expected.high)
    confidence, *what = {
        "alone": ["95 %"],
        "simultaneous": ["95 %", "simultaneous"],
        "for equivalence": ["90 %", "for equivalence"],
    }[kind] + {"fixed": [], "sequential": ["anytime-valid"], "group_sequential": ["at planned looks"]}[mode]
    assert interval_cell(first) == f"{signed_span(expected)} ({', '.join([confidence, *what])})"
    assert f"({', '.join([f'{confidence} interval {lower_to_higher(expected)}', *what])};" in first.sentence
