"""The token budget: what a score would have been with a smaller output limit."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.decide.score import score
from evaluator.decide.token_budget import LIMITS, Point, _point, _replies, _used, budgets
from evaluator.grade.outline import Outline, outline
from evaluator.records import Answer, Grade, Key, Outcome, Record
from evaluator.study.file import parse
from evaluator.study.study import Study
from servers.fake import Reply, Script
from tests.support.outlined import outlined
from tests.support.scripted import ANSWERS, Bench, prompt_of, right

Told = tuple[int | None, Outcome]
"""How many tokens a reply has, and how it was graded."""


def study(*variants: str, settings: str = "questions: 10") -> Study:
    lines = "\n".join(f"  - {{name: {name}, model: m, base_url: 'http://h/v1'}}" for name in variants)
    return parse(
        f"study: s\nbaseline: {variants[0]}\nvariants:\n{lines}\nbenchmarks: {{mmlu_pro: {{{settings}}}}}\n"
        "sampling: {max_tokens: 4096}\n",
        "s.yaml",
    )


def answered(told: Iterable[Told], variant: str = "a", limit: int = 4096) -> tuple[list[Outline], list[Grade]]:
    records: list[Record] = []
    grades: list[Grade] = []
    for i, (tokens, outcome) in enumerate(told):
        key = Key("mmlu_pro", str(i))
        answer = Answer(text="", duration_s=1.0, completion_tokens=tokens)
        records.append(
            Record(
                key=key,
                variant=variant,
                started="2026-01-01T00:00:00+00:00",
                request={"max_tokens": limit},
                answer=answer,
            )
        )
        grades.append(Grade(key=key, variant=variant, outcome=outcome, extracted=None, why=""))
    return list(outlined(records).records), grades


def curve(records: Iterable[Outline], grades: Iterable[Grade], limits: Iterable[int]) -> tuple[Point, ...]:
    replies, _ = _replies(records, grades)
    return tuple(_point(replies, limit) for limit in sorted(set(limits)) if limit <= _used(replies))


FOUR: list[Told] = [(100, "correct"), (1000, "correct"), (3000, "wrong"), (4096, "truncated")]


@pytest.mark.parametrize(
    ("limit", "accuracy", "truncated", "answered_only"),
    [
        (50, 0.0, 1.0, None),
        (100, 0.25, 0.75, 1.0),
        (512, 0.25, 0.75, 1.0),
        (1024, 0.5, 0.5, 1.0),
        (3000, 0.5, 0.25, 2 / 3),
        (4096, 0.5, 0.25, 2 / 3),
    ],
)
def test_a_longer_reply_would_have_been_cut_off(
    limit: int, accuracy: float, truncated: float, answered_only: float | None
) -> None:
    (point,) = curve(*answered(FOUR), [limit])

    assert (point.limit, point.accuracy, point.truncated) == (limit, accuracy, truncated)
    assert point.answered_only == pytest.approx(answered_only) if answered_only else point.answered_only is None


def test_of_limits_beyond_the_one_that_was_used_nothing_is_said() -> None:
    assert [point.limit for point in curve(*answered(FOUR), (*LIMITS, 4096))] == [256, 512, 1024, 2048, 4096]


def test_replies_that_the_server_cut_at_a_limit_of_its_own_are_not_offered_more_tokens() -> None:
    told: list[Told] = [(64, "truncated"), (3700, "truncated"), (4096, "truncated"), (2000, "correct")]

    (budget,) = budgets(study("a"), *answered(told))

    assert (budget.replies, budget.cut_off) == (4, 2)


outcomes: st.SearchStrategy[Outcome] = st.sampled_from(("correct", "wrong", "truncated", "unparsed", "failed"))


@given(st.lists(st.tuples(st.integers(1, 4096), outcomes), min_size=1, max_size=40))
def test_more_tokens_never_cost_anything_and_the_last_point_is_the_score(told: list[Told]) -> None:
    records, grades = answered(told)

    points = curve(records, grades, (*LIMITS, 4096))

    scored = score("a", "mmlu_pro", planned=len(told), records=records, grades=grades)
    assert [p.accuracy for p in points] == sorted(p.accuracy for p in points)
    assert [p.truncated for p in points] == sorted((p.truncated for p in points), reverse=True)
    if scored.graded:
        assert points[-1].accuracy == scored.accuracy
    else:
        assert points == ()


def test_the_sentence_tells_of_the_largest_limit_that_costs_a_point() -> None:
    some: list[Told] = [(300, "correct"), (3000, "correct"), (3500, "wrong"), (100, "wrong")]
    told = [one for one, times in zip(some, (41, 17, 6, 36), strict=True) for _ in range(times)]

    (budget,) = budgets(study("q4_0"), *answered(told, "q4_0"))

    assert budget.sentence == (
        "With 2,048 tokens q4_0 would have scored 41.0 % instead of 58.0 % on MMLU-Pro, with 23 % of the replies cut."
    )
    assert [point.limit for point in budget.points] == [256, 512, 1024, 2048, 4096]
    assert (budget.replies, budget.uncounted, budget.cut_off) == (100, 0, 0)


def test_replies_without_a_count_of_tokens_are_counted_and_left_out() -> None:
    (budget,) = budgets(study("a"), *answered([*FOUR, (None, "correct"), (None, "wrong")]))

    assert (budget.replies, budget.uncounted) == (4, 2)
    assert budget.points[-1].accuracy == 0.5


@pytest.mark.parametrize(
    ("told", "settings"),
    [
        pytest.param([(200, "correct"), (40, "wrong")], "questions: 10", id="all are short"),
        pytest.param([(None, "correct")] * 4, "questions: 10", id="nothing was counted"),
        pytest.param([(900, "failed")], "questions: 10", id="nothing was graded"),
        pytest.param(FOUR, "questions: 10, format: completion", id="completions may be whole with fewer tokens"),
    ],
)
def test_where_no_smaller_limit_says_anything_there_is_no_table(told: list[Told], settings: str) -> None:
    assert budgets(study("a", settings=settings), *answered(told)) == ()


def test_the_table_has_all_variants_once_one_of_them_is_long_winded() -> None:
    short, long = answered([(90, "correct")] * 4, "a"), answered(FOUR, "b")

    found = budgets(study("a", "b"), short[0] + long[0], short[1] + long[1])

    assert [(budget.variant, bool(budget.sentence)) for budget in found] == [("a", False), ("b", True)]


def test_an_answer_more_for_the_noise_floor_does_not_count() -> None:
    records, grades = answered(FOUR)
    again = Key("mmlu_pro", "0", 1)
    answer = Answer(text="", duration_s=1.0, completion_tokens=4000)
    records.append(outline(Record(key=again, variant="a", started="", request={"max_tokens": 4096}, answer=answer)))
    grades.append(Grade(key=again, variant="a", outcome="correct", extracted=None, why=""))

    (budget,) = budgets(study("a"), records, grades)

    assert budget.replies == 4


def long_winded(every: int, tokens: int) -> Script:
    """Take so many tokens for one question of `every`, and few for the others; all answers are right."""

    def answer(body: Any, _number: int = 0) -> Reply:
        n = tokens if list(ANSWERS).index(prompt_of(body)) % every == 0 else 20
        return Reply(text=right(body).text, completion_tokens=n)

    return answer


@pytest.mark.usefixtures("hasty")
def test_the_report_has_the_table_and_the_sentence_in_every_form(bench: Bench) -> None:
    path = bench.study(40, good=Reply(text="The answer is (A).", completion_tokens=9), slow=long_winded(2, 1500))
    path.write_text(path.read_text().replace("max_tokens: 100", "max_tokens: 2000"))

    bench.run(path)

    told = {budget["variant"]: budget for budget in bench.report()["budgets"]}
    assert [point["limit"] for point in told["slow"]["points"]] == [256, 512, 1024, 2000]
    at_1024, used = told["slow"]["points"][2:]
    assert used["accuracy"] == 1.0
    assert at_1024["accuracy"] == 1 - at_1024["truncated"] < 0.9
    for name in ("report.md", "report.html"):
        text = " ".join(re.sub(r"<[^>]+>", " ", (bench.folder / "runs" / "s" / name).read_text()).split())
        cut = f"{100 * at_1024['truncated']:.0f} %"
        assert f"With 1,024 tokens slow would have scored {100 * at_1024['accuracy']:.1f} % instead of 100.0 %" in text
        assert f"with {cut} of the replies cut." in text
        assert "MMLU-Pro with a smaller output limit" in text
        assert f"{100 * at_1024['accuracy']:.1f} % ({cut} cut)" in text


@pytest.mark.usefixtures("hasty")
def test_a_report_on_short_replies_says_nothing_of_limits(bench: Bench) -> None:
    bench.run(bench.study(10, good=right, same=right))

    assert bench.report()["budgets"] == []
    for name in ("report.md", "report.html"):
        assert "smaller output limit" not in (bench.folder / "runs" / "s" / name).read_text()
