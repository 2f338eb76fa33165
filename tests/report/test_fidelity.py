"""Fidelity in words and tables: what is a bound stays one, hostile names stay text, 80 columns suffice."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace
from rich.console import Console

from evaluator.analyse.report import Report
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from evaluator.report.fidelity import words
from evaluator.report.fidelity.markdown import lines
from evaluator.report.fidelity.page import write_pages
from evaluator.report.fidelity.rows import floor_of, pairs, table
from evaluator.report.fidelity.terminal import show
from evaluator.report.html import html
from evaluator.report.markdown import markdown
from tests.report.test_page import HANDLERS, HOSTILE, Seen
from tests.support.measured_fidelity import BOUND, FIDELITY, FLOOR, PAIR, Q2, Q4, Q8, TOP_K

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo" / "report.json"
EVERY = replace(FIDELITY, builds=(*FIDELITY.builds, BOUND, TOP_K))
BARE = BuildFidelity(build="bare", reference="f16", method="exact", scored=1, block_tokens=1)


def in_terminal(fidelity: Fidelity, apart: tuple[str, ...] = ()) -> str:
    console = Console(file=StringIO(), width=80)
    show(fidelity, console, apart)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def in_markdown(fidelity: Fidelity, apart: tuple[str, ...] = ()) -> str:
    return "\n".join(lines(fidelity, apart))


def in_page(fidelity: Fidelity, apart: tuple[str, ...] = ()) -> str:
    report = msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)
    return html(replace(report, fidelity=fidelity, fidelity_and_tasks=apart))


FORMS = pytest.mark.parametrize("form", [in_terminal, in_markdown, in_page], ids=["terminal", "markdown", "page"])
Form = Callable[..., str]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.0, "0", id="none"),
        pytest.param(0.0057, "0.00570", id="three-digits"),
        pytest.param(0.31, "0.310", id="large"),
        pytest.param(27.94, "27.9", id="huge"),
        pytest.param(-0.0085, "\u22120.00850", id="less"),
        pytest.param(4.2e-7, "0.0000004", id="small"),
        pytest.param(1e-9, "less than 0.0000001", id="next-to-none"),
    ],
)
def test_nats_are_written_out(value: float, text: str) -> None:
    assert words.nats(value) == text


@given(st.floats(1e-6, 1e3))
def test_what_is_written_is_the_number_and_no_power_of_ten(value: float) -> None:
    text = words.nats(value)

    assert re.fullmatch(r"\d+\.\d+", text)
    assert abs(float(text) - value) <= max(0.006 * value, 0.5e-7)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        pytest.param(Q4, "0.0142 (0.0128 to 0.0156)", id="exact"),
        pytest.param(replace(Q4, mean_kld=Estimate(0.0142)), "0.0142", id="no-interval"),
        pytest.param(
            TOP_K, "0.0142 (0.0128 to 0.0156), off by 0.000300 at most; 99.9 % of the mass covered", id="top-k"
        ),
        pytest.param(BOUND, "at least 0.0120; 99.2 % of the mass covered", id="bound"),
        pytest.param(replace(BOUND, covered=None), "at least 0.0120", id="bound-of-unknown-mass"),
        pytest.param(BARE, "\u2013", id="nothing"),
    ],
)
def test_a_divergence_is_written_as_it_is_known(build: BuildFidelity, text: str) -> None:
    assert words.divergence(build) == text
    assert table(replace(FIDELITY, builds=(build, Q8)), "f16").rows[1][1] == text


@FORMS
def test_a_bound_is_never_shown_as_the_value(form: Form) -> None:
    shown = " ".join(
        form(replace(FIDELITY, builds=(replace(BOUND, size_bytes=9_000_000),), pairs=(), margin_kld=None)).split()
    )

    assert len(re.findall(r"0\.0120", shown)) == len(re.findall(r"at least 0\.0120", shown)) > 0


@FORMS
def test_every_number_verdict_and_note_is_there(form: Form) -> None:
    shown = " ".join(form(EVERY, ("They differ.",)).split())

    assert {text for text in _expected() if text not in shown} == set()


def _expected() -> set[str]:
    return {
        *("8.2970", "1.0057", "0.00570", "0.00143", "0.0684", "0.513", "98.10 %", "1.89 %", "190 MB"),
        *("equivalent", "worse", "cannot tell", "0.00110", "99.10 %", "repacked weights or not", "They differ."),
        *("q4_k_m is closer to f16 than q4_0", "as good as the reference on this machine", "10,200 tokens"),
        *("40 windows of 512 tokens", "blocks of 255 scored tokens", "margin of 0.01 nats", "Intervals hold for texts"),
    }


@FORMS
def test_drop_and_size_are_said_as_builds_are_published(form: Form) -> None:
    qat = replace(Q4, build="qat-q4_0", perplexity=Estimate(8.3), reference="f16")
    own = replace(qat, reference="qat-f16", reference_perplexity=Estimate(8.26))
    measured = replace(FIDELITY, builds=(*FIDELITY.builds, qat, own), sizes={"f16": 340_000_000})
    shown = " ".join(form(measured).split())

    assert "Perplexity drop reduced by 57.3 %: q4_0 8.3672, qat-q4_0 8.3000, reference f16 8.2500, own" in shown
    assert "Size reduced by 50.0 %: q4_0 170.0 MB, f16 340.0 MB." in shown


@FORMS
def test_what_is_not_known_is_left_open(form: Form) -> None:
    shown = form(replace(FIDELITY, builds=(BARE,), pairs=(), floors=(), notes=(), margin_kld=None))

    assert "bare" in shown
    assert not re.search(r"\bNone\b|nan\b", shown)


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        pytest.param("better", "q4_k_m is closer to f16 than q4_0: KL divergence \u22120.00850", id="better"),
        pytest.param("worse", "q4_k_m is further from f16 than q4_0:", id="worse"),
        pytest.param("equivalent", "q4_k_m is as close to f16 as q4_0, within the margin:", id="equivalent"),
        pytest.param("better, size uncertain", "than q4_0, by how much is uncertain:", id="uncertain"),
        pytest.param("cannot tell", "whether q4_k_m or q4_0 is closer to f16: cannot tell:", id="cannot-tell"),
    ],
)
def test_a_pair_in_words(verdict: str, text: str) -> None:
    assert text in words.pair(msgspec.convert({**msgspec.structs.asdict(PAIR), "verdict": verdict}, type=type(PAIR)))


def test_each_reference_has_a_table_with_its_own_builds_and_the_floor() -> None:
    fidelity = replace(FIDELITY, builds=(Q8, Q4, replace(Q4, reference="qat"), Q2))

    assert table(fidelity, "f16").head == ("", "q8_0", "q4_0", "q2_k", "the floor: f16")
    assert table(fidelity, "qat").head == ("", "q4_0", "the floor: f16")
    assert table(fidelity, "qat").rows[1][2] == words.with_interval(FLOOR.mean_kld, words.nats)


QAT = (
    replace(Q4, build="qat", reference="qat-f16", mean_kld=Estimate(0.0075)),
    replace(Q4, build="qat-f16", mean_kld=Estimate(0.05)),
    replace(Q4, build="qat", mean_kld=Estimate(0.056)),
)


@FORMS
def test_training_and_quantization_are_told_apart(form: Form) -> None:
    shown = " ".join(form(replace(FIDELITY, builds=(Q8, *QAT))).split())

    assert (
        "qat, in parts: training drift, qat-f16 from f16, 0.0500 nats a token; quantization, qat from qat-f16, 0.00750"
        " nats a token; both together, qat from f16, 0.0560 nats a token." in shown
    )


@pytest.mark.parametrize("missing", range(3), ids=["quantization", "drift", "total"])
def test_where_one_of_the_parts_is_not_known_nothing_is_told_apart(missing: int) -> None:
    builds = tuple(build for number, build in enumerate(QAT) if number != missing)

    assert list(words.parted(replace(FIDELITY, builds=builds))) == []


def test_builds_below_the_floor_are_named_with_their_reference() -> None:
    fidelity = replace(
        FIDELITY, builds=(Q8, replace(Q4, below_floor=True), replace(Q8, reference="qat"), Q2), floors=()
    )

    assert list(words.floors(fidelity)) == [
        "q8_0 and q4_0 are as good as the reference on this machine: no further from f16 than a build is from itself.",
        "q8_0 is as good as the reference on this machine: no further from qat than a build is from itself.",
    ]


def test_of_several_floors_the_largest_of_these_builds_is_shown() -> None:
    small, large = replace(FLOOR, mean_kld=Estimate(0.0002)), replace(FLOOR, mean_kld=Estimate(0.003), ways="slots")
    other = replace(FLOOR, build="another", mean_kld=Estimate(0.5))

    assert floor_of(replace(FIDELITY, floors=(small, large, other)), "f16") == large
    assert floor_of(replace(FIDELITY, floors=(other,)), "f16") == other
    assert floor_of(replace(FIDELITY, floors=()), "f16") is None
    assert [sentence.partition(",")[0] for sentence in words.floors(replace(FIDELITY, floors=(small, large)))][:2] == [
        "The floor: measured twice (repacked weights or not)",
        "The floor: measured twice (slots)",
    ]


def test_of_many_pairs_the_first_are_told_of_and_the_table_has_all() -> None:
    many = replace(FIDELITY, pairs=tuple(replace(PAIR, other=f"build-{number}") for number in range(9)))
    told = [form(many).count("q4_k_m is closer to f16 than build-") for form in (in_terminal, in_page)]
    between = pairs(many)

    assert told == [words.PAIRS, words.PAIRS]
    assert "3 more of these stand in the report" in in_terminal(many)
    assert between
    assert len(between.rows) == 9


def test_where_no_builds_are_compared_with_each_other_there_is_no_such_table() -> None:
    assert pairs(replace(FIDELITY, pairs=())) is None


LONG = "a-model-with-a-name-of-more-than-a-line-of-a-terminal-in-a-file-that-is-quantized-q4_k_m.gguf"


@pytest.mark.parametrize("name", [pytest.param("q4_0", id="short"), pytest.param(LONG, id="long")])
def test_the_terminal_needs_80_columns_and_shows_every_digit(name: str) -> None:
    builds = (
        *(replace(build, build=name) for build in EVERY.builds),
        replace(Q2, build=name, size_bytes=123_450_000_000),
    )
    shown = in_terminal(replace(EVERY, builds=builds))

    assert max(map(len, shown.splitlines())) <= 80
    assert "\u2026" not in shown
    assert "0.00513\u20130.00627" in shown


@FORMS
def test_hostile_names_stay_text(form: Form) -> None:
    fidelity = msgspec.json.decode(
        msgspec.json.encode(EVERY)
        .replace(b'"q4_0"', msgspec.json.encode(HOSTILE))
        .replace(b'"f16"', msgspec.json.encode(HOSTILE)),
        type=Fidelity,
    )
    fidelity = replace(
        fidelity,
        text=replace(fidelity.text, name=HOSTILE),
        floors=(replace(FLOOR, build=HOSTILE, ways=HOSTILE),),
        notes=(HOSTILE,),
    )
    shown = form(fidelity, (HOSTILE,))

    assert not {"\x00", "\u202e"} & set(shown)
    if form is in_page:
        seen = Seen(shown)
        assert seen.tags["script"] == seen.tags["img"] == 0
        assert not [name for name in seen.attributes if HANDLERS.match(name)]
        assert len(seen.ids) == len(set(seen.ids))
    elif form is in_markdown:
        rendered = MarkdownIt("commonmark").enable("table").render(shown)
        assert not re.search(r"<(script|img|style|b )", rendered)


def test_the_part_stands_between_the_verdicts_and_the_questions() -> None:
    page = in_page(FIDELITY)
    places = [page.index(f'id="{name}"') for name in ("differences", "fidelity", "categories")]

    assert places == sorted(places)
    assert '<a href="#fidelity">Fidelity</a>' in page


def test_without_questions_it_is_a_report_of_its_own(tmp_path: Path) -> None:
    place = write_pages(FIDELITY, tmp_path)
    seen = Seen(place.read_text())

    assert (seen.tags["h1"], seen.tags["script"]) == (1, 0)
    assert seen.texts["style"]
    assert seen.csp.startswith("default-src 'none'")
    assert (tmp_path / "fidelity.md").read_text().startswith("# Fidelity: how far")


def test_a_run_without_it_has_no_such_part() -> None:
    report = msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)

    assert report.fidelity is None
    assert "fidelity" not in html(report).partition("</style>")[2]
    assert "Fidelity" not in markdown(report)
