"""Questions that repeat one another: found in the data, put last in their categories, and no run's order changes."""

import json
from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.benchmarks import BENCHMARKS, data_files, mmlu_pro
from evaluator.benchmarks.order import nested_order
from evaluator.records import Question
from evaluator.store.folder import grades_path, order_in
from evaluator.study.file import parse
from evaluator.study.requests import plan, questions
from servers.spec import Prompt
from tests.support.scripted import Bench, right, wrong

MMLU = mmlu_pro.load(shots=0)
REPEATED = mmlu_pro.repeated()


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def test_what_stands_twice_is_found_in_the_data() -> None:
    groups = defaultdict(list)
    for question in MMLU:
        if question.id in REPEATED:
            groups[REPEATED[question.id]].append(question)
    sets = Counter(tuple(sorted({plain(o) for o in q.options})) for same in groups.values() for q in same)

    assert (len(groups), len(REPEATED)) == (357, 748)
    assert all(first == same[0].id for first, same in groups.items())
    assert sum(count == 2 for count in sets.values()) == 158
    for same in groups.values():
        texts = {
            plain(q.prompt.messages[0]["content"].rpartition("Question: ")[2].partition("Options:")[0]) for q in same
        }
        assert len(texts) == 1


@pytest.mark.parametrize("name", ["gsm8k", "humaneval"])
def test_the_other_benchmarks_hold_no_text_twice(name: str) -> None:
    texts = Counter(plain(q.prompt.messages[0]["content"]) for q in BENCHMARKS[name].questions("chat"))

    assert set(texts.values()) == {1}
    assert BENCHMARKS[name].repeated() == {}


@pytest.mark.parametrize("seed", [42, 0, 1, 2, 3])
def test_ten_thousand_questions_hold_no_text_twice(seed: int) -> None:
    order = nested_order(MMLU, seed, REPEATED)

    texts = Counter(REPEATED.get(question.id, question.id) for question in order[:10_000])
    shares = Counter(question.category for question in order[:10_000])

    assert set(texts.values()) == {1}
    assert len({question.id for question in order}) == len(MMLU)
    for category, total in Counter(question.category for question in MMLU).items():
        assert abs(shares[category] - 10_000 * total / len(MMLU)) <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, None, "x", "y", "z"])), min_size=1, max_size=40),
    st.integers(0, 9),
    st.randoms(),
)
def test_one_of_each_text_comes_before_all_others(
    rows: list[tuple[str, str | None]], seed: int, random: Random
) -> None:
    """In each category; where it stands in the list changes nothing, and what repeats nothing keeps its order."""
    asked = [
        Question(benchmark="x", id=str(i), kind="choice", category=category, prompt=Prompt(text=""))
        for i, (category, _) in enumerate(rows)
    ]
    repeated = {str(i): text for i, (_, text) in enumerate(rows) if text}
    shuffled = random.sample(asked, len(asked))

    order = nested_order(asked, seed, repeated)

    by_category = defaultdict(list)
    for question in order:
        by_category[question.category].append(question.id)
    for ids in by_category.values():
        again = [question for question in ids if question in repeated and not is_first(question, repeated, seed)]
        assert ids[len(ids) - len(again) :] == again
        alone = [q for q in ids if q not in again]
        assert alone == [q.id for q in nested_order([asked[int(q)] for q in alone], seed)]
    assert sorted(q.id for q in order) == sorted(q.id for q in asked)
    assert order == nested_order(shuffled, seed, repeated)


def test_the_questions_that_share_a_text_are_those_of_the_data() -> None:
    alike: dict[str, list[str]] = {}
    for row in data_files.rows(mmlu_pro._TEST, mmlu_pro._Row):
        alike.setdefault(plain(row.question), []).append(str(row.question_id))
    assert {each: same[0] for same in alike.values() if len(same) > 1 for each in same} == REPEATED


def is_first(question: str, repeated: dict[str, str], seed: int) -> bool:
    """Whether it is drawn before all with its text: the first of them, were they one category."""
    same = [
        Question(benchmark="x", id=other, kind="choice", category="", prompt=Prompt(text=""))
        for other, text in repeated.items()
        if text == repeated[question]
    ]
    return nested_order(same, seed)[0].id == question


STUDY = """
study: s
baseline: a
seed: 1
variants: [{name: a, model: m, base_url: "http://localhost:1/v1"}]
benchmarks: {mmlu_pro: {questions: 100}, humaneval: {questions: 20}}
"""


def test_an_earlier_order_is_kept_to_the_last_question() -> None:
    study = parse(STUDY, "s")

    before, now = questions(study, 1), questions(study)

    assert before["mmlu_pro"] == nested_order(study.benchmarks.chosen()["mmlu_pro"].load(), 1)[:100]
    assert now["mmlu_pro"] != before["mmlu_pro"]
    assert now["humaneval"] == before["humaneval"]
    assert [ask.question for ask in plan(study, 1)] == [*before["mmlu_pro"], *before["humaneval"]]


def test_a_run_goes_on_in_the_order_in_which_it_began(bench: Bench) -> None:
    """An earlier plan names no order; with seed 1 its first 80 questions hold one text twice, and the new ones none."""
    path = bench.study(40, "seed: 1\n", good=right, bad=wrong)
    bench.run(path)
    plan_file = bench.folder / "runs" / "s" / "plan.json"
    content = json.loads(plan_file.read_text())
    assert content.pop("order") == order_in(plan_file.parent) == 2
    plan_file.write_text(json.dumps(content))
    path.write_text(path.read_text().replace("questions: 40", "questions: 80"))

    done = bench.run(path)

    study = parse(path.read_text(), "s")
    first, again = ([question.id for question in questions(study, order)["mmlu_pro"]] for order in (1, 2))
    assert done.exit_code == 0
    assert set(first) != set(again)
    graded = {json.loads(line)["key"]["question_id"] for line in grades_path(plan_file.parent).read_text().splitlines()}
    assert graded == set(first)
    assert order_in(plan_file.parent) == 1
    assert {score["questions"] for score in bench.report()["scores"]} == {80}
    assert {c["repeated"] for c in bench.report()["comparisons"]} == {2}
    text = (plan_file.parent / "report.md").read_text()
    assert "order of questions: seed 1 (by an earlier version's rule" in text
    assert "| questions compared | 80, 2 of them with the text of another |" in text
    assert "are taken together, as one cluster" in text


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_the_questions_of_some_ids_are_the_ones_of_a_whole_load_in_the_order_of_the_ids(name: str) -> None:
    benchmark = BENCHMARKS[name]
    everything = benchmark.defaults.load()
    some = nested_order(everything, 7)[:25]

    assert [(q.benchmark, q.id, q.category) for q in everything] == list(benchmark.listed())
    assert benchmark.defaults.load(tuple(question.id for question in some)) == some
    assert benchmark.choices() == tuple((q.options, q.answer) for q in benchmark.questions("chat") if q.letters)


def test_questions_with_one_text_are_all_found() -> None:
    texts = defaultdict(list)
    for question in MMLU:
        text = question.prompt.messages[0]["content"].rpartition("Question: ")[2].rpartition("\nOptions:")[0]
        texts[" ".join(text.lower().split())].append(question.id)

    assert {name: ids[0] for ids in texts.values() if len(ids) > 1 for name in ids} == REPEATED
