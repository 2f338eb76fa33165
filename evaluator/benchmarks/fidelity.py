"""How a study measures fidelity: no questions, but one text that every build reads token by token."""

from typing import Annotated

from msgspec import Meta, Struct

TOKENS, CONTEXT, MARGIN = 20_000, 512, 0.01


class FidelitySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far each variant is from its reference, token by token: `whichquant fidelity` measures it."""

    reference: Annotated[
        str,
        Meta(
            description="what the builds should be like: a variant's name, the path of a GGUF file or an MLX folder, or"
            " hf:org/repo[/file.gguf]"
        ),
    ]
    own_references: Annotated[
        dict[str, str],
        Meta(
            description="by variant, the reference of its own: of a build after quantization-aware training its"
            " unquantized checkpoint. Drift, quantization and both together are then told apart"
        ),
    ] = {}
    text: Annotated[str, Meta(description="what is read: default, or the path of a text in UTF-8")] = "default"
    tokens: Annotated[int, Meta(ge=64, description="how many tokens of it are read; the second halves count")] = TOKENS
    context: Annotated[int, Meta(ge=16, le=1 << 20, description="tokens in a window; 512 as llama-perplexity")] = (
        CONTEXT
    )
    margin: Annotated[
        float, Meta(gt=0, lt=10, description="KL divergence in nats a token below which a build equals its reference")
    ] = MARGIN
