"""The numbers behind the verdicts, and the exploratory comparisons, as tables for Markdown and HTML."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.designs import DESIGNS
from evaluator.decide.exploratory import Across, Exploratory, Omnibus, Pair, Tested
from evaluator.decide.token_budget import Budget
from evaluator.report import phrases
from evaluator.stats.proportions import Interval, wilson
from evaluator.study.study import is_evaluated
from evaluator.text import duration

Rows = tuple[tuple[str, ...], ...]


class Table(Struct, frozen=True):
    """Plain text in cells, with a note that explains it."""

    title: str
    head: tuple[str, ...]
    rows: Rows
    note: str = ""


def behind(report: Report, benchmark: str) -> Table | None:
    """Tabulate every number behind a benchmark's verdicts, one column for each comparison; None without any."""
    known = [c for c in phrases.against(report, benchmark).values() if c.difference is not None]
    if not known:
        return None
    columns = [list(_behind(c)) for c in known]
    rows = tuple((cells[0][0], *(value for _, value in cells)) for cells in zip(*columns, strict=True))
    return Table(
        title=f"What lies behind the verdicts on {wording.name(benchmark)}",
        head=("", *(c.variant for c in known)),
        rows=tuple(row for row in rows if set(row[1:]) != {wording.DASH}),
        note=f"Differences are variant minus {known[0].baseline}. Shares of questions have Wilson's intervals,"
        f" {wording.level(1 - report.plan.study.decide.alpha)}; the chance is a posterior one, after a flat prior."
        " Resolution: questions compared, of those that show a difference of the margin with 80 % power.",
    )


def replies(report: Report, benchmark: str) -> Table:
    """Tabulate how the replies of each variant ended, what that leaves open, and how fast they came."""
    head = ("variant", *phrases.COLUMNS, "tokens/s", "tokens a reply", "first token")
    return Table(
        title="",
        head=head,
        rows=tuple(
            (
                score.variant,
                phrases.unanswered(score),
                phrases.no_reply(score),
                wording.percent(score.answered_only),
                phrases.bounds(score),
                wording.number(score.tokens_per_second),
                wording.number(score.mean_tokens),
                wording.number(score.first_token_s, " s", 2),
            )
            for score in phrases.rows(report, benchmark)
        ),
    )


def limits(report: Report, benchmark: str) -> Table | None:
    """Tabulate the scores with smaller output limits; None where they would not have changed any."""
    budgets = [budget for budget in report.budgets if budget.benchmark == benchmark]
    if not budgets:
        return None
    columns = sorted({point.limit for budget in budgets for point in budget.points})
    return Table(
        title=f"{wording.name(benchmark)} with a smaller output limit",
        head=("variant", *(f"{limit:,} tokens" for limit in columns)),
        rows=tuple((budget.variant, *(_limit_cell(budget, limit) for limit in columns)) for budget in budgets),
        note=" ".join(_limit_notes(budgets, evaluated=is_evaluated(report.plan.study))),
    )


def _limit_cell(budget: Budget, limit: int) -> str:
    last = budget.points[-1]
    # Replies that no limit cut off would be the same with a larger one.
    known = [last] if limit > last.limit and not budget.cut_off else [p for p in budget.points if p.limit == limit]
    if not known:
        return wording.DASH
    return f"{wording.percent(known[0].accuracy)} ({wording.percent(known[0].truncated, 0)} cut)"


def _limit_notes(budgets: Sequence[Budget], *, evaluated: bool) -> Iterator[str]:
    again = "" if evaluated else "; run --more-tokens asks them again"
    yield "Strict accuracy, and the share of replies that would have been cut off, thinking included."
    for budget in budgets:
        if budget.cut_off:
            yield (
                f"{budget.variant}: {budget.cut_off:,} of {budget.replies:,} replies were cut off by the limit that was"
                f" used, so nothing is known beyond {budget.points[-1].limit:,} tokens{again}."
            )
        if budget.uncounted:
            yield f"{budget.variant}: {budget.uncounted:,} replies came without a count of tokens and are left out."


def explored(exploratory: Exploratory, floor: str = "") -> tuple[Table, ...]:
    """Tabulate the exploratory comparisons, by kind; empty tables are left out.

    Args:
        exploratory: What is tabulated.
        floor: How far the baseline differs from itself, in sentences: it stands beside every count of flips.
    """
    tables = (
        Table(
            "Variants against each other",
            ("benchmark", "variants", "questions", "difference", "interval", "won", "lost", *_TESTED),
            tuple(_pair(item) for item in exploratory.pairs),
            "The first minus the second, in points.",
        ),
        Table(
            "All variants at once",
            ("benchmark", "variants", "questions", "Cochran's Q", *_TESTED),
            tuple(_omnibus(item) for item in exploratory.omnibus),
            "Do all solve the same share? On the questions that all answered once.",
        ),
        Table(
            "Against the baseline, over categories",
            (
                *("benchmark", "variant", "difference, weighted", "interval", "same in all: p", "corrected p"),
                *("other subjects: p", "corrected p"),
            ),
            tuple(_across(item) for item in exploratory.across),
            "Weighted: every category counts by its share of the whole benchmark. Same in all: chi-squared of flips to"
            " either side by category, rough where these are few. Other subjects: whole categories change sign"
            " together, as if other ones might have been asked.",
        ),
        Table(
            "Against the baseline, by category",
            ("variant", "category", "questions", "difference", "interval", "won", "lost", *_TESTED),
            tuple(_category(item) for item in exploratory.categories),
            "Variant minus baseline, in points. The largest of many differences looks large by chance alone.",
        ),
    )
    return tuple(
        replace(table, note=f"{table.note} {floor}".rstrip()) if "won" in table.head else table
        for table in tables
        if table.rows
    )


_TESTED = ("p", "corrected p")


def _behind(c: Comparison) -> Iterator[tuple[str, str]]:
    """Yield label and value; the same rows in the same order for all comparisons of a benchmark."""
    yield from _counted(c)
    yield from _tests(c)
    yield from _noise(c)
    yield from _outlook(c)


def _counted(c: Comparison) -> Iterator[tuple[str, str]]:
    planned = f" of {c.planned:,} planned" if c.planned not in (None, c.n) else ""
    repeated = f", {c.repeated:,} of them with the text of another" if c.repeated else ""
    yield "questions compared", f"{c.n:,}{planned}{', decided early' if c.stopped else ''}{repeated}"
    more = "" if c.table else ", more often"
    yield "answered differently", _share((c.won or 0) + (c.lost or 0), c.n, c.flips)
    level = c.flips.level if c.flips else 0.95
    yield f"solved by the variant only{more}", _share(c.won, c.n, wilson(c.won or 0, c.n, level))
    yield f"solved by {c.baseline} only{more}", _share(c.lost, c.n, wilson(c.lost or 0, c.n, level))
    yield "another letter read, right or wrong", _count(c.changed)


def _tests(c: Comparison) -> Iterator[tuple[str, str]]:
    yield "difference", wording.DASH if c.difference is None else f"{wording.signed_points(c.difference)} points"
    p = DESIGNS[c.mode].p_name
    yield "its interval", wording.labelled_span(c.interval, mode=c.mode)
    yield "its interval, of all comparisons together", _simultaneous(c) if c.family > 1 else wording.DASH
    family = f" (corrected: Holm, {c.family} comparisons)" if c.family > 1 else ""
    yield f"{p} of no difference{family}", _corrected(c.p, c.p_holm, c.family)
    yield f"{p} of the margin or more{family}", _corrected(c.equivalence_p, c.equivalence_p_holm, c.family)
    yield "its interval for equivalence", wording.labelled_span(c.equivalence_interval, "for equivalence", c.mode)
    yield "smallest margin of equivalence", _size(c.supported_margin)
    yield f"{p} of worse by the margin or more", _remark(wording.p_value(c.noninferiority_p), "not corrected")
    yield "chance that the variant is better", _remark(wording.percent(c.chance_better), "no verdict rests on it")


def _outlook(c: Comparison) -> Iterator[tuple[str, str]]:
    resolved = None if c.resolution is None else f"{c.n:,} of about {max(1, round(c.n / c.resolution)):,} questions"
    yield "resolution", wording.DASH if c.resolution is None else f"{c.resolution:.2f} ({resolved})"
    yield "questions that would tell", wording.DASH if c.questions_needed is None else f"{c.questions_needed:,}"
    yield "time for those still to ask", wording.DASH if c.hours_needed is None else duration(3600 * c.hours_needed)


def _noise(c: Comparison) -> Iterator[tuple[str, str]]:
    noise, asked, twice = c.noise, c.noise_questions, c.asked_twice
    texts, outcomes = wording.DASH, wording.DASH
    if twice:
        texts, outcomes = f"{twice.texts:,} of {twice.questions:,}", f"{twice.outcomes:,} of {twice.graded:,}"
    yield "baseline asked twice, another text", texts
    yield "baseline asked twice, another outcome", outcomes
    if noise is None:
        yield from ((label, wording.DASH) for label in _NOISE)
        return
    # Where all questions gave the same result, the bootstrap's interval has no width, which would be too certain.
    interval = noise.interval if noise.interval.low < noise.interval.high else None
    within = f", {wording.labelled_span(interval)}" if interval else ""
    excess = f"{wording.signed_points(noise.excess)} points{within}"
    values = (
        f"{wording.percent(noise.within_a)} of {asked:,}",
        f"{wording.percent(noise.between)} of {asked:,}",
        f"{excess}, p {wording.p_value(noise.p)} (not corrected)",
    )
    yield from zip(_NOISE, values, strict=True)


_NOISE = ("baseline against itself, disagrees", "variant against it, on the same questions", "excess of flips")


def _share(count: int | None, n: int, within: Interval | None) -> str:
    if count is None or not n:
        return wording.DASH
    return f"{count:,} ({wording.percent(count / n)}; {wording.interval(within)})"


def _simultaneous(c: Comparison) -> str:
    if c.interval is None or c.family_interval is None:
        return wording.DASH
    together = Interval(c.family_interval.low, c.family_interval.high, c.interval.level)
    return wording.labelled_span(together, "simultaneous", c.mode)


def _corrected(p: float | None, corrected: float | None, family: int) -> str:
    if p is None or family <= 1:
        return wording.p_value(p)
    return f"{wording.p_value(p)} alone, {wording.p_value(corrected)} corrected"


def _remark(value: str, remark: str) -> str:
    return value if value == wording.DASH else f"{value} ({remark})"


def _size(proportion: float | None) -> str:
    return wording.DASH if proportion is None else f"\u00b1{100 * proportion:.1f} points, this comparison alone"


def _count(number: int | None) -> str:
    return wording.DASH if number is None else f"{number:,}"


def _pair(item: Pair) -> tuple[str, ...]:
    return wording.name(item.benchmark), f"{item.variant} \u2212 {item.other}", *_difference(item)


def _category(item: Pair) -> tuple[str, ...]:
    return item.variant, item.category or wording.DASH, *_difference(item)


def _difference(item: Pair) -> tuple[str, ...]:
    counts = (
        f"{item.n:,}",
        wording.signed_points(item.difference),
        wording.labelled_span(item.interval),
        f"{item.won:,}",
        f"{item.lost:,}",
    )
    return *counts, *_tested(item.test)


def _omnibus(item: Omnibus) -> tuple[str, ...]:
    q = wording.number(item.test.statistic, digits=2)
    return wording.name(item.benchmark), f"{len(item.variants)}", f"{item.n:,}", q, *_tested(item.test)


def _across(item: Across) -> tuple[str, ...]:
    weighted = item.stratified
    estimate = wording.signed_points(weighted.value), wording.labelled_span(weighted.interval)
    return wording.name(item.benchmark), item.variant, *estimate, *_tested(item.homogeneity), *_tested(item.clustered)


def _tested(test: Tested) -> Sequence[str]:
    return wording.p_value(test.p), wording.p_value(test.p_bh)
