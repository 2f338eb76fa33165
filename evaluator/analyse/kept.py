"""Outlines and grades that were made once, kept in the user's cache while records, questions and rules stay the same.

Nothing is taken on trust: a journal is known by the hash of all its bytes, the rules by that of the code that makes
outlines and grades, and what is kept lies where only the user writes, not in a run's folder, which may be another's.
Programs are not kept as run: their records have no grade here.
"""

import hashlib
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from evaluator.analyse.columns import packed, unpacked
from evaluator.grade.outlines import Outlines
from evaluator.records import Key, Question
from evaluator.store.folder import write
from servers.cache import user_cache

LEAST = 4_000_000
"""Bytes of a journal from which keeping pays: those of some 2,000 short answers, graded in a fifth of a second."""
_DAYS = 90
"""After so many without use what is kept is removed."""
_CODE = ("*.py", "grade/**/*.py", "store/*.py", "analyse/*.py")
"""Files of the package on which outlines and grades depend, beside the questions."""


class KeptOutlines:
    """What is kept of the journals of one run."""

    def __init__(self, questions: Mapping[Key, Question]) -> None:
        """Take the questions that are planned."""
        self._questions, self._keys = questions, list(questions)
        self._rules = b""
        self._names: dict[Path, bytes] = {}
        """By journal the hash of all on which its outlines depend."""

    def get(self, path: Path) -> Outlines | None:
        """Return a journal's outlines; None where there are none, or its records, the questions or rules are others."""
        if not _pays(path):
            return None
        try:
            data = _file(path).read_bytes()
            if data[:32] != self._name(path):
                return None
            _file(path).touch()
            return unpacked(data[32:], self._keys)
        except (OSError, msgspec.MsgspecError, LookupError, ValueError):
            return None

    def put(self, path: Path, mine: Outlines | bytes) -> None:
        """Keep a journal's outlines, or what they are packed as; a cache that cannot be written is no error."""
        if not _pays(path):
            return
        with suppress(OSError, UnicodeEncodeError):
            data = mine if isinstance(mine, bytes) else packed(mine, self._keys)
            _file(path).parent.mkdir(parents=True, exist_ok=True)
            write(_file(path), self._name(path) + data)
            _remove_old(_file(path).parent)

    def _name(self, path: Path) -> bytes:
        if path not in self._names:
            self._rules = self._rules or _rules(self._questions)
            with path.open("rb") as journal:
                records = hashlib.file_digest(journal, "sha256").digest()
            self._names[path] = hashlib.sha256(self._rules + records).digest()
        return self._names[path]


def forget(paths: Iterable[Path]) -> None:
    """Remove what is kept of journals, so that they are graded anew."""
    for path in paths:
        with suppress(OSError):
            _file(path).unlink(missing_ok=True)


def _pays(path: Path) -> bool:
    return path.exists() and path.stat().st_size >= LEAST


def _file(path: Path) -> Path:
    return user_cache() / "graded" / hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()


def _rules(questions: Mapping[Key, Question]) -> bytes:
    """Hash the code, the version of Python, whose patterns and letters they are, and all that is asked."""
    found = hashlib.sha256(sys.version.encode())
    package = Path(__file__).parents[1]
    for file in sorted(file for pattern in _CODE for file in package.glob(pattern)):
        found.update(file.read_bytes())
    encode = msgspec.json.Encoder().encode
    found.update(encode(list(questions)))
    for question in {id(question): question for question in questions.values()}.values():
        found.update(encode(question))
    return found.digest()


def _remove_old(folder: Path) -> None:
    before = time.time() - _DAYS * 86400
    for file in folder.iterdir():
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
