"""What ended the replies that were cut off or hold no text, and what to do about each."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.finish import end_of, names_context
from evaluator.grade.cut import ends_early
from evaluator.grade.outline import Outline, Reply
from evaluator.records import Grade, Outcome
from servers.spec import ServerFacts

Cause = Literal["limit", "server", "context", "thoughts", "tool", "nothing", "no_tokens"]
ADVICE: Mapping[Cause, str] = {
    "limit": "Raise max_tokens (run --more-tokens asks only these again), or read the bounds instead of the score.",
    "server": "More tokens change nothing: find the server's own limit, lift it, and ask in a new run.",
    "context": "Give the server more context, or set smaller max_tokens, and ask in a new run.",
    "thoughts": "Read a few (whichquant show RUN --thinking), and look at the template and at thinking budgets.",
    "tool": "Serve the model without tools and their parser, or with another chat template, and ask in a new run.",
    "nothing": "Read a few (whichquant show RUN), and look at the chat template: the model ends its reply at once.",
    "no_tokens": "Read the server's log, and see whether its context holds the prompts: some send nothing if not.",
}
_IN_EVAL: Mapping[Cause, str] = {
    "limit": "Evaluate again with a larger --max-tokens and another --name, or read the bounds instead of the score.",
    "context": "Give the server more context, or a smaller --max-tokens, and ask in a new run.",
}
"""The same where one server was evaluated without a study file, as far as it is another."""
_OFTEN = 0.02
"""Share of the replies; as for those that were cut off."""
_NEARLY_FULL = 16
"""Tokens that may be left of a context that is full: servers keep some, and templates end with some."""
_WHERE: Mapping[str, str] = {
    "llama_server": "start llama-server without -n (--n-predict)",
    "mlx_lm": "start mlx_lm.server with a larger --max-tokens",
    "omlx": "lift the limit of tokens in oMLX's settings, its own and the model's",
    "ollama": "lift num_predict in the model's Modelfile, and give it more num_ctx",
    "lm_studio": "lift the limit of the response's length in LM Studio's settings of the model",
    "vllm": "start vLLM without max_new_tokens in --override-generation-config, and with a larger --max-model-len",
    "openai": "look for a limit in the server's settings (max_tokens, n_predict, the context) and in a proxy's",
}


class Ended(Struct, frozen=True):
    """One reply and its grade."""

    record: Outline
    reply: Reply
    grade: Grade


def replies_by_part(given: CheckInput, outcomes: Collection[Outcome]) -> Mapping[tuple[str, str], Sequence[Ended]]:
    """Give the replies that were graded so, by variant and benchmark."""
    parts: dict[tuple[str, str], list[Ended]] = defaultdict(list)
    for name, records in given.records.items():
        for record in records:
            if record.reply and record.grade and record.grade.outcome in outcomes:
                parts[name, record.key.benchmark].append(Ended(record, record.reply, record.grade))
    return parts


def _graded(given: CheckInput) -> Counter[tuple[str, str]]:
    """Count the replies that have a grade, by variant and benchmark."""
    every = ((name, record) for name, records in given.records.items() for record in records)
    return Counter((name, record.key.benchmark) for name, record in every if record.reply and record.grade)


def advice_for(cause: Cause, ended: Iterable[Ended], *, evaluated: bool) -> str:
    """Say what to do about what ended most replies; a limit that was raised already is named with its number.

    Args:
        cause: What ended them.
        ended: All replies.
        evaluated: Whether one server was evaluated without a study file.
    """
    advice = _IN_EVAL.get(cause, ADVICE[cause]) if evaluated else ADVICE[cause]
    if cause != "limit":
        return advice
    limits = [one.record.limit or 0 for one in ended if one.grade.outcome == "truncated"]
    return f"{max(limits):,} tokens were not enough. {advice}"


def most_often(ended: Iterable[Ended]) -> tuple[Cause, str] | None:
    """Return the cause by which most of the replies were cut off or empty, and a reason in words; None without any."""
    causes = [(_cause(one), one.grade.why) for one in ended if one.grade.outcome in {"truncated", "empty"}]
    if not causes:
        return None
    ((cause, _),) = Counter(cause for cause, _ in causes).most_common(1)
    ((why, _),) = Counter(why for other, why in causes if other == cause).most_common(1)
    return cause, why


def _cause(ended: Ended) -> Cause:
    record, reply, grade = ended.record, ended.reply, ended.grade
    if grade.outcome == "truncated":
        if names_context(reply.finish_reason):
            return "context"
        if record.more_tokens_help:
            return "limit"
        return "server" if _says_limit(reply) else "thoughts"
    if reply.calls_tool or end_of(reply.finish_reason) == "tool":
        return "tool"
    if grade.why.startswith("thinking"):
        return "thoughts"
    return "no_tokens" if reply.completion_tokens == 0 else "nothing"


def server_limit(given: CheckInput) -> Iterable[Finding]:
    """Find replies that were cut off far below the limit that was asked."""
    graded = _graded(given)
    for (name, benchmark), replies in replies_by_part(given, {"truncated"}).items():
        facts, of = given.facts.get(name), graded[name, benchmark]
        cut = [one for one in replies if _is_early(one.record, one.reply)]
        cut = [one for one in cut if not _fills_context(one.reply, facts)]
        if not cut:
            continue
        where = _WHERE.get(facts.runtime if facts else "", _WHERE["openai"])
        yield Finding(
            severity="block" if len(cut) > _OFTEN * of else "warn",
            variant=name,
            benchmark=benchmark,
            message=_cut_early(cut, of),
            advice=f"More tokens change nothing: {where}, and ask in a new run.",
            evidence={"count": len(cut), "of": of, "tokens": _counts(cut)[0]},
        )


def _cut_early(cut: Sequence[Ended], replies: int) -> str:
    limit = max(one.record.limit or 0 for one in cut)
    at, times = _counts(cut)
    if times > len(cut) / 2:
        after, why = f"{at:,}", "the server has a limit of its own"
    else:
        counts = [one.reply.completion_tokens or 0 for one in cut]
        after, why = f"{min(counts):,} to {max(counts):,}", "something other than max_tokens ends them"
    return f"{len(cut)} of {replies} replies were cut off after {after} tokens although {limit:,} were allowed: {why}"


def _counts(cut: Sequence[Ended]) -> tuple[int, int]:
    """Return the count of tokens that most replies have, the greatest of several, and how many have it."""
    counts = Counter(one.reply.completion_tokens or 0 for one in cut)
    return max(counts.items(), key=lambda item: (item[1], item[0]))


def says_length(given: CheckInput) -> Iterable[Finding]:
    """Find servers that say `length` of replies that ended by themselves."""
    graded, stand = _graded(given), defaultdict[tuple[str, str], Counter[str | None]](Counter)
    for name, records in given.records.items():
        for record in records:
            reply, grade = record.reply, record.grade
            if reply and grade and grade.outcome in {"correct", "wrong"} and _is_early(record, reply):
                stand[name, record.key.benchmark][reply.finish_reason] += 1
    for (name, benchmark), words in stand.items():
        of = graded[name, benchmark]
        message = (
            f"the server says {words.most_common(1)[0][0]} of {words.total()} of {of} replies that ended by themselves,"
            " far below max_tokens: they are graded"
        )
        evidence = {"count": words.total(), "of": of}
        yield Finding(severity="note", variant=name, benchmark=benchmark, message=message, evidence=evidence)


def _is_early(record: Outline, reply: Reply) -> bool:
    return _says_limit(reply) and ends_early(reply.tokens, record.limit) and not names_context(reply.finish_reason)


def _says_limit(reply: Reply) -> bool:
    return end_of(reply.finish_reason) == "limit"


def _fills_context(reply: Reply, facts: ServerFacts | None) -> bool:
    """Whether prompt and reply fill the context that the server reports: another rule's concern."""
    total = (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)
    return facts is not None and facts.context is not None and abs(facts.context - total) <= _NEARLY_FULL


RULES = (
    Rule(
        code="server_limit",
        stage="after",
        severity="warn; block above 2 %",
        threat="The server cuts replies at a limit of its own, whatever it is asked for.",
        signal="Cut off with under 90 % of max_tokens, and the context is not full.",
        advice="More tokens change nothing: find the server's own limit, lift it, and ask in a new run.",
        find=server_limit,
    ),
    Rule(
        code="says_length",
        stage="after",
        severity="note",
        threat="A server that says `length` of every end makes whole replies look as if they were cut off.",
        signal="`length` with under 90 % of max_tokens, of replies that end with their answer.",
        advice="Nothing to do: replies that do not end with their answer count as cut off.",
        find=says_length,
    ),
)
