"""The sentences of a recommendation, written from verdicts and measured costs alone."""

from collections.abc import Mapping, Sequence

from evaluator.decide.build_words import MORE, NOUN, blocked, costs, mixed, quality, still_open
from evaluator.decide.comparison import Comparison
from evaluator.decide.preference import ORDER, SAME, Preference
from evaluator.decide.sentences import TOO_FEW
from evaluator.decide.standing import Build
from evaluator.decide.wording import listed, name
from evaluator.study.study import Prefer
from evaluator.text import duration

_MOST: Mapping[Prefer, str] = {"size": "smallest", "speed": "fastest", "memory": "smallest in memory"}


def rule(prefer: Prefer) -> str:
    """State the rule by which a build is recommended."""
    same = ", ".join(f"{NOUN[measure]} within {100 * SAME[measure]:g} %" for measure in ORDER[prefer])
    then, more = " or ".join(NOUN[measure] for measure in ORDER[prefer][1:]), MORE[prefer]
    return (
        "Of the builds that no benchmark shows worse than the baseline by more than the margin, or perhaps by more, and"
        f" that at least one shows within the margin of it, or better: the {_MOST[prefer]}, if it is {more} than the"
        " baseline. Builds shown better by more than the margin, or perhaps by more, and nowhere worse than that, go"
        f" before these and before the baseline. Else the baseline, unless a build that is {more} is undecided or could"
        " not be compared, or one is better on one benchmark and worse on another. Counted as the same:"
        f" {same}; a build that is the same as the baseline in {NOUN[prefer]} takes its place if it is better in {then}"
        " and worse in neither."
    )


def run(best: Build, preferred: Preference, baseline: str) -> str:
    """Say which build to run, and why."""
    cost = costs(best.variant, preferred, baseline)
    if best.standing == "better":
        why = "; ".join(filter(None, [quality(best, baseline), cost]))
    else:
        why = ", ".join(filter(None, [cost, quality(best, "" if cost else baseline)]))
    return f"Run {best.variant}: {why}.{still_open(best)}"


def keep(others: Sequence[Build], preferred: Preference, baseline: str) -> str:
    """Say why the baseline is the one to run."""
    worse = [build for build in others if build.standing in ("worse", "perhaps worse")]
    more = [build for build in worse if (preferred.ratio(preferred.prefer, build.variant, baseline) or 1) < 1]
    all_worse = len(worse) == len(others)
    if all_worse or more:
        clearly = all(build.standing == "worse" for build in (worse if all_worse else more))
        smaller = "build smaller in memory" if preferred.prefer == "memory" else f"{MORE[preferred.prefer]} build"
        which = f"no {'other build' if all_worse else smaller}"
        return f"Keep {baseline}: {which} is {'' if clearly else 'shown to be '}as good."
    is_known = preferred.is_known(baseline, *(build.variant for build in others))
    measured = f" (speed of {preferred.speed_of})" if preferred.prefer == "speed" and is_known else ""
    return f"Keep {baseline}: no other build is {'' if is_known else 'known to be '}{MORE[preferred.prefer]}{measured}."


def depends(either: Sequence[Build], baseline: str) -> str:
    """Say that builds are better on one benchmark, and worse on another."""
    if len(either) == 1:
        return f"It depends on the task: {mixed(either[0], baseline)}."
    names = listed(build.variant for build in either)
    return f"It depends on the task: {names} are better than {baseline} on one benchmark and worse on another."


def unknown(good: Sequence[str], preferred: Preference, baseline: str) -> str:
    """Say that what is preferred is not known."""
    prefer = preferred.prefer
    without = [variant for variant in (baseline, *good) if not preferred.is_known(variant)]
    alike = "" if prefer == "size" else ", or was not measured in the same way"
    return f"No build can be recommended by {prefer}: the {NOUN[prefer]} of {listed(without)} is not known{alike}."


def other_preference(good: Sequence[str], preferred: Preference, baseline: str) -> str:
    """Say what would help where what is preferred is not known."""
    of = [baseline, *good]
    known = [measure for measure in ORDER[preferred.prefer] if set(of) <= preferred.costs[measure].keys()]
    if not known:
        return "What builds cost is known best of servers that whichquant starts itself."
    return f"Set prefer: {listed(known, 'or')}, which is known of {listed(of)}."


def not_yet(holding: Sequence[Build], preferred: Preference, baseline: str) -> str:
    """Say that it is not known whether builds that would be preferred are as good as the baseline."""
    by = {preferred.preferred_by(build.variant, baseline) for build in holding}
    measure = by.pop() if len(by) == 1 else None
    what = f"Nothing {MORE[measure]} than {baseline}" if measure else f"Nothing in place of {baseline}"
    undecided = [build.variant for build in holding if build.standing == "undecided"]
    apart = [build.variant for build in holding if build.standing == "blocked"]
    why = [
        f"the answers do not tell whether {listed(undecided, 'or')} is as good" if undecided else "",
        f"{'a comparison' if len(apart) == 1 else 'comparisons'} of {listed(apart)} cannot be made" if apart else "",
    ]
    return f"{what} can be recommended yet: {', and '.join(filter(None, why))}."


def nothing_compared(baseline: str) -> str:
    """Say that no comparison is valid."""
    return f"Nothing can be recommended: no build could be compared with {baseline}."


def needed(builds: Sequence[Build], baseline: str, totals: Mapping[str, int]) -> tuple[str, ...]:
    """Say what it would take to decide what is open of these builds, one sentence for each, and what is blocked."""
    undecided = [build for build in builds if build.having(["cannot tell"])]
    return (*(_to_decide(build, totals) for build in undecided), *blocked(builds, baseline))


def _to_decide(build: Build, totals: Mapping[str, int]) -> str:
    still, possible, rest = build.having(["cannot tell"]), [], []
    for c in still:
        total = totals.get(c.benchmark)
        if c.questions_needed is not None and c.n >= TOO_FEW and (total is None or c.questions_needed <= total):
            possible.append(_questions(c, c.questions_needed))
        else:
            rest.append(_why_not(c, total))
    other = ", or another benchmark" if not possible and all(c.n >= TOO_FEW for c in still) else ""
    return f"To decide on {build.variant}: {'; '.join([*possible, *rest])}{other}."


def _questions(c: Comparison, needed: int) -> str:
    more, hours = max(1, needed - c.n), c.hours_needed
    text = f"about {_two_digits(more)} more questions of {name(c.benchmark)}"
    if c.mode == "group_sequential":  # cannot be extended
        hours = None if hours is None else hours * needed / more
        text = f"a new study with about {_two_digits(needed)} questions of {name(c.benchmark)}"
    return text if hours is None else f"{text}, about {duration(3600 * hours)} on this server"


def _why_not(c: Comparison, total: int | None) -> str:
    where = name(c.benchmark)
    if c.questions_needed is None or c.n < TOO_FEW or total is None:
        return f"more questions of {where} ({c.n:,} are too few to say how many)"
    few = "it has no more questions" if c.n >= total else f"all its {total:,} questions are too few for this one"
    return f"for {where} a wider margin, since {few}"


def _two_digits(count: int) -> str:
    return f"{int(float(f'{count:.2g}')):,}"
