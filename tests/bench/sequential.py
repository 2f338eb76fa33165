"""How many questions a sequential run asks, against the true difference, with the real answers of real servers.

python -m tests.bench.sequential [--runs 40] [--answers 300] [--planned 300 1000] [--folder DIR]

Asks three builds of the lab model (F16, Q8_0 and Q2_K on llama-server) so many MMLU-Pro questions once, in fixed mode:
each answer is a real one. Then runs are replayed with the rule that ends real runs, each with questions drawn anew from
those answered, with replacement. Damage is planted by mixing: to each question Q2_K's answer stands in place of F16's
with the chance that makes the difference wanted on average. So damage is real, but its size is chosen.
Prints Markdown: the curve, and the mean numbers beside those of a fixed run. A minute, after the answers.
"""

import argparse
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from evaluator import run_study
from evaluator.analyse.load import read_grades
from evaluator.decide.answers import arrange
from evaluator.decide.evidence import Design
from evaluator.decide.stopping import StoppingRule, design_of, rounds
from evaluator.decide.verdict import Rules, compare
from evaluator.demo.builds import builds
from evaluator.records import Grade
from evaluator.study.file import parse
from evaluator.study.requests import Ask, plan
from evaluator.study.study import Study
from tests.bench import table
from tests.bench.random_model import LAB

ALPHA, MARGIN = 0.05, 5
BENCHMARK = "mmlu_pro"
ASKED = (0, 5, 16)
"""Points of damage in the table that stands beside a fixed run."""
CURVE = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
STUDY = """\
study: replayed
baseline: f16
variants:
  - {{name: f16, model: m, base_url: "http://127.0.0.1:1/v1"}}
  - {{name: other, model: m, base_url: "http://127.0.0.1:2/v1"}}
benchmarks: {{mmlu_pro: {{questions: {planned}, margin: {margin}}}}}
decide: {{mode: sequential, alpha: {alpha}}}
"""


class Solved(NamedTuple):
    """Whether each build solved a question."""

    f16: bool
    q8_0: bool
    q2_k: bool


class Replay(NamedTuple):
    """What one replayed run asked, and what it said."""

    asked: int
    """Of the variant."""
    of_baseline: int
    sequential: str
    fixed: str


def answers(folder: Path, questions: int) -> list[Solved]:
    """Ask the builds, or take what an earlier call has asked; give what each of them solved."""
    made = builds(LAB, ["Q8_0", "Q2_K"], folder)
    files = {"f16": LAB, "q8_0": made["Q8_0"], "q2_k": made["Q2_K"]}
    run_study(
        {
            "study": "answers",
            "baseline": "f16",
            "variants": [
                {"name": name, "runtime": "llama_server", "model": str(file), "thinking": False}
                for name, file in files.items()
            ],
            "benchmarks": {BENCHMARK: {"questions": questions, "shots": 0, "margin": MARGIN}},
            "sampling": {"temperature": 0, "max_tokens": 60},
        },
        runs=folder / "runs",
        check=False,
    )
    return read(folder / "runs" / "answers")


def read(run: Path) -> list[Solved]:
    """Read which questions each build of a run solved; what has no grade of one of them is left out."""
    solved: dict[str, dict[str, bool]] = {}
    for grade in read_grades(run).values():
        if grade.outcome not in ("failed", "not_scored"):
            solved.setdefault(grade.key.question_id, {})[grade.variant] = grade.outcome == "correct"
    return [Solved(**found) for _, found in sorted(solved.items()) if len(found) == len(Solved._fields)]


def drawn(found: Sequence[Solved], planned: int, damage: float, chance: random.Random) -> list[tuple[bool, bool]]:
    """Draw questions with replacement: whether the baseline solves each, and whether the variant does.

    No damage is Q8_0; else Q2_K's answer stands for F16's with the chance that makes so many points on average.
    """
    whole = 100 * fmean(one.f16 - one.q2_k for one in found)
    if damage > whole:
        raise SystemExit(f"Q2_K is only {whole:.1f} points worse here: {damage} cannot be planted")
    chosen = chance.choices(found, k=planned)
    if not damage:
        return [(one.f16, one.q8_0) for one in chosen]
    return [(one.f16, one.q2_k if chance.random() < damage / whole else one.f16) for one in chosen]


def replay(study: Study, asks: Sequence[Ask], pairs: Sequence[tuple[bool, bool]]) -> Replay:
    """Take turns as a run does, question after question, until the rule has decided or all were asked."""
    design = design_of(study, asks)
    rule = StoppingRule(study, design)
    asked = {"f16": 0, "other": 0}
    grades: list[Grade] = []
    for upto in rounds(study, design):
        for side, variant in enumerate(asked):
            while asked[variant] < upto[BENCHMARK] and rule.is_open(variant, asks[asked[variant]].key):
                at = asked[variant]
                grade = _grade(asks[at], variant, right=pairs[at][side])
                grades.append(grade)
                rule.add(grade)
                asked[variant] += 1
    everything = [
        _grade(ask, variant, right=pairs[at][side]) for at, ask in enumerate(asks) for side, variant in enumerate(asked)
    ]
    fixed = Design(order=design.order, repeated=design.repeated)
    return Replay(asked["other"], asked["f16"], _verdict(grades, design), _verdict(everything, fixed))


def _grade(ask: Ask, variant: str, *, right: bool) -> Grade:
    return Grade(key=ask.key, variant=variant, outcome="correct" if right else "wrong", extracted=None, why="")


def _verdict(grades: Sequence[Grade], design: Design) -> str:
    graded = arrange(grades, variants=("f16", "other"), baseline="f16", repeats={BENCHMARK: 1}, design=design)
    rules = Rules(baseline="f16", margins={BENCHMARK: MARGIN / 100}, alpha=ALPHA, design=design)
    (comparison,) = compare(graded, rules)
    return comparison.verdict


def replays(found: Sequence[Solved], planned: int, damage: float, runs: int) -> list[Replay]:
    """Replay runs with seeds of their own."""
    study = parse(STUDY.format(planned=planned, margin=MARGIN, alpha=ALPHA), "replayed")
    asks = plan(study)
    return [
        replay(study, asks, drawn(found, planned, damage, random.Random(f"{damage} {seed}"))) for seed in range(runs)
    ]


def rows(found: Sequence[Solved], planned: int, points: Sequence[float], runs: int) -> list[list[object]]:
    """Give a row for each damage."""
    out: list[list[object]] = []
    for damage in points:
        ran = replays(found, planned, damage, runs)
        spread = stdev(one.asked for one in ran) / runs**0.5
        out.append(
            [
                f"{damage:g}",
                f"{fmean(one.asked for one in ran):,.0f} ± {spread:,.0f}",
                f"{fmean(one.of_baseline for one in ran):,.0f}",
                f"{1 - fmean((one.asked + one.of_baseline) / (2 * planned) for one in ran):.0%}",
                f"{sum(_direction(one.sequential) == _direction(one.fixed) for one in ran)} of {runs}",
                f"{sum(one.sequential == one.fixed for one in ran)} of {runs}",
                _counted([one.sequential for one in ran]),
                _counted([one.fixed for one in ran]),
            ]
        )
    return out


def _direction(verdict: str) -> str:
    """Leave out how large a difference is said to be: a run that ends early knows that less well."""
    return next((way for way in ("worse", "better") if way in verdict), verdict)


def _counted(verdicts: Sequence[str]) -> str:
    return ", ".join(f"{verdicts.count(one)} {one}" for one in sorted(set(verdicts), key=verdicts.count, reverse=True))


HEADS = (
    "points worse",
    "questions of the variant",
    "of the baseline",
    "saved",
    "same direction",
    "same words",
    "sequential says",
    "fixed says",
)


def show(found: Sequence[Solved], planned: Sequence[int], runs: int) -> None:
    """Print what the answers were, and the tables."""
    right: Mapping[str, float] = {name: fmean(getattr(one, name) for one in found) for name in Solved._fields}
    said = ", ".join(f"{name} solves {share:.1%}" for name, share in right.items())
    print(f"{len(found)} questions, answered once by each build on real servers: {said}.")
    print(f"{runs} replayed runs a row, margin {MARGIN} points, alpha {ALPHA:g}.\n")
    for number in planned:
        print(f"{number:,} questions planned; a fixed run asks {number:,} of each.\n")
        table.show(HEADS, rows(found, number, ASKED, runs))
    print(f"The curve, {planned[-1]:,} planned:\n")
    table.show(HEADS[:4], [row[:4] for row in rows(found, planned[-1], CURVE, runs)])


def main() -> None:
    """Ask, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40, help="replayed runs behind each figure")
    parser.add_argument("--answers", type=int, default=300, help="questions that the real servers answer")
    parser.add_argument("--planned", type=int, nargs="+", default=[300, 1000], help="questions of the replayed studies")
    parser.add_argument("--folder", type=Path, help="where builds and answers are kept, and found again")
    parser.add_argument("--run", type=Path, help="answers of such a run that is there already, as runs/answers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = read(given.run) if given.run else answers(given.folder or Path(scratch), given.answers)
    show(found, given.planned, given.runs)


if __name__ == "__main__":
    main()
