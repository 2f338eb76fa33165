"""A plan in words, and its tables for a terminal of 80 columns."""

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.decide.designs import DESIGNS
from evaluator.decide.early_end import EarlyEnd
from evaluator.decide.power import USUAL, BenchmarkPlan, Expected, Observed, StudyPlan, Target
from evaluator.decide.wording import DASH, in_points, interval, listed, name, percent
from evaluator.text import duration


def show(plan: StudyPlan, console: Console) -> None:
    """Print a plan."""
    for sentence in headlines(plan):
        console.print(Text(sentence, style="bold" if sentence.startswith("With ") else ""))
    if plan.family:
        for benchmark in plan.benchmarks:
            console.print(_abilities(plan, benchmark))
            for line in _legend(benchmark):
                console.print(Text(line, style="dim"))
    if plan.observed:
        console.print(Text("\nWhat the answers so far say", style="bold"))
    for pair in plan.observed:
        console.print(Text(f"• {observed(plan, pair)}"))
    console.print(_times(plan))
    for sentence in times(plan):
        console.print(Text(sentence))


def sentences(plan: StudyPlan) -> Iterator[str]:
    """Say everything in words: what can be shown, what the answers so far say, how long it takes."""
    yield from headlines(plan)
    yield from (observed(plan, seen) for seen in plan.observed)
    yield from times(plan)


def headlines(plan: StudyPlan) -> Iterator[str]:
    """Say in a sentence or two for each benchmark what the study can show, and under which conditions."""
    if not plan.family:
        yield "There is one variant only: nothing to compare it with."
        return
    for benchmark in plan.benchmarks:
        yield _headline(plan, benchmark)
        yield from _best(benchmark)
        if benchmark.repeats > 1:
            yield _repeats(benchmark)
    yield _level(plan)
    if planning := DESIGNS[plan.mode].planning:
        yield planning
        yield from (_saved(benchmark) for benchmark in plan.benchmarks if benchmark.early)


def observed(plan: StudyPlan, seen: Observed) -> str:
    """Say what the disagreement seen in one comparison means for the questions still needed."""
    pair, n, margin = seen.seen, seen.seen.n, in_points(seen.margin)
    within = interval(pair.interval)
    rate = f"disagree on {percent(pair.rate)} ({pair.differ:,} of {n:,} questions, 95 % interval {within})"
    if any(b.repeats > 1 for b in plan.benchmarks if b.benchmark == pair.benchmark):
        rate = f"differ on {pair.differ:,} of {n:,} questions (mean squared difference {pair.rate:.3f})"
    where = f"{pair.variant} against {pair.baseline} on {name(pair.benchmark)}"
    if seen.detectable is not None and abs(pair.difference) >= seen.detectable:
        return (
            f"{where} {rate} and are {100 * abs(pair.difference):.1f} points apart so far, more than the"
            f" {100 * seen.detectable:.1f} that so many questions can see: the report says what that shows."
        )
    if seen.assumed > pair.rate:
        rate += f", where {margin} take {percent(seen.assumed)} at least"
    time, equal_time = _time(plan, seen, seen.hours), _time(plan, seen, seen.hours_for_equivalence)
    apart = _outlook(seen.needed, seen, f"tell {margin} apart", time)
    equal = _outlook(seen.needed_for_equivalence, seen, f"show equivalence within {margin}", equal_time)
    return f"{where} {rate}: {apart}. If they are equal, {equal}."


def times(plan: StudyPlan) -> Iterator[str]:
    """Say how long the study takes, or what must be known to estimate it."""
    limits = [e for e in plan.expected if e.tokens_from == "limit"]
    if plan.seconds is None:
        shorter = ""
        if limits:
            most = f"{limits[0].mean_tokens:,.0f} tokens they may have"
            shorter = f", and --tokens-per-answer if answers are shorter than the {most}"
        yield (
            "How long it takes is not known: give --tokens-per-second (completion tokens a second, over all requests in"
            f" flight to one variant){shorter}."
        )
        yield from plan.notes
        return
    most = "at most " if plan.at_most or DESIGNS[plan.mode].looks_early else ""
    order = "all variants at once" if plan.parallel else "one variant after the other"
    left = ""
    if plan.seconds_left is not None and any(e.answered for e in plan.expected):
        left = (
            f"; {most}{duration(plan.seconds_left)} of it still to come" if plan.seconds_left else "; all of it is done"
        )
    extra = "Starting servers and grading take extra time."
    yield f"Expected: {most}{duration(plan.seconds)} in all, {order}{left}. {extra}"
    if limits:
        yield (
            f"As nothing better is known, every answer counts as {limits[0].mean_tokens:,.0f} tokens, the most it may"
            " have (sampling.max_tokens): --tokens-per-answer sets what answers take on average."
        )
    yield from plan.notes


def _headline(plan: StudyPlan, benchmark: BenchmarkPlan) -> str:
    at = next(at for at in benchmark.at if at.disagreement == USUAL)
    given = f"With {_questions(benchmark.questions)} and {100 * USUAL:g} % disagreement this study"
    seen = "cannot count on seeing any difference"
    if at.detectable:
        seen = f"can see differences of {100 * at.detectable:.1f} points or more"
    aim = next(t for t in benchmark.targets if t.aim == "difference" and t.size == benchmark.margin)
    needed = aim.needed[plan.rates.index(USUAL)]
    where, margin = name(benchmark.benchmark), in_points(benchmark.margin)
    if needed is None:
        return f"{given} {seen} on {where}; its margin of {margin} is more than disagreement so rare allows."
    equal = next(t for t in benchmark.targets if t.aim == "equivalence").needed[plan.rates.index(USUAL)]
    same = f", to show equivalence within it {about(equal)}" if equal else ""
    if needed <= benchmark.questions:
        return f"{given} {seen} on {where}; to see its margin of {margin} about {about(needed)} are enough{same}."
    more = f", more than the {benchmark.total:,} there are" if needed > benchmark.total else ""
    return f"{given} {seen} on {where}; its margin of {margin} would need about {about(needed)}{more}{same}."


def _best(benchmark: BenchmarkPlan) -> Iterator[str]:
    """Say which margin all questions can support, where they do not suffice for the study's."""
    aim = next(t for t in benchmark.targets if t.aim == "equivalence")
    best = [
        f"{100 * at.best_margin:.1f} points at {100 * at.disagreement:g} %"
        for at, needed in zip(benchmark.at, aim.needed, strict=True)
        if needed is not None and needed > benchmark.total and at.best_margin and at.disagreement <= USUAL
    ]
    if best:
        yield (
            f"{name(benchmark.benchmark)} has {benchmark.total:,} questions only: the smallest margin within which all"
            f" of them can show equivalence is {' or '.join(best)} disagreement."
        )


def _saved(benchmark: BenchmarkPlan) -> str:
    """Say how many of the planned questions a design that looks early asks."""
    cases = [
        f"{_asked(end, benchmark.questions)} where {_apart(end.difference)} (decided: {percent(end.decided, 0)})"
        for end in benchmark.early
    ]
    runs, rate = benchmark.early[0].runs, benchmark.early[0].disagreement
    return (
        f"Of the {benchmark.questions:,} planned questions of {name(benchmark.benchmark)} a variant is asked on average"
        f" {listed(cases)}: means of {runs} simulated runs each, with {100 * rate:g} % disagreement or as much as"
        " the difference takes, that this study's own rule ends."
    )


def _asked(end: EarlyEnd, planned: int) -> str:
    return "nearly all" if end.questions > 0.99 * planned else f"about {about(round(end.questions))}"


def _apart(difference: float) -> str:
    return f"it is {in_points(difference)} worse" if difference else "it is equal to the baseline"


def _repeats(benchmark: BenchmarkPlan) -> str:
    sentence = (
        f"{benchmark.repeats} answers to each question of {name(benchmark.benchmark)} reduce noise only: what is said"
        " here is for one answer each, and is the least that this study can show"
    )
    if benchmark.questions < benchmark.total:
        return f"{sentence}. While there are unused questions, as many answers to more questions show more."
    return f"{sentence}. All questions are asked, so more answers are what is left to do."


def _level(plan: StudyPlan) -> str:
    if plan.family == 1:
        return f"All numbers are for {percent(plan.power, 0)} power at the level {plan.alpha:g}."
    return (
        f"All numbers are for {percent(plan.power, 0)} power at Holm's strictest level, {plan.alpha:g} /"
        f" {plan.family} = {plan.level:.2g}: there are {plan.family} comparisons ({plan.variants - 1}"
        f" variant{'s' if plan.variants > 2 else ''} beside the baseline, {len(plan.benchmarks)}"
        f" benchmark{'s' if len(plan.benchmarks) > 1 else ''})."
    )


def _abilities(plan: StudyPlan, benchmark: BenchmarkPlan) -> Table:
    title = (
        f"\n{name(benchmark.benchmark)}: {benchmark.questions:,} of {benchmark.total:,} questions, margin"
        f" {in_points(benchmark.margin)}"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("where two variants disagree on")
    for rate in plan.rates:
        table.add_column(f"{100 * rate:g} %", justify="right", no_wrap=True, min_width=8)
    table.add_row(f"{_questions(benchmark.questions)} can show (points)")
    table.add_row("  a difference of at least", *(_size(at.detectable) for at in benchmark.at))
    table.add_row("  equivalence within", *(_size(at.supported_margin) for at in benchmark.at))
    table.add_row("questions needed")
    for target in benchmark.targets:
        table.add_row(_aim(target), *(_needed(needed, benchmark.total) for needed in target.needed))
    return table


def _aim(target: Target) -> str:
    aim = "to see" if target.aim == "difference" else "for equivalence within"
    return f"  {aim} {in_points(target.size)}"


def _legend(benchmark: BenchmarkPlan) -> Iterator[str]:
    needs = [needed for target in benchmark.targets for needed in target.needed]
    if any(needed is not None and needed > benchmark.total for needed in needs):
        yield f"> {benchmark.total:,}: more than the benchmark has."
    if None in needs or any(at.detectable is None for at in benchmark.at):
        yield f"{DASH}: takes more disagreement than that."


def _times(plan: StudyPlan) -> Table:
    table = Table(
        title="\nHow long it takes", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column("variant", overflow="fold")
    table.add_column("benchmark", no_wrap=True)
    for heading in ("answers", "tokens each", "tokens/s", "takes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for expected in plan.expected:
        most = "at most " if expected.tokens_from == "limit" else ""
        table.add_row(
            expected.variant,
            name(expected.benchmark),
            f"{expected.answers:,}",
            f"{most}{expected.mean_tokens:,.0f}",
            f"{expected.tokens_per_second:,.0f}" if expected.tokens_per_second else DASH,
            f"{most}{duration(expected.seconds)}" if expected.seconds is not None else DASH,
        )
    return table


def _outlook(needed: int, seen: Observed, aim: str, time: str) -> str:
    if needed <= seen.seen.n:
        return f"the {seen.seen.n:,} compared are enough to {aim}"
    if needed > seen.total:
        return f"about {about(needed)} questions would be needed to {aim}, more than the {seen.total:,} there are"
    return f"about {about(needed)} questions would {aim}{time}"


def _time(plan: StudyPlan, seen: Observed, hours: float | None) -> str:
    if hours is None:
        return ""
    involved = [e for e in plan.expected if e.benchmark == seen.seen.benchmark and e.variant in _pair(seen)]
    return f"; {'at most ' if _bounded(involved) else ''}{duration(3600 * hours)} more on this server"


def _pair(seen: Observed) -> tuple[str, str]:
    return seen.seen.variant, seen.seen.baseline


def _bounded(expected: list[Expected]) -> bool:
    return any(e.tokens_from == "limit" for e in expected)


def about(questions: int) -> str:
    """Write a number of questions as precisely as it is known: 1,962 as `1,960`."""
    return f"{questions if questions < 100 else round(questions, -1):,}"


def _questions(n: int) -> str:
    return f"{n:,} question{'' if n == 1 else 's'}"


def _size(proportion: float | None) -> str:
    return DASH if proportion is None else f"{100 * proportion:.1f}"


def _needed(needed: int | None, total: int) -> str:
    if needed is None:
        return DASH
    return f"> {total:,}" if needed > total else f"{needed:,}"
