"""Roots are those of scipy's brentq, to the last digit; a report does not wait for scipy.optimize."""

import platform
from collections.abc import Callable
from math import copysign, exp, nan, tanh

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from evaluator.stats.roots import find_root

FORMS: dict[str, Callable[[float, float, float], float]] = {
    "cubic": lambda x, a, _: x**3 - a,
    "exponential": lambda x, a, b: exp(b * x) - exp(a),
    "saturating": lambda x, a, b: tanh(b * (x - a)),
    "steep, cut off": lambda x, a, _: max(-1e9, min(1e9, (x - a) * 1e12)),
    "a jump": lambda x, a, _: copysign(1, x - a),
}


ONE_STEP = platform.machine().lower() not in {"x86_64", "amd64"}
"""Whether compiled code may multiply and add in one step, which rounds once less than Python does."""


@given(
    st.sampled_from(sorted(FORMS)),
    st.tuples(st.floats(-3, 3), st.floats(0.1, 4)),
    st.tuples(st.floats(-10, 0), st.floats(0, 10)),
    st.sampled_from([1e-9, 1e-12, 1e-16]),
)
def test_a_root_is_brentqs(form: str, shape: tuple[float, float], ends: tuple[float, float], xtol: float) -> None:
    def function(x: float) -> float:
        return FORMS[form](x, *shape)

    try:
        root = brentq(function, *ends, xtol=xtol)
    except (ValueError, RuntimeError) as error:
        with pytest.raises(type(error)):
            find_root(function, *ends, xtol=xtol)
        return
    found = find_root(function, *ends, xtol=xtol)
    assert found == (pytest.approx(root, rel=1e-14, abs=xtol) if ONE_STEP else root)


def test_what_has_no_end_is_no_root() -> None:
    with pytest.raises(RuntimeError, match="after 100 steps"):
        find_root(lambda x: -1.0 if x == 0 else 1.0 if x == 1 else nan, 0.0, 1.0, xtol=0.0)
