"""Measure the page of a large run: how long it takes to make, how large it is, how quick it is in a browser.

Run by `python -m tests.bench.report_page [--questions 5000] [--variants 4] [--thinking 0.25]`; it needs a Chromium.
The times mean something on the machine and in the run that printed them only.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from evaluator.rebuild import rebuild_report
from evaluator.report.html import html
from evaluator.report.questions import questions_section
from tests.support.chromium import find_chromium, opened, started
from tests.support.large_run import Size, write_run

FILTERS = {"flips": ["a", "b", "either", "read", "text", "all"], "outcome": ["0", "1", "2", ""], "of": ["0", "1", ""]}
# The change and what the browser then has to draw; two frames, since the first may be of what was there before
TIMED = """([name, value]) => new Promise((done) => {
  const select = document.getElementById(`questions-${name}`);
  const began = performance.now();
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  const changed = performance.now() - began;
  requestAnimationFrame(() => setTimeout(() => done([changed, performance.now() - began])));
})"""


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field, kind in Size.__annotations__.items():
        parser.add_argument(f"--{field}", type=kind, default=Size._field_defaults[field])
    size = Size(**vars(parser.parse_args()))
    path = find_chromium()
    if path is None:
        print("no Chromium on PATH: `make browser` installs it where apt can")
        return
    with tempfile.TemporaryDirectory() as place, started(path) as browser:
        page = _made(Path(place) / "large", size)
        for run in range(3):
            _first_paint(browser, page, run)
        _used(browser, page)


def _made(folder: Path, size: Size) -> Path:
    write_run(folder, size)
    report = rebuild_report(folder)
    began = time.perf_counter()
    section = questions_section(report, folder)
    questions = time.perf_counter() - began
    text = html(report, section)
    print(f"{size.questions:,} questions, {size.variants} variants: questions packed in {questions:.1f} s,", end=" ")
    print(f"page in {time.perf_counter() - began:.1f} s, {len(text.encode()) / 1e6:.1f} MB;", end=" ")
    print(f"answers in {len(section.data) / 1e6:.1f} MB")
    page = folder / "report.html"
    page.write_text(text)
    return page


def _first_paint(browser: Browser, path: Path, run: int) -> None:
    with opened(browser, path) as made:
        rows = made.page.evaluate("performance.now()")
        paints = made.page.evaluate("performance.getEntriesByType('paint').map((e) => [e.name, e.startTime])")
        times = ", ".join(f"{name} {at:.0f} ms" for name, at in paints)
        print(f"opened ({run + 1}): {times}, rows there at most {rows:.0f} ms")


def _used(browser: Browser, path: Path) -> None:
    with opened(browser, path) as made:
        page = made.page
        page.evaluate("document.readyState === 'complete' || new Promise((done) => addEventListener('load', done))")
        times = [page.evaluate(TIMED, [name, value]) for name, values in FILTERS.items() for value in values * 3]
        _print_times("filter, the script", [changed for changed, _ in times])
        _print_times("filter, until drawn", [drawn for _, drawn in times])
        _print_times("open a question", [_opened_in(page, number) for number in range(0, size_of(page), 251)])
        for words in ("parallelogram", "the", "zzzz"):
            print(f"search for {words!r}: {_searched_in(page, words):.2f} s, {page.inner_text('#questions-count')}")
        memory = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize / 1e6 : NaN")
        print(f"memory of the script: {memory:.0f} MB")


def size_of(page: Page) -> int:
    """Read how many questions there are."""
    return int(page.locator("[role=option]").first.get_attribute("aria-setsize") or 0)


def _print_times(name: str, milliseconds: list[float]) -> None:
    print(f"{name}: median {statistics.median(milliseconds):.1f} ms, at most {max(milliseconds):.1f} ms", end="")
    print(f" ({len(milliseconds)} times)")


def _opened_in(page: Page, number: int) -> float:
    took: float = page.evaluate(
        """async (number) => {
          const list = document.getElementById("questions-list");
          list.scrollTop = (number / Number(list.querySelector("[role=option]").ariaSetSize)) * list.scrollHeight;
          await new Promise((done) => setTimeout(done, 100));
          const row = list.querySelector("[role=option]:nth-child(6)");
          const title = () => document.querySelector(".q-heading")?.textContent;
          const [began, before] = [performance.now(), title()];
          row.click();
          while (title() === before) await new Promise((done) => setTimeout(done));
          return performance.now() - began;
        }""",
        number,
    )
    return took


def _searched_in(page: Page, words: str) -> float:
    began = time.perf_counter()
    page.fill("#questions-search", words)
    page.wait_for_function("words => document.getElementById('questions-list').dataset.sought === words", arg=words)
    return time.perf_counter() - began - 0.2  # it waits until no more is typed


if __name__ == "__main__":
    main()
