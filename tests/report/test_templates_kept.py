"""Templates are compiled once, and where they cannot be kept a report is written all the same."""

from pathlib import Path

import pytest

from evaluator.report import html


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    html.template.cache_clear()
    return tmp_path / "cache" / "templates"


@pytest.mark.parametrize("hindered", [False, True])
def test_templates_are_kept_where_they_can_be(hindered: bool, cache: Path) -> None:
    if hindered:  # a file stands where the folder is to be
        cache.parent.mkdir()
        cache.write_text("")

    page = html.template(html.PAGE / "report.html.j2")

    assert page.name == "report.html.j2"
    assert (sorted(cache.iterdir()) != []) if not hindered else cache.is_file()


def test_another_text_is_compiled_again(cache: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.j2"
    said = []
    for text in ("one", "two"):
        page.write_text(text)
        html.template.cache_clear()
        said.append(html.template(page).render())

    assert said == ["one", "two"]
