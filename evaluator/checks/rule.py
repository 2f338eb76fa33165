"""What checks are made of: the input they look at, a finding, and the rule that finds it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from evaluator.decide.answers import Graded
from evaluator.decide.score import Score
from evaluator.grade.astray import Astray
from evaluator.grade.outline import Outline
from evaluator.records import Grade, Key, Question
from evaluator.store.proofs import Proofs
from evaluator.store.serving import Serving
from evaluator.study.study import Study
from servers.spec import ServerFacts

Severity = Literal["block", "warn", "note"]
Stage = Literal["before", "after"]


class Check(Struct, frozen=True, kw_only=True):
    """Something a reader must know before believing a number."""

    code: str
    """Name of the rule, as in the list of checks."""
    severity: Severity
    """`block`: there is no verdict; `warn`: read it before you believe a number; `note`: good to know."""
    variant: str | None = None
    """None: it concerns all variants."""
    benchmark: str | None = None
    message: str
    """What was found, with its numbers, in one sentence."""
    advice: str = ""
    """What to do about it, in one sentence."""
    evidence: dict[str, Any] = {}
    """The numbers, for programs."""


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule found; its code is that of the rule."""

    severity: Severity
    variant: str | None = None
    benchmark: str | None = None
    message: str
    advice: str = ""
    """What to do in this case; empty where the rule's own advice fits."""
    evidence: dict[str, Any] = {}


class CheckInput(Struct, frozen=True, kw_only=True):
    """All that rules may look at. Before the run there are no records, grades or scores."""

    study: Study
    facts: Mapping[str, ServerFacts]
    """By variant, what its server reports about itself."""
    proofs: Mapping[str, Proofs] = {}
    """By variant, how its server behaved in the preflight."""
    asked: Mapping[Key, Question] = {}
    records: Mapping[str, Sequence[Outline]] = {}
    """By variant."""
    astray: Mapping[tuple[str, str], Astray] = {}
    """By variant and benchmark, the replies that were held against other questions."""
    openings: Mapping[tuple[str, str], Mapping[int, str]] = {}
    """By variant and benchmark, how the answers begin that several replies share, by their hash."""
    grades: Sequence[Grade] = ()
    scores: Sequence[Score] = ()
    graded: Graded | None = None
    problems: Mapping[str, str] = {}
    """By variant why its server did not start, or was lost; the first line says it."""
    forced: bool = False
    """Whether the questions were asked although a preflight check blocks the comparison."""
    busy: Sequence[str] = ()
    """When this machine was busy while questions were asked, one sentence each."""
    serving: Serving | None = None
    """How the servers were asked, as far as it is known."""
    unchecked: bool = False
    """Whether they were asked without a preflight."""
    changes: Sequence[str] = ()
    """Changes of how answers are judged, made after the first of them; one sentence each."""
    extended: bool = False
    """Whether questions were added after a fixed-sample report."""


class Rule(Struct, frozen=True, kw_only=True):
    """One check: what it guards against, by which signal, how severe, what to do, and the function that looks."""

    code: str
    stage: Stage
    """before: looks at facts and proofs, and can stop a run before it begins; after: looks at the records."""
    severity: str
    """In words: `block`, or `warn; block above 2 %`."""
    threat: str
    signal: str
    advice: str
    find: Callable[[CheckInput], Iterable[Finding]]
    in_eval: str = ""
    """What to do where one server was evaluated without a study file; empty where `advice` can be followed there."""
