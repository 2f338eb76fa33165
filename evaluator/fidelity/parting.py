"""Where the answers of two builds part: the first token that differs, and how sure each build was of it."""

from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Any, Literal

from msgspec import Struct

from evaluator.records import Key
from evaluator.text import shortened

NEAR_TIE = 2.0
"""A token is nearly tied with another where it is less than so many times as likely."""
_SHOWN = 24
"""Characters of what each side goes on with."""
Kind = Literal["near tie", "change of mind", "unknown"]


class Flip(Struct, frozen=True, kw_only=True):
    """One question that one of two builds answers rightly and the other does not."""

    key: Key
    build: str
    reference: str
    request: Mapping[str, Any]
    """As it was sent to the reference."""
    prompt_tokens: int | None
    """As the reference counted them; None where it did not."""
    theirs: str | None
    """The reference's answer; None where it cannot be put to a server again as it was."""
    ours: str | None
    """The build's."""


class Place(Struct, frozen=True):
    """Where two texts part."""

    characters: int
    """That both begin with."""
    theirs: str
    """What the reference goes on with, cut short; empty where it ends there."""
    ours: str
    """The same of the build."""


class Likely(Struct, frozen=True):
    """Probabilities of the two tokens at which answers part, 0 to 1. None: less than all that the server lists."""

    theirs: float | None
    """Of the token that the reference wrote."""
    ours: float | None
    """Of the token that the build wrote."""
    least: float
    """The least that the server lists."""


class Parting(Struct, frozen=True, kw_only=True):
    """Where one build's answer to one question leaves the reference's, as the servers see it."""

    benchmark: str
    question: str
    repeat: int
    build: str
    reference: str
    token: int
    """How many tokens both answers begin with."""
    theirs: str
    """The reference's next token, as text; empty where its answer ends there."""
    ours: str
    """The build's."""
    by_reference: Likely
    """How the reference's server sees both after that beginning."""
    by_build: Likely | None = None
    """How the build's does; None where it could not be asked."""

    @property
    def kind(self) -> Kind:
        """Whether the reference itself was nearly undecided.

        Unknown where it now prefers the build's token by as much: then its own answer is no matter of these two.
        """
        if self.by_reference.theirs is None:
            return "unknown"
        gap = log(self.by_reference.theirs / (self.by_reference.ours or self.by_reference.least))
        if gap >= log(NEAR_TIE):
            return "change of mind"
        return "near tie" if self.by_reference.ours is not None and gap > -log(NEAR_TIE) else "unknown"


class Partings(Struct, frozen=True):
    """How the flips between a build and the reference begin."""

    build: str
    """Its name."""
    reference: str
    """Name of what it is compared with."""
    flips: int
    """Questions that one of them answers rightly and the other does not."""
    near_ties: int
    """Flips that begin where the reference's own token was less than twice as likely as the build's."""
    changes_of_mind: int
    """Flips that begin where it was at least twice as likely."""

    @property
    def sentence(self) -> str:
        """Say it."""
        counted = f"{self.near_ties} at a near tie, {self.changes_of_mind} with a real change of mind"
        left = self.flips - self.near_ties - self.changes_of_mind
        rest = f"; of {left} that could not be found out" if left else ""
        return (
            f"Of the {self.flips} answers that flip between {self.reference} and {self.build}, {counted}{rest}. A near"
            f" tie: {self.reference} itself holds its token for less than twice as likely as the other one."
        )


def place(theirs: str, ours: str) -> Place | None:
    """Find where two answers part; None where they are the same."""
    if theirs == ours:
        return None
    begin = first_difference(theirs, ours)
    return Place(begin, shortened(theirs[begin:], _SHOWN), shortened(ours[begin:], _SHOWN))


def sum_up(build: str, reference: str, flips: int, partings: Iterable[Parting]) -> Partings:
    """Count how the flips between a build and the reference begin."""
    kinds = [each.kind for each in partings if (each.build, each.reference) == (build, reference)]
    return Partings(build, reference, flips, kinds.count("near tie"), kinds.count("change of mind"))


def said_of_place(found: Place, build: str, reference: str, where: str = "") -> str:
    """Say where two answers part, and what each goes on with."""
    after = f"after {found.characters:,} equal characters{where}" if found.characters else f"at the beginning{where}"
    return f"{build} leaves {reference} {after}: {_quoted(found.theirs)} there, {_quoted(found.ours)} here."


def said_of(found: Parting) -> str:
    """Say at which token two answers part, how likely each side's token was to both, and what that means."""
    meaning = {
        "near tie": f"a near tie: {found.reference} itself was nearly undecided",
        "change of mind": f"a change of mind: {found.reference} was clear",
        "unknown": f"{found.reference} does not come to its own answer again",
    }[found.kind]
    views = [(found.reference, found.by_reference), (found.build, found.by_build)]
    sides = [
        f"{name} holds {_quoted(found.theirs)} {_likely(seen.theirs, seen)} likely,"
        f" {_quoted(found.ours)} {_likely(seen.ours, seen)}"
        for name, seen in views
        if seen is not None
    ]
    begin = f"{found.build} leaves {found.reference} at token {found.token + 1:,} of its answer"
    return f"{begin}, {meaning}. {'; '.join(sides)}."


def _quoted(text: str) -> str:
    return f"“{text}”" if text else "the end"


def _likely(probability: float | None, seen: Likely) -> str:
    return f"under {_percent(seen.least)}" if probability is None else _percent(probability)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %" if probability >= 0.001 else f"{100 * probability:.1g} %"


def first_difference(ours: Sequence[object], theirs: Sequence[object]) -> int:
    """Count the tokens, or characters, that two answers begin with alike."""
    pairs = zip(ours, theirs, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
