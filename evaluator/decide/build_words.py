"""What is said of one build beside the baseline: what it costs, what the verdicts show, why it is not recommended."""

from collections.abc import Iterable, Iterator, Mapping

from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.preference import Preference
from evaluator.decide.sentences import reason_of
from evaluator.decide.standing import LOSSES, Build
from evaluator.decide.wording import in_points, listed, name
from evaluator.study.study import Prefer

MORE: Mapping[Prefer, str] = {"size": "smaller", "speed": "faster", "memory": "smaller in memory"}
_LESS: Mapping[Prefer, str] = {"size": "larger", "speed": "slower", "memory": "larger in memory"}
_EQUAL: Mapping[Prefer, str] = {"size": "the same size", "speed": "as fast", "memory": "the same in memory"}
NOUN: Mapping[Prefer, str] = {"size": "file size", "speed": "speed", "memory": "memory"}
_CLAUSES: tuple[tuple[str, Verdict, str], ...] = (
    ("better than", "better by less than the margin", "by less than the margin of"),
    ("equivalent to", "equivalent", "within"),
    ("worse than", "worse by less than the margin", "by less than the margin of"),
)
"""How it compares, by which verdict, and how the margin is said."""


def costs(variant: str, preferred: Preference, baseline: str) -> str:
    """Write `43 % smaller and 9 % faster than q8_0 (speed of one request alone)`; empty where nothing is known."""
    size = preferred.ratio("size", variant, baseline)
    wanted = dict.fromkeys((preferred.prefer, "size", *(("memory",) if size in (None, 1.0) else ()), "speed"))
    ratios = {measure: preferred.ratio(measure, variant, baseline) for measure in wanted}
    known = {measure: ratio for measure, ratio in ratios.items() if ratio is not None}
    changes = {measure: _change(measure, ratio) for measure, ratio in known.items()}
    if preferred.prefer == "memory" and "size" in changes:
        changes["size"] += " on disk"
    gains = [changes[measure] for measure, ratio in known.items() if ratio < 1]
    losses = [changes[measure] for measure, ratio in known.items() if ratio > 1]
    equal = [_EQUAL[measure] for measure, ratio in known.items() if ratio == 1]
    text = f"{listed(gains)} than {baseline}" if gains else ""
    if equal:
        text = f"{text}{', ' if losses else ' and '}{listed(equal)}" if text else f"{listed(equal)} as {baseline}"
    if losses:
        text = f"{text}, but {listed(losses)}" if text else f"{listed(losses)} than {baseline}"
    return f"{text} (speed of {preferred.speed_of})" if "speed" in known else text


def quality(build: Build, baseline: str) -> str:
    """Write what the verdicts show, as `equivalent to q8_0 within 5 points on MMLU-Pro and HumanEval`.

    Args:
        build: One that is better than the baseline, or as good.
        baseline: To be named; empty where it just was.
    """
    clauses = list(_clauses(build))
    first, link, rest = clauses[0]
    named = f"{first} {link} {baseline} {rest}" if baseline else f"{first} {rest}"
    return ", ".join([named, *(f"{adjective} {rest}" for adjective, _, rest in clauses[1:])])


def mixed(build: Build, baseline: str) -> str:
    """Say on what a build is better, and on what it is worse."""
    better = listed(_better(build))
    worse = listed(f"{name(c.benchmark)} ({points(c)})" for c in build.having(LOSSES))
    return f"{build.variant} is better than {baseline} on {better}, but worse on {worse}"


def still_open(build: Build) -> str:
    """Say on what it rests that a build is as good, where a benchmark does not tell; put behind another sentence."""
    open_, rest = build.having(["cannot tell"]), [c for c in build.comparisons if c.verdict != "cannot tell"]
    if not open_:
        return ""
    leave = "leaves" if len(open_) == 1 else "leave"
    return f" {_names(open_)} {leave} it open, so this rests on {_names(rest)} alone."


def of_other(build: Build, preferred: Preference, baseline: str) -> str:
    """Say what is to be said of a build that is not recommended."""
    variant, standing = build.variant, build.standing
    if standing == "worse":
        return f"{variant} is not worth it: {_differences(build)}."
    if standing == "perhaps worse":
        margins = listed(dict.fromkeys(in_points(c.margin) for c in build.having(LOSSES)), "or")
        return f"{variant} is not recommended: {_differences(build)}, and not shown to lie within {margins}."
    if standing == "mixed":
        return f"{mixed(build, baseline)}."
    if standing == "blocked":
        return " ".join(blocked([build], baseline))
    if standing == "undecided":
        where = _names(build.having(["cannot tell"]))
        return f"Whether {variant} differs from {baseline} is not decided on {where}."
    without = "" if preferred.is_known(variant) else f"its {NOUN[preferred.prefer]} is not known"
    known = filter(None, [quality(build, baseline), costs(variant, preferred, baseline), without])
    return f"{variant} is {'; '.join(known)}.{still_open(build)}"


def blocked(builds: Iterable[Build], baseline: str) -> tuple[str, ...]:
    """Say why builds cannot be compared with the baseline, each reason once."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    without = []
    for build in builds:
        if not build.comparisons:
            without.append(f"{build.variant} was not compared with {baseline}.")
        for c in build.having(["not comparable"]):
            variants, benchmarks = found.setdefault(reason_of(c), ({}, {}))
            variants[c.variant] = benchmarks[name(c.benchmark)] = None
    reasons = (
        f"{listed(variants)} cannot be compared with {baseline} on {listed(benchmarks)}: {reason}"
        for reason, (variants, benchmarks) in found.items()
    )
    return (*reasons, *without)


def points(c: Comparison) -> str:
    """Write a difference as `8 points higher`, `0.6 points lower`."""
    size = f"{100 * abs(c.difference or 0):.1f}".removesuffix(".0")
    size = "less than 0.1" if size == "0" else size
    return f"{size} point{'' if size == '1' else 's'} {'lower' if (c.difference or 0) < 0 else 'higher'}"


def _clauses(build: Build) -> Iterator[tuple[str, str, str]]:
    """Yield adjective, its preposition, and on what."""
    if better := _better(build):
        yield "better", "than", f"on {listed(better)}"
    for words, verdict, how in _CLAUSES:
        by_margin: dict[float, list[Comparison]] = {}
        for c in build.having([verdict]):
            by_margin.setdefault(c.margin, []).append(c)
        if by_margin:
            where = [f"{how} {in_points(margin)} on {_names(group)}" for margin, group in by_margin.items()]
            adjective, _, link = words.partition(" ")
            yield adjective, link, listed(where)


def _better(build: Build) -> list[str]:
    """Name the benchmarks on which it is better by more than the margin, or perhaps by more."""
    clearly = [f"{name(c.benchmark)} ({points(c)})" for c in build.having(["clearly better"])]
    perhaps = [
        f"{name(c.benchmark)} ({points(c)}; whether by more than {in_points(c.margin)} is uncertain)"
        for c in build.having(["better, size uncertain"])
    ]
    return [*clearly, *perhaps]


def _differences(build: Build) -> str:
    """Write `20 points lower on MMLU-Pro and 83.5 on HumanEval`."""
    first, *rest = build.having(LOSSES)
    more = (f"{points(c).partition(' point')[0]} on {name(c.benchmark)}" for c in rest)
    return listed([f"{points(first)} on {name(first.benchmark)}", *more])


def _names(comparisons: Iterable[Comparison]) -> str:
    return listed(name(c.benchmark) for c in comparisons)


def _change(measure: Prefer, cost: float) -> str:
    """Write a ratio of costs as `43 % smaller` or `9 % faster`; speed is the inverse of its cost."""
    share = 100 * abs((1 / cost if measure == "speed" else cost) - 1)
    text = "over 99" if 99.5 <= share < 100 and (cost < 1) != (measure == "speed") else f"{share:,.0f}"
    return f"{text} % {MORE[measure] if cost < 1 else _LESS[measure]}"
