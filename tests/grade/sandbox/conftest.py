"""What tests of the sandbox itself share."""

import shutil
from collections.abc import Iterator

import pytest

from evaluator.grade.sandbox import Sandbox
from evaluator.grade.sandbox.bubblewrap import build_sandbox
from evaluator.grade.sandbox.tiers import trials
from evaluator.grade.sandbox.workers import close_workers


@pytest.fixture
def untried() -> Iterator[None]:
    """Forget which sandboxes were tried, before and after."""
    trials.cache_clear()
    yield
    trials.cache_clear()
    close_workers()


@pytest.fixture(scope="module")
def bubblewrap() -> Sandbox:
    bwrap = shutil.which("bwrap")
    assert bwrap
    return build_sandbox(bwrap)
