"""What a run still wants, and what becomes of what comes: graded, looked at by the stopping rule, shown."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from evaluator.ask.schedule import Pending
from evaluator.decide.again import Again
from evaluator.decide.stopping import StoppingRule, design_of, rounds
from evaluator.errors import StudyError
from evaluator.events import Graded, OnEvent, Settled
from evaluator.grade.background import BackgroundGrading
from evaluator.grade.grader import Grader
from evaluator.grade.truncated import cut_off
from evaluator.records import Grade, Key, Question, Record
from evaluator.store.folder import is_run, records_path
from evaluator.store.journal import Journal
from evaluator.store.keys import Marks, Numbers
from evaluator.study.requests import Ask, context_needed, plan_again, with_limit
from evaluator.study.study import Study, Variant


class StudySchedule:
    """The schedule of a study: all its questions, as long as they can still change a verdict."""

    def __init__(
        self, study: Study, asks: Sequence[Ask], journals: Mapping[str, Journal], grader: Grader, on_event: OnEvent
    ) -> None:
        self._study, self._journals, self._on_event = study, journals, on_event
        self._design = design_of(study, asks)
        self._rule = StoppingRule(study, self._design)
        self._asks = {variant.name: tuple(asks) for variant in study.variants}
        again = plan_again(study, asks)
        self._asks[study.baseline] += again
        self._again, self._only_again = Again(study, again), {ask.key for ask in again}
        for record in journals[study.baseline].records(self._again.looked_at):
            self._again.add(record)
        shared = {ask.key: ask.question for ask in asks}
        self._questions: dict[str, Mapping[Key, Question]] = dict.fromkeys(self._asks, shared)
        self._questions[study.baseline] = {ask.key: ask.question for ask in self._asks[study.baseline]}
        numbers = Numbers()
        self._handed_on = {variant: Marks(numbers) for variant in self._asks}
        """Answers that were graded, or are about to be."""
        self._grading = BackgroundGrading(
            grader,
            lambda variant, keys: journals[variant].records(keys),
            lambda record: self._questions[record.variant][record.key],
            self._take,
        )
        self._settled: set[tuple[str, str]] = set()
        self._put: set[Key] = set()
        """What the baseline was put now."""
        self._come_again = self._now_come_again()

    def turns(self) -> list[tuple[list[str], dict[str, int]]]:
        """List who is asked when, and up to which question of each benchmark."""
        names = list(self._asks)
        others = [name for name in names if name != self._study.baseline]
        # Where it is looked before the end, the baseline is what a variant is looked at beside: it goes first.
        order = names if not self._design.looks_early else [self._study.baseline, *others]
        groups = [order] if self._study.parallel else [[name] for name in order]
        return [(together, upto) for upto in rounds(self._study, self._design) for together in groups]

    def grading(self) -> AbstractAsyncContextManager[None]:
        """Grade, beside asking, what is on disk, for as long as this lasts."""
        return self._grading.running(self._asks)

    async def catch_up(self, variant: str) -> None:
        """Wait for the grades of what is on disk where they decide what is still wanted, of what failed as well."""
        if self._design.looks_early:
            self.on_earlier(variant, self._planned_on_disk(variant))
            await self._grading.caught_up()

    def pending(self, variant: str, upto: Mapping[str, int], given_up: Collection[Key] = ()) -> Pending:
        """Say what a variant has not answered yet, of the first questions and as far as it is still wanted."""
        journal = self._journals[variant]
        answered = [key for key in self._planned_on_disk(variant) if journal.places.is_answered(key)]
        finished = {*answered, *given_up}
        asks = [
            ask
            for ask in self._asks[variant]
            if ask.key not in finished
            and self._rule.position(ask.key) < upto[ask.key.benchmark]
            and self._is_open(variant, ask.key)
        ]
        # What failed before comes last: a server that fails at certain questions would never get to the others.
        asks.sort(key=lambda ask: ask.key in journal.places)
        return Pending(asks, answered, journal.places.keys() - finished if answered else ())

    def nothing_left(self, variant: str, pending: Pending, *, first: bool) -> str:
        """Say in words why a variant has nothing to be asked."""
        if len(pending.answered) < len(self._asks[variant]) and self._design.looks_early:
            return "no further question is needed for now"
        return "every question was answered before" if first else "every question was put"

    def is_wanted(self, variant: str, key: Key) -> bool:
        """Whether the answer to a question can still change a verdict, or show how the baseline differs from itself."""
        wanted = self._is_open(variant, key)
        if wanted and variant == self._study.baseline and self._design.looks_early:
            self._put.add(key)
        return wanted

    def on_written(self, variant: str, records: Sequence[Record]) -> None:
        """Let records that are on disk be graded, each answer once, and the stopping rule look at them."""
        for record in records:
            self._again.add(record)
        self._hand_on(variant, {record.key: record for record in records}, earlier=False)

    def on_earlier(self, variant: str, keys: Collection[Key]) -> None:
        """Do so with records that were on disk before any question was asked."""
        self._hand_on(variant, {key: key for key in keys}, earlier=True)

    def _hand_on(self, variant: str, records: Mapping[Key, Record | Key], *, earlier: bool) -> None:
        places, handed_on = self._journals[variant].places, self._handed_on[variant]
        new = {key: record for key, record in records.items() if not handed_on[key]}
        for key in new:
            if places.is_answered(key):
                handed_on[key] = 1
        self._grading.add(variant, new.values(), earlier=earlier)

    def _take(self, record: Record, grade: Grade, earlier: bool) -> None:  # noqa: FBT001 - called by the grading
        self._rule.add(grade)
        self._on_event(Graded(record, grade, earlier))
        self._report_settled()

    def planned(self) -> dict[str, list[Key]]:
        """List by variant what it is asked, finished questions included."""
        return {
            name: [ask.key for ask in asks if ask.key not in self._only_again or self._counts_again(name, ask.key)]
            for name, asks in self._asks.items()
        }

    def _counts_again(self, variant: str, key: Key) -> bool:
        return key in self._journals[variant].places or self._again.is_open(key.benchmark)

    def _is_open(self, variant: str, key: Key) -> bool:
        if key not in self._only_again:
            return self._rule.is_open(variant, key)
        first = Key(key.benchmark, key.question_id)
        comes = first in self._put or first in self._journals[variant].places
        return self._again.is_open(key.benchmark) and (comes or not self._rule.is_settled(variant, key.benchmark))

    def _now_come_again(self) -> set[str]:
        return {key.benchmark for key in self._only_again if not self._again.is_open(key.benchmark)}

    def _report_settled(self) -> None:
        for benchmark in sorted(self._now_come_again() - self._come_again):
            self._come_again.add(benchmark)
            self._on_event(Settled(self._study.baseline, benchmark, again=True))
        now = {(name, key) for name in self._asks for key in self._design.order if self._rule.is_settled(name, key)}
        for variant, benchmark in sorted(now - self._settled):
            self._on_event(Settled(variant, benchmark))
        self._settled = now

    def _planned_on_disk(self, variant: str) -> list[Key]:
        return [key for key in self._journals[variant].places if key in self._questions[variant]]


class CutOffSchedule(StudySchedule):
    """Only what the output limit cut off, once more with a larger limit, whatever is decided.

    A reply that is left cut off counts as wrong, and speaks against its variant in the end. Nothing is asked that was
    not asked before.
    """

    def __init__(
        self,
        study: Study,
        asks: Sequence[Ask],
        journals: Mapping[str, Journal],
        grader: Grader,
        on_event: OnEvent,
        *,
        more_tokens: int,
    ) -> None:
        super().__init__(study, asks, journals, grader, on_event)
        self._more_tokens = more_tokens

    async def catch_up(self, variant: str) -> None:
        """Take in nothing: no grade decides what is wanted, and what is asked again is graded when it has come."""

    def pending(self, variant: str, upto: Mapping[str, int], given_up: Collection[Key] = ()) -> Pending:  # noqa: ARG002 - however much the round holds
        """Say which replies were cut off by less than the new limit."""
        journal = self._journals[variant]
        answered = [key for key in self._planned_on_disk(variant) if journal.places.is_answered(key)]
        again = cut_off(journal.records(answered), self._questions[variant], self._more_tokens)
        again -= set(given_up)
        asks = [with_limit(ask, self._more_tokens) for ask in self._asks[variant] if ask.key in again]
        return Pending(asks, [key for key in answered if key not in again])

    def nothing_left(self, variant: str, pending: Pending, *, first: bool) -> str:  # noqa: ARG002 - one answer fits all
        """Say in words why a variant has nothing to be asked."""
        return "no question has to be asked again"

    def is_wanted(self, variant: str, key: Key) -> bool:  # noqa: ARG002
        """Every one is."""
        return True


def check_more_tokens(study: Study, asks: Sequence[Ask], folder: Path, tokens: int) -> None:
    """Refuse a limit that cannot help, before a server is started.

    Raises:
        StudyError: The limit is not larger than the study's, there are no replies yet, or a variant's own context
            cannot hold it.
    """
    limit = study.sampling.max_tokens
    if tokens <= limit:
        raise StudyError(
            f"the study gives {limit} already (sampling.max_tokens)",
            source=f"--more-tokens {tokens}",
            remedy="give more",
        )
    if not is_run(folder):
        raise StudyError(
            f"{folder} holds no replies yet", source="--more-tokens", remedy="run the study without it first"
        )
    by_key = {ask.key: ask for ask in (*asks, *plan_again(study, asks))}
    for i, variant in enumerate(study.variants):
        needed = _context_of_cut_off(variant, by_key, folder, tokens) if variant.context is not None else 0
        if variant.context is not None and needed > variant.context:
            raise StudyError(
                f"{variant.context} tokens cannot hold such a reply and its question, {needed} could",
                source=f"--more-tokens {tokens}",
                key=f"variants[{i}].context",
                remedy=f"give {variant.name} a run of its own with more, or fewer tokens here",
            )


def _context_of_cut_off(variant: Variant, asks: Mapping[Key, Ask], folder: Path, tokens: int) -> int:
    """Return the tokens of context that the cut-off questions need with the new limit, by the server's counts."""
    journal = Journal(records_path(folder, variant.name))
    planned = [key for key in journal.places if key in asks]
    again = cut_off(journal.records(planned), {key: ask.question for key, ask in asks.items()}, tokens)
    counted = [
        record.answer.prompt_tokens + tokens
        if record.answer and record.answer.prompt_tokens
        else context_needed((asks[record.key],), tokens)
        for record in journal.records(again)
    ]
    return max(counted, default=0)
