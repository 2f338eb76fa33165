"""Bare counts: how they are read, what is said of them, and the study that whichquant began with."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from evaluator.commands.compare import compare_counts
from evaluator.counts.analyse import analyse_counts
from evaluator.counts.file import Count, Counts, read_counts
from evaluator.counts.report import CountsReport
from evaluator.errors import StudyError

ORIGINAL = """\
study: original
benchmarks:
  mmlu_pro: {margin: 5, counts: {4bit: 28/50, 6bit: 29/50, qat-8bit: 26/50}}
  humaneval: {margin: 5, counts: {4bit: 90/100, 6bit: 98/100, qat-8bit: 90/100}}
"""
EXAMPLE = Path(__file__).parents[2] / "runs" / "gemma4-qat-counts"
HOSTILE = "x<script>alert(1)</script>|\x1b[31m`*_"


def said(text: str, **told: Any) -> CountsReport:
    return analyse_counts(read_counts(text, **told)[0])


def shown(source: str, *, as_json: bool = False, write_to: Path | None = None, width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    code = compare_counts(
        source, baseline=None, margins={}, alpha=None, as_json=as_json, write_to=write_to, console=console
    )
    assert code == 0
    return out.getvalue()


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("humaneval: {4bit: 90/100, 6bit: 98/100}", id="short"),
        pytest.param("{humaneval: {4bit: 90/100, 6bit: 98/100}}", id="on one line"),
        pytest.param("humaneval: {4bit: [90, 100], 6bit: [98, 100]}", id="as lists"),
        pytest.param("humaneval: {4bit: {correct: 90, total: 100}, 6bit: ' 98 / 100 '}", id="as keys"),
        pytest.param("benchmarks: {humaneval: {4bit: 90/100, 6bit: 98/100}}", id="below benchmarks"),
        pytest.param("benchmarks: {humaneval: {counts: {4bit: 90/100, 6bit: 98/100}}}", id="long, without a margin"),
        pytest.param("humaneval: {margin: 6, counts: {4bit: 90/100, 6bit: 98/100}}", id="long, at the top"),
    ],
)
def test_all_forms_say_the_same(text: str) -> None:
    counts, kept = read_counts(text)

    assert kept == text
    assert (counts.study, counts.baseline, counts.note, counts.alpha) == ("counts", None, "", 0.05)
    (benchmark,) = counts.benchmarks
    assert (benchmark.name, benchmark.margin) == ("humaneval", 6)
    assert benchmark.counts == {"4bit": Count(90, 100), "6bit": Count(98, 100)}


def test_a_file_is_read_and_its_own_name_is_the_studys(tmp_path: Path) -> None:
    path = tmp_path / "evening.yaml"
    path.write_text("baseline: b\nnote: hello\nalpha: 0.1\nmmlu_pro: {a: 1/2, b: 2/3}\n")

    counts, _ = read_counts(str(path))

    assert (counts.study, counts.baseline, counts.note, counts.alpha) == ("evening", "b", "hello", 0.1)
    assert counts.benchmarks[0].margin == 2


def test_the_command_line_goes_before_the_file() -> None:
    text = "baseline: a\nalpha: 0.1\nours: {margin: 3, counts: {a: 1/2, b: 1/2}}\nhumaneval: {a: 1/2, b: 1/2}"

    counts, _ = read_counts(text, baseline="b", margins={"": 7, "humaneval": 9}, alpha=0.01)

    assert (counts.baseline, counts.alpha) == ("b", 0.01)
    assert [benchmark.margin for benchmark in counts.benchmarks] == [7, 9]


TWO = "humaneval: {a: 1/2, b: 1/2}"
WRONG = [
    pytest.param("nowhere.yaml", "nowhere.yaml: cannot be read", id="no such file"),
    pytest.param("x" * 5000, "File name too long", id="no path at all"),
    pytest.param("study: s\nhumaneval: {a: 1/2}", "--counts:2: humaneval: a comparison needs", id="one variant"),
    pytest.param("humaneval:\n  a: 1/2\n  b: 3/2", "--counts:3: humaneval.b: '3/2' is no count", id="more than asked"),
    pytest.param("humaneval: {a: 0/0, b: 1/2}", "humaneval.a: '0/0' is no count", id="none asked"),
    pytest.param("humaneval: {a: 1, b: 1/2}", "write 90/100, [90, 100] or", id="no total"),
    pytest.param("humaneval: {a: yes, b: 1/2}", "humaneval.a: True is no count", id="yes"),
    pytest.param(f"humaneval: {{a: {'9' * 5000}/1, b: 1/2}}", "is no count", id="endless digits"),
    pytest.param("humaneval: {a: 1/200000, b: 1/2}", "at most 100,000 questions", id="too many"),
    pytest.param("ours: {a: 1/2, b: 1/2}", "--counts:1: ours: no margin is given", id="unknown benchmark"),
    pytest.param(f"baselin: a\n{TWO}", "--counts:1: baselin: unknown key: did you mean baseline?", id="slip"),
    pytest.param(f"{TWO}\nbaseline: c", 'the baseline "c" has no count here: name one of a, b', id="no baseline"),
    pytest.param(f"alpha: 3\n{TWO}", "--counts:1: alpha: expected a number < 0.5, not 3", id="alpha"),
    pytest.param(f"alpha: .nan\n{TWO}", "alpha: expected", id="alpha is no number"),
    pytest.param("humaneval: {margin: -3, counts: {a: 1/2, b: 1/2}}", "humaneval.margin: a margin is", id="margin"),
    pytest.param("humaneval: {margin: 3, a: 1/2, b: 1/2}", "a margin stands beside counts", id="margin in the way"),
    pytest.param("humaneval: {coun: 1, counts: {a: 1/2, b: 1/2}}", "known here are margin, counts", id="unknown"),
    pytest.param("humaneval: {4: 1/2, b: 1/2}", "put 4 in quotes", id="name of a variant is a number"),
    pytest.param("4: {a: 1/2, b: 1/2}", "put 4 in quotes", id="name of a benchmark is a number"),
    pytest.param("humaneval: {a: 1/2, a: 1/2}", "--counts:1: humaneval.a: written twice", id="twice"),
    pytest.param(f"{TWO}\nbenchmarks: {{{TWO}}}", "written under benchmarks, too", id="benchmark twice"),
    pytest.param("humaneval: {a: 1/2", "--counts:1: not valid YAML", id="no YAML"),
    pytest.param("- a: 1/2", "--counts:1: not counts", id="a list"),
    pytest.param("study: s\nnote: n", "benchmarks: missing", id="no counts"),
    pytest.param("benchmarks: 3", "benchmarks: expected benchmarks with counts, not 3", id="a number for benchmarks"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_each_mistake_is_one_sentence_with_its_line_and_key(text: str, told: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_counts(text)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        pytest.param({"margins": {"ours": 3.0}}, "there is no ours", id="margin for nothing"),
        pytest.param({"margins": {"": 0.0}}, "a margin is a number of points", id="margin of nothing"),
        pytest.param({"alpha": 0.7}, "alpha: it must lie between 0 and 0.5", id="alpha"),
        pytest.param({"baseline": "c"}, 'the baseline "c" has no count here', id="baseline"),
    ],
)
def test_mistakes_on_the_command_line(told: Mapping[str, Any], why: str) -> None:
    with pytest.raises(StudyError, match=why):
        read_counts(TWO, **told)


def test_of_the_original_study_nothing_can_be_told() -> None:
    """statistics.md, part 3: cannot tell 6 of 6, Holm rejects none, no equivalence within 5 points."""
    report = said(ORIGINAL)

    assert report.family == 6
    assert {c.verdict for c in report.comparisons} == {"cannot tell"}
    assert report.remarks[0] == "Verdicts: 6 of 6 cannot tell."
    lost = '"qat-8bit is worse than 6bit on HumanEval" does not survive the 6 comparisons made: p = 0.025 taken alone,'
    assert f"{lost} corrected p = 0.149. And whatever holds against qat-8bit holds against 4bit: the same count." in (
        report.remarks
    )
    same = "4bit and qat-8bit have the same count on HumanEval, 90 of 100: what is said of one against 6bit holds for"
    assert report.remarks[-1] == f"{same} the other."


@pytest.mark.parametrize(
    ("test", "p", "p_holm"),
    [
        pytest.param("z", 0.017221, 0.103323, id="z"),
        pytest.param("chi_squared", 0.017221, 0.103323, id="chi-squared"),
        pytest.param("yates", 0.037140, 0.222841, id="Yates"),
        pytest.param("fisher", 0.033040, 0.198241, id="Fisher"),
        pytest.param("boschloo", 0.024810, 0.148860, id="Boschloo"),
    ],
)
def test_p_values_over_the_six_comparisons(test: str, p: float, p_holm: float) -> None:
    """statistics.md, part 1."""
    report = said(ORIGINAL)

    for comparison in (report.comparisons[3], report.comparisons[5]):
        assert comparison.benchmark == "humaneval"
        assert comparison.tests[test].p == pytest.approx(p, abs=1e-6)
        assert comparison.tests[test].p_holm == pytest.approx(p_holm, abs=2e-6)


def test_the_best_and_the_worst_case_of_pairing_are_corrected_too() -> None:
    """statistics.md, part 1: exact p .0078 to .0386, Holm over six .0469 to .2315."""
    report = said(ORIGINAL)
    paired = report.comparisons[3].paired

    assert paired is not None
    assert (paired.range.exact_low, paired.range.exact_high) == pytest.approx((0.007812, 0.038574), abs=1e-6)
    assert (paired.exact_low_holm, paired.exact_high_holm) == pytest.approx((0.04688, 0.23145), abs=1e-5)
    assert report.pairings[3] == (
        "If both got the same 100 questions, they disagreed on 8 to 12 of them, and McNemar's mid-p is 0.004 to 0.022"
        " (corrected 0.023 to 0.135): whether the difference stands depends on which questions each solved, and that is"
        " lost."
    )
    assert report.pairings[2].endswith("no paired table with these counts shows a difference.")


SENTENCES = [
    pytest.param(
        "humaneval: {4bit: 90/100, 6bit: 98/100}",
        "worse, size uncertain",
        "4bit is worse than 6bit on HumanEval; whether by more than 6 points is uncertain: 8.0 points lower"
        " (95 % interval 1.6 to 15.7; 90 of 100 against 98 of 100; p = 0.025).",
        id="alone, it would have been told",
    ),
    pytest.param(
        "humaneval: {margin: 5, counts: {a: 500/1000, b: 400/1000}}",
        "clearly better",
        "a is clearly better than b on HumanEval: 10.0 points higher"
        " (95 % interval 5.6 to 14.3; 500 of 1,000 against 400 of 1,000; p < 0.001).",
        id="clearly better",
    ),
    pytest.param(
        "mmlu_pro: {margin: 9, counts: {a: 8000/12032, b: 8300/12032}}",
        "worse by less than the margin",
        "a is worse than b on MMLU-Pro, but by less than 9 points: 2.5 points lower"
        " (95 % interval 1.3 to 3.7; 8,000 of 12,032 against 8,300 of 12,032; p < 0.001).",
        id="worse by less",
    ),
    pytest.param(
        "ours: {margin: 5, counts: {a: 1500/2000, b: 1500/2000}}",
        "equivalent",
        "a and b are equivalent within 5 points on ours: both scored the same"
        " (90 % interval 2.3 lower to 2.3 higher, for equivalence; 1,500 of 2,000 against 1,500 of 2,000;"
        " p < 0.001 against a larger difference).",
        id="equivalent",
    ),
    pytest.param(
        "humaneval: {4bit: 90/100, 6bit: 91/100}",
        "cannot tell",
        "Cannot tell whether 4bit and 6bit differ on HumanEval: 4bit scored 1.0 points lower"
        " (95 % interval 9.7 lower to 7.6 higher; 90 of 100 against 91 of 100; p = 0.944).",
        id="cannot tell",
    ),
]


@pytest.mark.parametrize(("text", "verdict", "sentence"), SENTENCES)
def test_sentences(text: str, verdict: str, sentence: str) -> None:
    report = said(text)

    assert report.comparisons[0].verdict == verdict
    assert report.sentences[0].startswith(sentence)


def test_it_says_how_many_questions_would_tell() -> None:
    report = said(ORIGINAL)

    assert (
        "From counts alone about 540 questions to each would tell, with the same questions and the answers kept as few"
        " as 380, if they seldom disagree; HumanEval has 164." in report.sentences[3]
    )
    assert (
        "After allowing for the 6 comparisons made, this is not firm evidence (corrected p = 0.149)."
        in (report.sentences[3])
    )


def test_equivalence_that_the_other_comparisons_take_away_is_said_to_be() -> None:
    names = ", ".join(f"v{i}: {60 + 30 * (i % 2)}/164" for i in range(4))
    report = said(f"humaneval: {{{names}}}\nours: {{margin: 4, counts: {{a: 820/1000, b: 815/1000}}}}")

    assert report.family == 7
    assert (
        "corrected p = 1.000). Taken alone they would count as equivalent within 4 points (p = 0.022); after allowing"
        " for the 7 comparisons made, they do not (corrected p = 0.151)." in report.sentences[-1]
    )


def test_with_a_baseline_the_family_is_smaller() -> None:
    report = said(ORIGINAL, baseline="6bit")

    assert report.family == 4
    assert {c.baseline for c in report.comparisons} == {"6bit"}
    assert report.comparisons[2].p_holm == pytest.approx(4 * 0.024810, abs=1e-5)


def test_without_equally_many_questions_nothing_is_paired() -> None:
    report = said("humaneval: {a: 90/100, b: 98/110}")

    assert report.comparisons[0].paired is None
    assert report.pairings == ("",)


def test_omnibus_of_three_or_more() -> None:
    """statistics.md, part 1."""
    mmlu_pro, humaneval = said(ORIGINAL).omnibus

    assert (humaneval.chi_squared.statistic, humaneval.degrees) == pytest.approx((6.2786, 2), abs=1e-4)
    assert humaneval.exact == pytest.approx(0.033909, abs=1e-6)
    assert mmlu_pro.exact == pytest.approx(0.87632, abs=1e-5)
    assert said(TWO).omnibus == ()


def test_the_smallest_counts_are_no_trouble() -> None:
    for a in ("0/1", "1/1"):
        for b in ("0/1", "1/1", "0/3"):
            assert said(f"humaneval: {{a: {a}, b: {b}}}").comparisons[0].verdict == "cannot tell"


def test_the_terminal_shows_verdicts_tests_and_what_is_lost() -> None:
    text = joined(shown(ORIGINAL))

    for part in ("Cannot tell whether 4bit and 6bit", "0.017", "0.103", "0.149", "Boschloo", "Verdicts: 6 of 6"):
        assert part in text
    assert "Counts are weaker than answers." in text
    assert "The z test and chi-squared are one test" in text
    assert "chosen beforehand because it is exact" in text
    assert max(map(len, shown(ORIGINAL).splitlines())) <= 80


def test_json_is_the_whole_report_and_nothing_else() -> None:
    report = json.loads(shown(ORIGINAL, as_json=True, width=20))

    assert report["family"] == 6
    assert report["comparisons"][3]["tests"]["boschloo"]["p"] == pytest.approx(0.024810, abs=1e-6)
    assert msgspec.convert(report, CountsReport, strict=False).study == "original"


def test_files_are_written_and_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    shown(ORIGINAL, write_to=folder)

    assert sorted(path.name for path in folder.iterdir()) == ["counts.yaml", "report.html", "report.json", "report.md"]
    assert (folder / "counts.yaml").read_text() == ORIGINAL
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    assert "Cannot tell whether 4bit and 6bit differ on HumanEval" in page
    assert "Cannot tell whether 4bit and 6bit differ on HumanEval" in text
    assert "\u22122.38: 0.017, 0.103" in text
    assert "<script" not in page


def test_a_folder_that_cannot_be_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StudyError, match="is no folder to write to"):
        shown(TWO, write_to=tmp_path / "file" / "below")


def test_names_cannot_become_markup_or_commands(tmp_path: Path) -> None:
    name = json.dumps(HOSTILE)
    text = f"study: {name}\nnote: {name}\nbenchmarks: {{{name}: {{margin: 5, counts: {{{name}: 1/2, b: 2/2}}}}}}"

    terminal = shown(text, write_to=tmp_path)
    as_json = shown(text, as_json=True)
    page, markdown = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in terminal + as_json + page + markdown
    assert "\\<script\\>" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| x")]
    assert rows
    assert all(line.replace("\\|", "").count("|") in (5, 6, 7, 9) for line in rows)


def test_eight_variants_of_all_of_mmlu_pro() -> None:
    counts = ", ".join(f"v{i}: {9000 - 60 * i}/12032" for i in range(8))

    report = said(f"mmlu_pro: {{{counts}}}", baseline="v0")

    assert len(report.comparisons) == 7
    assert report.omnibus[0].exact is None
    assert report.comparisons[-1].verdict == "worse, size uncertain"


def test_the_committed_example_is_what_whichquant_says_today() -> None:
    if not EXAMPLE.exists():
        pytest.skip("runs/ is not part of this copy")
    counts: Counts = read_counts(str(EXAMPLE / "counts.yaml"))[0]
    kept = json.loads((EXAMPLE / "report.json").read_text())
    today = json.loads(msgspec.json.encode(analyse_counts(counts)))

    for changing in ("written", "whichquant", "comparisons", "scores", "omnibus"):
        kept.pop(changing)
        today.pop(changing)
    assert kept == today
