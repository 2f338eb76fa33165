"""What events add up to: who is asked, how long it will take, what went wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.events import Analysing, Begun, Checked, Checking, Graded, Planned, Settled, Status, Unfinished
from evaluator.records import Answer, Grade, Key, Record
from evaluator.report.tally import Tally
from evaluator.report.time_left import Pace, seconds_left
from evaluator.store.live import Live, VariantProgress
from evaluator.study.file import load_study
from tests.report.test_progress import Clock

MMLU = tuple(Key("mmlu_pro", str(i)) for i in range(10))
CODE = tuple(Key("humaneval", str(i)) for i in range(10))
BOTH = dict.fromkeys(("q8", "q4", "q2"), MMLU + CODE)


def begun(folder: Path, extra: str = "") -> Begun:
    variants = ", ".join(f"{{name: {name}, base_url: 'http://127.0.0.1:9/v1', model: m}}" for name in BOTH)
    path = folder / "s.yaml"
    asked = "benchmarks: {mmlu_pro: {questions: 10}, humaneval: {questions: 10}}"
    path.write_text(f"study: s\nbaseline: q8\nvariants: [{variants}]\n{asked}\n{extra}")
    return Begun(load_study(path).study)


def answered(variant: str, key: Key, seconds: float = 4.0) -> Graded:
    record = Record(
        key=key,
        variant=variant,
        started="",
        request={},
        answer=Answer(text="", duration_s=seconds, completion_tokens=20),
    )
    return Graded(record, Grade(key=key, variant=variant, outcome="correct", extracted=None, why=""))


class Asked:
    """A tally and the clock that it is fed by."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.clock = Clock()
        self.tally = Tally(self.clock)
        self.tally.add(begun(folder, extra))
        self.tally.add(Planned(BOTH, BOTH))

    def ask(self, variant: str, keys: tuple[Key, ...], seconds: float, together: int = 1) -> None:
        """Answer questions, so many at once, each of them taking so long."""
        self.tally.add(Status(variant, "llama.cpp"))
        for at, key in enumerate(keys):
            if at % together == 0:
                self.clock.now += seconds
            self.tally.add(answered(variant, key, seconds))

    def look(self) -> Live:
        return self.tally.look()

    def of(self, variant: str) -> VariantProgress:
        return next(each for each in self.look().variants if each.variant == variant)


def test_the_time_left_of_all_is_the_sum_where_servers_come_one_after_the_other(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.ask("q8", MMLU, 4.0)
    asked.ask("q8", CODE[:5], 8.0)

    assert asked.of("q8").left_s == pytest.approx(5 * 8)
    assert asked.of("q4").left_s == pytest.approx(10 * 4 + 10 * 8), "not begun: as the first"
    assert asked.look().left_s == pytest.approx(40 + 120 + 120)
    assert not asked.look().at_most


def test_a_benchmark_that_is_to_come_is_estimated_from_the_variant_that_had_it(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.ask("q8", MMLU, 4.0)
    asked.ask("q8", CODE, 8.0)
    asked.ask("q4", MMLU, 2.0)

    assert asked.of("q8").left_s == 0
    assert asked.of("q4").left_s == pytest.approx(10 * 8 / 2), "twice as fast as q8 so far"


def test_in_parallel_the_longest_decides(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "parallel: true\n")
    asked.ask("q8", MMLU[:5], 4.0)
    asked.ask("q4", MMLU[:5], 2.0)
    left = [each.left_s for each in asked.look().variants]

    assert asked.look().left_s == max(seconds for seconds in left if seconds is not None)


def test_questions_in_flight_together_take_their_share(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.ask("q8", MMLU, 4.0, together=5)

    assert asked.of("q8").left_s == pytest.approx(10 * 4 / 5)
    assert asked.of("q8").tokens_per_second == pytest.approx(200 / 8)


def test_turns_of_other_variants_and_starts_of_the_server_do_not_count_as_its_time(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "decide: {mode: sequential}\n")
    asked.ask("q8", MMLU[:5], 4.0)
    asked.ask("q4", MMLU[:5], 4.0)
    asked.clock.now += 500  # q8's server starts
    asked.ask("q8", MMLU[5:], 4.0)

    assert asked.of("q8").tokens_per_second == pytest.approx(200 / 40)
    assert asked.of("q4").phase == "waiting"
    assert asked.of("q8").phase == "asking"
    assert asked.look().at_most


def test_what_a_sequential_design_needs_no_more_is_not_waited_for(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "decide: {mode: sequential}\n")
    asked.ask("q8", MMLU[:5], 4.0)
    for name in ("q8", "q4"):
        asked.tally.add(Settled(name, "mmlu_pro"))
    before = asked.of("q8").phase
    asked.tally.add(Settled("q8", "humaneval"))

    assert before == "asking"
    assert asked.of("q8").phase == "done"
    assert asked.of("q8").asked == 5
    assert asked.of("q4").left_s == pytest.approx(10 * 4)


def test_a_settled_benchmark_keeps_what_the_baseline_is_asked_twice(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "decide: {mode: sequential, noise_floor: 3}\n")
    again = tuple(Key("mmlu_pro", str(i), 1) for i in range(3))
    asked.tally.add(Planned({"q8": again}, {"q8": (*MMLU, *CODE, *again)}))
    for benchmark in ("mmlu_pro", "humaneval"):
        asked.tally.add(Settled("q8", benchmark))
    asked.ask("q8", again[:2], 4.0)

    assert asked.of("q8").left_s == pytest.approx(4)


def test_what_is_asked_twice_ends_alone_where_its_texts_came_again(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    again = tuple(Key("mmlu_pro", str(i), 1) for i in range(5))
    asked.tally.add(Planned({"q8": again}, {"q8": (*MMLU, *CODE, *again)}))
    asked.ask("q8", (*MMLU, *again[:2]), 4.0)
    asked.tally.add(Settled("q8", "mmlu_pro", again=True))
    asked.ask("q8", (again[2],), 4.0)  # it was in flight

    (part,) = (part for part in asked.of("q8").benchmarks if part.benchmark == "mmlu_pro")
    assert (part.asked, part.planned) == (13, 13)
    assert asked.of("q8").left_s == pytest.approx(4 * 10)


def test_only_what_is_wanted_is_waited_for(tmp_path: Path) -> None:
    """As with --more-tokens, which asks a few questions again and no other."""
    clock = Clock()
    tally = Tally(clock)
    tally.add(begun(tmp_path))
    tally.add(Planned(BOTH, {"q8": MMLU[:2]}))
    for key in MMLU[2:]:
        tally.add(Graded(answered("q8", key).record, answered("q8", key).grade, earlier=True))
    first = tally.look()
    clock.now += 4
    tally.add(answered("q8", MMLU[0]))

    assert [each.phase for each in first.variants] == ["waiting", "done", "done"]
    assert first.left_s is None
    assert tally.look().left_s == pytest.approx(4)
    assert tally.look().variants[0].asked == 9


def test_a_variant_that_is_given_up_takes_no_more_time(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.ask("q8", MMLU, 4.0)
    asked.tally.add(Status("q8", "the server died", trouble="lost"))
    asked.tally.add(Unfinished("q4", "no such file\nlog"))

    live = asked.look()
    assert [each.phase for each in live.variants] == ["lost", "lost", "waiting"]
    assert live.left_s == pytest.approx(20 * 4)
    assert live.incident is not None
    assert live.incident.text == "the server died"
    assert asked.of("q4").server == "no such file"


@pytest.mark.parametrize("jump", [-1000.0, 0.0])
def test_a_clock_that_jumps_back_gives_no_negative_figures(tmp_path: Path, jump: float) -> None:
    asked = Asked(tmp_path)
    asked.ask("q8", MMLU[:5], 4.0)
    asked.tally.add(Status("q8", "asked to wait", 10.0, trouble="busy"))
    asked.clock.now += jump
    asked.ask("q8", MMLU[5:], 4.0)

    for each in asked.look().variants:
        assert each.left_s is None or each.left_s >= 0
        assert each.tokens_per_second is None or each.tokens_per_second > 0
    incident = asked.look().incident
    assert incident is not None
    assert incident.ago_s >= 0


def test_the_phases_follow_each_other(tmp_path: Path) -> None:
    clock, seen = Clock(), []
    tally = Tally(clock)
    for event in (
        begun(tmp_path),
        Checking("q8", "starting its server"),
        Checked(()),
        Planned(BOTH, BOTH),
        Analysing(),
    ):
        tally.add(event)
        seen.append(tally.look().phase)

    assert seen == ["starting", "checking", "starting", "asking", "writing"]


@pytest.mark.parametrize(
    ("left", "each", "expected"),
    [
        pytest.param({"a": {"x": 3}}, {"a": {"x": 2.0}}, {"a": 6.0}, id="measured"),
        pytest.param({"a": {"x": 3}}, {}, {"a": None}, id="nothing-measured"),
        pytest.param({"a": {}}, {}, {"a": 0}, id="nothing-left"),
        pytest.param({"a": {"y": 3}}, {"a": {"x": 2.0}}, {"a": 6.0}, id="nobody-was-there"),
        pytest.param({"b": {"y": 1}}, {"a": {"x": 1.0, "y": 4.0}, "b": {"x": 2.0}}, {"b": 8.0}, id="in-proportion"),
        pytest.param({"c": {"z": 1}}, {"a": {"x": 1.0}, "b": {"x": 3.0}}, {"c": 2.0}, id="the-mean-of-others"),
    ],
)
def test_what_is_not_measured_is_estimated_from_what_is(
    left: Mapping[str, Mapping[str, int]],
    each: Mapping[str, Mapping[str, float]],
    expected: Mapping[str, float | None],
) -> None:
    assert seconds_left(left, each) == expected


def test_failures_alone_show_how_long_they_take() -> None:
    pace = Pace()
    pace.add("gsm8k", 10.0, seconds=0.0, tokens=0)
    pace.add("gsm8k", 14.0, seconds=0.0, tokens=0)

    assert pace.seconds_each(14.0) == {"gsm8k": 2.0}
    assert pace.tokens_per_second(14.0) is None
