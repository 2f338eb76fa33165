"""What the baseline is asked twice where the study does not say how much: asked, shown, and not asked again."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.fake import Reply
from tests.support.compared import compare_json
from tests.support.scripted import Bench, prompt_of, right, wrong

AUTO = "decide: {noise_floor: auto}\n"


class Moody:
    """Answers rightly, and otherwise the second time that it is asked; so many times, of the first questions."""

    def __init__(self, moods: int, *, to_the_letter: bool = False) -> None:
        self._left, self._to_the_letter = moods, to_the_letter
        self._seen: set[str] = set()

    def __call__(self, body: Any, number: int) -> Reply:
        again = prompt_of(body) in self._seen
        self._seen.add(prompt_of(body))
        if again and self._left:
            self._left -= 1
            return Reply(text=f"Well. {right(body).text}") if self._to_the_letter else wrong(body)
        return right(body, number)


class Slower:
    """Answers rightly, and takes its time with all but the first 20 that it is asked again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._again: set[str] = set()

    def __call__(self, body: Any, number: int) -> Reply:
        text = prompt_of(body)
        if text in self._seen and len(self._again) < 20:
            self._again.add(text)
        late = text in self._seen and text not in self._again
        self._seen.add(text)
        return replace(right(body, number), delay=3.0 if late else 0.0)


def run_of(bench: Bench, n: int, good: Any, extra: str = AUTO) -> Path:
    study = bench.study(n, extra, good=good, bad=right)
    done = bench.run(study)
    assert done.exit_code == 0, done.output
    return study


def test_the_baseline_is_asked_a_tenth_again_but_no_more_where_its_texts_come_again(bench: Bench) -> None:
    run_of(bench, 300, Slower())

    again = len(bench.asked("good")) - 300
    assert 20 <= again < 30
    assert len(bench.asked("bad")) == 300
    (twice,) = bench.report()["asked_twice"]
    assert (twice["questions"], twice["texts"], twice["outcomes"]) == (again, 0, 0)
    assert "good gave all texts again to the letter." in bench.report()["comparisons"][0]["sentence"]


@pytest.mark.parametrize(
    ("to_the_letter", "outcomes", "words"),
    [
        pytest.param(False, 1, "gave another text on 1 and another outcome on 1", id="another-answer"),
        pytest.param(True, 0, "gave another text on 1 and another outcome on none", id="other-words"),
    ],
)
def test_all_are_asked_where_one_of_the_first_texts_is_another(
    bench: Bench, outcomes: int, words: str, *, to_the_letter: bool
) -> None:
    run_of(bench, 300, Moody(1, to_the_letter=to_the_letter))

    assert len(bench.asked("good")) == 330
    (twice,) = bench.report()["asked_twice"]
    assert (twice["questions"], twice["texts"], twice["outcomes"]) == (30, 1, outcomes)
    folder = bench.folder / "runs" / "s"
    for form in ("md", "html"):
        assert words in (folder / f"report.{form}").read_text()


def test_a_run_that_goes_on_finds_that_no_more_is_wanted(bench: Bench) -> None:
    study = run_of(bench, 300, right)
    before = len(bench.asked("good"))

    done = bench.run(study)

    assert done.exit_code == 0
    assert len(bench.asked("good")) == before
    assert "every question was answered before" in done.output or "no question" in done.output


@pytest.mark.parametrize("kept", [0, 13, 20, 22])
def test_it_ends_alike_wherever_it_was_interrupted(bench: Bench, kept: int) -> None:
    study = run_of(bench, 300, Slower())
    journal = bench.folder / "runs" / "s" / "records" / "good.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    again = [line for line in lines if json.loads(line)["key"]["repeat"]]
    journal.write_text("".join([*(line for line in lines if line not in again), *again[:kept]]))
    before = len(bench.asked("good"))

    bench.run(study)

    asked = len(bench.asked("good")) - before
    left = max(0, 20 - kept)
    assert left <= asked < 30 - kept if left else asked == 0


def test_what_was_never_asked_the_first_time_is_not_asked_again(bench: Bench) -> None:
    """A comparison that ends early leaves questions out, also of those that would be asked twice."""
    study = bench.study(300, "decide: {mode: sequential, noise_floor: 200}\n", good=right, bad=wrong)

    bench.run(study)

    texts = bench.asked("good")
    twice = [text for text, times in itertools.groupby(sorted(texts)) if len(list(times)) == 2]
    assert len(texts) == 2 * len(twice) < 400
    before = len(texts)
    bench.run(study)
    assert len(bench.asked("good")) == before


def test_runs_that_are_compared_show_it_too(bench: Bench) -> None:
    run_of(bench, 30, Moody(2))

    (comparison,) = compare_json(bench.folder / "runs" / "s")["comparisons"]

    assert comparison["asked_twice"] == bench.report()["comparisons"][0]["asked_twice"]
    assert comparison["asked_twice"]["texts"] == 2
