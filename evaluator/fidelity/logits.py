"""From logits to logarithms of probabilities, rounded as llama.cpp rounds; and what is done with broken ones."""

from collections.abc import Callable
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from servers.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

P = ParamSpec("P")
T = TypeVar("T")


def quietly(function: Callable[P, T]) -> Callable[P, T]:
    """Keep numpy from warning of NaN and infinities within a function: they are looked for, and refused, there."""

    @wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> T:
        import numpy as np  # noqa: PLC0415 - slow to import

        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            return function(*args, **kwargs)

    return quiet


def check_finite(*numbers: float) -> None:
    """Refuse what a build gives that is broken: of NaN and infinities nothing could be said.

    Raises:
        ModelError: One is not a finite number.
    """
    if not all(map(isfinite, numbers)):
        raise ModelError(
            "the model gives NaN or infinity in place of probabilities",
            remedy="its weights are damaged, or the program has a fault with them on this machine",
        )


def log_sum(logits: "NDArray[np.float32]") -> "np.float32":
    """Return the logarithm of the sum of the exponentials, by which logits become logarithms of probabilities.

    Rounded twice to float32, as in llama.cpp: a logit of 25 has steps of 0.000002, and the sixth digit depends on it.
    """
    import numpy as np  # noqa: PLC0415

    most = logits.max()
    return np.float32(most + np.float32(np.log(np.exp(logits - most).sum(dtype=np.float64))))
