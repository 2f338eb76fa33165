"""The benchmarks: their questions, their prompts, and where their data is.

A new one is a file that defines a `Benchmark` and its settings, its data, and three lines here.
"""

from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Struct, UnsetType

from evaluator.benchmarks.benchmark import Benchmark, Settings
from evaluator.benchmarks.fidelity import FidelitySettings
from evaluator.benchmarks.gsm8k import GSM8K, Gsm8k
from evaluator.benchmarks.humaneval import HUMANEVAL, HumanEval
from evaluator.benchmarks.mmlu_pro import MMLU_PRO, MmluPro

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in (MMLU_PRO, HUMANEVAL, GSM8K)}

QUICK: dict[str, dict[str, int]] = {MMLU_PRO.name: {"questions": 100}, HUMANEVAL.name: {}}
"""Benchmarks and settings for one running server where the user names none, in the words of a study file."""

if TYPE_CHECKING:
    BenchmarkName = str
else:  # msgspec refuses any other name
    BenchmarkName = Literal[tuple(BENCHMARKS)]


class Benchmarks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a study asks."""

    mmlu_pro: MmluPro | UnsetType = UNSET
    humaneval: HumanEval | UnsetType = UNSET
    gsm8k: Gsm8k | UnsetType = UNSET
    fidelity: FidelitySettings | UnsetType = UNSET

    def chosen(self) -> dict[str, Settings]:
        """Return the benchmarks that the study names, by name."""
        every: dict[str, Settings | UnsetType] = {name: getattr(self, name) for name in BENCHMARKS}
        return {name: settings for name, settings in every.items() if not isinstance(settings, UnsetType)}
