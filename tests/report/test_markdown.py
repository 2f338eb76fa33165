"""The two lengths of a report in Markdown, and that text from anywhere stays text in them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from evaluator.analyse.report import Report
from evaluator.cli import main
from evaluator.decide.recommendation import Recommendation
from evaluator.report.markdown import markdown
from evaluator.report.markdown_text import cells, code, header, safe
from evaluator.report.post import post
from evaluator.text import one_line, strip_control
from tests.support.recommended import compared, cost, recommended

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo" / "report.json"
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
JOINER = "\u2060"
LINKED = re.compile(
    r"https?://|ftp://|www\.|@(?!\u2060)|#\d|\bGH-\d|(?<!\w)[ur]/\w",
    re.IGNORECASE,
)
"""What GitHub or Reddit makes a link of, in text that is already rendered."""
HOSTILE = [
    pytest.param("a | b || c", id="pipes"),
    pytest.param("`code` ``` ~~~ `", id="backticks"),
    pytest.param("<script>alert(1)</script><img src=x onerror=alert(1)><!-- -->", id="HTML"),
    pytest.param("[here](https://example.com) ![x](https://example.com/x.png) [a]: /b <https://a.b>", id="links"),
    pytest.param("see https://example.com or www.example.com or a@example.com or a@.b", id="bare links"),
    pytest.param("@everyone @here #123 GH-12 org/repo#5", id="mentions"),
    pytest.param("u/somebody /r/somewhere x^2^ ~~gone~~ >!hidden!< ^(small)", id="Reddit"),
    pytest.param("**bold** __bold__ _it_ *it* snake_case q4_0", id="emphasis"),
    pytest.param("# heading", id="heading"),
    pytest.param("#heading", id="heading without a blank"),
    pytest.param("1. first", id="numbered"),
    pytest.param("- [ ] task", id="list"),
    pytest.param("> quoted", id="quote"),
    pytest.param("---", id="rule"),
    pytest.param("===", id="underline"),
    pytest.param("|---|---|", id="a table's second line"),
    pytest.param("a\n\n# b\n\n| c |\n|---|\n", id="lines"),
    pytest.param("a\x00b\x1b[31mred\x07\x9b", id="control characters"),
    pytest.param("\u202egnp.exe\u2066\u200f\ufeff", id="right to left"),
    pytest.param("&lt;b&gt; &#60; \\<b> \\", id="entities and backslashes"),
    pytest.param("$\\href{https://example.com}{x}$", id="formulas"),
    pytest.param("x" * 1_000_000, id="a megabyte"),
    pytest.param("", id="nothing"),
]
PLACES = {
    "item": "- {}",
    "paragraph": "{}",
    "strong": "**a {} b**",
    "heading": "# {}",
    "quote": "> {}",
    "cell": "\n".join(header("a", "b")) + "\n| {} | x |",
}


def tokens(text: str) -> Iterator[Token]:
    for token in GITHUB.parse(text):
        yield token
        yield from token.children or ()


def shown(text: str) -> str:
    """All text that a reader sees outside of code, in which nothing is made a link of."""
    return "".join(
        token.content if token.type in {"text", "text_special"} else "\n" * (token.type == "inline")
        for token in tokens(text)
    )


def tags(text: str) -> list[str]:
    return re.findall(r"</?\w+", GITHUB.render(text))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str, place: str) -> None:
    written = place.format(safe(text))

    assert tags(written) == tags(place.format("x" if text else ""))
    assert len(written) < 40_000


@given(text=st.text(st.sampled_from("ab1 _*`~^<>[]()!|\\&#@:/.+-=$w\n\tur") | st.characters(), max_size=60))
@pytest.mark.parametrize("place", ["item", "paragraph", "cell"])
def test_a_reader_sees_the_text_itself(place: str, text: str) -> None:
    rendered = shown(PLACES[place].format(safe(text)))
    before, after = ("\na\nb\n", "\nx") if place == "cell" else ("\n", "")

    assert rendered.replace(JOINER, "").strip("\n") == f"{before}{one_line(text)}{after}".strip("\n")
    assert not LINKED.search(rendered)


@given(text=st.text(max_size=60))
def test_a_code_span_holds_all_of_its_text(text: str) -> None:
    kinds = [token.type for token in tokens(f"- model {code(text)}") if token.type not in {"text", "inline"}]

    assert kinds.count("code_inline") == (1 if one_line(text) else 0)
    assert not {"html_inline", "link_open", "image"} & set(kinds)


WORDS = {"note", "message", "advice", "sentence", "engine", "version", "model_path", "model_id", "quantization"}
WORDS |= {"quantized_by", "model", "gpu", "os", "chip", "power", "model_sha256"}


def poisoned(value: Any, text: str) -> Any:
    """Put a text into every field of a report that others write."""
    if isinstance(value, dict):
        return {k: text if k in WORDS and isinstance(v, str) else poisoned(v, text) for k, v in value.items()}
    return [poisoned(item, text) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.fixture(scope="module")
def report() -> Report:
    if not EXAMPLE.exists():
        pytest.skip("runs/ is not part of this copy")
    return msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write", [markdown, post])
def test_hostile_words_do_nothing(report: Report, write: Any, text: str) -> None:
    data = poisoned(msgspec.to_builtins(report), text)
    data["recommendation"] = msgspec.to_builtins(
        Recommendation(prefer="size", variant="q4_0", sentence=text, others=(text,), missing=(text,))
    )
    written = write(msgspec.convert(data, Report))

    everything = list(tokens(written))
    html = {token.content for token in everything if token.type.startswith("html")}
    assert all(re.fullmatch(r"<details><summary>[\w .-]+</summary>\n?|</details>\n?", tag) for tag in html)
    assert not [token for token in everything if token.type in {"link_open", "image", "fence", "code_block"}]
    assert not LINKED.search(shown(written))
    assert strip_control(written.replace(JOINER, "")) == written.replace(JOINER, "")


def test_the_post_has_no_html_and_only_what_a_post_needs(report: Report) -> None:
    written = post(report)
    kinds = {token.type for token in tokens(written)}

    assert not [kind for kind in kinds if kind.startswith("html")]
    assert "| Model | Benchmark | % (correct/total) | 95 % interval | cut off | tokens/s, 4 at once " in written
    for score in report.scores:
        assert f"% ({score.outcomes['correct']}/{score.graded}) |" in written
    assert len(written.partition("Before you believe a number:")[2].strip().partition("\n\n")[0].splitlines()) <= 3
    assert "whichquant 0" in written.splitlines()[-1]


def test_the_worst_findings_come_first(report: Report) -> None:
    order = [check.severity for check in report.checks]
    caveats = post(report).partition("Before you believe a number:\n\n")[2].partition("\n\n")[0].splitlines()

    worst = min(order, key=["block", "warn", "note"].index)
    assert caveats[0].startswith(f"- {worst}: ")
    assert len(caveats) == min(3, len(order))


@pytest.mark.parametrize("write", [markdown, post])
def test_what_to_run_comes_before_every_number(report: Report, write: Any) -> None:
    said = Recommendation(prefer="size", variant="q4_0", sentence="Run q4_0.", others=("q2_k is not worth it.",))
    written = write(msgspec.structs.replace(report, recommendation=said))

    assert 0 < written.index("**Run q4_0.**") < written.index("q2_k is not worth it.") < written.index("|")
    assert "**" not in write(msgspec.structs.replace(report, recommendation=None)).partition("|")[0]


def test_a_post_says_once_why_two_cannot_be_compared(report: Report) -> None:
    apart = compared("q4_0", "mmlu_pro", "not comparable", reason="it does not think")
    of = msgspec.structs.replace(
        report, comparisons=(apart,), checks=(), recommendation=recommended([apart], cost("q8_0", 8), cost("q4_0", 4))
    )

    assert post(of).count("it does not think") == 1
    assert post(msgspec.structs.replace(of, recommendation=None)).count("it does not think") == 1


def test_tables_have_as_many_cells_in_every_line(report: Report) -> None:
    for text in (markdown(report), post(report), "\n".join([*header("a", "b"), cells(("1 | 2", "3"))])):
        for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
            assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize(("form", "file"), [("reddit", "report-post.md"), ("github", "report.md")])
def test_a_report_is_printed_to_be_pasted(tmp_path: Path, form: str, file: str) -> None:
    if not EXAMPLE.exists():
        pytest.skip("runs/ is not part of this copy")
    run = tmp_path / "mmlu"
    (run / "records").mkdir(parents=True)
    plan = json.loads((EXAMPLE.parent / "plan.json").read_text())
    del plan["study"]["benchmarks"]["humaneval"]
    (run / "plan.json").write_text(json.dumps(plan))
    for path in (EXAMPLE.parent / "records").iterdir():
        lines = [line for line in path.read_text().splitlines() if '"benchmark":"mmlu_pro"' in line]
        (run / "records" / path.name).write_text("\n".join(lines) + "\n")

    result = CliRunner().invoke(main, ["report", str(run), "--format", form])

    assert result.exit_code == 0, result.output
    assert result.stdout == (run / file).read_text()
    assert result.stderr == ""
