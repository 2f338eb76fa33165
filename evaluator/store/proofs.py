"""What a server proved of itself before the run: what it did when it was asked a few small things."""

from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator.store.folder import proofs_path, read_by_variant, write


class Thought(Struct, frozen=True, kw_only=True):
    """What came of one real question, put as the study puts questions."""

    reasoned: bool
    """Whether thoughts came, in a field of their own or between tags."""
    separated: bool
    """Whether they came in a field of their own."""
    tags: tuple[str, ...] = ()
    """Marks of thinking, or of the chat template, in the text itself."""
    finish_reason: str | None = None
    completion_tokens: int | None = None


class Length(Struct, frozen=True, kw_only=True):
    """A prompt that is a number of equal parts: what the server counted."""

    parts: int
    prompt_tokens: int | None
    refused: str | None = None
    """What the server said where it did not take it."""


class Repeated(Struct, frozen=True, kw_only=True):
    """Answers to one prompt at one temperature."""

    temperature: float | None
    """None: none was sent."""
    times: int
    different: int
    """How many different answers came."""


class Together(Struct, frozen=True, kw_only=True):
    """Greedy answers to several prompts one at a time, and again all at once."""

    prompts: int
    changed: int
    """Prompts whose answer was another one."""
    mixed: int
    """Of these, how many got the answer that belongs to another prompt, and to no other answer of their own."""


class Proofs(Struct, frozen=True, kw_only=True):
    """What one variant's server proved. None, or empty, is what could not be found out."""

    settings: str
    """Identifies what the server was asked to be and how it was asked: other settings have to be proved anew."""
    seconds: float
    """How long it took."""
    tokens: dict[str, int] = {}
    """By name of a fixed short text how many tokens the server counted for it as a prompt."""
    thinking_tokens: dict[str, int] = {}
    """Tokens of one prompt with thinking "on", "off" and "unsaid"."""
    thought: Thought | None = None
    lengths: tuple[Length, ...] = ()
    """Of prompts of growing length; the last as long as the longest question and its reply together, or the cap."""
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
    """Sampling values as the server's own record has them, of a request with the study's sampling."""
    together: Together | None = None
    model: str | None = None
    """As the server named it in its replies."""
    changed: tuple[str, ...] = ()
    """What was another after the run than before it (model, size, digest), one sentence each."""
    failures: tuple[str, ...] = ()
    """What could not be asked, one sentence each."""


def read_proofs(folder: Path) -> dict[str, Proofs]:
    """Read what the servers of a run proved, by variant; nothing where no check was made.

    Raises:
        StudyError: The file is damaged.
    """
    return read_by_variant(proofs_path(folder), Proofs)


def keep_proofs(folder: Path, variant: str, proofs: Proofs) -> None:
    """Write down what a variant's server proved, in place of what it proved before."""
    everything = read_proofs(folder)
    before = everything.get(variant)
    if before is not None:
        # What changed while questions were asked stays true of the answers on disk; what did in a trial does not.
        stays = [told for told in before.changed if not told.endswith(WITHIN_PREFLIGHT)]
        proofs = replace(proofs, changed=tuple(dict.fromkeys((*stays, *proofs.changed))))
    everything[variant] = proofs
    write(proofs_path(folder), msgspec.json.format(msgspec.json.encode(everything), indent=2))


WITHIN_PREFLIGHT = "in the same check"
"""How a sentence ends that tells what changed before the questions, not while they were asked."""
