"""A real Chromium that opens a page from disk, and everything that goes wrong in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started(path: str) -> Iterator[Browser]:
    """Start a Chromium without a window and with a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page that was opened from disk, and what it complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("dialog", self._dialog)
        page.on("request", self._requested)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "blob:")):
            self.complaints.append(f"request: {request.url[:100]}")

    def violations(self) -> list[str]:
        """Return what its Content-Security-Policy has refused."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    link: str = "",
    *,
    width: int = 1400,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Opened]:
    """Open a page from disk, at a link within it, and wait until its list of questions is there."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    context.add_init_script(_WATCH)
    made = Opened(context.new_page())
    made.page.set_default_timeout(30_000)
    try:
        made.page.goto(f"{path.as_uri()}{link}")
        made.page.wait_for_selector("#questions-list [role=option]", state="attached")
        yield made
    finally:
        context.close()
