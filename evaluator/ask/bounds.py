"""How much one reply may be: far more than any that its server ends at the limit, far less than fills the memory."""

from typing import NamedTuple

_NO_LIMIT = 131_072
"""Tokens that are supposed where a request names no limit."""


class Bounds(NamedTuple):
    """Of one reply: what is beyond them is not read, and no answer."""

    sent: int
    """Bytes in all, unpacked: a chunk of one token takes some hundreds of them."""
    held: int
    """Bytes of one event or of a reply that is not streamed, and characters of a text with its thoughts."""
    pieces: int
    """Pieces of a text with its thoughts, as a rule one a token. Broken only together with `characters`: a server may
    send its text letter by letter."""
    characters: int
    """Of a text with its thoughts: a token has about four, seldom more than sixteen."""


def bounds_of(limit: int | None) -> Bounds:
    """Give the bounds of a reply that may have so many tokens; None, or a number below 0, is no limit."""
    tokens = _NO_LIMIT if limit is None or limit < 0 else limit
    floor = 16 << 20
    return Bounds(
        sent=floor + (tokens << 12),
        held=floor + 64 * tokens,
        pieces=4096 + 4 * tokens,
        characters=65_536 + 16 * tokens,
    )
