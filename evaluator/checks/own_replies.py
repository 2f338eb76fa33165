"""Whether the replies of a run answer their own questions: one text for many, code or options of another question."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from evaluator.checks.observed import records_by_part, share
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.finish import end_of
from evaluator.grade.thinking import split_thinking
from evaluator.records import Key, Question, Record

_LONG = 80
"""Characters of a reply that is no mere "Let's think step by step. The answer is (C)."."""
_SAME, _SAME_BLOCK, _LEAST = 0.05, 0.5, 5
"""Shares of the questions, and their least number, that get one and the same reply; a weak model has a few such."""
_OTHERS, _LEAST_OTHERS = 0.05, 3
_FUNCTION = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
_BODY = re.compile(r"^[ \t]+\S", re.MULTILINE)
_OPTION = 20
"""Characters of an option that nobody writes by chance."""
_NEAR = 16
"""Questions before and behind in the records, whose options are looked for: replies that go astray come from there."""
_LOOKED_AT = 400
"""Replies at most, spread over the run; to look for every option in every reply would take hours."""


def same_text(given: CheckInput) -> Iterable[Finding]:
    """Find one long reply that many different questions got."""
    for (variant, benchmark), records in records_by_part(given).items():
        answers = {
            r.key.question_id: r.answer for r in records if r.answer and end_of(r.answer.finish_reason) != "limit"
        }
        texts = Counter(
            text
            for answer in answers.values()
            if len(text := split_thinking(answer.text, answer.reasoning).answer.strip()) >= _LONG
        )
        text, count = texts.most_common(1)[0] if texts else ("", 0)
        if count >= _LEAST and count > _SAME * len(answers):
            rate = share(count / len(answers))
            begins = " ".join(text.split())[:60]
            message = f'{count} of {len(answers)} different questions ({rate}) got one and the same reply: "{begins} …"'
            severity: Severity = "block" if count > _SAME_BLOCK * len(answers) else "warn"
            evidence = {"count": count, "of": len(answers), "characters": len(text)}
            yield Finding(severity=severity, variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def others_reply(given: CheckInput) -> Iterable[Finding]:
    """Find replies that answer another question of the run."""
    for (variant, benchmark), records in records_by_part(given).items():
        looked_at, found = 0, list[tuple[str, str]]()
        for own, other in _answered(given.asked, records):
            looked_at += 1
            if other is not None:
                found.append((own, other))
        if len(found) >= _LEAST_OTHERS and len(found) > _OTHERS * looked_at:
            message = (
                f"{len(found)} of {looked_at} replies answer another question than they were asked"
                f" (question {found[0][0]} got the answer to {found[0][1]})"
            )
            evidence = {"count": len(found), "of": looked_at, "pairs": [list(pair) for pair in found[:5]]}
            yield Finding(severity="block", variant=variant, benchmark=benchmark, message=message, evidence=evidence)


def _answered(asked: Mapping[Key, Question], records: Sequence[Record]) -> Iterator[tuple[str, str | None]]:
    """Yield the questions whose replies could show it, each with the other question that its reply answers, if any."""
    known = [(asked[r.key], r.answer) for r in records if r.answer and r.key in asked]
    names: dict[str, str] = {question.answer: question.id for question, _ in known if question.kind == "code"}
    step = max(1, len(known) // _LOOKED_AT)
    for i, (question, answer) in enumerate(known):
        text = split_thinking(answer.text, answer.reasoning).answer
        if question.kind == "code":
            yield question.id, _defined(question, text, names)
        elif question.kind == "choice" and i % step == 0:
            near = [other for other, _ in known[max(0, i - _NEAR) : i + _NEAR + 1] if other.id != question.id]
            yield question.id, _quoted(question, text, near)


def _defined(question: Question, text: str, names: Mapping[str, str]) -> str | None:
    """Return the question whose function a reply begins with, while it never names its own."""
    first = _FUNCTION.search(text)
    if first is None or re.search(rf"\b{re.escape(question.answer)}\b", text):
        return None
    before = text[: first.start()]
    if _BODY.search(before) or (before.strip() and not question.prompt.chat):
        return None  # what follows a bare body is the next thing that a base model thinks of
    return names.get(first[1]) if first[1] not in question.code_prompt else None


def _quoted(question: Question, text: str, near: Sequence[Question]) -> str | None:
    """Return the question whose options alone a reply quotes, and none of its own."""
    text = text.lower()
    if any(option.lower() in text for option in question.options if len(option) >= _OPTION):
        return None
    prompt = _shown(question)
    by_option: dict[str, list[str]] = defaultdict(list)
    for other in near:
        for option in other.options:
            if len(option) >= _OPTION and option.lower() in text:
                by_option[option.lower()].append(other.id)
    return next((ids[0] for option, ids in by_option.items() if len(ids) == 1 and option not in prompt), None)


def _shown(question: Question) -> str:
    messages = "\n".join(message["content"] for message in question.prompt.messages)
    return f"{question.prompt.text or ''}{messages}".lower()


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
