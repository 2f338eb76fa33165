"""Raw records survive: kills, torn lines, full disks, other studies."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.records import Answer, Failure, Key, Record
from evaluator.store import journal
from evaluator.store.folder import open_for_writing, read_plan
from evaluator.study.file import parse


def record(question: str, text: str | None = "hi", repeat: int = 0) -> Record:
    return Record(
        key=Key("humaneval", question, repeat),
        variant="q4",
        started="2026-01-01T00:00:00.000+00:00",
        request={"model": "m", "messages": [{"role": "user", "content": "é\n\u2028"}]},
        answer=None if text is None else Answer(text=text, duration_s=1.5),
        failure=Failure(kind="timeout", message="slow") if text is None else None,
    )


def test_what_was_appended_is_read_again_in_order(tmp_path: Path) -> None:
    path = tmp_path / "records" / "q4.jsonl"
    records = [record("a", "one\u2028two\r\n"), record("b"), record("a", repeat=1)]

    with journal.Journal(path) as book:
        book.append(records[:1])
        book.append(records[1:])

    assert list(journal.read(path).values()) == records


def test_a_record_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a")])

        assert list(journal.read(path)) == [Key("humaneval", "a", 0)]


@pytest.mark.parametrize("cut", [1, 10, 100, 300])
def test_a_torn_last_line_is_no_record_and_is_cut_before_the_next(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a"), record("b")])
    path.write_bytes(path.read_bytes()[:-cut])

    before = list(journal.read(path))
    with journal.Journal(path) as book:
        book.append([record("c")])

    assert [key.question_id for key in before] == ["a"]
    assert [key.question_id for key in journal.read(path)] == ["a", "c"]


def test_the_last_record_of_a_question_counts(tmp_path: Path) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a", None), record("b"), record("a", "healed")])

    records = journal.read(path)

    assert [key.question_id for key in records] == ["a", "b"]
    answer = records[Key("humaneval", "a")].answer
    assert answer is not None
    assert answer.text == "healed"


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a"), record("b")])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"key": 5}\n' + lines[1])

    with pytest.raises(StudyError, match=re.escape(f"{path}:2: not a record")):
        journal.read(path)


def test_a_full_disk_leaves_whole_records_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a")])

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            book.append([record("b")])

    assert [key.question_id for key in journal.read(path)] == ["a"]
    assert path.read_bytes().endswith(b"\n")


STUDY = """\
study: s
baseline: a
variants:
  - {name: a, model: m, base_url: "http://localhost:1/v1"}
  - {name: b, model: n, base_url: "http://localhost:2/v1"}
benchmarks: {humaneval: {questions: 10}}
sampling: {temperature: 0, max_tokens: 512}
"""


def enter(folder: Path, text: str, answered: str = "ab") -> None:
    """Go into a run's folder as `whichquant run` does; the named variants answer a question."""
    with open_for_writing(parse(text, "s.yaml"), text, folder):
        for variant in answered:
            with journal.Journal(folder / "records" / f"{variant}.jsonl") as book:
                book.append([record("a")])


def test_the_plan_is_on_disk_before_the_first_question(tmp_path: Path) -> None:
    with open_for_writing(parse(STUDY, "s.yaml"), STUDY, tmp_path / "s"):
        plan = read_plan(tmp_path / "s")

    assert plan.study == parse(STUDY, "s.yaml")
    assert (tmp_path / "s" / "study.yaml").read_text() == STUDY
    assert set(plan.data_sha256) == {"humaneval"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("temperature: 0", "temperature: 1", "sampling.temperature was 0.0, now 1.0", id="sampling"),
        pytest.param("max_tokens: 512", "max_tokens: 64", "sampling.max_tokens was 512, now 64", id="limit"),
        pytest.param("model: n", "model: x", 'variants[b].model was "n", now "x"', id="model"),
        pytest.param(
            "model: n,", "model: n, thinking: true,", "variants[b].thinking was null, now true", id="thinking"
        ),
        pytest.param(
            "{questions: 10}", "{format: completion}", 'humaneval.format was "chat", now "completion"', id="format"
        ),
        pytest.param("sampling:", "seed: 1\nsampling:", "seed was 42, now 1", id="seed"),
    ],
)
def test_a_study_that_asks_differently_is_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    enter(tmp_path / "s", STUDY)
    kept = (tmp_path / "s" / "plan.json").read_bytes()

    with pytest.raises(StudyError, match=re.escape(said)):
        enter(tmp_path / "s", STUDY.replace(old, new))

    assert (tmp_path / "s" / "plan.json").read_bytes() == kept


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("questions: 10", "questions: 20", id="more-questions"),
        pytest.param("{questions: 10}", "{questions: 10, margin: 3}", id="margin"),
        pytest.param("baseline: a", "baseline: b", id="baseline"),
        pytest.param("sampling:", "decide: {alpha: 0.01}\nsampling:", id="alpha"),
        pytest.param("sampling:", "concurrency: 1\nsampling:", id="concurrency"),
        pytest.param("benchmarks: {", "benchmarks: {mmlu_pro: {}, ", id="another-benchmark"),
        pytest.param(
            "benchmarks:", '  - {name: c, model: o, base_url: "http://h/v1"}\nbenchmarks:', id="another-variant"
        ),
    ],
)
def test_a_study_that_asks_more_or_judges_differently_goes_on(tmp_path: Path, old: str, new: str) -> None:
    enter(tmp_path / "s", STUDY)
    changed = STUDY.replace(old, new)
    assert changed != STUDY

    enter(tmp_path / "s", changed)

    assert read_plan(tmp_path / "s").study == parse(changed, "s.yaml")


def test_a_variant_that_never_answered_may_change(tmp_path: Path) -> None:
    enter(tmp_path / "s", STUDY, answered="a")

    enter(tmp_path / "s", STUDY.replace("model: n", "model: x"))

    assert read_plan(tmp_path / "s").study.variants[1].model == "x"


@pytest.mark.parametrize(
    ("away", "back", "said"),
    [
        pytest.param(
            ('  - {name: b, model: n, base_url: "http://localhost:2/v1"}\n', ""),
            ("model: n", "model: other"),
            'variants[b].model was "n", now "other"',
            id="variant",
        ),
        pytest.param(
            ("{humaneval: {questions: 10}}", "{mmlu_pro: {questions: 10}}"),
            ("{questions: 10}", "{format: completion}"),
            'humaneval.format was "chat", now "completion"',
            id="benchmark",
        ),
    ],
)
def test_what_was_taken_away_does_not_come_back_as_something_else(
    tmp_path: Path, away: tuple[str, str], back: tuple[str, str], said: str
) -> None:
    enter(tmp_path / "s", STUDY)
    enter(tmp_path / "s", STUDY.replace(*away), answered="")

    with pytest.raises(StudyError, match=re.escape(said)):
        enter(tmp_path / "s", STUDY.replace(*back))


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with (
        open_for_writing(parse(STUDY, "s.yaml"), STUDY, tmp_path / "s"),
        pytest.raises(StudyError, match="another whichquant is writing here"),
    ):
        enter(tmp_path / "s", STUDY)


@pytest.mark.parametrize(
    ("content", "said"),
    [pytest.param(None, "no run lies here", id="none"), pytest.param(b"{}", "not what whichquant wrote", id="damaged")],
)
def test_a_folder_that_holds_no_run_says_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_bytes(content)

    with pytest.raises(StudyError, match=said):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lines: lines[1:], id="first-line-removed"),
        pytest.param(lambda lines: lines[:1], id="last-line-removed"),
        pytest.param(lambda lines: lines[::-1], id="lines-in-another-order"),
        pytest.param(lambda lines: [line.upper() for line in lines], id="other-text"),
        pytest.param(lambda _: [], id="emptied"),
    ],
)
def test_a_file_that_somebody_changes_meanwhile_is_no_other_questions_answer(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = tmp_path / "q4.jsonl"
    with journal.Journal(path) as book:
        book.append([record("a"), record("b")])
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

        with pytest.raises(StudyError, match=r"q4\.jsonl: somebody changed it"):
            list(book.records(book.places))
