"""Whether every question and its reply fit into the context, and nothing is cut silently."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from evaluator.checks.observed import replies_of
from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.grade.outline import Outline
from evaluator.store.proofs import Length
from evaluator.study.study import Variant
from servers.spec import ServerFacts

# llama-server, oMLX, vLLM and OpenAI, Ollama
_TOO_LONG = re.compile(
    r"exceed_context_size|prompt too long|maximum context length|exceeds? .{0,40}context",
    re.IGNORECASE,
)
_COUNTED = 0.9
"""Least share of the tokens expected of a prompt made of equal parts; a few are lost where parts meet."""
_PINNED = 5
"""Replies with the same largest sum of tokens; so many do not end at one length by chance."""
_LEAST_CONTEXT = 512
"""Tokens; no server has a smaller context by default."""


def context(given: CheckInput) -> Iterable[Finding]:
    """Compare the context with the tokens that questions and replies take: measured where there are replies."""
    for variant in given.study.variants:
        records = given.records.get(variant.name, ())
        if any(record.reply for record in records) or _refused(records):
            yield from _from_replies(given, variant, records)
        else:
            yield from _from_preflight(given, variant)


def _from_preflight(given: CheckInput, variant: Variant) -> Iterable[Finding]:
    facts, proofs = given.facts.get(variant.name), given.proofs.get(variant.name)
    if proofs is None:
        return
    tokens = facts.context if facts else None
    evidence = {"context": tokens, "needed": proofs.needed}
    refused = next((length for length in proofs.lengths if length.refused is not None), None)
    if tokens is not None and tokens < proofs.needed:
        # Where no server counted tokens, `needed` is an estimate on the safe side.
        counted = refused is not None or any(length.prompt_tokens for length in proofs.lengths)
        message = (
            f"the server gives {tokens} tokens of context; the longest question and its reply"
            f" {'need' if counted else 'may need'} {proofs.needed}"
        )
        yield Finding(severity="block" if counted else "warn", variant=variant.name, message=message, evidence=evidence)
    elif refused is not None:
        message = (
            f"a prompt as long as a question and its reply may become ({proofs.needed} tokens at most) was refused:"
            f" {refused.refused}"
        )
        counted = bool(proofs.tokens) or any(length.prompt_tokens for length in proofs.lengths)
        yield Finding(severity="block" if counted else "warn", variant=variant.name, message=message, evidence=evidence)


def _from_replies(given: CheckInput, variant: Variant, records: Sequence[Outline]) -> Iterable[Finding]:
    facts, limit = given.facts.get(variant.name), given.study.sampling.max_tokens
    tokens = facts.context if facts else None
    longest = max((reply.prompt_tokens or 0 for reply in replies_of(given, variant.name)), default=0)
    evidence = {"context": tokens, "longest_prompt": longest, "max_tokens": limit}
    if refused := _refused(records):
        message = (
            f"{refused} questions were refused because they do not fit into the context ({tokens or 'unknown'} tokens)"
        )
        yield Finding(
            severity="block", variant=variant.name, message=message, evidence={**evidence, "refused": refused}
        )
    elif tokens is not None and longest and tokens < longest + limit and not _pinned_at(given, variant.name):
        cut = tokens <= longest
        message = (
            f"the server gives {tokens} tokens of context; the longest prompt has {longest}, and max_tokens is"
            f" {limit}: {'prompts were' if cut else 'long replies are'} cut"
        )
        yield Finding(severity="block" if cut else "warn", variant=variant.name, message=message, evidence=evidence)


def _refused(records: Sequence[Outline]) -> int:
    return sum(bool(record.failure and _TOO_LONG.search(record.failure)) for record in records)


def cut_prompts(given: CheckInput) -> Iterable[Finding]:
    """Find servers that cut long prompts without an error."""
    for name, proofs in given.proofs.items():
        if (cut := _out_of_proportion(proofs.lengths)) is not None:
            parts, counted, expected = cut
            message = (
                f"of a prompt of about {expected} tokens the server counted {counted}: it cuts long prompts silently"
            )
            evidence = {"parts": parts, "counted": counted, "expected": expected}
            yield Finding(severity="block", variant=name, message=message, evidence=evidence)
        elif proofs.needle is False and not any(length.prompt_tokens for length in proofs.lengths):
            message = "a word at the very beginning of a long prompt was not repeated, and the server counts no tokens"
            yield Finding(severity="warn", variant=name, message=message)


def _out_of_proportion(lengths: Sequence[Length]) -> tuple[int, int, int] | None:
    """Return parts, counted and expected tokens of the first prompt with fewer tokens than its parts must have."""
    counted = [(length.parts, length.prompt_tokens) for length in lengths if length.prompt_tokens is not None]
    if len(counted) < 2:
        return None
    (parts, tokens), (more, longer) = counted[:2]
    # The template's tokens are unknown, so of two prompts alone only their order can be checked.
    slope = (longer - tokens) / (more - parts) if more > parts else 0.0
    if more > parts and longer <= tokens:
        return more, longer, round(tokens * more / parts)
    for n, prompt_tokens in counted[2:]:
        expected = tokens + slope * (n - parts)
        if prompt_tokens < _COUNTED * expected:
            return n, prompt_tokens, round(expected)
    return None


def context_shift(given: CheckInput) -> Iterable[Finding]:
    """Find servers that drop the beginning of the prompt when the context is full."""
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        command = (facts.command if facts else ()) or variant.args
        flags = [word for word in command if word in {"--context-shift", "--no-context-shift"}]
        if flags and flags[-1] == "--context-shift":
            message = "--context-shift is on: when the context is full, the server forgets the question and writes on"
            yield Finding(severity="warn", variant=variant.name, message=message)


def context_full(given: CheckInput) -> Iterable[Finding]:
    """Find replies that ended where the context did."""
    for variant in given.study.variants:
        if pinned := _pinned_at(given, variant.name):
            total, count = pinned
            facts = given.facts.get(variant.name)
            reported = f", though it reports {facts.context}" if facts and facts.context not in (None, total) else ""
            message = (
                f"{count} replies end where prompt and reply together have {total} tokens, and none is longer:"
                f" that is the server's context{reported}"
            )
            evidence = {"total": total, "replies": count}
            yield Finding(severity="block", variant=variant.name, message=message, evidence=evidence)


def _pinned_at(given: CheckInput, variant: str) -> tuple[int, int] | None:
    """Return the largest sum of prompt and completion tokens and how many replies have it, if it may be a context."""
    facts = given.facts.get(variant)
    sums = Counter(
        reply.prompt_tokens + reply.completion_tokens
        for reply in replies_of(given, variant)
        if reply.prompt_tokens and reply.completion_tokens and reply.completion_tokens < given.study.sampling.max_tokens
    )
    if not sums:
        return None
    total = max(sums)
    return (total, sums[total]) if sums[total] >= _PINNED and _is_a_context(total, facts) else None


def _is_a_context(total: int, facts: ServerFacts | None) -> bool:
    # llama.cpp ends a reply one token before its context is full.
    full = [size for size in (total, total + 1) if size >= _LEAST_CONTEXT and size & (size - 1) == 0]
    return bool(full) or (facts is not None and facts.context in {total, total + 1})


RULES = (
    Rule(
        code="context",
        stage="before",
        severity="block; warn where only long replies can be cut, or nothing was counted",
        threat="The context is smaller than a question and its reply: replies end too soon, or questions are refused.",
        signal="Context as the server reports it, and the longest prompt it took, against prompt plus max_tokens.",
        advice="Give the server more context, or set smaller max_tokens; asking again does not help.",
        in_eval="Give the server more context, or a smaller --max-tokens; asking again does not help.",
        find=context,
    ),
    Rule(
        code="cut_prompts",
        stage="before",
        severity="block; warn where the server counts no tokens",
        threat="The server cuts long prompts and answers what is left of the question.",
        signal="Prompts of equal parts: under 90 % of the expected tokens, or the first word is not remembered.",
        advice="Give the server more context (Ollama: num_ctx), and look at its log for what it cut.",
        find=cut_prompts,
    ),
    Rule(
        code="context_shift",
        stage="before",
        severity="warn",
        threat="A full context loses its beginning, so the model goes on without the question.",
        signal="`--context-shift` in the command line.",
        advice="Start the server with --no-context-shift, so that a reply that does not fit is marked as cut off.",
        find=context_shift,
    ),
    Rule(
        code="context_full",
        stage="after",
        severity="block",
        threat="A context smaller than the server reports cuts replies, which look as if the model had ended them.",
        signal="Five replies end at the same sum of tokens, a power of two or the context; none is longer.",
        advice="Give the server more context and ask again; these replies say nothing about the model.",
        find=context_full,
    ),
)
