"""The questions of a report in a real browser: by mouse, by keyboard, on a phone, and with hostile text."""

import re
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HOSTILE, LARGE
from tests.support.chromium import Opened, opened

pytestmark = pytest.mark.live
FIRST = "mmlu_pro/7825"
"""The first question of every run with MMLU-Pro and the usual seed."""


def count(page: Page) -> int:
    """Read how many questions the list says it shows."""
    text = page.locator("#questions-count").inner_text()
    return int(text.partition(" ")[0].replace(",", ""))


def choose(page: Page, name: str, label: str) -> None:
    page.locator(f"#questions-{name}").select_option(label=label)


def flips(page: Page, value: str) -> int:
    page.locator("#questions-flips").select_option(value)
    return count(page)


def search(page: Page, words: str) -> int:
    page.locator("#questions-search").fill(words)
    expect(page.locator("#questions-list")).to_have_attribute("data-sought", words.lower(), timeout=30_000)
    return count(page)


def is_quiet(made: Opened) -> None:
    assert made.complaints == []
    assert made.violations() == []


def test_flips_are_filtered_searched_and_read_by_mouse(chromium: Browser, large: Path) -> None:
    with opened(chromium, large) as made:
        page = made.page
        assert count(page) == LARGE.questions
        lost, won, either = flips(page, "a"), flips(page, "b"), flips(page, "either")
        assert 0 < lost < LARGE.questions
        assert lost + won == either
        choose(page, "b", "q2_k")
        assert count(page) > either
        more = flips(page, "a")
        page.locator("#questions-outcome").select_option(label="cut off")
        assert 0 < count(page) < more
        page.locator("#questions-clear").click()
        expect(page.locator("#questions-count")).to_have_text("5,000 questions")
        found = search(page, "parallelogram")
        assert 0 < found < 500
        page.locator("[role=option]").nth(1).click()
        expect(page.locator(".q-detail h3")).to_be_visible()
        assert page.locator("mark.q-found").count() > 0
        expect(page.locator(".q-two h4")).to_have_text([re.compile("^q8_0"), re.compile("^q2_k")])
        page.locator(".q-pick-a").select_option(label="q4_k_m")
        expect(page.locator(".q-two h4").first).to_have_text(re.compile("^q4_k_m"))
        is_quiet(made)


def test_the_same_by_keyboard(chromium: Browser, large: Path) -> None:
    with opened(chromium, large) as made:
        page, keys = made.page, made.page.keyboard
        keys.press("/")
        keys.type("parallelogram")
        expect(page.locator("#questions-list")).to_have_attribute("data-sought", "parallelogram", timeout=30_000)
        keys.press("Enter")
        keys.press("ArrowDown")
        keys.press("j")
        keys.press("k")
        keys.press("Enter")
        expect(page.locator(".q-detail h3")).to_be_focused()
        second = page.locator(".q-detail h3").inner_text()
        keys.press("j")
        expect(page.locator(".q-detail h3")).not_to_have_text(second)
        keys.press("k")
        expect(page.locator(".q-detail h3")).to_have_text(second)
        keys.press("b")
        expect(page.locator(".q-two h4").nth(1)).to_have_text(re.compile("^q4_k_m"))
        keys.press("x")
        expect(page.locator(".q-two h4").first).to_have_text(re.compile("^q4_k_m"))
        keys.press("Escape")
        expect(page.locator(".q-detail")).to_be_hidden()
        expect(page.locator("#questions-list")).to_be_focused()
        keys.press("End")
        last = page.locator("[role=option][aria-selected=true]")
        expect(last).to_have_attribute("aria-posinset", str(count(page)))
        assert page.locator("#questions-list").get_attribute("aria-activedescendant") == last.get_attribute("id")
        is_quiet(made)


def test_only_rows_in_sight_exist_and_they_know_their_place(chromium: Browser, large: Path) -> None:
    with opened(chromium, large) as made:
        rows = made.page.locator("[role=option]")
        made.page.locator("#questions-list").evaluate("list => { list.scrollTop = list.scrollHeight / 2 }")
        expect(rows.nth(3)).to_have_attribute("aria-setsize", "5000")
        made.page.wait_for_function("() => document.querySelectorAll('[role=option]')[3].ariaPosInSet > 2000")
        assert rows.count() < 60


def test_a_link_opens_its_question_and_back_leads_back(chromium: Browser, large: Path) -> None:
    with opened(chromium, large, f"#q={FIRST}") as made:
        page = made.page
        expect(page.locator(".q-detail h3")).to_have_text("MMLU-Pro 7825")
        expect(page.locator(".q-detail h3")).to_be_in_viewport()
        page.locator(".q-back").click()
        expect(page.locator(".q-detail")).to_be_hidden()
        assert page.url.endswith("report.html")
        page.locator("[role=option]").nth(2).click()
        expect(page.locator(".q-detail h3")).to_be_visible()
        link = page.url
        assert re.search(r"#q=mmlu_pro/\d+$", link)
        page.go_back()
        expect(page.locator(".q-detail")).to_be_hidden()
        page.go_forward()
        expect(page.locator(".q-detail h3")).to_be_visible()
        assert page.url == link
        page.evaluate("location.hash = '#q=humaneval/HumanEval/5'")
        expect(page.locator(".q-detail h3")).to_have_text("HumanEval/5")
        page.locator(".q-next").click()
        expect(page.locator(".q-detail h3")).to_have_text(re.compile(r"^HumanEval/\d+"))
        is_quiet(made)


@pytest.mark.parametrize("link", ["#q=mmlu_pro/none", "#q=%E0%A4%A", "#q=mmlu_pro", "#q=<script>/1"])
def test_a_link_to_nothing_says_so(chromium: Browser, hostile: Path, link: str) -> None:
    with opened(chromium, hostile, link) as made:
        expect(made.page.locator("#questions-broken")).to_have_text(re.compile("not in this run"))
        assert count(made.page) == 16
        is_quiet(made)


def test_the_link_can_be_copied(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile, f"#q={FIRST}") as made:
        made.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        made.page.locator(".q-copy").click()
        expect(made.page.locator(".q-copied")).to_have_text("Copied")
        assert made.page.evaluate("navigator.clipboard.readText()") == made.page.url


def test_the_baseline_is_compared_with_itself(chromium: Browser, large: Path) -> None:
    with opened(chromium, large) as made:
        page = made.page
        page.locator("#questions-self").click()
        itself = count(page)
        assert 0 < itself < 2 * LARGE.again
        page.locator("[role=option]").first.click()
        names = [re.compile(r"^q8_0 "), re.compile("^q8_0, asked again")]
        expect(page.locator(".q-two h4")).to_have_text(names)
        assert flips(page, "text") > itself
        is_quiet(made)


def test_every_one_of_several_answers_is_shown(chromium: Browser, repeated: Path) -> None:
    with opened(chromium, repeated, f"#q={FIRST}") as made:
        page = made.page
        rows = page.locator(".q-table tbody th")
        expect(rows).to_have_text(
            ["q8_0, answer 1", "q8_0, answer 2", "q8_0, answer 3", "q8_0, asked again"]
            + [f"q6_k, answer {i}" for i in (1, 2, 3)]
        )
        page.locator(".q-pick-repeat").select_option("2")
        expect(page.locator(".q-two h4")).to_have_text([re.compile("^q8_0, answer 3"), re.compile("^q6_k, answer 3")])
        assert page.locator(".q-others summary").count() >= 5


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=list(HOSTILE))
def test_hostile_text_does_nothing(chromium: Browser, hostile: Path, number: int) -> None:
    with opened(chromium, hostile) as made:
        page = made.page
        page.locator("[role=option]").nth(number).click()
        expect(page.locator(".q-two .q-answer").first).to_be_visible()
        for folded in page.locator(".q-detail details").all():
            folded.evaluate("details => { details.open = true }")
        while page.locator(".q-more").count():
            page.locator(".q-more").first.click()
        shown = page.locator(".q-two .q-answer").nth(1).text_content() or ""
        expected = list(HOSTILE.values())[number]
        assert re.sub(r"[^ -~]|U\+\w{4}|[\u2400-\u2426]", "", shown) == re.sub(r"[^ -~]", "", expected)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u202a-\u202e\u2066-\u2069]", shown)
        assert page.locator(".q-detail :is(script, img, iframe, b[onmouseover], style)").count() == 0
        assert page.evaluate("window.hit") is None
        is_quiet(made)


def test_text_of_another_direction_turns_nothing_around(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile) as made:
        made.page.locator("[role=option]").nth(list(HOSTILE).index("arabic")).click()
        answer = made.page.locator(".q-two .q-answer").first
        assert answer.evaluate("block => getComputedStyle(block).unicodeBidi") == "isolate"
        assert answer.evaluate("block => getComputedStyle(block).direction") == "rtl"
        assert made.page.locator(".q-detail").evaluate("block => getComputedStyle(block).direction") == "ltr"


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(1400, "light", id="light"),
        pytest.param(1400, "dark", id="dark"),
        pytest.param(390, "light", id="phone"),
        pytest.param(390, "dark", id="phone-dark"),
    ],
)
def test_nothing_stands_in_the_way_of_assistive_technology(
    chromium: Browser, hostile: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium, hostile, width=width, scheme=scheme) as made:
        assert serious(made.page) == []
        made.page.locator("[role=option]").nth(9).click()
        expect(made.page.locator(".q-detail h3")).to_be_visible()
        assert serious(made.page) == []


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


def test_on_a_phone_a_question_takes_the_place_of_the_list(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile, width=390, height=844) as made:
        page = made.page
        page.locator("[role=option]").nth(9).click()
        expect(page.locator(".q-detail h3")).to_be_visible()
        expect(page.locator("#questions-list")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator(".q-back").click()
        expect(page.locator("#questions-list")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_paper_gets_the_open_question_and_not_the_list(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile) as made:
        page = made.page
        page.emulate_media(media="print")
        expect(page.locator("#questions-list")).to_be_hidden()
        expect(page.locator(".q-paper")).to_be_visible()
        page.emulate_media(media="screen")
        page.locator("[role=option]").nth(9).click()
        expect(page.locator(".q-detail h3")).to_be_visible()
        page.emulate_media(media="print")
        expect(page.locator(".q-detail h3")).to_be_visible()
        expect(page.locator("#questions-list")).to_be_hidden()
