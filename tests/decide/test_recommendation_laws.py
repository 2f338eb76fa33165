"""What holds of every recommendation, whatever the verdicts and the costs."""

from itertools import product
from random import Random
from typing import get_args

from hypothesis import assume, given
from hypothesis import strategies as st

from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.recommendation import Recommendation, recommend
from evaluator.decide.resources import Resources
from evaluator.study.study import Prefer
from tests.support.recommended import TOTALS, both, compared, cost

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
AGAINST = {"clearly worse", "worse, size uncertain", "not comparable"}
FOR = {"equivalent", "better by less than the margin", "worse by less than the margin"} | {
    "better, size uncertain",
    "clearly better",
}
MIRRORED: dict[Verdict, Verdict] = {
    "clearly worse": "clearly better",
    "worse, size uncertain": "better, size uncertain",
    "worse by less than the margin": "better by less than the margin",
    "equivalent": "equivalent",
    "better by less than the margin": "worse by less than the margin",
    "better, size uncertain": "worse, size uncertain",
    "clearly better": "clearly worse",
}
"""Verdicts that decide, and what they are with baseline and variant exchanged."""

_SIZES, _SPEEDS = (None, 3.2, 4.8, 4.82, 8.5, 16.0), (None, 20.0, 40.0, 41.0, 60.0)
_COSTS = [
    {"gb": gb, "alone": alone, "at_once": at_once, "memory": memory}
    for gb, alone, at_once, memory in product(_SIZES, _SPEEDS, _SPEEDS, _SIZES)
]
numbers = st.sampled_from(_COSTS)
preferences: st.SearchStrategy[Prefer] = st.sampled_from(get_args(Prefer))
verdict = st.sampled_from(VERDICTS)
Study = tuple[list[Comparison], list[Resources], Prefer]


def _study(
    variants: list[tuple[Verdict, Verdict, dict[str, float]]], base: dict[str, float], prefer: Prefer, alone: str
) -> Study:
    comparisons = [
        comparison
        for i, (first, second, _) in enumerate(variants)
        for comparison in both(f"v{i}", first, second)
        if alone in ("", comparison.benchmark)
    ]
    costs = [cost("q8_0", **base), *(cost(f"v{i}", **own) for i, (_, _, own) in enumerate(variants))]
    return comparisons, costs, prefer


studies = st.builds(
    _study,
    st.lists(st.tuples(verdict, verdict, numbers), min_size=1, max_size=4),
    numbers,
    preferences,
    st.sampled_from(["", "mmlu_pro"]),
)
"""One to four variants beside q8_0, on one or two benchmarks."""


def recommended(
    comparisons: list[Comparison], resources: list[Resources], prefer: Prefer, order: list[str] | None = None
) -> Recommendation:
    names = order or [one.variant for one in resources]
    found = recommend(comparisons, resources, variants=names, baseline="q8_0", prefer=prefer, totals=TOTALS)
    assert found is not None
    return found


def verdicts(comparisons: list[Comparison], variant: str) -> set[str]:
    return {c.verdict for c in comparisons if c.variant == variant}


@given(studies)
def test_nothing_is_recommended_that_a_verdict_speaks_against(study: Study) -> None:
    found = recommended(*study)

    if found.variant not in (None, "q8_0"):
        assert not verdicts(study[0], found.variant) & AGAINST
        assert verdicts(study[0], found.variant) & FOR


@given(studies)
def test_the_sentence_names_what_is_recommended_and_every_build_is_spoken_of(study: Study) -> None:
    found = recommended(*study)

    if found.variant:
        assert found.sentence.startswith((f"Run {found.variant}: ", f"Keep {found.variant}: "))
    else:
        assert found.missing or found.sentence.startswith("It depends on the task: ")
    for one in study[1][1:]:
        assert any(one.variant in sentence for sentence in (found.sentence, *found.others, *found.missing))
    for sentence in (found.sentence, *found.others, *found.missing):
        assert sentence.endswith(".")
        assert not {"  ", " ,", " .", "..", ": .", "None"} & {
            sentence[i : i + n] for i in range(999) for n in (2, 3, 4)
        }


@given(studies, st.data())
def test_a_build_that_is_clearly_worse_changes_nothing(study: Study, data: st.DataObject) -> None:
    comparisons, resources, prefer = study
    found = recommended(comparisons, resources, prefer)
    bad = [
        compared("bad", benchmark, data.draw(st.sampled_from(["clearly worse", "cannot tell"])))
        for benchmark in dict.fromkeys(c.benchmark for c in comparisons)
    ]
    assume(any(c.verdict == "clearly worse" for c in bad))

    more = recommended([*comparisons, *bad], [*resources, cost("bad", **data.draw(numbers))], prefer)

    if any(c.verdict != "not comparable" for c in comparisons):
        assert more.variant == found.variant


@given(studies, st.randoms(use_true_random=False))
def test_the_order_of_the_study_decides_only_between_builds_that_are_the_same(study: Study, random: Random) -> None:
    comparisons, resources, prefer = study
    names = [one.variant for one in resources]
    random.shuffle(names)

    found = recommended(comparisons, resources, prefer)
    again = recommended(comparisons, resources, prefer, names)

    if found.variant != again.variant:
        assert found.variant is not None
        assert again.variant is not None
        one, other = (next(r for r in resources if r.variant == name) for name in (found.variant, again.variant))
        assert one.file_bytes is None or other.file_bytes is None or abs(one.file_bytes / other.file_bytes - 1) < 0.011


@given(st.lists(st.sampled_from(list(MIRRORED)), min_size=1, max_size=2), st.data(), preferences)
def test_which_of_two_builds_is_the_baseline_does_not_matter_where_all_is_decided(
    found: list[Verdict], data: st.DataObject, prefer: Prefer
) -> None:
    ours, theirs = (cost(name, **data.draw(numbers)) for name in ("q4_0", "q8_0"))
    pairs = list(zip(("mmlu_pro", "humaneval"), found, strict=False))
    forth = [compared("q4_0", benchmark, verdict) for benchmark, verdict in pairs]
    back = [compared("q8_0", benchmark, MIRRORED[verdict], baseline="q4_0") for benchmark, verdict in pairs]

    one = recommend(forth, [ours, theirs], variants=["q8_0", "q4_0"], baseline="q8_0", prefer=prefer)
    other = recommend(back, [ours, theirs], variants=["q8_0", "q4_0"], baseline="q4_0", prefer=prefer)

    assert one is not None
    assert other is not None
    if one.variant != other.variant:  # the same in everything that is known: each time the baseline stays
        assert (one.variant, other.variant) == ("q8_0", "q4_0")
        assert one.sentence.startswith("Keep")
        assert other.sentence.startswith("Keep")
