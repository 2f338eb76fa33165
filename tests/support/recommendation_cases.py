"""Constructed studies of one to three builds beside a baseline, and all that is said of them, word for word."""

from msgspec import Struct

from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.resources import Resources
from evaluator.study.study import Prefer
from tests.support.recommended import both, compared, cost

Q8, Q4, Q2 = cost("q8_0", 8.5, alone=42.0), cost("q4_0", 4.8, alone=46.0), cost("q2_k", 3.2, alone=50.0)
F16, KV = cost("f16", 16.0, alone=25.0), cost("q8_0-kv-q4_0", 8.5, alone=38.0)
ON_8_GB, ON_6_GB = cost("q8_0", 8.5, alone=42.0, memory=8.0), cost("q8_0-kv-q4_0", 8.5, alone=38.0, memory=6.0)
UNSIZED_Q8, UNSIZED_Q4 = cost("q8_0", at_once=100.0), cost("q4_0", at_once=140.0)
SAME: Verdict = "equivalent"
OPEN: Verdict = "cannot tell"
BLOCKED: Verdict = "not comparable"
WORSE: Verdict = "clearly worse"
BETTER: Verdict = "clearly better"
MAYBE_WORSE: Verdict = "worse, size uncertain"
MAYBE_BETTER: Verdict = "better, size uncertain"
LITTLE_WORSE: Verdict = "worse by less than the margin"
LITTLE_BETTER: Verdict = "better by less than the margin"


class Case(Struct, frozen=True, kw_only=True):
    """A study, and what is recommended."""

    comparisons: list[Comparison]
    costs: tuple[Resources, ...]
    """Of the variants in the study's order, the baseline first."""
    prefer: Prefer = "size"
    variant: str | None
    sentence: str
    others: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


CASES = {
    "the-smaller-is-as-good-and-the-smallest-worse": Case(
        comparisons=[*both("q4_0", SAME, SAME), *both("q2_k", WORSE, WORSE)],
        costs=(Q8, Q4, Q2),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller and 10 % faster than q8_0 (speed of one request alone), equivalent within 5"
        " points on MMLU-Pro and HumanEval.",
        others=("q2_k is not worth it: 20 points lower on MMLU-Pro and 20 on HumanEval.",),
    ),
    "the-smallest-is-undecided": Case(
        comparisons=[*both("q4_0", SAME, SAME), *both("q2_k", OPEN, OPEN)],
        costs=(Q8, Q4, Q2),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller and 10 % faster than q8_0 (speed of one request alone), equivalent within 5"
        " points on MMLU-Pro and HumanEval.",
        others=("Whether q2_k differs from q8_0 is not decided on MMLU-Pro and HumanEval.",),
        missing=(
            (
                "To decide on q2_k: about 800 more questions of MMLU-Pro, about 3 hours on this server; for "
                "HumanEval a wider margin, since it has no more questions."
            ),
        ),
    ),
    "one-benchmark-is-undecided": Case(
        comparisons=both("q4_0", SAME, OPEN),
        costs=(Q8, Q4),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller and 10 % faster than q8_0 (speed of one request alone), equivalent within 5"
        " points on MMLU-Pro. HumanEval leaves it open, so this rests on MMLU-Pro alone.",
        missing=(
            "To decide on q4_0: for HumanEval a wider margin, since it has no more questions, or another benchmark.",
        ),
    ),
    "undecided": Case(
        comparisons=both("q4_0", OPEN, OPEN, n=164),
        costs=(Q8, Q4),
        variant=None,
        sentence="Nothing smaller than q8_0 can be recommended yet: the answers do not tell whether q4_0 is as good.",
        missing=(
            (
                "To decide on q4_0: about 1,000 more questions of MMLU-Pro, about 3 hours on this server; for "
                "HumanEval a wider margin, since it has no more questions."
            ),
        ),
    ),
    "undecided-and-no-more-questions": Case(
        comparisons=[compared("q4_0", "humaneval", OPEN, n=164)],
        costs=(Q8, Q4),
        variant=None,
        sentence="Nothing smaller than q8_0 can be recommended yet: the answers do not tell whether q4_0 is as good.",
        missing=(
            "To decide on q4_0: for HumanEval a wider margin, since it has no more questions, or another benchmark.",
        ),
    ),
    "undecided-with-looks-planned": Case(
        comparisons=[compared("q4_0", "mmlu_pro", OPEN, mode="group_sequential")],
        costs=(Q8, Q4),
        variant=None,
        sentence="Nothing smaller than q8_0 can be recommended yet: the answers do not tell whether q4_0 is as good.",
        missing=(
            "To decide on q4_0: a new study with about 1,200 questions of MMLU-Pro, about 4.5 hours on this server.",
        ),
    ),
    "hardly-begun": Case(
        comparisons=[compared("q4_0", "mmlu_pro", OPEN, n=5)],
        costs=(Q8, Q4),
        variant=None,
        sentence="Nothing smaller than q8_0 can be recommended yet: the answers do not tell whether q4_0 is as good.",
        missing=("To decide on q4_0: more questions of MMLU-Pro (5 are too few to say how many).",),
    ),
    "all-worse": Case(
        comparisons=[*both("q4_0", MAYBE_WORSE, SAME), *both("q2_k", WORSE, OPEN)],
        costs=(Q8, Q4, Q2),
        variant="q8_0",
        sentence="Keep q8_0: no other build is shown to be as good.",
        others=(
            "q4_0 is not recommended: 6.2 points lower on MMLU-Pro, and not shown to lie within 5 points.",
            "q2_k is not worth it: 20 points lower on MMLU-Pro.",
        ),
    ),
    "all-clearly-worse": Case(
        comparisons=both("q2_k", WORSE, BLOCKED),
        costs=(Q8, Q2),
        variant="q8_0",
        sentence="Keep q8_0: no other build is as good.",
        others=("q2_k is not worth it: 20 points lower on MMLU-Pro.",),
    ),
    "all-blocked": Case(
        comparisons=[*both("q4_0", BLOCKED, BLOCKED), *both("q2_k", BLOCKED, BLOCKED)],
        costs=(Q8, Q4, Q2),
        variant=None,
        sentence="Nothing can be recommended: no build could be compared with q8_0.",
        missing=(
            (
                "q4_0 and q2_k cannot be compared with q8_0 on MMLU-Pro and HumanEval: the model does not think "
                "though it should."
            ),
        ),
    ),
    "the-smallest-is-blocked": Case(
        comparisons=[*both("q4_0", SAME, SAME), *both("q2_k", SAME, BLOCKED)],
        costs=(Q8, Q4, Q2),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller and 10 % faster than q8_0 (speed of one request alone), equivalent within 5"
        " points on MMLU-Pro and HumanEval.",
        missing=("q2_k cannot be compared with q8_0 on HumanEval: the model does not think though it should.",),
    ),
    "the-only-smaller-one-is-blocked": Case(
        comparisons=[*both("f16", SAME, SAME), *both("q2_k", SAME, BLOCKED)],
        costs=(Q8, F16, Q2),
        variant=None,
        sentence="Nothing smaller than q8_0 can be recommended yet: a comparison of q2_k cannot be made.",
        others=(
            (
                "f16 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; 88 % larger and 40 % slower "
                "than q8_0 (speed of one request alone)."
            ),
        ),
        missing=("q2_k cannot be compared with q8_0 on HumanEval: the model does not think though it should.",),
    ),
    "never-compared": Case(
        comparisons=[],
        costs=(Q8, Q4),
        variant=None,
        sentence="Nothing can be recommended: no build could be compared with q8_0.",
        missing=("q4_0 was not compared with q8_0.",),
    ),
    "a-larger-one-is-better": Case(
        comparisons=[*both("f16", BETTER, SAME), *both("q4_0", SAME, SAME)],
        costs=(Q8, F16, Q4),
        variant="f16",
        sentence="Run f16: better than q8_0 on MMLU-Pro (8 points higher), equivalent within 5 points on HumanEval; "
        "88 % larger and 40 % slower than q8_0 (speed of one request alone).",
        others=(
            (
                "q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; 44 % smaller and 10 % faster"
                " than q8_0 (speed of one request alone)."
            ),
        ),
    ),
    "a-larger-one-may-be-better-by-the-margin": Case(
        comparisons=both("f16", MAYBE_BETTER, LITTLE_WORSE),
        costs=(Q8, F16),
        variant="f16",
        sentence="Run f16: better than q8_0 on MMLU-Pro (6.1 points higher; whether by more than 5 points is "
        "uncertain), worse by less than the margin of 5 points on HumanEval; 88 % larger and 40 % slower "
        "than q8_0 (speed of one request alone).",
    ),
    "a-larger-one-is-a-little-better": Case(
        comparisons=both("f16", SAME, LITTLE_BETTER),
        costs=(Q8, F16),
        variant="q8_0",
        sentence="Keep q8_0: no other build is smaller.",
        others=(
            (
                "f16 is better than q8_0 by less than the margin of 5 points on HumanEval, equivalent within 5 "
                "points on MMLU-Pro; 88 % larger and 40 % slower than q8_0 (speed of one request alone)."
            ),
        ),
    ),
    "a-slower-one-is-as-good": Case(
        comparisons=both("f16", SAME, SAME),
        costs=(Q8, F16),
        prefer="speed",
        variant="q8_0",
        sentence="Keep q8_0: no other build is faster (speed of one request alone).",
        others=(
            (
                "f16 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; 40 % slower and 88 % larger than "
                "q8_0 (speed of one request alone)."
            ),
        ),
    ),
    "better-and-worse": Case(
        comparisons=both("q4_0", BETTER, MAYBE_WORSE),
        costs=(Q8, Q4),
        variant=None,
        sentence="It depends on the task: q4_0 is better than q8_0 on MMLU-Pro (8 points higher), but worse on "
        "HumanEval (6.2 points lower).",
    ),
    "two-better-and-worse": Case(
        comparisons=[*both("q4_0", BETTER, MAYBE_WORSE), *both("q2_k", WORSE, BETTER)],
        costs=(Q8, Q4, Q2),
        variant=None,
        sentence="It depends on the task: q4_0 and q2_k are better than q8_0 on one benchmark and worse on another.",
        others=(
            "q4_0 is better than q8_0 on MMLU-Pro (8 points higher), but worse on HumanEval (6.2 points lower).",
            "q2_k is better than q8_0 on HumanEval (8 points higher), but worse on MMLU-Pro (20 points lower).",
        ),
    ),
    "one-file-and-a-slower-cache": Case(
        comparisons=both("q8_0-kv-q4_0", SAME, SAME),
        costs=(Q8, KV),
        variant="q8_0",
        sentence="Keep q8_0: no other build is smaller.",
        others=(
            (
                "q8_0-kv-q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; the same size as "
                "q8_0, but 10 % slower (speed of one request alone)."
            ),
        ),
    ),
    "one-file-and-a-smaller-but-slower-cache": Case(
        comparisons=both("q8_0-kv-q4_0", SAME, SAME),
        costs=(ON_8_GB, ON_6_GB),
        variant="q8_0",
        sentence="Keep q8_0: no other build is smaller.",
        others=(
            (
                "q8_0-kv-q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; 25 % smaller in memory "
                "than q8_0, the same size, but 10 % slower (speed of one request alone)."
            ),
        ),
    ),
    "one-file-and-a-smaller-cache": Case(
        comparisons=both("q8_0-kv-q4_0", SAME, SAME),
        costs=(ON_8_GB, cost("q8_0-kv-q4_0", 8.5, alone=42.0, memory=6.0)),
        variant="q8_0-kv-q4_0",
        sentence="Run q8_0-kv-q4_0: 25 % smaller in memory than q8_0 and the same size and as fast (speed of one "
        "request alone), equivalent within 5 points on MMLU-Pro and HumanEval.",
    ),
    "margins-differ": Case(
        comparisons=[compared("q4_0", "mmlu_pro", SAME), compared("q4_0", "humaneval", SAME, margin=0.01)],
        costs=(Q8, Q4),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller and 10 % faster than q8_0 (speed of one request alone), equivalent within 5"
        " points on MMLU-Pro and within 1 point on HumanEval.",
    ),
    "a-little-worse-and-slower": Case(
        comparisons=both("q4_0", LITTLE_WORSE, LITTLE_WORSE),
        costs=(Q8, cost("q4_0", 4.8, alone=30.0)),
        variant="q4_0",
        sentence="Run q4_0: 44 % smaller than q8_0, but 29 % slower (speed of one request alone), worse by less than"
        " the margin of 5 points on MMLU-Pro and HumanEval.",
    ),
    "sizes-are-unknown": Case(
        comparisons=both("q4_0", SAME, SAME),
        costs=(UNSIZED_Q8, UNSIZED_Q4),
        variant=None,
        sentence="No build can be recommended by size: the file size of q8_0 and q4_0 is not known.",
        others=(
            (
                "q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; 40 % faster than q8_0 (speed"
                " of 4 requests at once); its file size is not known."
            ),
        ),
        missing=("Set prefer: speed, which is known of q8_0 and q4_0.",),
    ),
    "sizes-are-unknown-and-speed-is-preferred": Case(
        comparisons=both("q4_0", SAME, SAME),
        costs=(UNSIZED_Q8, UNSIZED_Q4),
        prefer="speed",
        variant="q4_0",
        sentence="Run q4_0: 40 % faster than q8_0 (speed of 4 requests at once), equivalent within 5 points on "
        "MMLU-Pro and HumanEval.",
    ),
    "memory-is-preferred": Case(
        comparisons=both("q4_0", SAME, SAME),
        costs=(cost("q8_0", 8.5, memory=10), cost("q4_0", 4.8, memory=6)),
        prefer="memory",
        variant="q4_0",
        sentence="Run q4_0: 40 % smaller in memory and 44 % smaller on disk than q8_0, equivalent within 5 points on"
        " MMLU-Pro and HumanEval.",
    ),
    "nothing-is-known-of-costs": Case(
        comparisons=both("q4_0", SAME, SAME),
        costs=(cost("q8_0"), cost("q4_0")),
        variant=None,
        sentence="No build can be recommended by size: the file size of q8_0 and q4_0 is not known.",
        others=("q4_0 is equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval; its file size is not known.",),
        missing=("What builds cost is known best of servers that whichquant starts itself.",),
    ),
}
