"""What tests of programs share: this machine's best sandbox."""

import pytest

from evaluator.grade.sandbox import Sandbox
from tests.support.humaneval_material import this_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return this_sandbox()
