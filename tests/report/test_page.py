"""The page as text: whole, alone, strict about what may take effect in it, and harmless whatever its texts hold."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.checks.rule import Check
from evaluator.decide.categories import CategoryScore
from evaluator.decide.lengths import Lengths, Spread
from evaluator.decide.recommendation import Recommendation
from evaluator.report.html import command_line, html
from evaluator.report.questions import QuestionsSection
from evaluator.stats.proportions import Interval
from evaluator.study.file import parse, yaml_of

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo" / "report.json"
HOSTILE = (
    "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><b style=color:red>{{ 7*7 }}\x00\u202e"
)
VOID = {"meta", "input", "br"}
HANDLERS = re.compile(r"^on|^style$")


class Seen(HTMLParser):
    """Tags that are open, and everything that a check asks for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.texts: dict[str, str] = {}
        self.csp = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = dict(attrs)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in {"href", "src", "aria-labelledby", "for"} and value]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.csp = given["content"] or ""
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[self._open[-1] if self._open else ""] = data


@pytest.fixture(scope="module")
def report() -> Report:
    made = msgspec.json.decode(EXAMPLE.read_bytes(), type=Report)
    spread = Spread(n=100, p5=20, p25=30, median=40, p75=60, p95=90, largest=1024)
    lengths = [
        Lengths(
            variant=v.name,
            benchmark="mmlu_pro",
            replies=100,
            tokens=spread,
            uncounted=1,
            thinking=spread,
            cut_off=2,
            limit=1024,
        )
        for v in made.plan.study.variants
    ]
    categories = [
        CategoryScore(
            variant=v.name,
            benchmark="mmlu_pro",
            category="law",
            questions=9,
            accuracy=0.5,
            interval=Interval(0.25, 0.75, 0.95),
        )
        for v in made.plan.study.variants
    ]
    return replace(made, lengths=tuple(lengths), categories=tuple(categories))


def policy(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_its_own_style_and_script_take_effect(report: Report) -> None:
    section = QuestionsSection(html="<p>q</p>", style=".q{color:red}", script='"use strict";\n', data="")
    seen = Seen(html(report, section))

    assert seen.csp == (
        f"default-src 'none'; style-src {policy(seen.texts['style'])}; script-src {policy(section.script)};"
        " base-uri 'none'; form-action 'none'"
    )
    assert seen.texts["script"] == section.script
    assert seen.texts["style"].endswith(section.style)


def test_without_questions_no_script_takes_effect(report: Report) -> None:
    seen = Seen(html(report))

    assert seen.tags["script"] == 0
    assert "script-src" not in seen.csp


def test_nothing_is_loaded_and_every_link_leads_somewhere(report: Report) -> None:
    seen = Seen(html(report))
    assert not [value for value in seen.attributes if HANDLERS.match(value)]
    assert [name for name, count in Counter(seen.ids).items() if count > 1] == []
    for link in seen.links:
        assert set(link.removeprefix("#").split()) <= set(seen.ids), link
    assert not seen.tags.keys() & {"img", "link", "iframe", "object", "embed", "form", "base", "a:external"}
    assert all(link.startswith("#") or link in seen.ids for link in seen.links if " " not in link)


def test_hostile_text_does_nothing(report: Report) -> None:
    study = report.plan.study
    variants = tuple(replace(v, name=HOSTILE, model=HOSTILE) if i else v for i, v in enumerate(study.variants[:2]))
    facts = {"q8_0": report.facts["q8_0"], HOSTILE: report.facts["q4_0"]}
    facts = {
        name: replace(f, model_path=HOSTILE, engine=HOSTILE, command=("x", HOSTILE), quantization=HOSTILE)
        for name, f in facts.items()
    }
    renamed = {"q4_0": HOSTILE}
    changed = replace(
        report,
        plan=replace(report.plan, study=replace(study, note=HOSTILE, variants=variants)),
        facts=facts,
        scores=tuple(replace(s, variant=renamed.get(s.variant, s.variant)) for s in report.scores),
        comparisons=tuple(
            replace(c, variant=renamed.get(c.variant, c.variant), sentence=HOSTILE) for c in report.comparisons
        ),
        checks=(Check(code="drift", severity="block", variant=HOSTILE, message=HOSTILE, advice=HOSTILE),),
        categories=tuple(replace(c, category=HOSTILE) for c in report.categories),
        recommendation=Recommendation(
            prefer="size", variant=HOSTILE, sentence=HOSTILE, others=(HOSTILE,), rule=HOSTILE
        ),
    )
    page = html(changed)
    seen = Seen(page)

    assert seen.tags["script"] == seen.tags["img"] == 0
    assert not [name for name in seen.attributes if HANDLERS.match(name)]
    assert "49" not in re.findall(r"color:red&gt;(\d+)", page)
    assert not {"\x00", "\u202e"} & set(page)


def test_a_recommendation_stands_first_with_its_rule(report: Report) -> None:
    recommendation = Recommendation(
        prefer="size",
        variant="q4_0",
        sentence="Run q4_0.",
        others=("q2_k is worse.",),
        missing=("More.",),
        rule="Smallest.",
    )
    page = html(replace(report, recommendation=recommendation))
    places = [
        page.index(text)
        for text in ("Run q4_0.", "q2_k is worse.", "More.", "Smallest.", "run this one", 'id="doubts"')
    ]

    assert places == sorted(places)


def test_parts_stand_in_their_order(report: Report) -> None:
    section = QuestionsSection(html='<section id="questions"></section>', style="", script="", data="")
    page = html(report, section)
    order = ("run", "picture", "builds", "doubts", "differences", "questions", "categories", "limits", "lengths", "how")
    places = [page.index(f'id="{name}"') for name in order]

    assert places == sorted(places)


def test_before_there_are_verdicts_no_part_of_the_page_is_empty(report: Report) -> None:
    page = html(replace(report, comparisons=(), exploratory=None))

    assert 'id="differences"' not in page
    assert "#differences" not in page


def test_findings_with_one_remedy_are_told_together_and_the_gravest_first(report: Report) -> None:
    def check(severity: str, message: str, advice: str) -> Check:
        return msgspec.convert(
            {"code": "drift", "severity": severity, "message": message, "advice": advice}, type=Check
        )

    checks = (
        check("note", "n", "Wait."),
        check("warn", "one", "Mend."),
        check("warn", "two", "Mend."),
        check("block", "b", "Stop."),
    )
    page = html(replace(report, checks=checks))
    doubts = page[page.index('id="doubts"') : page.index('id="differences"')]

    assert doubts.count("Mend.") == 1
    assert [
        doubts.index(text) for text in ("blocks the claim", "Stop.", "one.", "two.", "Mend.", "1 note beside")
    ] == sorted(doubts.index(text) for text in ("blocks the claim", "Stop.", "one.", "two.", "Mend.", "1 note beside"))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(("a", "b c"), "a 'b c'", id="blank"),
        pytest.param(("a", '{"x": 1}', "$HOME", "it's"), """a '{"x": 1}' '$HOME' 'it'"'"'s'""", id="quotes"),
        pytest.param(("~/bin/s", "~/my models/m.gguf", "~x"), "~/bin/s ~/'my models/m.gguf' '~x'", id="home"),
    ],
)
def test_a_command_can_be_pasted(command: tuple[str, ...], expected: str) -> None:
    assert command_line(command) == expected


def test_the_study_on_the_page_is_the_study(report: Report) -> None:
    study = report.plan.study

    assert parse(yaml_of(study), "the page") == study
