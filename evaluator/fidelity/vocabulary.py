"""The texts of a GGUF's tokens, for servers that name tokens by their texts alone."""

from pathlib import Path

_SPACE = "\u2581"
"""What SentencePiece writes for a space."""
_BYTE = 6
"""Of `enum llama_token_type`: one byte of a character."""


def texts_of(model: Path) -> tuple[str, ...]:
    """Give the texts of a vocabulary's tokens, by id, as servers write them; empty where they are not known.

    A token that holds part of a character has an empty text, as it cannot be told from others.
    """
    if model.suffix != ".gguf":
        return ()
    from gguf import GGUFReader  # noqa: PLC0415 - slow to import

    fields = GGUFReader(model).fields
    kind, tokens, types = (fields.get(f"tokenizer.ggml.{name}") for name in ("model", "tokens", "token_type"))
    if kind is None or tokens is None or types is None:
        return ()
    written = tokens.contents()
    if kind.contents() == "llama":
        pairs = zip(written, types.contents(), strict=True)
        return tuple("" if number == _BYTE else text.replace(_SPACE, " ") for text, number in pairs)
    if kind.contents() == "gpt2":
        letters = _letters_of_bytes()
        return tuple(_from_bytes(text, letters) for text in written)
    return ()


def _from_bytes(text: str, letters: dict[str, int]) -> str:
    """Read a token of byte-level BPE, each of whose letters stands for a byte; one that is none is a special token."""
    if any(letter not in letters for letter in text):
        return text
    try:
        return bytes(letters[letter] for letter in text).decode()
    except UnicodeDecodeError:
        return ""


def _letters_of_bytes() -> dict[str, int]:
    """Number the letters that stand for bytes: those that can be printed for themselves, others from U+0100 on."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + i): byte for i, byte in enumerate(others)}
