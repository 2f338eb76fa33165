"""Reports to open in a real browser: one as large as they get, one full of hostile text."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser

from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.nouns import Fidelity
from evaluator.rebuild import rebuild_report
from evaluator.records import Record
from tests.support.chromium import find_chromium, started
from tests.support.large_run import Size, write_run
from tests.support.measured_fidelity import BOUND, FIDELITY, TOP_K

LARGE = Size(questions=5000, variants=4)
HOSTILE = {
    "script": "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>",
    "handler": "<b onmouseover=alert(1) style='position:fixed;inset:0'>over</b>"
    "<iframe srcdoc='<script>parent.hit=3</script>'>",
    "control": "null \x00, bell \x07, escape \x1b[31mred\x1b[0m, delete \x7f, C1 \x9b31m",
    "direction": "right to left \u202eevil\u202c, isolate \u2067x\u2069, marks \u200f\u200e, line \u2028 separator",
    "template": "{{ 7 * 7 }} ${window.hit = 4} <!-- --> ]]> &lt;b&gt; javascript:alert(1)",
    "arabic": "\u0627\u0644\u0625\u062c\u0627\u0628\u0629 (A)",
    "line": "x" * 1_000_000,
}
"""By name, what a model writes as its answer, its thinking and its reason to end."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Open a browser for the tests of one file: while it is open an event loop runs, and no other test may have one."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on PATH: `make browser` installs it where apt can")
    with started(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "large"
    write_run(folder, LARGE)
    rebuild_report(folder)
    return folder / "report.html"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "hostile"
    write_run(folder, Size(questions=16, variants=2, again=2), edit=_hostile)
    keep_fidelity(folder, _named(FIDELITY, HOSTILE["script"]))
    rebuild_report(folder)
    return folder / "report.html"


@pytest.fixture(scope="session")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "repeated"
    write_run(folder, Size(questions=12, variants=2, repeats=3, again=4))
    rebuild_report(folder)
    return folder / "report.html"


def _named(fidelity: Fidelity, name: str) -> Fidelity:
    """Call the reference so, what was read, and every other build."""
    builds = [
        msgspec.structs.replace(build, reference=name, build=name if number % 2 else build.build)
        for number, build in enumerate((*fidelity.builds, BOUND, TOP_K))
    ]
    floors = [msgspec.structs.replace(floor, build=name, ways=name) for floor in fidelity.floors]
    text = msgspec.structs.replace(fidelity.text, name=name)
    return msgspec.structs.replace(fidelity, text=text, builds=tuple(builds), floors=tuple(floors), notes=(name,))


def _hostile(record: Record, number: int) -> Record:
    """Put a hostile text into each place of a reply; the two variants differ, so that the difference is marked."""
    texts = list(HOSTILE.values())
    if number >= len(texts) or record.answer is None:
        return record
    text = texts[number] + (" and more" if record.variant == "q8_0" else "")
    short = text[:60]
    answer = msgspec.structs.replace(record.answer, text=text, reasoning=text, finish_reason=f"stop {short}")
    return msgspec.structs.replace(record, answer=answer)
