"""What a server proved before the run: its behaviour when it was sent a few small requests."""

from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator.store.folder import proofs_path, read_by_variant, write


class Thought(Struct, frozen=True, kw_only=True):
    """The reply to one real question, asked as the study asks."""

    reasoned: bool
    """Whether there was thinking, in a field of its own or between tags."""
    separated: bool
    """Whether it was in a field of its own."""
    tags: tuple[str, ...] = ()
    """Marks of thinking, or of the chat template, in the text itself."""
    finish_reason: str | None = None
    completion_tokens: int | None = None


class Length(Struct, frozen=True, kw_only=True):
    """A prompt of a number of equal parts, and the tokens that the server counted."""

    parts: int
    prompt_tokens: int | None
    refused: str | None = None
    """The server's message, if it refused the prompt."""


class Repeated(Struct, frozen=True, kw_only=True):
    """Answers to one prompt at one temperature."""

    temperature: float | None
    """None: none was sent."""
    times: int
    different: int
    """Number of different answers."""


class Together(Struct, frozen=True, kw_only=True):
    """Greedy answers to several prompts one at a time, and again all at once."""

    prompts: int
    changed: int
    """Prompts whose answer changed."""
    mixed: int
    """How many of these got an answer that belongs to another prompt."""


class OwnReplies(Struct, frozen=True, kw_only=True):
    """Replies to prompts that each asked for a word of their own."""

    prompts: int
    """Those that were answered."""
    own: int
    """Replies with the prompt's own word; small models often leave it out."""
    others: int = 0
    """Replies with what only another prompt of the same check asked for."""
    unknown: int = 0
    """Replies with such a word that no prompt of this check had: of another check, some other day or somebody else's.
    """
    same: int = 0
    """Prompts that got one and the same long reply; 0 where all long replies differ."""
    lost: int = 0
    """Of prompts put all at once: without their own word, which was there when they were put one at a time."""
    whole: int | None = None
    """Of the first six: replies with their own word that were not streamed, where streamed ones lacked it. None: there
    is no such difference."""
    example: str = ""
    """Words of one reply that belongs to another request."""


class Proofs(Struct, frozen=True, kw_only=True):
    """What one variant's server proved. None, or empty: it could not be found out."""

    settings: str
    """Identifies the settings of the server and of the requests; other settings need a new proof."""
    seconds: float
    """How long it took."""
    context: int = 0
    """Tokens of context that the server had to have; where more are needed, long prompts are tried again."""
    tokens: dict[str, int] = {}
    """By name of a fixed short text: tokens that the server counted for it as a prompt."""
    thinking_tokens: dict[str, int] = {}
    """Tokens of one prompt with thinking "on", "off" and "unsaid" (not set in the request)."""
    thought: Thought | None = None
    lengths: tuple[Length, ...] = ()
    """Prompts of growing length; the last is as long as the longest question with its reply, or the cap."""
    needed: int = 0
    """Tokens of context that the study needs: the longest prompt and its reply."""
    needle: bool | None = None
    """Whether a word from the very beginning of a long prompt came back. A small model may fail at this by itself."""
    cold: Repeated | None = None
    """At temperature 0."""
    hot: Repeated | None = None
    """At temperature 1."""
    plain: Repeated | None = None
    """With the study's own sampling."""
    applied: dict[str, float] = {}
    """Sampling values that the server itself reports for a request with the study's sampling."""
    alone: OwnReplies | None = None
    """Of prompts put one at a time."""
    at_once: OwnReplies | None = None
    """Of these and more, put all at once."""
    together: Together | None = None
    question_s: float | None = None
    """Seconds that one question took, put alone as the study puts it, but for its limit."""
    model: str | None = None
    """The model's name in the server's replies."""
    changed: tuple[str, ...] = ()
    """What changed between the start and the end of the run (model, size, digest), one sentence each."""
    failures: tuple[str, ...] = ()
    """Requests that failed, one sentence each."""


def read_proofs(folder: Path) -> dict[str, Proofs]:
    """Read what the servers of a run proved, by variant; nothing where no check was made.

    Raises:
        StudyError: The file is damaged.
    """
    return read_by_variant(proofs_path(folder), Proofs)


def keep_proofs(folder: Path, variant: str, proofs: Proofs) -> None:
    """Save what a variant's server proved, in place of what it proved before."""
    everything = read_proofs(folder)
    before = everything.get(variant)
    if before is not None:
        # What changed while questions were asked concerns the answers on disk; changes in an earlier check do not.
        kept = [sentence for sentence in before.changed if not sentence.endswith(WITHIN_PREFLIGHT)]
        proofs = replace(proofs, changed=tuple(dict.fromkeys((*kept, *proofs.changed))))
    everything[variant] = proofs
    write(proofs_path(folder), msgspec.json.format(msgspec.json.encode(everything), indent=2))


WITHIN_PREFLIGHT = "in the same check"
"""End of a sentence about a change before the questions, not while they were asked."""
