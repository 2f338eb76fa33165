"""What statistics and verdicts cost on the largest study there is: all of MMLU-Pro, eight variants, five answers each.

python -m tests.bench.statistics [questions] [variants] [repeats]
"""

import random
import resource
import sys
import time
from collections.abc import Iterator
from typing import get_args

from evaluator.benchmarks import mmlu_pro
from evaluator.benchmarks.order import nested_order
from evaluator.decide.answers import arrange
from evaluator.decide.evidence import Design
from evaluator.decide.verdict import Rules, compare
from evaluator.records import Grade, Key
from evaluator.study.study import Mode


def grades(ids: list[str], variants: list[str], repeats: int) -> Iterator[Grade]:
    """Every question has its own chance, nearly the same for all variants but the last."""
    rng = random.Random(1)
    chances = [rng.betavariate(2, 1) for _ in ids]
    for variant in variants:
        worse = 0.1 if variant == variants[-1] else 0.0
        for question, chance in zip(ids, chances, strict=True):
            for repeat in range(repeats):
                right = rng.random() < chance - worse
                letter = "A" if right else "B"
                key = Key("mmlu_pro", question, repeat)
                yield Grade(
                    key=key,
                    variant=variant,
                    outcome="correct" if right else "wrong",
                    extracted=letter,
                    why="the answer is (X)",
                )


def main(questions: int = 12_032, count: int = 8, repeats: int = 5) -> None:
    ids = [question.id for question in nested_order(mmlu_pro.load(shots=0), 42, mmlu_pro.repeated())[:questions]]
    variants = [f"v{i}" for i in range(count)]
    everything = list(grades(ids, variants, repeats))
    print(f"{len(ids):,} questions x {count} variants x {repeats} answers: {len(everything):,} grades")
    repeated = {"mmlu_pro": mmlu_pro.repeated()}
    for design in (Design(mode=mode, order={"mmlu_pro": ids}, repeated=repeated) for mode in get_args(Mode)):
        mode = design.mode
        begun = time.process_time()
        graded = arrange(everything, variants=variants, baseline="v0", repeats={"mmlu_pro": repeats}, design=design)
        arranged = time.process_time()
        rules = Rules(baseline="v0", margins={"mmlu_pro": 0.02}, alpha=0.05, design=design)
        comparisons = compare(graded, rules)
        ended = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "linux" else 2**30)
        verdicts = ", ".join(sorted({comparison.verdict for comparison in comparisons}))
        took = f"arranged {arranged - begun:.1f} s, compared {ended - arranged:.1f} s, peak {peak:.2f} GiB"
        print(f"{mode}: {took}: {verdicts}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
