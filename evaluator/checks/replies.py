"""Replies that are missing, cut off, empty or unreadable."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from evaluator.checks.ends import Ended, advice_for, most_often, replies_by_part
from evaluator.checks.observed import ALMOST_ALL, records_by_part, share_that_thinks
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.score import Score
from evaluator.grade.outline import Outline
from evaluator.records import Outcome
from evaluator.stats.unpaired import fisher
from evaluator.study.study import is_evaluated

# Above these shares of the replies a score says more about the set-up than about the model (domain knowledge:
# published runs were off by up to 47 points through thinking that was cut off and counted as wrong).
_CUT_OFF = 0.02
_UNPARSED = 0.01
_LOST = 0.02
_READABLE = 0.5
_NONE_REACHED_US = (
    "Look at the server's parsers of reasoning and tools, at its chat template, and at any proxy: one of them takes the"
    " text away, or puts it into a field of another name. Then ask in a new run."
)
_ALPHA = 0.05
"""Of Fisher's exact test, uncorrected: a warning should come early, and is no verdict."""
_CUT: tuple[Outcome, ...] = ("truncated", "empty")
_UNREAD: tuple[Outcome, ...] = ("unparsed", "refused")


def not_scored(given: CheckInput) -> Iterable[Finding]:
    """Find replies that could not be scored, as code without a sandbox."""
    reasons = {(g.variant, g.key.benchmark): g.why for g in given.grades if g.outcome == "not_scored"}
    for score in given.scores:
        if why := reasons.get((score.variant, score.benchmark)):
            count, asked = score.outcomes.get("not_scored", 0), sum(score.outcomes.values())
            message = f"{count} of {asked} replies were not scored: {why}"
            yield _finding("block", score, message, {"count": count, "of": asked})


def no_reply(given: CheckInput) -> Iterable[Finding]:
    """Find questions without a reply."""
    reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for grade in given.grades:
        if grade.outcome == "failed":
            reasons[grade.variant, grade.key.benchmark][grade.why] += 1
    received = replies_by_part(given, {"failed"})
    for score in given.scores:
        lost, failed = score.no_reply, score.outcomes.get("failed", 0)
        without_server = score.variant in given.problems and not any(score.outcomes.values())
        if not lost or without_server:
            continue
        part = score.variant, score.benchmark
        why = f"; most often: {reasons[part].most_common(1)[0][0]}" if reasons[part] else ""
        missing = score.planned - sum(score.outcomes.values())
        message = (
            f"{lost} of {score.planned} questions have no reply ({failed} failed, {missing} not asked{why}):"
            " they are left out"
        )
        # A sequential study may be analysed before all questions are asked.
        excluded = failed if given.study.decide.mode == "sequential" else lost
        severity: Severity = "block" if excluded > _LOST * score.planned else "warn"
        evidence = {"failed": failed, "missing": missing, "of": score.planned}
        yield _finding(severity, score, message, evidence, _advice_for_received(received.get(part, ()), lost))


def _advice_for_received(replies: Iterable[Ended], lost: int) -> str:
    """Give the advice for questions most of which have an answer that is no reply of the model."""
    failed = [one.reply for one in replies]
    if len(failed) <= lost / 2:
        return ""
    if any(reply.completion_tokens for reply in failed if not reply.characters):
        return _NONE_REACHED_US
    return "Look at the server's log, mend what ends the replies there, and ask in a new run."


def cut_off(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose replies are cut off or empty too often, or differently often than the baseline's."""
    records, ended, differences = records_by_part(given), replies_by_part(given, _CUT), _differences(given, _CUT)
    evaluated = is_evaluated(given.study)
    for score in given.scores:
        cut, difference = _count(score, _CUT), differences.get((score.variant, score.benchmark), "")
        if cut <= _CUT_OFF * _replies(score) and not difference:
            continue
        thinking = [_thinks(records.get((name, score.benchmark), ())) for name in (score.variant, given.study.baseline)]
        severity: Severity = "block" if thinking[0] or (difference and thinking[1]) else "warn"
        cause = most_often(ended.get((score.variant, score.benchmark), ()))
        message = f"{cut} of {_replies(score)} replies were cut off or empty and count as wrong{difference}"
        message += f"; most often: {cause[1]}" if cause else ""
        advice = (
            advice_for(cause[0], ended.get((score.variant, score.benchmark), ()), evaluated=evaluated) if cause else ""
        )
        yield _finding(severity, score, message, {"count": cut, "of": _replies(score)}, advice)


def unparsed(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose replies have no readable answer too often, or differently often than the baseline's."""
    differences = _differences(given, _UNREAD)
    for score in given.scores:
        count, difference = _count(score, _UNREAD), differences.get((score.variant, score.benchmark), "")
        if count > _UNPARSED * _replies(score) or difference:
            message = (
                f"{count} of {_replies(score)} replies hold no answer that can be read without guessing:"
                f" counted as wrong{difference}"
            )
            yield _finding("warn", score, message, {"count": count, "of": _replies(score)})


def unreadable(given: CheckInput) -> Iterable[Finding]:
    """Find variants most of whose replies hold no readable answer."""
    ended, evaluated = replies_by_part(given, _CUT), is_evaluated(given.study)
    for score in given.scores:
        if score.unanswered > (1 - _READABLE) * _replies(score):
            count, total = score.unanswered, _replies(score)
            message = f"most replies ({count} of {total}) hold no readable answer, so the score says little"
            cause = most_often(ended.get((score.variant, score.benchmark), ()))
            mostly_cut = _count(score, _CUT) > count / 2
            advice = ""
            if cause and mostly_cut:
                advice = advice_for(cause[0], ended.get((score.variant, score.benchmark), ()), evaluated=evaluated)
            yield _finding("block", score, message, {"count": count, "of": total}, advice)


def _differences(given: CheckInput, kinds: Collection[Outcome]) -> Mapping[tuple[str, str], str]:
    """Describe where these outcomes are significantly more or less frequent than the baseline's.

    Only the first reply to each question counts: repeated ones are not independent.

    Returns:
        By variant and benchmark, words to put behind a message; those that do not differ are left out.
    """
    asked: Counter[tuple[str, str]] = Counter()
    hits: Counter[tuple[str, str]] = Counter()
    for grade in given.grades:
        if grade.key.repeat == 0 and grade.outcome != "failed":
            asked[grade.variant, grade.key.benchmark] += 1
            hits[grade.variant, grade.key.benchmark] += grade.outcome in kinds
    differences: dict[tuple[str, str], str] = {}
    for (variant, benchmark), n in asked.items():
        theirs = (given.study.baseline, benchmark)
        if variant == given.study.baseline or not asked[theirs] or not hits[variant, benchmark] + hits[theirs]:
            continue
        p = fisher(hits[variant, benchmark], n, hits[theirs], asked[theirs])
        if p < _ALPHA:
            chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
            differences[variant, benchmark] = f" ({given.study.baseline}: {hits[theirs]} of {asked[theirs]}; {chance})"
    return differences


def _replies(score: Score) -> int:
    """Count the replies, code that could not be run included."""
    return score.graded + score.outcomes.get("not_scored", 0)


def _count(score: Score, kinds: Iterable[Outcome]) -> int:
    return sum(score.outcomes.get(kind, 0) for kind in kinds)


def _thinks(records: Iterable[Outline]) -> bool:
    share = share_that_thinks([record.reply for record in records if record.reply])
    return share is not None and share > 1 - ALMOST_ALL


def _finding(severity: Severity, score: Score, message: str, evidence: dict[str, int], advice: str = "") -> Finding:
    return Finding(
        severity=severity,
        variant=score.variant,
        benchmark=score.benchmark,
        message=message,
        advice=advice,
        evidence=dict(evidence),
    )


RULES = (
    Rule(
        code="not_scored",
        stage="after",
        severity="block",
        threat="Code could not be run, so it is not known whether it is correct.",
        signal="Grades of that outcome.",
        advice="Install the sandbox that is named, and let whichquant regrade the run: nothing is asked again.",
        find=not_scored,
    ),
    Rule(
        code="no_reply",
        stage="after",
        severity="warn; block above 2 %",
        threat="Questions without a reply are left out, and they may be the hard ones.",
        signal="Requests that failed, or were never sent.",
        advice="Run the same command again: it asks only these.",
        find=no_reply,
    ),
    Rule(
        code="cut_off",
        stage="after",
        severity="warn; block where the model thinks",
        threat="Thinking that is cut off counts as a wrong answer: the score shows the limit, not the model.",
        signal="Cut off or empty: above 2 % of the replies, or unlike the baseline (Fisher's exact p < 0.05).",
        advice="By what ended most: raise max_tokens if that limit was reached; else mend the server or its template.",
        in_eval="By what ended most: a larger --max-tokens if that was reached; else mend the server or its template.",
        find=cut_off,
    ),
    Rule(
        code="unparsed",
        stage="after",
        severity="warn",
        threat="Answer extraction does not understand how this variant writes.",
        signal="No readable answer: above 1 % of the replies, or unlike the baseline (Fisher's p < 0.05).",
        advice="Read a few (whichquant show RUN --outcome unparsed): a model that ignores the asked form is worse, one"
        " that is misread is not.",
        find=unparsed,
    ),
    Rule(
        code="unreadable",
        stage="after",
        severity="block",
        threat="The score is about the set-up, not about the model.",
        signal="No readable answer in more than half of the replies.",
        advice="Look at the chat template, and at a few replies with whichquant show RUN.",
        find=unreadable,
    ),
)
