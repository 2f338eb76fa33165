"""What `--json-log` writes of each event of a run, one line each; docs/reference/log.md is made from here."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from evaluator import events
from evaluator.records import Key, Outcome
from evaluator.text import shortened

_LONGEST = 500
"""Characters of a text that comes from a server."""


class Line(Struct, frozen=True, kw_only=True, tag_field="event"):
    """One line."""

    time: str


class Begun(Line, frozen=True, kw_only=True, tag="begun"):
    """The study was read; nothing has been started. The first line of a run, of one that goes on too."""

    whichquant: str
    """Version of the program."""
    pid: int
    """Number of its process."""
    study: str
    """Name of the study."""
    baseline: str
    variants: tuple[str, ...]
    """Names of all variants, in the study's order."""
    benchmarks: dict[str, int | Literal["all"]]
    """By benchmark how many questions are asked."""
    busy: str
    """Why speeds that are measured now may be too low; empty where nothing speaks for it."""


class Described(Line, frozen=True, kw_only=True, tag="described"):
    """Who answers at a server that runs already (`whichquant eval`)."""

    variant: str
    engine: str
    """The server program."""
    model: str
    """As the server names it."""
    warnings: tuple[str, ...]
    """What it does not do, cannot be sent, or is too small for."""


class Checking(Line, frozen=True, kw_only=True, tag="checking"):
    """How the check before the first question goes on."""

    variant: str
    text: str
    """What is done with its server now, or how that ended, in words."""
    what: str
    """What is tried by requests now; empty where none is put."""
    done: int
    """Of the requests that check it, those that were answered."""
    planned: int
    """About how many there are; 0 where none is put now."""
    ended: bool
    """Whether nothing more is done with it for now."""


class Finding(Struct, frozen=True, kw_only=True):
    """What a check found."""

    severity: str
    """`block`, `warn` or `note`."""
    code: str
    """Of the rule."""
    variant: str | None
    """Whom it is about; None is all."""
    message: str
    """What was found."""
    advice: str
    """What to do about it."""


class Checked(Line, frozen=True, kw_only=True, tag="checked"):
    """What the check before the first question found."""

    findings: tuple[Finding, ...]


class NotScored(Line, frozen=True, kw_only=True, tag="not_scored"):
    """Code questions will not be scored: there is no sandbox."""

    benchmarks: tuple[str, ...]
    """As people name them."""
    reason: str
    """Why there is none."""
    remedy: str
    """How to get one."""


class Planned(Line, frozen=True, kw_only=True, tag="planned"):
    """The questions begin."""

    questions: dict[str, dict[str, int]]
    """By variant and benchmark how many there are, those of earlier runs included."""
    wanted: dict[str, dict[str, int]]
    """By variant and benchmark how many are asked now; a design that looks early asks at most so many."""


class Status(Line, frozen=True, kw_only=True, tag="status"):
    """What happens to a variant's server."""

    variant: str
    text: str
    """In words."""
    seconds: float
    """Of a wait, how long; else 0."""
    trouble: Literal["", "busy", "restarted", "lost"]
    """What is wrong: it asks to wait or takes fewer at once, is started again, or is given up; empty: nothing is."""


class Graded(Line, frozen=True, kw_only=True, tag="graded"):
    """One question was asked, its record is on disk, and it is graded."""

    variant: str
    benchmark: str
    question: str
    """Its id."""
    repeat: int
    """0 for the first time that it is asked."""
    outcome: Outcome
    why: str
    """The rule that decided, in words."""
    earlier: bool
    """Whether the record is of an earlier run."""
    attempts: int
    """How often it was put in vain before."""
    failure: str
    """Why no reply came, in words; empty where one came."""
    seconds: float | None
    """From sending to the end of the reply."""
    first_token_s: float | None
    """Seconds from sending to the first token; None where replies are not streamed."""
    prompt_tokens: int | None
    """As the server counts them."""
    completion_tokens: int | None
    """As the server counts them, thinking included."""


class Settled(Line, frozen=True, kw_only=True, tag="settled"):
    """Enough was seen: no further question of a benchmark is needed of a variant."""

    variant: str
    benchmark: str
    again: bool
    """Whether this is of the questions that the baseline is asked twice: its texts came again to the letter."""


class Analysing(Line, frozen=True, kw_only=True, tag="analysing"):
    """All was asked that could be; the answers are compared and the report is written."""


class Unfinished(Line, frozen=True, kw_only=True, tag="unfinished"):
    """A variant could not be finished."""

    variant: str
    why: str
    """In one sentence."""


class Ended(Line, frozen=True, kw_only=True, tag="ended"):
    """The command ends. The last line, unless the process was killed."""

    exit_code: int
    report: str
    """Path of `report.json`; empty where none was written."""
    error: str
    """Why there is none, in one sentence; empty where there is one."""


LINES: tuple[type[Line], ...] = (
    *(Begun, Described, Checking, Checked, NotScored, Planned, Status, Graded, Settled, Analysing, Unfinished, Ended),
)
"""All kinds of lines."""
NOUNS: tuple[type[Struct], ...] = (*LINES, Finding)
"""They and what they are made of."""


def line(event: events.Event, time: str, *, pid: int = 0, version: str = "") -> Line:
    """Return the line of an event that happened at `time`, in this process of this version of the program."""
    match event:
        case events.Begun(study, busy):
            return Begun(
                time=time,
                whichquant=version,
                pid=pid,
                study=study.study,
                baseline=study.baseline,
                variants=tuple(variant.name for variant in study.variants),
                benchmarks={name: settings.questions for name, settings in study.benchmarks.chosen().items()},
                busy=busy,
            )
        case events.Described(variant, facts, warnings):
            return Described(
                time=time, variant=variant, engine=facts.engine, model=facts.model_id or "", warnings=warnings
            )
        case events.Checking():
            return Checking(
                time=time,
                variant=event.variant,
                text=shortened(event.text, _LONGEST),
                what=event.what,
                done=event.done,
                planned=event.planned,
                ended=event.ended,
            )
        case events.Checked() | events.NotScored():
            return _found(event, time)
        case events.Graded():
            return _graded(event, time)
        case _:
            return _asked(event, time)


def _found(event: events.Checked | events.NotScored, time: str) -> Line:
    match event:
        case events.Checked(checks):
            found = tuple(
                Finding(severity=c.severity, code=c.code, variant=c.variant, message=c.message, advice=c.advice)
                for c in checks
            )
            return Checked(time=time, findings=found)
        case events.NotScored(benchmarks, reason, remedy):
            return NotScored(time=time, benchmarks=benchmarks, reason=reason, remedy=remedy)


def _asked(
    event: events.Planned | events.Status | events.Settled | events.Analysing | events.Unfinished, time: str
) -> Line:
    match event:
        case events.Planned(keys, wanted):
            return Planned(
                time=time,
                questions={name: _counts(mine) for name, mine in keys.items()},
                wanted={name: _counts(wanted.get(name, ())) for name in keys},
            )
        case events.Status(variant, text, seconds, trouble):
            return Status(time=time, variant=variant, text=shortened(text, _LONGEST), seconds=seconds, trouble=trouble)
        case events.Settled(variant, benchmark, again):
            return Settled(time=time, variant=variant, benchmark=benchmark, again=again)
        case events.Unfinished(variant, why):
            return Unfinished(time=time, variant=variant, why=shortened(why.partition("\n")[0], _LONGEST))
        case events.Analysing():
            return Analysing(time=time)


def _graded(event: events.Graded, time: str) -> Graded:
    record, grade = event.record, event.grade
    key, answer, failure = record.key, record.answer, record.failure
    return Graded(
        time=time,
        variant=record.variant,
        benchmark=key.benchmark,
        question=key.question_id,
        repeat=key.repeat,
        outcome=grade.outcome,
        why=shortened(grade.why, _LONGEST),
        earlier=event.earlier,
        attempts=len(record.attempts),
        failure=shortened(f"{failure.kind}: {failure.message}", _LONGEST) if failure else "",
        seconds=answer.duration_s if answer else None,
        first_token_s=answer.first_token_s if answer else None,
        prompt_tokens=answer.prompt_tokens if answer else None,
        completion_tokens=answer.completion_tokens if answer else None,
    )


def _counts(keys: Iterable[Key]) -> dict[str, int]:
    return dict(Counter(key.benchmark for key in keys))
