"""Run model-written Python where it can do no harm, or explain why that is impossible here."""

from evaluator.grade.sandbox.sandbox import NoSandbox, Run, Sandbox
from evaluator.grade.sandbox.tiers import find_sandbox
from evaluator.grade.sandbox.workers import run_tests

__all__ = ["NoSandbox", "Run", "Sandbox", "find_sandbox", "run_tests"]
