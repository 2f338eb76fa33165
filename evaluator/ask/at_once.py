"""How many questions of a run are in flight: what the study says, what was found before, or what is found now."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from evaluator.ask.ramp import FEW, WORTH_IT, Ramp, Watch
from evaluator.ask.traffic import Traffic
from evaluator.records import Answer, Failure
from evaluator.store.facts import read_facts
from evaluator.store.remembered import key_of, remember, remembered
from evaluator.store.serving import InFlight, Serving, keep_serving, read_serving
from evaluator.study.study import Study
from servers.llama_router import is_routed
from servers.slots import MOST
from servers.spec import Server, ServerFacts, ServerSpec

Clock = Callable[[], float]
OnNote = Callable[[str, str], None]
"""Called with a variant and a sentence."""
_SHARED = ("-kvu", "--kv-unified")
_AUTO_SLOTS = 4
"""Of a llama-server that was not told how many, and whose slots then share one context."""


class OneReply:
    """What is noted of one reply while it comes; here nothing."""

    def piece(self) -> None:
        """Take in that a piece of it came."""

    def ended(self, outcome: Answer | Failure) -> None:
        """Take in how it ended."""


class Pace(Protocol):
    """Takes in how fast one variant's replies come."""

    def reply(self) -> OneReply:
        """Begin with one reply."""


class _Steady:
    """A number that is never changed."""

    def reply(self) -> OneReply:
        return _UNCOUNTED


_UNCOUNTED = OneReply()
STEADY = _Steady()


class _Climbing:
    """Replies that are counted to find the number."""

    def __init__(self, ramp: Ramp, changed: Callable[[], None], clock: Clock) -> None:
        self.ramp, self.changed, self.clock = ramp, changed, clock

    def reply(self) -> OneReply:
        return _UNCOUNTED if self.ramp.settled else _Counted(self)


class _Counted(OneReply):
    def __init__(self, pace: _Climbing) -> None:
        self._pace, self._asked, self._pieces = pace, pace.clock(), 0

    def piece(self) -> None:
        ramp = self._pace.ramp
        if not ramp.settled:
            now = self._pace.clock()
            self._pieces += 1
            if self._pieces == 1:
                ramp.began(now, now - self._asked)
            ramp.arrived(now, 1)

    def ended(self, outcome: Answer | Failure) -> None:
        if isinstance(outcome, Answer):
            ramp, now = self._pace.ramp, self._pace.clock()
            if not self._pieces:
                ramp.began(now, None)
            # Pieces are about tokens; where nothing is streamed, all of them come here.
            ramp.arrived(now, (outcome.completion_tokens or self._pieces) - self._pieces)
            ramp.ended(now)
            self._pace.changed()


class _Watching(OneReply):
    """Replies of a server that is asked at the run's number, and might not bear it."""

    def __init__(self, watch: Watch, changed: Callable[[], None], clock: Clock) -> None:
        self._watch, self._changed, self._clock = watch, changed, clock

    def reply(self) -> OneReply:
        return self

    def ended(self, outcome: Answer | Failure) -> None:
        if isinstance(outcome, Answer):
            before = self._watch.level
            self._watch.ended(self._clock(), outcome.completion_tokens or 0)
            if self._watch.level != before:
                self._changed()


class AtOnce:
    """The number of a run: one for all its variants, so that their answers, speeds and memory compare."""

    def __init__(self, study: Study, folder: Path, on_note: OnNote, clock: Clock = time.monotonic) -> None:
        """Begin with what is known of a run's folder."""
        self._study, self._folder, self._on_note, self._clock = study, folder, on_note, clock
        self._given = study.concurrency if isinstance(study.concurrency, int) else None
        kept = None if self._given else read_serving(folder)
        self._known = kept.in_flight if kept else None
        self._ramp: Ramp | None = None
        self._joined: dict[str, tuple[Traffic, int]] = {}
        """By variant that is asked while the number is found: its traffic, and how many it can take."""
        self._with: set[str] = set()
        self._keys: dict[str, str] = {}

    @property
    def number(self) -> int | None:
        """How many there are; None while that is being found."""
        return self._given or (self._known.number if self._known else None)

    def spec(self, variant: str, spec: ServerSpec) -> ServerSpec:
        """Give a server that is to be started the slots that it will need."""
        if self._given or spec.base_url is not None or (self._study.router and is_routed(spec)):
            return spec
        number = self.number
        if number is None and (facts := read_facts(self._folder).get(variant)) and facts.command:
            found = remembered(self._key(facts, spec.slots))
            number = found.number if found else None
        return spec if number is None else replace(spec, slots=min(number, spec.slots))

    def has_other_slots(self, server: Server, spec: ServerSpec) -> bool:
        """Whether a server that was started with `spec` in mind should have other slots by now."""
        return bool(server.command) and self.number is not None and self.spec("", spec).slots != server.spec.slots

    def begin(
        self, variant: str, spec: ServerSpec, server: Server, facts: ServerFacts, *, traffic: Traffic, asks: int
    ) -> Pace:
        """Begin, or go on, to ask a variant.

        Args:
            variant: Its name.
            spec: What was to be started, with the most slots that may be of use.
            server: It answers.
            facts: What is known of it.
            traffic: It gets as many places as there are now.
            asks: How many questions are to be put.
        """
        if self._given:
            return STEADY
        most, why = _limit(facts, server, spec)
        self._keys[variant] = self._key(facts, most)
        if self._known is None and self._ramp is None:
            self._known = self._from_before(variant, most, asks)
        if self._known is not None:
            return self._at_the_number(variant, traffic, self._known, most, why)
        self._ramp = self._ramp or Ramp(most, why_most=why)
        self._ramp.limit(most, why)
        self._joined[variant] = traffic, most
        self._with.add(variant)
        traffic.on_refused = self._refused
        self._open()
        return _Climbing(self._ramp, self._changed, self._clock)

    def end(self, variant: str, *, lost: bool) -> None:
        """Take in that a variant is asked no more for now."""
        self._joined.pop(variant, None)
        if self._ramp is not None and not self._joined:
            if not lost:
                self._ramp.finish()
                self._changed()
            self._ramp = None

    def _from_before(self, variant: str, most: int, asks: int) -> InFlight | None:
        if found := remembered(self._keys[variant]):
            number = min(found.number, most)
            known = replace(found, number=number, how="remembered")
        elif asks < WORTH_IT or most == 1:
            known = InFlight(number=min(FEW, most), how="few questions" if most > 1 else "measured")
        else:
            return None
        self._keep(known)
        return known

    def _at_the_number(self, variant: str, traffic: Traffic, known: InFlight, most: int, why: str) -> Pace:
        places = min(known.number, most)
        if places < known.number:
            self._on_note(variant, f"asked {places} questions at once, not {known.number} as the others: {why}")
        traffic.allow(places, number=known.number)
        measured = {level.in_flight: level.tokens_per_second for level in known.curve}
        watch = Watch(places, measured.get(places) if known.how == "remembered" else None)

        def changed() -> None:
            traffic.allow(watch.level, number=known.number)
            if watch.level < places:
                self._on_note(variant, f"the server has become slow: {watch.level} questions at once are tried")
            if watch.number < places and known.how == "remembered":
                remember(self._keys[variant], None)

        return _Watching(watch, changed, self._clock)

    def _refused(self, takes: int) -> None:
        if self._ramp is not None:
            self._ramp.refused(takes)
            self._changed()

    def _changed(self) -> None:
        if self._ramp is None or self._known is not None:
            return
        if self._ramp.settled:
            self._known = replace(self._ramp.found(), variants=tuple(sorted(self._with)))
            self._keep(self._known)
            if self._known.how == "measured":
                for variant in self._with:
                    remember(self._keys[variant], self._known)
            for variant in self._joined:
                self._on_note(variant, in_words(self._known))
        self._open()

    def _open(self) -> None:
        for traffic, most in self._joined.values():
            if self._ramp is not None:
                traffic.allow(min(self._ramp.level, most), number=self.number)

    def _keep(self, found: InFlight) -> None:
        keep_serving(self._folder, replace(read_serving(self._folder) or Serving(), in_flight=found))

    def _key(self, facts: ServerFacts, most: int) -> str:
        return key_of(facts, most=most, together=len(self._study.variants) if self._study.parallel else 1)


def in_words(found: InFlight) -> str:
    """Say how many questions are in flight, and why: `4 questions at once: 8 gave no more tokens per second`."""
    number = f"{found.number} question{'' if found.number == 1 else 's'} at once"
    return f"{number}: {found.why}" if found.why else number


def _limit(facts: ServerFacts, server: Server, spec: ServerSpec) -> tuple[int, str]:
    """Return how many requests a server can have in flight, and why no more."""
    most, why = (spec.slots, spec.slots_why) if server.command else (MOST, "no more are tried")
    if facts.slots is not None and facts.slots < most and not (server.command and facts.slots == server.spec.slots):
        most, why = facts.slots, f"the server works on {facts.slots} at once"
    each, room = spec.context, facts.context
    if each and room and facts.runtime == "llama_server" and room < most * each and _shares(facts, server):
        most, why = max(1, room // each), f"the server's slots may share its context of {room} tokens"
    return most, why


def _shares(facts: ServerFacts, server: Server) -> bool:
    """Whether the slots of a llama-server share one context, or may: it does not say so itself."""
    if server.command:
        return any(flag in server.command for flag in _SHARED)
    return facts.slots == _AUTO_SLOTS
