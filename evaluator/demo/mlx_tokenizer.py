"""The tokenizer inside a GGUF as the files that transformers, and with it mlx_lm, reads."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenizers import Tokenizer

END_OF_TURN = ("<end_of_turn>", "<|im_end|>")
"""Tokens that end a reply in Gemma 3's and ChatML's format, whatever the GGUF says of its end-of-text token."""
SPACE = "\u2581"
"""What SentencePiece writes for a space."""


class TokenType(IntEnum):
    """`enum llama_token_type` in llama.cpp's include/llama.h, as far as it matters here."""

    NORMAL = 1
    CONTROL = 3
    USER_DEFINED = 4


def build_tokenizer(header: "Mapping[str, Any]") -> "Tokenizer":
    """Rebuild a GGUF's tokenizer.

    Args:
        header: The GGUF's key-value pairs.

    Raises:
        ModelError: It is neither a SentencePiece nor a byte-level BPE vocabulary.
    """
    from tokenizers import AddedToken, processors  # noqa: PLC0415

    tokens: list[str] = header["tokenizer.ggml.tokens"]
    types: list[int] = header["tokenizer.ggml.token_type"]
    kind = header["tokenizer.ggml.model"]
    match kind:
        case "llama":
            tokenizer = _sentencepiece(header, tokens, types)
        case "gpt2":
            tokenizer = _byte_level(header, tokens)
        case _:
            raise ModelError(f"The GGUF's tokenizer is of the kind {kind}, and only llama and gpt2 can be converted.")
    pairs = list(zip(tokens, types, strict=True))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in pairs if kind == TokenType.CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token, kind in pairs if kind == TokenType.USER_DEFINED]
    )
    if header.get("tokenizer.ggml.add_bos_token"):
        bos = header["tokenizer.ggml.bos_token_id"]
        first = tokens[bos]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", pair=f"{first} $A {first} $B", special_tokens=[(first, bos)]
        )
    return tokenizer


def _sentencepiece(header: "Mapping[str, Any]", tokens: "Sequence[str]", types: "Sequence[int]") -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, normalizers  # noqa: PLC0415
    from tokenizers.models import BPE  # noqa: PLC0415

    model = BPE(
        _vocabulary(tokens),
        merges_from_scores(tokens, types, header["tokenizer.ggml.scores"]),
        unk_token=tokens[header["tokenizer.ggml.unknown_token_id"]],
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def merges_from_scores(
    tokens: "Sequence[str]", types: "Sequence[int]", scores: "Sequence[float]"
) -> list[tuple[str, str]]:
    """Find the merges of a SentencePiece BPE vocabulary, which a GGUF does not hold.

    A merge is any split of a token into two tokens; the better the token's score, the earlier its merges. Among the
    splits of one token the one whose left half has the smaller id comes first.
    """
    ids = _vocabulary(tokens)
    ranked = []
    for number, token in enumerate(tokens):
        if types[number] != TokenType.NORMAL:
            continue
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in ids and right in ids:
                ranked.append((-scores[number], number, ids[left], ids[right], left, right))
    return [(left, right) for *_, left, right in sorted(ranked)]


def _byte_level(header: "Mapping[str, Any]", tokens: "Sequence[str]") -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, pre_tokenizers  # noqa: PLC0415
    from tokenizers.models import BPE  # noqa: PLC0415

    split = header.get("tokenizer.ggml.pre")
    if split != "smollm":
        raise ModelError(
            f"The GGUF's tokenizer splits text as {split} does, and of this kind only smollm can be converted."
        )
    merges = [tuple(merge.split(" ", 1)) for merge in header["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE(_vocabulary(tokens), merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _vocabulary(tokens: "Sequence[str]") -> dict[str, int]:
    """Number the tokens; of two that are written alike the first counts."""
    ids: dict[str, int] = {}
    for number, token in enumerate(tokens):
        ids.setdefault(token, number)
    return ids


def tokenizer_config(header: "Mapping[str, Any]", *, context: int) -> dict[str, Any]:
    """Return tokenizer_config.json: the special tokens by name, and the chat template where the GGUF has one."""
    tokens: list[str] = header["tokenizer.ggml.tokens"]
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": bool(header.get("tokenizer.ggml.add_bos_token")),
    }
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        number = header.get(f"tokenizer.ggml.{theirs}_token_id")
        if number is not None:
            config[f"{ours}_token"] = tokens[number]
    if template := header.get("tokenizer.chat_template"):
        config["chat_template"] = template
    return config


def stop_tokens(header: "Mapping[str, Any]") -> list[int]:
    """Return the ids of all tokens that end a reply, the GGUF's own first."""
    ids = _vocabulary(header["tokenizer.ggml.tokens"])
    own = (header.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot"))
    return list(dict.fromkeys(number for number in (*own, *map(ids.get, END_OF_TURN)) if number is not None))
