"""Which tensors were not given the type that the name promises, and why."""

import pytest

from evaluator.fidelity.promised import promises
from evaluator.fidelity.tensors import Tensor


def tensors(*kinds: tuple[str, int, int]) -> list[Tensor]:
    """Matrices: type, length of a row, how many; and one vector."""
    found = [Tensor("norm", "F32", (64,), 256, None)]
    for kind, row, count in kinds:
        found += [Tensor(f"{kind}.{row}.{number}", kind, (row, 8), 8, None) for number in range(count)]
    return found


@pytest.mark.parametrize(
    ("says", "kinds", "words"),
    [
        pytest.param({"its name": "m.gguf"}, (("Q4_0", 64, 1),), "", id="nothing-said"),
        pytest.param(
            {"its name": "m-Q8_0.gguf", "general.file_type": "Q8_0"},
            (("Q8_0", 640, 3),),
            "Its name and general.file_type say Q8_0: all 3 matrices are Q8_0.",
            id="kept",
        ),
        pytest.param(
            {"its name": "gemma-Q2_K.gguf"},
            (("Q4_0", 640, 2), ("Q8_0", 640, 1), ("Q3_K", 1024, 1)),
            "Its name says Q2_K: 0 of 4 matrices are Q2_K; those whose rows are no multiple of 256 (640) got "
            "Q4_0 × 2, Q8_0 × 1 instead; the recipe gives Q3_K × 1.",
            id="no-q2_k-in-q2_k",
        ),
        pytest.param(
            {"general.name": "M Q4_K_M"},
            (("Q4_K", 256, 2), ("Q6_K", 256, 1)),
            "general.name says Q4_K_M: 2 of 3 matrices are Q4_K; the recipe gives Q6_K × 1.",
            id="a-mix-by-its-recipe",
        ),
        pytest.param(
            {"its name": "m-IQ3_XXS.gguf"},
            (("IQ3_XXS", 256, 2), ("IQ3_S", 512, 1), ("Q5_0", 96, 1), ("Q5_0", 64, 1)),
            "Its name says IQ3_XXS: 3 of 5 matrices are IQ3; those whose rows are no multiple of 256 (64, 96) got "
            "Q5_0 × 2 instead.",
            id="types-that-mix",
        ),
        pytest.param(
            {"its name": "m-Q2_K.gguf", "general.file_type": "Q4_0"},
            (("Q4_0", 576, 2),),
            "Its name says Q2_K: 0 of 2 matrices are Q2_K; those whose rows are no multiple of 256 (576) got "
            "Q4_0 × 2 instead.\n"
            "general.file_type says Q4_0: all 2 matrices are Q4_0.",
            id="two-promises",
        ),
        pytest.param(
            {"its name": "m-TQ1_0.gguf"},
            (("type 99", 256, 1),),
            "Its name says TQ1_0: 0 of 1 matrices are TQ1_0; the recipe gives type 99 × 1.",
            id="a-type-that-nobody-knows",
        ),
    ],
)
def test_what_was_promised(says: dict[str, str], kinds: tuple[tuple[str, int, int], ...], words: str) -> None:
    assert "\n".join(promise.in_words() for promise in promises(says, tensors(*kinds))) == words


def test_every_tensor_that_was_denied_is_listed_with_its_reason() -> None:
    (promise,) = promises({"its name": "m-Q2_K.gguf"}, tensors(("Q2_K", 256, 2), ("Q4_0", 640, 1), ("Q6_K", 512, 1)))

    assert (promise.kept, promise.matrices) == (2, 4)
    assert [(one.tensor, one.type, one.row, one.why) for one in promise.denied] == [
        ("Q4_0.640.0", "Q4_0", 640, "rows"),
        ("Q6_K.512.0", "Q6_K", 512, "recipe"),
    ]
