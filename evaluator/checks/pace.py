"""Whether the machine worked as fast at the end as at the beginning."""

from collections.abc import Iterable, Sequence
from statistics import median

from evaluator.checks.observed import records_by_part
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.score import at_the_number
from evaluator.grade.outline import Outline, Reply
from evaluator.store.serving import number_used

_DRIFT = 0.25
_LARGE_DRIFT = 0.5
"""Change of the median speed. A laptop that throttles or runs on battery loses a quarter or more; other load less."""
_ENOUGH = 30
"""Replies in each third, so that a few slow ones do not move the median."""
_LONG_ENOUGH = 120.0
"""Seconds from the first to the last of them: heat takes minutes to build up, and a start is always uneven."""
_WRITTEN = 16
"""Tokens: the time of shorter replies is mostly that of the prompt."""
_CACHED = 0.25
"""Difference of the shares of prompt tokens that came from a cache."""


def drift(given: CheckInput) -> Iterable[Finding]:
    """Compare the speed of each variant's last third of replies with that of its first."""
    for (variant, benchmark), records in records_by_part(given).items():
        timed = sorted((r.started, speed) for r in records if r.reply and (speed := _speed(r.reply)))
        speeds, third = [speed for _, speed in timed], len(timed) // 3
        if third < _ENOUGH or timed[-1][0] - timed[0][0] < _LONG_ENOUGH:
            continue
        first, last = median(speeds[:third]), median(speeds[-third:])
        change = last / first - 1
        if abs(change) > _DRIFT:
            severity: Severity = "warn" if abs(change) > _LARGE_DRIFT else "note"
            message = (
                f"the last third of the replies came {abs(change):.0%} {'slower' if change < 0 else 'faster'} than the"
                f" first ({last:.1f} tokens/s for each, not {first:.1f})"
            )
            evidence = {"first": first, "last": last, "change": change}
            yield Finding(severity=severity, variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def prompt_cache(given: CheckInput) -> Iterable[Finding]:
    """Find variants that took more of their prompts from a cache than others."""
    shares = {
        variant.name: part
        for variant in given.study.variants
        if (part := cached_share(given.records.get(variant.name, ()))) is not None
    }
    if shares and max(shares.values()) - min(shares.values()) > _CACHED:
        listing = ", ".join(f"{name} {part:.0%}" for name, part in shares.items())
        message = f"shares of prompts from a cache differ ({listing}): times to first token do not compare"
        yield Finding(severity="note", message=message, evidence={"shares": shares})


def fewer_at_once(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose server was busy, so that fewer questions were in flight than the study says."""
    asked, searched = number_used(given.study, given.serving), _searched(given)
    fewest = {
        variant.name: _fewest(given.records.get(variant.name, ()), searching=variant.name in searched)
        for variant in given.study.variants
    }
    severity: Severity = "note" if len(set(fewest.values())) == 1 else "warn"
    for name, at_once in fewest.items():
        if at_once is not None:
            why = "said that it was busy" if given.study.concurrency == asked else "was busy, or takes no more"
            message = f"asked {at_once} at a time, not {asked}: the server {why}"
            evidence = {"at_once": at_once, "concurrency": asked}
            yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def _searched(given: CheckInput) -> Sequence[str]:
    """Name the variants that were asked with fewer, and more, to find out how many are best."""
    if isinstance(given.study.concurrency, int):
        return ()
    found = given.serving.in_flight if given.serving else None
    return found.variants if found else [variant.name for variant in given.study.variants]


def _fewest(records: Sequence[Outline], *, searching: bool) -> int | None:
    after = at_the_number(records) if searching else records
    if searching and all(record.at_once for record in after):
        return None
    return min((record.at_once for record in after if record.at_once), default=None)


def _speed(reply: Reply) -> float | None:
    """Return a reply's tokens per second, without the time to the first one."""
    seconds = reply.duration_s - (reply.first_token_s or 0.0)
    tokens = reply.completion_tokens or 0
    return tokens / seconds if tokens >= _WRITTEN and seconds > 0 else None


def cached_share(records: Sequence[Outline]) -> float | None:
    """Return which share of the prompt tokens came out of a cache, of the replies that say so; None: none does."""
    counted = [r.reply for r in records if r.reply and r.reply.prompt_tokens and r.reply.cached_tokens is not None]
    prompts = sum(reply.prompt_tokens or 0 for reply in counted)
    return sum(reply.cached_tokens or 0 for reply in counted) / prompts if prompts else None


RULES = (
    Rule(
        code="drift",
        stage="after",
        severity="note; warn above 50 %",
        threat="Heat, battery or other work slow the machine down, so that speeds do not compare.",
        signal="Median speed of the last third of the replies against the first: more than 25 % apart.",
        advice="Do not compare speeds. If they matter, run again on mains power with nothing else running.",
        find=drift,
    ),
    Rule(
        code="prompt_cache",
        stage="after",
        severity="note",
        threat="Prompts that a server has seen before make it look fast.",
        signal="Shares of prompt tokens from a cache, more than 25 points apart.",
        advice="Do not compare times to first token.",
        find=prompt_cache,
    ),
    Rule(
        code="fewer_at_once",
        stage="after",
        severity="note; warn where not the same for all",
        threat="A server that takes fewer questions at once than others looks slow, or fast for each of them.",
        signal="How many were in flight after the server had refused some because it was busy.",
        advice="Set the study's concurrency to this number, or give the server more slots; compare speeds only then.",
        in_eval="Give this number as --concurrency, or the server more slots; compare speeds only then.",
        find=fewer_at_once,
    ),
)
