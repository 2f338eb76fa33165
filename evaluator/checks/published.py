"""Is a score plausible? Published scores of the model's family, and how likely a score this far off is by chance."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from evaluator.benchmarks import BenchmarkName
from evaluator.checks.observed import replies_of, share_that_thinks
from evaluator.checks.rule import CheckInput, Finding
from evaluator.decide import wording
from evaluator.decide.score import Score
from evaluator.stats.proportions import wilson_share
from evaluator.study.study import Variant
from evaluator.study.yaml import read_yaml
from servers.spec import ServerFacts

LEVEL = 0.99
_POINTS = 0.10
"""Quantization to 4 bits or more costs less than this, by every published comparison."""
_POINTS_FEW_BITS = 0.25
_FEW_BITS = 3.5
_FEW_BITS_NAMED = re.compile(r"(?<![a-z0-9])(i?q[123](?![0-9])|tq[12]|[123]-?bits?(?![a-z])|1\.58)")
_FILE = Path(__file__).with_name("published.yaml")
Text = Annotated[str, Meta(min_length=1)]


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a score was read."""

    title: Text
    url: Annotated[str, Meta(pattern="^https?://")]
    read: dt.date
    through: str = ""
    """What was read in place of the source itself; empty where the source was read."""


class Published(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published score, and how it was asked."""

    benchmark: BenchmarkName
    score: Annotated[float, Meta(gt=0, le=100)]
    """Percent."""
    thinking: bool
    """False also for a model that cannot think."""
    shots: Annotated[int, Meta(ge=0)] | None = None
    """None: the source does not say."""
    source: str
    """A key of the table's sources."""


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that share published scores."""

    family: Text
    pattern: Text
    scores: tuple[Published, ...]


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published scores; the first family whose pattern matches counts."""

    sources: dict[str, Source]
    families: tuple[Family, ...]


class Implausible(Struct, frozen=True, kw_only=True):
    """A score far from the published ones of the model."""

    family: str
    benchmark: str
    scored: float
    """A proportion; so are the next two."""
    published: float
    probability: float
    """Of a score so far off, or further, if the published one were this model's true share (binomial tail)."""
    thinking: bool
    """Whether the model thought for the published score."""
    shots: int | None
    title: str
    url: str
    sentence: str


def implausible(given: CheckInput) -> Iterable[Finding]:
    """Find scores too far from the published ones of the model to be explained by quantization."""
    for variant in given.study.variants:
        facts, names = given.facts.get(variant.name), _names(variant, given.facts.get(variant.name))
        thinks, few = _thinks(given, variant, facts), _few_bits(facts, names)
        for score in given.scores:
            settings = given.study.benchmarks.chosen().get(score.benchmark)
            if score.variant != variant.name or score.accuracy is None or settings is None or settings.format != "chat":
                continue
            result = _far_from_published(
                names, score.benchmark, score.accuracy, score.questions, thinks=thinks, few_bits=few
            )
            if result is not None:
                yield _finding(score, result)


def implausible_counts(
    name: str, benchmark: str, correct: int, total: int, *, variant: str = "", thinking: bool | None = None
) -> Implausible | None:
    """Compare a bare count with published scores; None where there are none, or where it fits.

    Args:
        name: Of the model.
        benchmark: Such as `mmlu_pro`.
        correct: Questions solved.
        total: Questions asked, at least score.
        variant: The build's own name, which may show very few bits, as `q2_k`.
        thinking: Whether it thought; None: not known, and then a count must fit neither way to be implausible.
    """
    few = _few_bits(None, (name, variant))
    return _far_from_published((name,), benchmark, correct / total, total, thinks=thinking, few_bits=few)


def family_of(names: Iterable[str], table: Table | None = None) -> Family | None:
    """Return the family that the first matching one of a model's names belongs to."""
    for name in names:
        plain = re.sub(r"[\s_]+", "-", name.lower())
        for family in (table or published()).families:
            if re.search(family.pattern, plain):
                return family
    return None


@cache
def published() -> Table:
    """Read the table that comes with whichquant."""
    return msgspec.yaml.decode(_FILE.read_bytes(), type=Table)  # by libyaml, ten times faster than with line numbers


def read_published(text: str, name: str) -> Table:
    """Read a table of published scores.

    Raises:
        StudyError: It is no such table; the message names the line and the key.
    """
    document = read_yaml(text, name, Table)
    for problem in _contradictions(document.value):
        raise document.error(*problem)
    return document.value


def _contradictions(table: Table) -> Iterator[tuple[str, str, str]]:
    for i, family in enumerate(table.families):
        at, names = f"families[{i}]", [other.family for other in table.families[:i]]
        if family.family in names:
            yield f"{at}.family", f'"{family.family}" has an entry already', "add its scores there"
        try:
            re.compile(family.pattern)
        except re.error as error:
            yield f"{at}.pattern", f"is no regular expression ({error})", ""
        if family.pattern != family.pattern.lower():
            yield f"{at}.pattern", "is searched for in lower case and holds a capital letter", "write it small"
        for j, score in enumerate(family.scores):
            if score.source not in table.sources:
                yield f"{at}.scores[{j}].source", f'"{score.source}" is none of the sources', "add it there"
    used = {score.source for family in table.families for score in family.scores}
    for source in table.sources:
        if source not in used:
            yield f"sources.{source}", "no score comes from it", "remove it"


def _far_from_published(
    names: Iterable[str], benchmark: str, accuracy: float, questions: int, *, thinks: bool | None, few_bits: bool
) -> Implausible | None:
    """Compare with every published score that was measured alike; return the nearest if all are too far off."""
    family = family_of(names)
    comparable = [
        score
        for score in (family.scores if family else ())
        if score.benchmark == benchmark and (thinks is None or score.thinking == thinks)
    ]
    if family is None or not comparable or questions < 1:
        return None
    within = wilson_share(accuracy, questions, LEVEL)
    for score in comparable:
        gap, value = accuracy - score.score / 100, score.score / 100
        allowed = _POINTS_FEW_BITS if few_bits and gap < 0 else _POINTS
        if abs(gap) <= allowed or within.low <= value <= within.high:
            return None
        # With a handful of questions Wilson's interval is too narrow: the exact tail must agree.
        if _tail(score, accuracy, questions) > (1 - LEVEL) / 2:
            return None
    nearest = min(comparable, key=lambda score: abs(accuracy - score.score / 100))
    return _implausible(family, nearest, accuracy, questions)


def _tail(score: Published, accuracy: float, questions: int) -> float:
    from scipy.stats import binom  # noqa: PLC0415 - heavy, and seldom needed

    value, correct = score.score / 100, round(accuracy * questions)
    return float(binom.cdf(correct, questions, value) if accuracy < value else binom.sf(correct - 1, questions, value))


def _implausible(family: Family, score: Published, accuracy: float, questions: int) -> Implausible:
    source, value, chance = published().sources[score.source], score.score / 100, _tail(score, accuracy, questions)
    shots = "" if score.shots is None else f", {score.shots}-shot"
    how = f"thinking {'on' if score.thinking else 'off'}{shots}"
    sentence = (
        f"harness suspect: {wording.percent(accuracy)} of {questions:,} questions, where {score.score:g} % is published"
        f" for {family.family} ({how}; {source.title}, {source.url}); if that were its share, a score this"
        f" {'low' if accuracy < value else 'high'} would come with probability {_chance(chance)}"
    )
    return Implausible(
        family=family.family,
        benchmark=score.benchmark,
        scored=accuracy,
        published=value,
        probability=chance,
        thinking=score.thinking,
        shots=score.shots,
        title=source.title,
        url=source.url,
        sentence=sentence,
    )


def _chance(p: float) -> str:
    return "below 1e-12" if p < 1e-12 else f"{p:.0e}".replace("e-0", "e-") if p < 0.001 else f"{p:.3f}"


def _finding(score: Score, implausible: Implausible) -> Finding:
    evidence: dict[str, Any] = {
        **{
            key: value
            for key, value in msgspec.to_builtins(implausible).items()
            if key not in ("benchmark", "sentence")
        },
        "questions": score.questions,
        "level": LEVEL,
    }
    return Finding(
        severity="warn",
        variant=score.variant,
        benchmark=score.benchmark,
        message=implausible.sentence,
        evidence=evidence,
    )


def _names(variant: Variant, facts: ServerFacts | None) -> tuple[str, ...]:
    """Return the model's possible names, the study's first; of a path only its end, not the user's folders."""
    names = [variant.model, facts.model_id if facts else None, facts.model_path if facts else None]
    return tuple("/".join(name.split("/")[-4:]) for name in names if name)


def _few_bits(facts: ServerFacts | None, names: Iterable[str]) -> bool:
    if facts is not None and facts.bits_per_weight is not None and facts.bits_per_weight < _FEW_BITS:
        return True
    quantization = facts.quantization if facts else None
    return any(_FEW_BITS_NAMED.search(name.lower()) for name in (*names, quantization or ""))


def _thinks(given: CheckInput, variant: Variant, facts: ServerFacts | None) -> bool | None:
    """Return whether a variant thinks: as the study or the server sets it, else as most of its replies show."""
    declared = variant.thinking if variant.thinking is not None else facts.thinking if facts else None
    if declared is not None:
        return declared
    share = share_that_thinks(replies_of(given, variant.name))
    return None if share is None else share > 1 / 2
