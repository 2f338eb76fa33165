"""The page of a run that goes on, in a real browser: it refreshes itself, and closes nothing that was opened."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from evaluator.report.follow import Followed, State
from evaluator.report.follow import Page as Shown
from evaluator.report.web import ReportServer

pytestmark = pytest.mark.live


class Scripted(Followed):
    """A run that is as a test says."""

    def __init__(self, page: bytes) -> None:
        super().__init__(Path("nowhere"))
        self.html, self.number, self.phase = page, 1, "going_on"

    def state(self) -> State:
        return State(str(self.number), self.phase, f"Still running: {self.number} of 9 answers so far.")  # type: ignore[arg-type]

    def page(self) -> Shown:
        mark = f"<p id=made>{self.number}</p>".encode()
        return Shown(self.html.replace(b"</body>", mark + b"</body>"), str(self.number), "", "going_on")


@pytest.fixture
def run(repeated: Path) -> Scripted:
    return Scripted(repeated.read_bytes())


@pytest.fixture
def followed(chromium: Browser, run: Scripted) -> Iterator[Page]:
    complaints: list[Any] = []
    with ReportServer(run, "s", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = chromium.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(server.url)
        yield page
        page.close()
        server.shutdown()
        thread.join()
    assert [text for text in complaints if "favicon" not in text and "404" not in text] == []


def made(page: Page, number: int) -> None:
    expect(page.frame_locator("#page").locator("#made")).to_have_text(str(number), timeout=30_000)


def test_a_page_that_nobody_uses_refreshes_itself_where_it_was_scrolled_to(followed: Page, run: Scripted) -> None:
    made(followed, 1)
    followed.frames[1].evaluate("scrollTo(0, 300)")

    run.number = 2

    made(followed, 2)
    followed.wait_for_function("document.getElementById('page').contentWindow.scrollY === 300")
    expect(followed.locator("#words")).to_have_text("Still running: 2 of 9 answers so far.")
    expect(followed.locator("#show")).to_be_hidden()


def test_an_open_question_stays_open_until_the_reader_wants_what_is_new(followed: Page, run: Scripted) -> None:
    made(followed, 1)
    inside = followed.frame_locator("#page")
    inside.locator("#questions-search").fill("parallelogram")
    inside.locator("#questions-search").press("End")

    run.number, run.phase = 2, "ended"

    expect(followed.locator("#show")).to_be_visible(timeout=30_000)
    made(followed, 1)
    expect(inside.locator("#questions-search")).to_have_value("parallelogram")
    followed.locator("#show").click()
    made(followed, 2)
    expect(followed.locator("#show")).to_be_hidden()
