"""What the preflight showed: prompts sent at once, probes that failed, variants that were never probed."""

from collections.abc import Iterable

from evaluator.checks.observed import share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.wording import listed
from evaluator.store.proofs import OwnReplies, Together

_SAME, _SAME_BLOCK = 0.5, 0.9
"""Shares of different prompts with one and the same long reply."""
_LOST, _LEAST_LOST = 0.5, 3
"""Of the replies that held their own word: how many lack it when all are sent at once; noise changes single ones."""
_CHANGED = 0.25
"""Share of greedy answers that change when prompts are sent together; batched arithmetic always changes some."""


def mixed(given: CheckInput) -> Iterable[Finding]:
    """Find servers that give one request the reply to another."""
    for name, proofs in given.proofs.items():
        found = _alone(proofs.alone) or _at_once(proofs.at_once, proofs.together)
        if found:
            message, evidence = found
            yield Finding(severity="block", variant=name, message=message, evidence=evidence)
        elif proofs.alone and proofs.at_once and _is_lost(proofs.alone, proofs.at_once):
            message = (
                f"of {proofs.alone.own} replies that held the word asked for, {proofs.at_once.lost} did not when all"
                " prompts were sent at once: they may belong to other requests"
            )
            evidence = {"own": proofs.alone.own, "lost": proofs.at_once.lost}
            yield Finding(severity="warn", variant=name, message=message, evidence=evidence)


def _is_lost(alone: OwnReplies, at_once: OwnReplies) -> bool:
    return at_once.lost >= _LEAST_LOST and at_once.lost > _LOST * alone.own


def _alone(alone: OwnReplies | None) -> tuple[str, dict[str, int]] | None:
    if alone is None:
        return None
    evidence = {"prompts": alone.prompts, "others": alone.others, "unknown": alone.unknown}
    if alone.others or alone.unknown:
        return f"replies belong to other requests: {_counted(alone)}, even one at a time{_example(alone)}", evidence
    if alone.whole:
        message = (
            f"streamed replies belong to other requests: without streaming, {alone.whole} of 6 replies hold the word"
            " that was asked for, and streamed ones do not"
        )
        return message, {**evidence, "whole": alone.whole}
    return None


def _at_once(at_once: OwnReplies | None, together: Together | None) -> tuple[str, dict[str, int]] | None:
    if at_once and (at_once.others or at_once.unknown):
        evidence = {"prompts": at_once.prompts, "others": at_once.others, "unknown": at_once.unknown}
        message = f"replies belong to other requests: {_counted(at_once)} when all were sent at once{_example(at_once)}"
        return message, evidence
    if together and together.mixed:
        evidence = {"prompts": together.prompts, "mixed": together.mixed}
        return f"of {together.prompts} prompts at once, {together.mixed} got the answer to another one", evidence
    return None


def _counted(replies: OwnReplies) -> str:
    others = f"{replies.others} got the reply to another prompt" if replies.others else ""
    unknown = f"{replies.unknown} a reply to a prompt that was not sent at all" if replies.unknown else ""
    if unknown and not others:
        unknown = unknown.replace(" a reply", " got a reply", 1)
    return f"of {replies.prompts} prompts, {' and '.join(part for part in (others, unknown) if part)}"


def _example(replies: OwnReplies) -> str:
    return f" ({replies.example})" if replies.example else ""


def one_reply(given: CheckInput) -> Iterable[Finding]:
    """Find servers that give different prompts the same long reply."""
    for name, proofs in given.proofs.items():
        replies = max((r for r in (proofs.alone, proofs.at_once) if r), key=lambda r: r.same / r.prompts, default=None)
        if replies and replies.same > _SAME * replies.prompts:
            message = f"{replies.same} of {replies.prompts} different prompts got one and the same reply"
            severity: Severity = "block" if replies.same > _SAME_BLOCK * replies.prompts else "warn"
            evidence = {"prompts": replies.prompts, "same": replies.same}
            yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def batch_noise(given: CheckInput) -> Iterable[Finding]:
    """Find greedy answers that change when several questions are asked at once."""
    for name, proofs in given.proofs.items():
        together = proofs.together
        if together is None or together.changed <= together.mixed or given.study.concurrency == 1:
            continue
        rate = together.changed / together.prompts
        message = (
            f"{together.changed} of {together.prompts} greedy answers ({share(rate)}) change"
            " when the prompts are sent all at once"
        )
        evidence = {"prompts": together.prompts, "changed": together.changed}
        greedy = given.study.sampling.temperature == 0
        severity: Severity = "warn" if rate > _CHANGED and greedy else "note"
        yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def untried(given: CheckInput) -> Iterable[Finding]:
    """Repeat which probes failed; a warning where the server answered none."""
    for name, proofs in given.proofs.items():
        for sentence in proofs.failures:
            yield Finding(severity="note" if proofs.thought else "warn", variant=name, message=sentence)


def unchecked(given: CheckInput) -> Iterable[Finding]:
    """Name the variants that ran without a preflight."""
    asked = [variant.name for variant in given.study.variants if given.records.get(variant.name)]
    names = [name for name in asked if given.unchecked or name not in given.proofs]
    if names:
        message = f"the questions were asked without a check of the servers: {listed(names)}"
        yield Finding(severity="note", message=message, evidence={"variants": names})


def forced(given: CheckInput) -> Iterable[Finding]:
    """Find runs that were forced although a preflight check blocks the comparison."""
    if given.forced:
        yield Finding(
            severity="note",
            message="the questions were asked although a check blocks the comparison (--force)",
        )


RULES = (
    Rule(
        code="mixed",
        stage="before",
        severity="block; warn where replies only lack their word",
        threat="The server gives a question the reply to another one, an earlier one or somebody else's.",
        signal="Prompts that each ask for a word of their own, sent as the questions are: a reply with another's word.",
        advice="Report the bug to the makers of the server; concurrency: 1 or stream: false may avoid it.",
        in_eval="Report the bug to the makers of the server; --concurrency 1 may avoid it.",
        find=mixed,
    ),
    Rule(
        code="one_reply",
        stage="before",
        severity="block; warn up to 90 %",
        threat="The server does not read the prompts, or gives what it has given before.",
        signal="One whole reply of 40 characters or more to over half of different prompts.",
        advice="Look at a reply, and for a cache of replies between here and the model.",
        find=one_reply,
    ),
    Rule(
        code="batch_noise",
        stage="before",
        severity="note; warn above 25 % in a study at temperature 0",
        threat="Greedy answers depend on what else is asked, which looks like a difference between variants.",
        signal="Greedy answers to prompts sent one at a time and all at once.",
        advice="Set decide.noise_floor to see how much it matters: the baseline is then asked twice.",
        in_eval="Give --concurrency 1 if the same answers matter more to you than time.",
        find=batch_noise,
    ),
    Rule(
        code="untried",
        stage="before",
        severity="note; warn where no question was answered",
        threat="A probe failed, so nothing is known of what it tests.",
        signal="Failed probes of the preflight.",
        advice="Look at the server's log if it matters to you.",
        find=untried,
    ),
    Rule(
        code="unchecked",
        stage="after",
        severity="note",
        threat="It was never tested whether the server does what the study says.",
        signal="No preflight results beside the records, or the preflight was skipped.",
        advice="Run whichquant check on the study while its servers can be started.",
        in_eval="Leave --no-check out, and give another --name: then the server is tried before the first question.",
        find=unchecked,
    ),
    Rule(
        code="forced",
        stage="after",
        severity="note",
        threat="A warning was overruled.",
        signal="--force, in the run's plan.",
        advice="Mend what the check found, and run again.",
        find=forced,
    ),
)
