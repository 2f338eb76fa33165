"""What happens while a study runs, as nouns: `run_study` hands each to whoever wants to watch."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from evaluator.checks.rule import Check
from evaluator.records import Grade, Key, Record
from evaluator.store.live import Trouble
from evaluator.study.study import Study
from servers.spec import ServerFacts


class Status(Struct, frozen=True):
    """What happens to a variant's server, in words."""

    variant: str
    text: str
    seconds: float = 0.0
    """Of a wait: how long, from now on; it comes beside what was said before, and goes with the wait."""
    trouble: Trouble = ""
    """What went wrong; empty where nothing did."""


class Described(Struct, frozen=True):
    """Who answers at a server that runs already."""

    variant: str
    facts: ServerFacts
    warnings: tuple[str, ...]
    """What it does not do, cannot be sent, or is too small for, one sentence each."""


class Checking(Struct, frozen=True):
    """How the check before the first question goes on."""

    variant: str
    text: str
    """What is done with its server now, or how that ended, in words."""
    done: int = 0
    """Of the requests that check it, those that were answered; 0 of 0 where none is put now."""
    planned: int = 0
    """About how many there are in all."""
    what: str = ""
    """What is tried by them now, in words."""
    ended: bool = False
    """Whether nothing more is done with it for now."""


class Begun(Struct, frozen=True):
    """The study was read; nothing has been started."""

    study: Study
    busy: str = ""
    """Why speeds that are measured now may be too low, in one sentence; empty where nothing speaks for it."""


class Checked(Struct, frozen=True):
    """What the check before the first question found."""

    checks: tuple[Check, ...]


class NotScored(Struct, frozen=True):
    """Code questions will not be scored: there is no sandbox."""

    benchmarks: tuple[str, ...]
    """As people name them."""
    reason: str
    remedy: str


class Planned(Struct, frozen=True):
    """The questions begin."""

    keys: Mapping[str, Sequence[Key]]
    """By variant what it is asked, finished questions included."""
    wanted: Mapping[str, Sequence[Key]]
    """By variant what of it is still to be asked now; where a design looks early, at most that."""


class Graded(Struct, frozen=True):
    """One record is on disk and graded; one of an earlier run too, when it is graded again."""

    record: Record
    grade: Grade
    earlier: bool = False
    """Whether it was on disk already: it shows nothing of how fast is answered now."""


class Settled(Struct, frozen=True):
    """Enough was seen: no further question of a benchmark is needed of a variant."""

    variant: str
    benchmark: str
    again: bool = False
    """Whether this is of the questions that the baseline is asked twice: its texts came again to the letter."""


class Analysing(Struct, frozen=True):
    """All was asked that could be; the answers are compared and the report is written."""


class Unfinished(Struct, frozen=True):
    """A variant could not be finished."""

    variant: str
    why: str
    """The first line says it; further ones are the end of its log."""


Event = (
    Begun | Described | Status | Checking | Checked | NotScored | Planned | Graded | Settled | Analysing | Unfinished
)
OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Watch nothing."""
