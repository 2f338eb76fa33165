"""What ended the replies that were cut off or hold no text, and what to do about each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.finish import end_of, names_context
from evaluator.grade.cut import ends_early, more_tokens_help, tokens_counted
from evaluator.records import Answer, Grade, Record, limit_of
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


class Ended(NamedTuple):
    """One reply and its grade."""

    record: Record
    answer: Answer
    grade: Grade


def replies_by_part(given: CheckInput) -> dict[tuple[str, str], list[Ended]]:
    """Pair replies with their grades, by variant and benchmark."""
    grades = {(grade.variant, grade.key): grade for grade in given.grades}
    parts: dict[tuple[str, str], list[Ended]] = defaultdict(list)
    for name, records in given.records.items():
        for record in records:
            if record.answer and (grade := grades.get((name, record.key))):
                parts[name, record.key.benchmark].append(Ended(record, record.answer, grade))
    return parts


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
    limits = [limit_of(one.record.request) or 0 for one in ended if one.grade.outcome == "truncated"]
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
    record, answer, grade = ended
    if grade.outcome == "truncated":
        if names_context(answer.finish_reason):
            return "context"
        if more_tokens_help(record):
            return "limit"
        return "server" if _says_limit(answer) else "thoughts"
    if answer.tool_calls or end_of(answer.finish_reason) == "tool":
        return "tool"
    if grade.why.startswith("thinking"):
        return "thoughts"
    return "no_tokens" if answer.completion_tokens == 0 else "nothing"


def server_limit(given: CheckInput) -> Iterable[Finding]:
    """Find replies that were cut off far below the limit that was asked."""
    for (name, benchmark), replies in replies_by_part(given).items():
        facts = given.facts.get(name)
        cut = [one for one in replies if one.grade.outcome == "truncated" and _is_early(one)]
        cut = [one for one in cut if not _fills_context(one.answer, facts)]
        if not cut:
            continue
        where = _WHERE.get(facts.runtime if facts else "", _WHERE["openai"])
        yield Finding(
            severity="block" if len(cut) > _OFTEN * len(replies) else "warn",
            variant=name,
            benchmark=benchmark,
            message=_cut_early(cut, len(replies)),
            advice=f"More tokens change nothing: {where}, and ask in a new run.",
            evidence={"count": len(cut), "of": len(replies), "tokens": _counts(cut)[0]},
        )


def _cut_early(cut: Sequence[Ended], replies: int) -> str:
    limit = max(limit_of(one.record.request) or 0 for one in cut)
    at, times = _counts(cut)
    if times > len(cut) / 2:
        after, why = f"{at:,}", "the server has a limit of its own"
    else:
        counts = [one.answer.completion_tokens or 0 for one in cut]
        after, why = f"{min(counts):,} to {max(counts):,}", "something other than max_tokens ends them"
    return f"{len(cut)} of {replies} replies were cut off after {after} tokens although {limit:,} were allowed: {why}"


def _counts(cut: Sequence[Ended]) -> tuple[int, int]:
    """Return the count of tokens that most replies have, the greatest of several, and how many have it."""
    counts = Counter(one.answer.completion_tokens or 0 for one in cut)
    return max(counts.items(), key=lambda item: (item[1], item[0]))


def says_length(given: CheckInput) -> Iterable[Finding]:
    """Find servers that say `length` of replies that ended by themselves."""
    for (name, benchmark), replies in replies_by_part(given).items():
        stand = [one for one in replies if one.grade.outcome in {"correct", "wrong"} and _is_early(one)]
        if stand:
            word = Counter(one.answer.finish_reason for one in stand).most_common(1)[0][0]
            message = (
                f"the server says {word} of {len(stand)} of {len(replies)} replies that ended by themselves, far below"
                " max_tokens: they are graded"
            )
            evidence = {"count": len(stand), "of": len(replies)}
            yield Finding(severity="note", variant=name, benchmark=benchmark, message=message, evidence=evidence)


def _is_early(one: Ended) -> bool:
    is_early = ends_early(tokens_counted(one.answer), limit_of(one.record.request))
    return is_early and _says_limit(one.answer) and not names_context(one.answer.finish_reason)


def _says_limit(answer: Answer) -> bool:
    return end_of(answer.finish_reason) == "limit"


def _fills_context(answer: Answer, facts: ServerFacts | None) -> bool:
    """Whether prompt and reply fill the context that the server reports: another rule's concern."""
    total = (answer.prompt_tokens or 0) + (answer.completion_tokens or 0)
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
