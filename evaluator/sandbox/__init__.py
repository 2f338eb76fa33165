"""Run model-written Python where it can do no harm, or say why that is impossible here."""

from evaluator.sandbox.bubblewrap import NoSandbox, Run, Sandbox, run_tests
from evaluator.sandbox.probes import find_sandbox

__all__ = ["NoSandbox", "Run", "Sandbox", "find_sandbox", "run_tests"]
