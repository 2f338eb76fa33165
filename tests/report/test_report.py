"""The three forms of a report: what each says, and what it leaves out."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.report import phrases
from servers.fake import FakeServer, Reply, Script
from tests.support.scripted import Bench, mostly, prompt_of, right

pytestmark = pytest.mark.usefixtures("hasty")
FURNITURE = ("verdict", "baseline", "margin", "answered differently", "difference", "Holm", "equivalen", "Bars")


def made(bench: Bench, n: int = 40, extra: str = "", **scripts: Script) -> dict[str, str]:
    """Run a study; give the terminal's output and what was written."""
    result = bench.run(bench.study(n, extra, **scripts))
    assert result.exit_code == 0, result.output
    folder = bench.folder / "runs" / "s"
    texts = {"md": (folder / "report.md").read_text(), "html": (folder / "report.html").read_text()}
    return {**texts, "terminal": result.output}


def plain(text: str) -> str:
    """Take tags and line breaks out; and the study itself, which names its only variant baseline, and the questions."""
    text = (text.partition("</style>")[2] or text).replace("\\<", "less than")
    text = re.sub(r'<pre.*?</pre>|<script.*?</script>|<section id="questions".*?</section>', " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture
def three(bench: Bench) -> dict[str, str]:
    return made(bench, good=mostly(0.9, "a"), bad=mostly(0.4, "b"), same=mostly(0.9, "a"))


def test_what_was_explored_is_folded_away_at_the_end(three: dict[str, str], bench: Bench) -> None:
    told = bench.report()["exploratory"]
    sentence = (
        "Exploratory: found by looking in many places; no verdict rests on it."
        f" p values are corrected by Benjamini-Hochberg over {told['tests']} tests."
    )

    assert told["sentence"] == sentence
    assert [(pair["variant"], pair["other"]) for pair in told["pairs"]] == [("bad", "same")]
    for form in ("md", "html"):
        last = three[form].rpartition("<details")[2]
        assert sentence in last
        assert "bad \u2212 same" in last
        assert "philosophy" in last
        assert re.search(
            r"</details>(\s|</section>|</main>|<script.*?</script>|</body>|</html>)*$", three[form], re.DOTALL
        )
    assert "Benjamini" not in three["terminal"]
    assert "Explored beside these verdicts: see the end of the report." in three["terminal"]


@pytest.mark.parametrize("form", ["md", "html"])
def test_every_number_behind_a_verdict_is_there(three: dict[str, str], form: str) -> None:
    text = plain(three[form])

    for what in (
        *("questions compared", "answered differently", "solved by the variant only", "solved by good only"),
        *("another letter read, right or wrong", "its interval, of all comparisons together"),
        *("p of no difference (corrected: Holm, 2 comparisons)", "p of the margin or more (corrected: Holm"),
        *("its interval for equivalence", "smallest margin of equivalence", "p of worse by the margin or more"),
        *("chance that the variant is better", "no verdict rests on it", "resolution"),
    ):
        assert what in text


def test_columns_that_need_a_word_have_it_where_they_stand(three: dict[str, str]) -> None:
    head = next(line for line in three["md"].splitlines() if line.startswith("| variant | no answer"))

    for column, meaning in phrases.COLUMNS.items():
        assert f" {column} |" in head
        assert f"- *{column}*: {meaning}" in three["md"]


def test_the_numbers_are_those_of_the_json(three: dict[str, str], bench: Bench) -> None:
    bad = next(c for c in bench.report()["comparisons"] if c["variant"] == "bad")

    def row(what: str) -> str:
        (line,) = [line for line in three["md"].splitlines() if line.startswith(f"| {what}")]
        return line.split(" | ")[1]

    flips = bad["flips"]
    count = bad["won"] + bad["lost"]
    assert row("answered differently") == (
        f"{count} ({100 * count / 40:.1f} %; {100 * flips['low']:.1f} to {100 * flips['high']:.1f} %)"
    )
    assert row("another letter read") == str(bad["changed"])
    assert row("p of worse by the margin or more").startswith(f"{bad['noninferiority_p']:.3f}")
    assert row("smallest margin") == f"±{100 * bad['supported_margin']:.1f} points, this comparison alone"


def test_the_interval_in_the_table_is_the_one_that_the_sentence_names(three: dict[str, str], bench: Bench) -> None:
    for comparison in bench.report()["comparisons"]:
        (line,) = [x for x in three["md"].splitlines() if x.startswith(f"| {comparison['variant']} ") and "**" in x]
        what = {"equivalent": "90 %, for equivalence", "cannot tell": "95 %"}.get(
            comparison["verdict"], "95 %, simultaneous"
        )
        level, *kind = what.split(", ")
        assert f"({level} interval " in comparison["sentence"]
        assert f", {kind[0]};" in comparison["sentence"] if kind else "interval, " not in comparison["sentence"]
        assert f"({what})" in line


@pytest.mark.parametrize(
    ("mode", "interval", "p"),
    [
        pytest.param("sequential", "95 %, anytime-valid", "anytime p", id="sequential"),
        pytest.param("group_sequential", "95 %, at planned looks", "repeated p", id="group_sequential"),
    ],
)
def test_stopping_early_is_told(bench: Bench, mode: str, interval: str, p: str) -> None:
    forms = made(bench, 300, f"decide: {{mode: {mode}}}\n", good=mostly(0.9, "a"), bad=mostly(0.3, "b"))
    saved, scores = bench.report()["saved"], bench.report()["scores"]
    put = sum(sum(score["outcomes"].values()) for score in scores)

    assert saved == {"questions": 600 - put, "of": 600}
    assert 0 < saved["questions"] < 600
    for text in forms.values():
        assert f"Stopping early saved {600 - put} of 600 questions." in text
        assert "up to 300 of 12,032 questions" in text
    for form in ("md", "html"):
        text = plain(forms[form])
        assert f"({interval})" in text
        assert "marked" in text
        assert f"{p} of no difference" in text
        assert f"{p} values" in text
        assert "estimated a little too large" in text
        assert "Differences are tested once" not in text
        assert "Benjamini" not in text
        assert "would be false" in text


def test_a_fixed_study_saves_nothing_and_says_nothing_of_it(three: dict[str, str], bench: Bench) -> None:
    assert bench.report()["saved"] is None
    for text in three.values():
        assert "saved" not in plain(text)
        assert "40 of 12,032 questions" in text
        assert "up to" not in plain(text)
    assert "Differences are tested once, after all questions: on the paired answers (McNemar, mid-p)" in three["md"]


def test_several_answers_are_described_as_such(bench: Bench) -> None:
    study = bench.study(12, good=mostly(0.9, "a"), bad=mostly(0.3, "b"))
    study.write_text(study.read_text().replace("margin: 10", "margin: 10, repeats: 3"))
    bench.run(study)
    text = (bench.folder / "runs" / "s" / "report.md").read_text()

    assert "12 of 12,032 questions, 3 answers each" in text
    assert "by flipping signs" in text
    assert "McNemar" not in text


def test_one_variant_has_no_comparison_furniture(tmp_path: Path) -> None:
    def answer(body: Any, number: int) -> Reply:
        return Reply(text="yes") if prompt_of(body).startswith("Reply with") else mostly(0.7, "a")(body, number)

    with FakeServer(answer, models=["m"]) as fake:
        few = ["--mmlu-pro", "20", "--shots", "0", "--humaneval", "0", "--max-tokens", "64", "--runs", str(tmp_path)]
        result = CliRunner().invoke(main, ["eval", "--no-check", "--base-url", fake.base_url, *few])
    (folder,) = tmp_path.iterdir()
    forms = [result.output, (folder / "report.md").read_text(), (folder / "report.html").read_text()]

    assert result.exit_code == 0, result.output
    for text in forms:
        assert not [word for word in FURNITURE if word in plain(text)]
        assert "which of these builds" not in text
        assert re.search(r"\bm solved \d+\.\d % of 20 questions of MMLU-Pro \(95 % interval", plain(text))
    assert "how well this build answers" in forms[1]
    assert "Accuracy with categories weighted as in all of MMLU-Pro" in forms[1]


@pytest.mark.parametrize("name", ["b", "broken", "mlx-4bit", "gemma-4-26b", "q8_0-kv-q4_0"])
def test_a_table_with_a_variant_that_is_not_scored_fits_into_80_columns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(phrases, "size", lambda *_: "17.4 MB")
    monkeypatch.setenv("COLUMNS", "80")
    scripts: dict[str, Any] = {"good": right, "same": right, name: Reply(status=400)}
    study = bench.study(8, **scripts)
    table = bench.run(study).output.partition("MMLU-Pro: 8 of")[2].partition("What the data")[0]
    lines = [line for line in table.splitlines() if line.startswith(" ")]

    for words in ("variant", "baseline", "not", "comparable", "scored", "100.0", "67.6\u2013100.0"):
        assert any(words in line.split() for line in lines), (words, table)
    assert name in "".join(line.split()[0] for line in lines if line[1] != " ")


def test_rates_of_what_went_wrong_have_intervals(bench: Bench) -> None:
    def vague(body: Any, number: int) -> Reply:
        return Reply(text="Hm.") if number == 3 else right(body)

    forms = made(bench, 20, good=right, vague=vague)
    rate = bench.report()["scores"][1]["rates"]["unparsed"]

    assert (rate["count"], rate["of"]) == (1, 20)
    for form in ("md", "html"):
        assert (
            f"1 unparsed ({100 * rate['interval']['low']:.1f} to {100 * rate['interval']['high']:.1f} %)" in forms[form]
        )


def test_an_old_run_is_reported_as_well_as_a_new_one(bench: Bench) -> None:
    made(bench, 20, good=right, bad=mostly(0.5, "b"))
    run = bench.folder / "runs" / "s"
    (run / "report.json").write_text('{"whichquant": "0.1.0", "problems": {}, "scores": [], "checks": []}')

    result = CliRunner().invoke(main, ["report", str(run)])

    assert result.exit_code == 0, result.output
    assert bench.report()["exploratory"]["tests"] > 0
