"""The nouns of checks: what is looked at, what is found, and the rule that finds it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from evaluator.decide.answers import Graded
from evaluator.decide.score import Score
from evaluator.records import Grade, Key, Question, Record
from evaluator.store.proofs import Proofs
from evaluator.study.study import Study
from servers.spec import ServerFacts

Severity = Literal["block", "warn", "note"]
Stage = Literal["before", "after"]


class Check(Struct, frozen=True, kw_only=True):
    """Something a reader must know before believing a number."""

    code: str
    severity: Severity
    variant: str | None = None
    """None: it is about all of them."""
    benchmark: str | None = None
    message: str
    """What was found, with its numbers, in one sentence."""
    advice: str = ""
    """What to do about it, in one sentence."""
    evidence: dict[str, Any] = {}
    """The numbers, for programs."""


class Found(Struct, frozen=True, kw_only=True):
    """What a rule found; its code and advice are the rule's."""

    severity: Severity
    variant: str | None = None
    benchmark: str | None = None
    message: str
    evidence: dict[str, Any] = {}


class CheckInput(Struct, frozen=True, kw_only=True):
    """All there is to look at. Before the run there are no records, grades or scores."""

    study: Study
    facts: Mapping[str, ServerFacts]
    """By variant, what its server said of itself."""
    proofs: Mapping[str, Proofs] = {}
    """By variant, what its server did when it was tried."""
    asked: Mapping[Key, Question] = {}
    records: Mapping[str, Sequence[Record]] = {}
    """By variant."""
    grades: Sequence[Grade] = ()
    scores: Sequence[Score] = ()
    graded: Graded | None = None
    forced: bool = False
    """Whether the questions were put although a check before them blocks the claim."""
    unchecked: bool = False
    """Whether they were put without that check."""
    changes: Sequence[str] = ()
    """What was changed of how answers are judged, after there were some."""
    extended: bool = False
    """Whether more was asked after the report of a fixed number of questions."""


class Rule(Struct, frozen=True, kw_only=True):
    """One check: what it guards against, by which signal, how severe, what to do, and the function that looks."""

    code: str
    stage: Stage
    """before: from facts and proofs, so that it can stop a run before it begins; after: from the records."""
    severity: str
    """In words: `block`, or `warn; block above 2 %`."""
    threat: str
    signal: str
    advice: str
    find: Callable[[CheckInput], Iterable[Found]]
