"""Measure by form what the extractor makes of self-made MMLU-Pro answers.

`python -m tests.support.choice_forms` prints it.

Every form is put over some sixty real questions of all categories, with 3 to 10 options; all is seeded.
"""

import random
import re
import sys
from collections.abc import Iterator
from string import Template
from typing import NamedTuple

from evaluator.benchmarks import mmlu_pro
from tests.support import choice_forms_answered as answered
from tests.support import choice_forms_languages as languages
from tests.support import choice_forms_unanswered as unanswered
from tests.support.choice_forms_answered import Form
from tests.support.choice_material import UNUSUAL, letters_for, material, sample

ANSWERED: dict[str, tuple[Form, ...]] = {
    "asked form": answered.ASKED,
    "markup": answered.MARKUP,
    "headings": answered.HEADED,
    "bare lines": answered.BARE,
    "said in prose": answered.SAID,
    "text of the option": answered.TEXT,
    "self-correction": answered.CORRECTED,
    "elimination": answered.ELIMINATED,
    "run-on": answered.RUN_ON,
    "other languages": languages.ANSWERED,
}
UNANSWERED: dict[str, tuple[Form, ...]] = {
    "cut off": unanswered.CUT_OFF,
    "refused or broken": unanswered.REFUSED,
    "echoed": unanswered.ECHOED,
    "outside": unanswered.OUTSIDE,
    "letters that are no option": unanswered.LETTERS,
    "several": unanswered.SEVERAL,
    "denied": unanswered.DENIED,
    "no answer, other languages": languages.NOT_ANSWERED,
}


class Reply(NamedTuple):
    """One self-made reply to one real question."""

    kind: str
    form: Form
    question: str
    text: str
    letters: str
    options: tuple[str, ...]
    expected: str | None


class Count(NamedTuple):
    """What became of the replies of one form."""

    right: int = 0
    missed: int = 0
    """No letter found where one was written."""
    other: int = 0
    """Another letter than was written."""
    invented: int = 0
    """A letter where none was written."""

    @property
    def replies(self) -> int:
        """How many they were."""
        return sum(self)


class _Pieces(Template):
    delimiter = "@"
    idpattern = "[A-Za-z]+"
    flags = re.NOFLAG  # `@L` and `@l` differ


def replies() -> Iterator[Reply]:
    """Write every form for every question that it makes sense for."""
    for kind, forms in (*ANSWERED.items(), *UNANSWERED.items()):
        for form in forms:
            rng = random.Random(form.name)
            for question in sample():
                possible = [letter for letter in letters_for(form.template, question) if letter not in form.but]
                if not possible or (kind in UNANSWERED and any(map(UNUSUAL.search, question.options))):
                    continue
                letter = rng.choice(possible)
                text = _Pieces(form.template).substitute(material(question, letter, rng))
                expected = letter if kind in ANSWERED else None
                yield Reply(kind, form, question.id, text, question.letters, question.options, expected)


def measure() -> tuple[dict[tuple[str, str], Count], list[tuple[Reply, str | None, str]]]:
    """Count by kind and form, and give each reply that was read wrongly, with what was found and why."""
    counts: dict[tuple[str, str], Count] = {}
    failures = []
    for reply in replies():
        found = mmlu_pro.extract(reply.text, reply.letters, reply.options)
        count = counts.get((reply.kind, reply.form.name), Count())
        counts[reply.kind, reply.form.name] = _counted(count, reply.expected, found.value)
        if found.value != reply.expected:
            failures.append((reply, found.value, found.why))
    return counts, failures


def _counted(count: Count, expected: str | None, found: str | None) -> Count:
    if found == expected:
        return count._replace(right=count.right + 1)
    if found is None:
        return count._replace(missed=count.missed + 1)
    if expected is None:
        return count._replace(invented=count.invented + 1)
    return count._replace(other=count.other + 1)


def total(counts: dict[tuple[str, str], Count]) -> Count:
    """Add the counts of all forms."""
    return Count(*map(sum, zip(*counts.values(), strict=True)))


def table(counts: dict[tuple[str, str], Count]) -> str:
    """Lay the counts out, a line for each form."""
    writers = {(kind, form.name): form.writer for kind, forms in (ANSWERED | UNANSWERED).items() for form in forms}
    lines = [f"{'form':<38}{'expected of':<24}{'replies':>8}{'right':>7}{'missed':>8}{'other':>7}{'invented':>10}"]
    kind = ""
    for (group, name), count in counts.items():
        if group != kind:
            kind = group
            lines.append(f"\n{kind}")
        lines.append(f"  {name:<36}{writers[group, name]:<24}{count.replies:>8}" + _columns(count))
    every = total(counts)
    lines.append(f"\n{f'all {len(counts)} forms':<62}{every.replies:>8}" + _columns(every))
    return "\n".join(lines)


def _columns(count: Count) -> str:
    return f"{count.right:>7}{count.missed:>8}{count.other:>7}{count.invented:>10}"


if __name__ == "__main__":
    sys.stdout.write(table(measure()[0]) + "\n")
