"""The benchmarks: their questions, how they are put, and where their data is.

`BENCHMARKS` is the one list of them; each module behind it has the same four names:
`NAME` for people, `TOTAL` questions, `load(...) -> tuple[Question, ...]` in file order, and `data_sha256()`.
"""

from types import ModuleType

from evaluator.benchmarks import humaneval, mmlu_pro

BENCHMARKS: dict[str, ModuleType] = {"mmlu_pro": mmlu_pro, "humaneval": humaneval}
