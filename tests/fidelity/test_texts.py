"""The text that fidelity is measured on: the one that ships, files, and wikitext-2 by its bytes."""

import hashlib
from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.fidelity import texts

SHA256 = "b61d8a1e7265563e002a3b87ac031c4e8c4636c58c1b1d7647f742140f1eecd6"
"""Numbers compare only on the same text: whoever changes it says so in the changelog."""
KINDS = {
    "tale": "Alice",
    "documentation": "whichquant",
    "question": "The following are multiple choice questions",
    "answer": "The answer is (",
    "code": "    return ",
    "chat": "<|im_start|>assistant\n",
}


def test_the_default_text_stays_as_it_is() -> None:
    passage = texts.read("default")

    assert (passage.name, passage.sha256) == ("default", SHA256)
    assert hashlib.sha256(passage.text.encode()).hexdigest() == SHA256
    assert len(passage.text) > 140_000  # more than 20,000 tokens wherever a token has at most seven characters


@pytest.mark.parametrize("mark", [pytest.param(mark, id=kind) for kind, mark in KINDS.items()])
def test_every_kind_of_text_is_in_any_part_of_it(mark: str) -> None:
    text = texts.default_text()

    assert all(mark in text[start : start + 20_000] for start in range(0, len(text) - 20_000, 10_000))


def test_the_first_part_asks_of_every_category() -> None:
    head = texts.default_text()[:60_000]

    assert (
        len({head[at:].split(".")[0] for at in range(len(head)) if head.startswith("(with answers) about ", at)}) == 14
    )


def test_chats_are_written_as_the_model_wants_them() -> None:
    passage = texts.read("default", chat=lambda prompt, reply: f"[INST]{prompt}[/INST]{reply}</s>")

    assert passage.text.count("[INST]") == texts.default_text().count("<|im_start|>user") > 60
    assert "<|im_start|>" not in passage.text
    assert passage.sha256 != SHA256


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"one\ntwo\n", "one\ntwo", id="one-line-end-at-the-end-goes"),
        pytest.param(b"one\n\n", "one\n", id="and-no-other"),
        pytest.param(b"one\r\ntwo", "one\r\ntwo", id="windows-line-ends-stay"),
        pytest.param(b"\\n is no line end", "\\n is no line end", id="backslashes-stay"),
        pytest.param(b"\xef\xbb\xbfone", "\ufeffone", id="byte-order-mark-stays"),
    ],
)
def test_a_file_is_read_as_llama_perplexity_reads_it(content: bytes, text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)

    assert texts.read(file) == texts.Passage("mine.txt", text, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        pytest.param(b"one\nt\xe9\n", 2, "is no text in UTF-8 (byte 0xe9)", id="latin-1"),
        pytest.param("one".encode("utf-16"), None, "is a text in UTF-16", id="utf-16"),
        pytest.param(b"GGUF\n\0", 2, "is no text: it has bytes of value 0", id="binary"),
        pytest.param(b" \n", None, "is empty", id="empty"),
        pytest.param(None, None, "cannot be read as a text: No such file or directory", id="not-there"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes | None, line: int | None, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StudyError) as refused:
        texts.read(file)
    assert (refused.value.problem, refused.value.line, refused.value.exit_code) == (problem, line, 2)
    assert refused.value.remedy


def test_a_text_that_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "vast.txt"
    with file.open("wb") as stream:
        stream.truncate(200_000_000)

    with pytest.raises(StudyError, match=r"is 200\.0 MB, and a text may have 100\.0 MB"):
        texts.read(file)


WORDS = " \n = A Title = \n \n An actor , who was known . \n"


@pytest.fixture
def wikitext(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Let a short text stand for wikitext-2, which may not ship."""
    content = WORDS.encode()
    monkeypatch.setattr(texts, "WIKITEXT_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(texts, "_WIKITEXT_WORDS", hashlib.sha256(" ".join(WORDS.split()).encode()).hexdigest())
    monkeypatch.setattr(texts, "_WIKITEXT_SIZES", range(100))
    return content


def test_wikitext_is_known_by_its_bytes(wikitext: bytes, tmp_path: Path) -> None:
    file = tmp_path / "any-name.txt"
    file.write_bytes(wikitext)

    assert texts.read(file).name == "wikitext-2 raw test"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("a.txt", WORDS.replace("\n", "\r\n"), "with Windows line ends", id="windows-line-ends"),
        pytest.param("a.txt", WORDS.replace("\n", "\n\n"), "with other line ends or blanks", id="joined-by-two"),
        pytest.param("a.txt", WORDS.strip(), "with other line ends or blanks", id="stripped"),
        pytest.param("wiki.test.raw", "= A Title =\n", "is called wiki.test.raw and is not", id="another-of-its-name"),
    ],
)
def test_copies_of_wikitext_are_refused(name: str, content: str, problem: str, wikitext: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode())

    with pytest.raises(StudyError, match=problem) as refused:
        texts.read(file)
    assert refused.value.remedy


def test_a_part_of_wikitext_is_a_text_like_any_other(wikitext: bytes, tmp_path: Path) -> None:
    file = tmp_path / "part.txt"
    file.write_bytes(wikitext[:20])

    assert texts.read(file).name == "part.txt"
