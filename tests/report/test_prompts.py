"""How prompts were put to the servers stands in every form of the report."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.analyse.run import look_at
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.report.markdown import markdown
from evaluator.report.prompts import prompts
from evaluator.store.serving import Cache, Serving

RUN = Path(__file__).parents[2] / "runs" / "example-demo"
WHY = "31 % of the prompt tokens have to be evaluated"


@pytest.fixture(scope="module")
def report() -> Report:
    return look_at(RUN, grader=Grader(NoSandbox(reason="none here", install="")))[0]


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        pytest.param(
            Cache(on=None, order="pinned", why=WHY, evaluated=0.33),
            f"{WHY}; in the run 33 % were evaluated, as its replies count them.",
            id="foreseen and seen",
        ),
        pytest.param(Cache(on=None, order="pinned", why=WHY), f"{WHY}.", id="no word in the replies"),
        pytest.param(
            Cache(on=False, order="plan", evaluated=1.0),
            "in the run 100 % were evaluated, as its replies count them.",
            id="not foreseen",
        ),
        pytest.param(Cache(on=None, order="plan"), None, id="nothing known"),
    ],
)
def test_what_is_known_of_the_prompts_is_said(report: Report, cache: Cache, expected: str | None) -> None:
    name = report.plan.study.variants[0].name
    shown = replace(report, serving=Serving(cache={name: cache, "not in the study": cache}))

    assert prompts(shown) == (() if expected is None else (f"{name}: {expected}",))
    assert ("the servers' caches" in markdown(shown)) is (expected is not None)


def test_a_run_of_an_earlier_version_says_nothing(report: Report) -> None:
    assert prompts(replace(report, serving=None)) == ()
