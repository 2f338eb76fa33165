"""Whether the replies of a run answer their own questions: one text for many, code or options of another question."""

from collections import Counter
from collections.abc import Iterable

from evaluator.checks.observed import records_by_part, share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.finish import end_of
from evaluator.grade.outlines import SAME

_SAME, _SAME_BLOCK = 0.05, 0.5
"""Shares of the questions that get one and the same reply; a weak model has a few such."""
_OTHERS, _LEAST_OTHERS = 0.05, 3


def same_text(given: CheckInput) -> Iterable[Finding]:
    """Find one long reply that many different questions got."""
    for (variant, benchmark), records in records_by_part(given).items():
        answers = {r.key.question_id: r.reply for r in records if r.reply and end_of(r.reply.finish_reason) != "limit"}
        times = Counter(reply.answer_hash for reply in answers.values() if reply.answer_hash)
        text, count = times.most_common(1)[0] if times else (0, 0)
        if count >= SAME and count > _SAME * len(answers):
            rate = share(count / len(answers))
            begins = given.openings[variant, benchmark][text]
            characters = next(reply.answer_characters for reply in answers.values() if reply.answer_hash == text)
            message = f'{count} of {len(answers)} different questions ({rate}) got one and the same reply: "{begins} …"'
            severity: Severity = "block" if count > _SAME_BLOCK * len(answers) else "warn"
            evidence = {"count": count, "of": len(answers), "characters": characters}
            yield Finding(severity=severity, variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def others_reply(given: CheckInput) -> Iterable[Finding]:
    """Find replies that answer another question of the run."""
    for (variant, benchmark), found in given.astray.items():
        if found.count >= _LEAST_OTHERS and found.count > _OTHERS * found.looked_at:
            own, other = found.pairs[0]
            message = (
                f"{found.count} of {found.looked_at} replies answer another question than they were asked"
                f" (question {own} got the answer to {other})"
            )
            evidence = {"count": found.count, "of": found.looked_at, "pairs": [list(pair) for pair in found.pairs]}
            yield Finding(severity="block", variant=variant, benchmark=benchmark, message=message, evidence=evidence)


RULES = (
    Rule(
        code="same_text",
        stage="after",
        severity="warn; block above 50 %",
        threat="Replies do not depend on the questions: one from a cache, a refusal, a server that reads no prompts.",
        signal="One whole reply of 80 characters or more to five questions and above 5 % of them.",
        advice="Read it in the records, and look for a cache of replies between here and the model.",
        find=same_text,
    ),
    Rule(
        code="others_reply",
        stage="after",
        severity="block",
        threat="The server gave questions the replies to other ones, and they were graded.",
        signal="Three replies and above 5 % that define another question's function, or quote another's options alone.",
        advice="Report the bug to the makers of the server; concurrency: 1 or stream: false may avoid it. Ask anew.",
        in_eval="Report the bug to the makers of the server; --concurrency 1 may avoid it. Ask in a new run.",
        find=others_reply,
    ),
)
