"""What is looked for beside the verdicts: where it is looked, and how it is corrected."""

import random
import time
from typing import Any

import msgspec
import pytest

from evaluator.decide.exploratory import Exploratory, explore
from evaluator.stats.clusters import cluster_sign_flip
from evaluator.stats.difference import tango
from evaluator.stats.multiplicity import benjamini_hochberg
from evaluator.stats.omnibus import cochran_q, homogeneity
from evaluator.stats.paired import PairedTable, mcnemar_midp, paired_table
from evaluator.stats.repeats import mean_interval, sign_flip, steadied
from evaluator.stats.strata import stratified_mean

Answers = dict[str, tuple[bool, ...]]
SUBJECTS = ("law", "math", "physics")
SIZES = {"law": 100, "math": 500, "physics": 400}
N = 60
CATEGORIES = {f"q{i}": SUBJECTS[i % 3] for i in range(N)}


def answers(seed: int, share: float, repeats: int = 1) -> Answers:
    rng = random.Random(seed)
    return {f"q{i}": tuple(rng.random() < share for _ in range(repeats)) for i in range(N)}


def found(scores: dict[str, Answers], **settings: Any) -> Exploratory | None:
    return explore(
        {name: {"mmlu_pro": of} for name, of in scores.items()},
        baseline="base",
        alpha=0.05,
        **{"categories": {"mmlu_pro": CATEGORIES}, "sizes": {"mmlu_pro": SIZES}, **settings},
    )


def four(repeats: int = 1) -> dict[str, Answers]:
    return {name: answers(i, 0.9 - 0.15 * i, repeats) for i, name in enumerate(("base", "a", "b", "c"))}


def p_values(of: Exploratory) -> tuple[list[float], list[float]]:
    tests = [one.test for one in (*of.pairs, *of.categories)] + [one.test for one in of.omnibus]
    tests += [test for one in of.across for test in (one.homogeneity, one.clustered)]
    return [test.p for test in tests], [test.p_bh for test in tests]


def test_every_pair_without_the_baseline_is_compared() -> None:
    scores = four()
    whole = found(scores)

    assert whole is not None
    assert [(one.variant, one.other) for one in whole.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    first = whole.pairs[0]
    table = paired_table([x for (x,) in scores["a"].values()], [x for (x,) in scores["b"].values()])
    assert first.table == table
    assert (first.n, first.won, first.lost) == (N, table.only_a, table.only_b)
    assert first.difference == pytest.approx(table.difference)
    assert first.interval == tango(table)
    assert first.test.p == mcnemar_midp(table)


def test_with_several_answers_signs_are_flipped() -> None:
    scores = four(repeats=3)
    whole = found(scores)
    differences = [(sum(x) - sum(y)) / 3 for x, y in zip(scores["a"].values(), scores["b"].values(), strict=True)]

    assert whole is not None
    assert whole.pairs[0].table is None
    assert whole.pairs[0].test.p == sign_flip(differences)
    assert whole.pairs[0].interval == mean_interval(steadied(differences))
    assert whole.omnibus == ()


def test_every_variant_is_compared_with_the_baseline_in_each_category_and_over_them() -> None:
    scores = four()
    whole = found(scores)

    assert whole is not None
    assert [(one.variant, one.category) for one in whole.categories] == [(v, s) for v in "abc" for s in SUBJECTS]
    assert {one.n for one in whole.categories} == {20}
    values = {
        s: [scores["a"][q][0] - scores["base"][q][0] for q, of in CATEGORIES.items() if of == s] for s in SUBJECTS
    }
    across = whole.across[0]
    assert (across.variant, across.categories) == ("a", 3)
    assert across.stratified == stratified_mean(values, SIZES)
    flips = [(of.count(1), of.count(-1)) for of in values.values()]
    assert across.homogeneity.p == homogeneity(flips).p
    clusters = [s for s in SUBJECTS for _ in values[s]]
    assert across.clustered.p == cluster_sign_flip([d for of in values.values() for d in of], clusters)


def test_all_variants_at_once_on_the_questions_that_all_answered() -> None:
    scores = four()
    del scores["c"]["q0"]
    scores["b"]["q1"] = ()
    whole = found(scores)
    rows = [[of[f"q{i}"][0] for of in scores.values()] for i in range(2, N)]

    assert whole is not None
    (omnibus,) = whole.omnibus
    assert (omnibus.n, omnibus.variants) == (58, ("base", "a", "b", "c"))
    assert (omnibus.test.statistic, omnibus.test.p) == (cochran_q(rows).statistic, cochran_q(rows).p)


def test_all_p_values_are_corrected_together_and_the_sentence_says_so() -> None:
    whole = found(four())

    assert whole is not None
    alone, corrected = p_values(whole)
    assert tuple(corrected) == benjamini_hochberg(alone)
    assert len(alone) == whole.tests == 3 + 9 + 1 + 6
    assert whole.sentence == (
        "Exploratory: found by looking in many places; no verdict rests on it."
        " p values are corrected by Benjamini-Hochberg over 19 tests."
    )


@pytest.mark.parametrize("mode", ["sequential", "group_sequential"])
def test_after_stopping_early_no_p_value_is_given(mode: str) -> None:
    whole = found(four(), mode=mode)

    assert whole is not None
    assert p_values(whole) == ([], [])
    assert "would be false" in whole.sentence


def test_with_one_variant_there_is_nothing() -> None:
    assert found({"base": answers(0, 0.9)}) is None
    assert found({"base": answers(0, 0.9)}, mode="sequential") is None


def test_two_variants_without_categories_leave_nothing_to_explore() -> None:
    assert found({"base": answers(0, 0.9), "a": answers(1, 0.8)}, categories={}) is None


def test_what_must_not_be_compared_is_left_out() -> None:
    whole = found(four(), blocked={("b", "mmlu_pro"): "it was cut off"})

    assert whole is not None
    assert [(one.variant, one.other) for one in whole.pairs] == [("a", "c")]
    assert {one.variant for one in whole.categories} == {"a", "c"}
    assert whole.omnibus[0].variants == ("base", "a", "c")


def test_without_the_baseline_only_the_others_are_compared() -> None:
    whole = found(four(), blocked={("base", "mmlu_pro"): "it was cut off"})

    assert whole is not None
    assert len(whole.pairs) == 3
    assert whole.across == ()


def test_a_category_that_only_one_of_them_answered_is_no_category() -> None:
    scores = four()
    scores["a"] = {q: of for q, of in scores["a"].items() if CATEGORIES[q] != "law"}
    whole = found(scores)

    assert whole is not None
    assert [one.category for one in whole.categories if one.variant == "a"] == ["math", "physics"]
    assert whole.across[0].stratified.covered == pytest.approx(0.9)


def test_one_question_is_enough() -> None:
    whole = found({name: {"q0": (True,)} for name in ("base", "a", "b")})

    assert whole is not None
    assert whole.pairs[0].table == PairedTable(1, 0, 0, 0)
    assert set(p_values(whole)[0]) == {1.0}


def test_it_can_be_written_and_read() -> None:
    whole = found(four())

    assert msgspec.json.decode(msgspec.json.encode(whole), type=Exploratory) == whole


@pytest.mark.parametrize("repeats", [1, 5])
def test_all_of_mmlu_pro_with_eight_variants_takes_seconds(repeats: int) -> None:
    rng = random.Random(1)
    ids = [str(i) for i in range(12_032)]
    bits = [tuple(n >> k & 1 == 1 for k in range(repeats)) for n in range(2**repeats)]
    scores = {f"v{v}": {"mmlu_pro": dict(zip(ids, rng.choices(bits, k=len(ids)), strict=True))} for v in range(8)}
    categories = {q: f"c{i % 14}" for i, q in enumerate(ids)}
    start = time.process_time()

    whole = explore(
        scores,
        baseline="v0",
        alpha=0.05,
        categories={"mmlu_pro": categories},
        sizes={"mmlu_pro": {f"c{i}": 860 for i in range(14)}},
    )

    assert whole is not None
    assert (len(whole.pairs), len(whole.categories)) == (21, 98)
    assert time.process_time() - start < 10
