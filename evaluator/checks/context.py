"""Whether the context holds every question and its reply, and nothing is cut in silence."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from evaluator.checks.observed import answers
from evaluator.checks.rule import CheckInput, Found, Rule
from evaluator.records import Record
from evaluator.store.proofs import Length
from evaluator.study.study import Variant
from servers.spec import ServerFacts

# llama-server, oMLX, vLLM and OpenAI, Ollama
_TOO_LONG = re.compile(
    r"exceed_context_size|prompt too long|maximum context length|exceeds? .{0,40}context",
    re.IGNORECASE,
)
_COUNTED = 0.9
"""Of the tokens that a prompt of equal parts must have: they grow in proportion, but for a few where parts meet."""
_PINNED = 5
"""Replies whose tokens add up to the same largest number; by chance the longest replies do not end so often at one."""
_LEAST_CONTEXT = 512
"""Tokens; no server gives less unless told to."""


def context(given: CheckInput) -> Iterable[Found]:
    """Compare the context with what the questions take; with replies at hand, by what these took."""
    for variant in given.study.variants:
        records = given.records.get(variant.name, ())
        if any(record.answer for record in records) or _refused(records):
            yield from _as_heard(given, variant, records)
        else:
            yield from _as_tried(given, variant)


def _as_tried(given: CheckInput, variant: Variant) -> Iterable[Found]:
    facts, proofs = given.facts.get(variant.name), given.proofs.get(variant.name)
    if proofs is None:
        return
    tokens = facts.context if facts else None
    evidence = {"context": tokens, "needed": proofs.needed}
    refused = next((length for length in proofs.lengths if length.refused is not None), None)
    if tokens is not None and tokens < proofs.needed:
        # Without a count of tokens what is needed is an estimate on the safe side.
        counted = refused is not None or any(length.prompt_tokens for length in proofs.lengths)
        message = (
            f"the server gives {tokens} tokens of context; the longest question and its reply"
            f" {'need' if counted else 'may need'} {proofs.needed}"
        )
        yield Found(severity="block" if counted else "warn", variant=variant.name, message=message, evidence=evidence)
    elif refused is not None:
        message = (
            f"a prompt as long as a question and its reply may become ({proofs.needed} tokens at most) was refused:"
            f" {refused.refused}"
        )
        counted = bool(proofs.tokens) or any(length.prompt_tokens for length in proofs.lengths)
        yield Found(severity="block" if counted else "warn", variant=variant.name, message=message, evidence=evidence)


def _as_heard(given: CheckInput, variant: Variant, records: Sequence[Record]) -> Iterable[Found]:
    facts, limit = given.facts.get(variant.name), given.study.sampling.max_tokens
    tokens = facts.context if facts else None
    longest = max((reply.prompt_tokens or 0 for reply in answers(given, variant.name)), default=0)
    evidence = {"context": tokens, "longest_prompt": longest, "max_tokens": limit}
    if refused := _refused(records):
        message = (
            f"{refused} questions were refused because they do not fit into the context ({tokens or 'unknown'} tokens)"
        )
        yield Found(severity="block", variant=variant.name, message=message, evidence={**evidence, "refused": refused})
    elif tokens is not None and longest and tokens < longest + limit and not _pinned_at(given, variant.name):
        cut = tokens <= longest
        message = (
            f"the server gives {tokens} tokens of context; the longest prompt has {longest}, and max_tokens is"
            f" {limit}: {'prompts were' if cut else 'long replies are'} cut"
        )
        yield Found(severity="block" if cut else "warn", variant=variant.name, message=message, evidence=evidence)


def _refused(records: Sequence[Record]) -> int:
    return sum(bool(record.failure and _TOO_LONG.search(record.failure.message)) for record in records)


def cut_prompts(given: CheckInput) -> Iterable[Found]:
    """Find servers that cut long prompts and do not say so."""
    for name, proofs in given.proofs.items():
        told = _out_of_proportion(proofs.lengths)
        if told is not None:
            parts, counted, expected = told
            message = (
                f"of a prompt of about {expected} tokens the server counted {counted}: it cuts long prompts in silence"
            )
            evidence = {"parts": parts, "counted": counted, "expected": expected}
            yield Found(severity="block", variant=name, message=message, evidence=evidence)
        elif proofs.needle is False and not any(length.prompt_tokens for length in proofs.lengths):
            message = "a word at the very beginning of a long prompt did not come back, and the server counts no tokens"
            yield Found(severity="warn", variant=name, message=message)


def _out_of_proportion(lengths: Sequence[Length]) -> tuple[int, int, int] | None:
    """Give the first prompt with fewer tokens than its parts must have: its parts, the tokens counted and expected."""
    counted = [(length.parts, length.prompt_tokens) for length in lengths if length.prompt_tokens is not None]
    if len(counted) < 2:
        return None
    (parts, tokens), (more, longer) = counted[:2]
    # Of two prompts it can only be said that the longer one must not be the shorter: the template's tokens are unknown.
    slope = (longer - tokens) / (more - parts) if more > parts else 0.0
    if more > parts and longer <= tokens:
        return more, longer, round(tokens * more / parts)
    for n, heard in counted[2:]:
        expected = tokens + slope * (n - parts)
        if heard < _COUNTED * expected:
            return n, heard, round(expected)
    return None


def context_shift(given: CheckInput) -> Iterable[Found]:
    """Find servers that drop the beginning of the prompt when the context is full."""
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        words = (facts.command if facts else ()) or variant.args
        said = [word for word in words if word in {"--context-shift", "--no-context-shift"}]
        if said and said[-1] == "--context-shift":
            message = "--context-shift is on: when the context is full, the server forgets the question and writes on"
            yield Found(severity="warn", variant=variant.name, message=message)


def context_full(given: CheckInput) -> Iterable[Found]:
    """Find replies that ended where the context did."""
    for variant in given.study.variants:
        if pinned := _pinned_at(given, variant.name):
            total, count = pinned
            facts = given.facts.get(variant.name)
            said = f", though it says {facts.context}" if facts and facts.context not in (None, total) else ""
            message = (
                f"{count} replies end where prompt and reply together have {total} tokens, and none is longer:"
                f" that is the server's context{said}"
            )
            evidence = {"total": total, "replies": count}
            yield Found(severity="block", variant=variant.name, message=message, evidence=evidence)


def _pinned_at(given: CheckInput, variant: str) -> tuple[int, int] | None:
    """Give the largest sum of tokens and how many replies have it, if it is what a context would be."""
    facts = given.facts.get(variant)
    sums = Counter(
        reply.prompt_tokens + reply.completion_tokens
        for reply in answers(given, variant)
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
        signal="Context as the server says it, and the longest prompt it took, against prompt plus max_tokens.",
        advice="Give the server more context, or set smaller max_tokens; asking again does not help.",
        find=context,
    ),
    Rule(
        code="cut_prompts",
        stage="before",
        severity="block; warn where the server counts no tokens",
        threat="The server cuts long prompts and answers what is left of the question.",
        signal="Prompts of equal parts: under 90 % of the tokens they must have; a first word not known.",
        advice="Give the server more context (Ollama: num_ctx), and look at its log for what it cut.",
        find=cut_prompts,
    ),
    Rule(
        code="context_shift",
        stage="before",
        severity="warn",
        threat="A full context loses its beginning, so the model goes on without the question.",
        signal="`--context-shift` in the command line.",
        advice="Start the server with --no-context-shift, so that a reply that does not fit ends as cut off.",
        find=context_shift,
    ),
    Rule(
        code="context_full",
        stage="after",
        severity="block",
        threat="A context smaller than the server says cuts replies, which look as if the model had ended them.",
        signal="Prompt and reply together are one power of two, or the context, in five replies, and in none more.",
        advice="Give the server more context and ask again; these replies say nothing of the model.",
        find=context_full,
    ),
)
