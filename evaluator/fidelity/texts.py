"""What is read to measure fidelity: the text that comes with whichquant, or any file.

The default text goes round and round: a piece of prose, a question of MMLU-Pro and its worked answer in a chat, a
solved problem of HumanEval as plain code or in a chat. However little of it is read, all kinds are in it. `data/`
names the sources and licences.

A file is read as `llama-perplexity -f` reads it: byte for byte, but for one line end at its very end.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from evaluator.benchmarks import humaneval, mmlu_pro
from evaluator.errors import StudyError
from servers.wording import in_bytes

DEFAULT = "default"
WIKITEXT = "wikitext-2 raw test"
WIKITEXT_SHA256 = "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08"
"""Of wiki.test.raw in wikitext-2-raw-v1.zip, as ggml-org/ci on the Hugging Face hub has it: 1,290,590 bytes."""
_WIKITEXT_WORDS = "06f8f4136de90fcf1b32ffda9136ecab621b3e437c370b5cdd27b37e9e9e9efc"
"""Of its words, one blank between each two: a copy of it, however its lines end."""
_WIKITEXT_SIZES = range(1_250_000, 1_350_000)
_WIKITEXT_FILE = "wiki.test.raw"
_FETCH_IT = f"take {_WIKITEXT_FILE} out of wikitext-2-raw-v1.zip (ggml-org/ci on the Hugging Face hub)"
_MOST = 100_000_000
"""Bytes: some hundred hours of reading for a small model."""
_DATA = Path(__file__).parent / "data"
_PROSE = ("tale.txt", "guide.txt")
_PIECE = 1200
"""Characters that a piece of prose has at least."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Chat = Callable[[str, str], str]
"""Writes a prompt and the reply to it as a chat."""


class Passage(NamedTuple):
    """A text, ready to be cut into tokens."""

    name: str
    """`default`, the name of wikitext-2, or that of the file."""
    text: str
    sha256: str
    """Of the file's bytes; of the default text, of its own in UTF-8."""


def chatml(prompt: str, reply: str) -> str:
    """Write a chat as most templates do, its marks as plain text."""
    return f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>\n"


def read(name_or_path: str | Path, chat: Chat = chatml) -> Passage:
    """Read the text that comes with whichquant (`default`), or a file.

    Args:
        name_or_path: `default`, or the path of a text in UTF-8.
        chat: How the default text's questions and answers become a chat.

    Raises:
        StudyError: There is no such file, it is no text in UTF-8, or it is a copy of wikitext-2 with other line ends.
    """
    if name_or_path == DEFAULT:
        text = default_text(chat)
        return Passage(DEFAULT, text, hashlib.sha256(text.encode()).hexdigest())
    path = Path(name_or_path)
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    text = _decoded(path, content)
    name = WIKITEXT if digest == WIKITEXT_SHA256 else path.name
    if name != WIKITEXT:
        _refuse_copies(path, content, text)
    return Passage(name, text.removesuffix("\n"), digest)


def default_text(chat: Chat = chatml) -> str:
    """Put together the text that comes with whichquant, some 150,000 characters."""
    rounds = zip(_prose(), _questions(chat), _code(chat), strict=False)
    return "\n".join(part for one in rounds for part in one)


def _prose() -> Iterator[str]:
    """Yield pieces of whole paragraphs, out of each file in turn."""
    for pieces in zip(*(_pieces((_DATA / name).read_text(encoding="utf-8")) for name in _PROSE), strict=False):
        yield from pieces


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for paragraph in re.split(r"\n{2,}", text.strip()):
        if len(pieces[-1]) >= _PIECE:
            pieces.append("")
        pieces[-1] += f"{paragraph}\n\n"
    return pieces


def _questions(chat: Chat) -> Iterator[str]:
    """Yield the worked examples, one of each category after the other: the file has them five by five."""
    worked = mmlu_pro.worked()
    return (chat(*worked[place]) for start in range(5) for place in range(start, len(worked), 5))


def _code(chat: Chat) -> Iterator[str]:
    """Yield the solved problems, in turn as plain code and in a chat."""
    for place, (prompt, start, rest) in enumerate(humaneval.solved()):
        code = start + rest.rstrip()
        yield chat(prompt, f"```python\n{code}\n```") if place % 2 else f"{code}\n\n"


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST:
            problem = f"is {in_bytes(size)}, and a text may have {in_bytes(_MOST)}"
            raise StudyError(problem, source=path, remedy="take a part of it")
        content = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read as a text: {error.strerror}"
        raise StudyError(problem, source=path, remedy=f"name a file, or {DEFAULT}") from error
    if not content.strip():
        raise StudyError("is empty", source=path, remedy=f"name a text, or {DEFAULT}")
    return content


def _decoded(path: Path, content: bytes) -> str:
    remedy = "save it as UTF-8"
    if content.startswith(_UTF16):
        raise StudyError("is a text in UTF-16", source=path, remedy=remedy)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise StudyError(f"is no text in UTF-8 (byte 0x{byte:02x})", source=path, line=line, remedy=remedy) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise StudyError(
            "is no text: it has bytes of value 0", source=path, line=line, remedy=f"name a text, or {DEFAULT}"
        )
    return text


def _refuse_copies(path: Path, content: bytes, text: str) -> None:
    """Refuse what would be taken for wikitext-2, and give other perplexities.

    Raises:
        StudyError: It is a copy whose line ends or blanks differ, or another text of that name.
    """
    if len(content) in _WIKITEXT_SIZES and _words_sha256(text) == _WIKITEXT_WORDS:
        turned = hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == WIKITEXT_SHA256
        what = "with Windows line ends" if turned else "with other line ends or blanks"
        problem = f"is a copy of {WIKITEXT} {what}: its perplexities are not those that others measure"
        raise StudyError(problem, source=path, remedy="turn its line ends back to \\n" if turned else _FETCH_IT)
    if path.name == _WIKITEXT_FILE:
        problem = f"is called {_WIKITEXT_FILE} and is not {WIKITEXT} (of another SHA-256 than {WIKITEXT_SHA256[:8]}…)"
        raise StudyError(problem, source=path, remedy=f"{_FETCH_IT}, or give this file another name")


def _words_sha256(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
