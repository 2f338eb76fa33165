"""How the servers of a run were asked: questions in flight, their order, the prompt cache, and why so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from evaluator.store.folder import read_json, serving_path, write
from evaluator.study.study import Study

Order = Literal["plan", "grouped", "pinned"]
"""In which order questions are put: as planned (benchmarks and categories interleaved); category by category; likewise,
each category on one slot of the server."""


class Level(Struct, frozen=True, kw_only=True):
    """What was measured with so many questions in flight."""

    in_flight: int
    """Questions in flight."""
    tokens_per_second: float
    """Completion tokens of all of them together."""
    first_token_s: float | None = None
    """Median seconds to the first token."""
    seconds: float
    """Over which it was measured."""


class InFlight(Struct, frozen=True, kw_only=True):
    """How many questions are in flight at once, and how that number was found."""

    number: int
    """Questions in flight at most, of one variant."""
    how: Literal["study", "measured", "remembered", "few questions"]
    """The study says it; it was found while asking; in an earlier run; there were too few questions to find it."""
    curve: tuple[Level, ...] = ()
    """In the order of the numbers; empty where nothing was measured."""
    why: str = ""
    """In one sentence: why no more than that."""
    variants: tuple[str, ...] = ()
    """Those that were asked while it was found; their records of that time say how many were in flight."""


class Arranged(Struct, frozen=True, kw_only=True):
    """What one order of the questions lets a server find in its cache."""

    order: Order
    """Of the questions."""
    flags: tuple[str, ...] = ()
    """With which the server was started for it, beside those that it has anyway."""
    evaluated: float
    """Share of the prompt tokens that the server has to evaluate, between 0 and 1, of all that the study puts."""


class Cache(Struct, frozen=True, kw_only=True):
    """How one variant's server uses its prompt cache, and what else was tried."""

    on: bool | None
    """False: every prompt is evaluated whole; None: not known, or as the server does."""
    order: Order
    """In which questions are put."""
    flags: tuple[str, ...] = ()
    """With which the server was started for that order, beside those that it has anyway."""
    tried: tuple[Arranged, ...] = ()
    """What each order that was tried came to, this one among them."""
    why: str = ""
    """In one sentence, with figures."""
    evaluated: float | None = None
    """Share of the prompt tokens that the server evaluated in the run, as its replies count them. In a report alone;
    None where they do not say."""


class Serving(Struct, frozen=True, kw_only=True):
    """How the servers of a run were asked."""

    in_flight: InFlight | None = None
    """The same for all variants; None where it is not known yet."""
    cache: Mapping[str, Cache] = {}
    """By variant."""
    repeatable: bool | None = None
    """Whether every prompt is evaluated whole, so that the same question gets the same answer as far as it can."""
    repeatable_why: str = ""
    """In one sentence, with what it costs."""


def number_used(study: Study, serving: Serving | None) -> int | None:
    """Return how many questions a run has in flight: what its study says, or what was found; None where not yet."""
    if isinstance(study.concurrency, int):
        return study.concurrency
    return serving.in_flight.number if serving and serving.in_flight else None


def read_serving(folder: Path) -> Serving | None:
    """Read how the servers of a run were asked; None of a run of an earlier version.

    Raises:
        StudyError: The file is damaged.
    """
    path = serving_path(folder)
    return read_json(path, Serving, remedy="remove the file and run again") if path.exists() else None


def keep_serving(folder: Path, serving: Serving) -> None:
    """Write down how the servers of a run are asked, in place of what was written before."""
    write(serving_path(folder), msgspec.json.format(msgspec.json.encode(serving), indent=2))
