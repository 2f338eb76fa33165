"""Where a base model's function ends: what comes after it does not count, and may be cut off."""

import pytest

from evaluator.grade.code.extract import goes_on_after_body

GOES_ON = {
    "in the body": ("    x = [\n        1,", False),
    "body, then the next line's beginning": ("    return 1\nde", False),
    "body, then a whole line": ("    return 1\n\ndef g():\n    pa", True),
    "body, then a comment": ("    return 1\n\n# Test cases:\n# f(1) sho", True),
    "comment at the margin within the body": ("    x = 1\n# the result:\n    return x", False),
    "closing bracket at the margin": ("    x = [\n    1\n]\n    y", False),
    "text at the margin in a string": ('    """\nExample:\n    f(1)\n    """\n    x = ', False),
    "else at the margin of nothing": ("    return 1\nelse:\n    pass\nprint(1)\n", True),
    "indentation lost": ("return 1\nprint(2)\npri", True),
    "indentation lost, blank line first": ("\nreturn 1\n    + 2", False),
    "Windows line ends": ("    return 1\r\ndef g():\r\n    pa", True),
    "anew, within the function": ("from typing import List\n\n\ndef f(x):\n    retu", False),
    "anew, at the function's end": ("\n\ndef f(x):\n    return 1\n", False),
    "anew, then another": ("from typing import List\n\n\ndef f(x):\n    return 1\n\n\ndef g(", False),
    "anew, then a whole line": ("from typing import List\n\n\ndef f(x):\n    return 1\n\n\ndef g():\n    pa", True),
    "helper, then anew": ("def g():\n    return 1\n\n\ndef f(x):\n    retu", False),
    "in a fence": ("```python\ndef f(x):\n    return 1", False),
    "behind a fence": ("```python\ndef f(x):\n    return 1\n```\n\nThis is", True),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("text", "goes_on"), GOES_ON.values(), ids=GOES_ON)
def test_a_completion_is_known_to_have_ended_its_function(text: str, *, goes_on: bool) -> None:
    assert goes_on_after_body(text, "f") is goes_on


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [row for key, row in GOES_ON.items() if "helper" not in key],
    ids=[k for k in GOES_ON if "helper" not in k],
)
def test_the_function_s_name_is_needed_only_behind_a_helper(text: str, *, goes_on: bool) -> None:
    assert goes_on_after_body(text) is goes_on
