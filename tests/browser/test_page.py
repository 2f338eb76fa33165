"""The page around the questions in a real browser: accessible and harmless on any screen, on paper, without scripts."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.support.chromium import opened

pytestmark = pytest.mark.live
PARTS = (
    "run",
    "picture",
    "builds",
    "differences",
    "fidelity",
    "questions",
    "categories",
    "lengths",
    "resources",
    "how",
)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(1400, "light", id="desktop"),
        pytest.param(1400, "dark", id="dark"),
        pytest.param(390, "light", id="phone"),
        pytest.param(390, "dark", id="dark-phone"),
    ],
)
def test_nothing_serious_is_found_and_nothing_is_refused(
    chromium: Browser, hostile: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium, hostile, width=width, scheme=scheme) as made:
        made.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        found = Axe().run(made.page)
        serious = [v["id"] for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]

        assert serious == []
        assert made.complaints == []
        assert made.violations() == []
        assert made.page.evaluate("document.documentElement.scrollWidth") <= width
        assert [made.page.locator(f"#{part}").count() for part in PARTS] == [1] * len(PARTS)


def test_the_policy_refuses_what_is_not_its_own(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile) as made:
        made.page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.hit = 9';"
            " document.body.append(s); document.body.setAttribute('style', 'color: red'); }"
        )

        assert made.page.evaluate("window.hit") is None
        assert {violation.partition("-src")[0] for violation in made.violations()} == {"script", "style"}


def test_another_measure_is_chosen_by_keyboard(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile) as made:
        size, speed = made.page.locator(".by-size"), made.page.locator(".by-speed")
        expect(size).to_be_visible()
        expect(speed).to_be_hidden()
        made.page.locator("#by-size").focus()
        made.page.keyboard.press("ArrowRight")

        expect(speed).to_be_visible()
        expect(size).to_be_hidden()


def test_without_scripts_all_but_the_questions_is_there(chromium: Browser, hostile: Path) -> None:
    context = chromium.new_context(java_script_enabled=False, offline=True)
    try:
        page = context.new_page()
        page.goto(hostile.as_uri())
        for part in PARTS:
            expect(page.locator(f"#{part}")).to_be_visible()
        page.locator("#replies summary").click()
        expect(page.locator("#replies dl")).to_be_visible()
        page.locator("label[for=by-speed]").click()
        expect(page.locator(".by-speed")).to_be_visible()
    finally:
        context.close()


def test_on_paper_everything_is_unfolded(chromium: Browser, hostile: Path) -> None:
    with opened(chromium, hostile, scheme="dark") as made:
        made.page.emulate_media(media="print")
        back = made.page.evaluate("getComputedStyle(document.body).backgroundColor")

        assert back == "rgb(255, 255, 255)"
        expect(made.page.locator("nav")).to_be_hidden()
        expect(made.page.locator("#replies dl")).to_be_visible()
        assert made.page.pdf(format="A4")[:5] == b"%PDF-"
