"""Run model-written Python where it can do no harm, or say why that is impossible here."""

from evaluator.sandbox.sandbox import NoSandbox, Run, Sandbox
from evaluator.sandbox.tiers import find_sandbox
from evaluator.sandbox.workers import run_tests

__all__ = ["NoSandbox", "Run", "Sandbox", "find_sandbox", "run_tests"]
