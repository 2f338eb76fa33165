"""What each variant costs: size, memory, load time, speed, time and tokens for a correct answer, energy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from evaluator.decide.score import NO_GRADE, at_the_number, busy_seconds, speed_of
from evaluator.grade.outline import Outline
from evaluator.records import Alone, Grade
from evaluator.store.resources import Measured
from servers.spec import ServerFacts


class Resources(Struct, frozen=True, kw_only=True):
    """What one variant costs, over all benchmarks together. None is unknown, never a guess."""

    variant: str
    file_bytes: int | None = None
    """Size of the weights' files."""
    bits_per_weight: float | None = None
    """Bits that the tensors take, over the number of weights."""
    load_s: float | None = None
    """Seconds from starting its server until it answered."""
    memory_bytes: int | None = None
    """Largest memory of its server's processes together."""
    memory_how: str = ""
    """How that was measured, in words."""
    gpu_bytes: int | None = None
    """Largest memory on graphics cards of their own."""
    gpu_how: str = ""
    """How that was measured, in words."""
    kv_cache_bytes: int | None = None
    """As the server says itself, of all slots together."""
    alone: Alone | None = None
    """Speed of one request alone."""
    in_flight: int | None = None
    """Questions in flight at once, which the next two speeds are measured with."""
    tokens_per_second: float | None = None
    """Completion tokens of all requests, over the time in which at least one was in flight."""
    first_token_s: float | None = None
    """Median, with all requests in flight."""
    tokens_per_correct: float | None = None
    """Completion tokens of the graded replies whose tokens were counted, over the correct ones of them."""
    seconds_per_correct: float | None = None
    """Time in which at least one question with a graded reply was in flight, over the correct answers."""
    energy_per_correct_j: float | None = None
    """Mean power while questions were in flight, times `seconds_per_correct`."""
    energy_of: str = ""
    """Which part of the machine, or all of it, in words."""
    ratios: dict[str, float] = {}
    """By the name of a number here (`alone.tokens_per_second` for one within): this variant's over the baseline's.

    Empty for the baseline. What was measured of each in another way has no ratio.
    """

    @property
    def all_memory_bytes(self) -> int | None:
        """Memory of the machine and of its graphics cards together; None where the machine's is unknown."""
        return None if self.memory_bytes is None else self.memory_bytes + (self.gpu_bytes or 0)

    def number(self, name: str) -> float | None:
        """Return a number by its name, as `ratios` has it; None where it is unknown."""
        of, _, field = name.rpartition(".")
        number: float | None = getattr(self.alone if of == "alone" else self, field, None)
        return number


_COMPARED: Mapping[str, tuple[str, ...]] = {
    "file_bytes": (),
    "bits_per_weight": (),
    "load_s": (),
    "memory_bytes": ("memory_how",),
    "gpu_bytes": ("gpu_how",),
    "all_memory_bytes": ("memory_how", "gpu_how"),
    "kv_cache_bytes": (),
    "alone.prompt_tokens_per_second": (),
    "alone.tokens_per_second": (),
    "alone.first_token_s": (),
    "tokens_per_second": ("in_flight",),
    "first_token_s": ("in_flight",),
    "tokens_per_correct": (),
    "seconds_per_correct": ("in_flight",),
    "energy_per_correct_j": ("energy_of", "in_flight"),
}
"""The numbers that have a ratio, and what must be the same of both sides for it to mean anything."""


def resources(
    variant: str,
    *,
    facts: ServerFacts | None,
    measured: Measured | None,
    records: Sequence[Outline],
    grades: Iterable[Grade],
    in_flight: int | None,
) -> Resources:
    """Put together what one variant costs.

    Args:
        variant: Its name.
        facts: What its server says of itself; None where nothing was kept.
        measured: What was measured of its server; None where nothing was.
        records: Of this variant, of all benchmarks.
        grades: Of the same.
        in_flight: Questions in flight at once; None where that was never found.
    """
    measured = measured or Measured()
    usage, speed = measured.usage, speed_of(records)
    cost = _per_correct(records, grades)
    power = usage.energy_j / measured.asked_s if usage.energy_j is not None and measured.asked_s else None
    return Resources(
        variant=variant,
        file_bytes=facts.model_bytes if facts else None,
        bits_per_weight=facts.bits_per_weight if facts else None,
        load_s=usage.load_s,
        memory_bytes=usage.memory_bytes,
        memory_how=usage.memory_how,
        gpu_bytes=usage.gpu_bytes,
        gpu_how=usage.gpu_how,
        kv_cache_bytes=usage.kv_cache_bytes,
        alone=measured.alone,
        in_flight=in_flight if records else None,
        tokens_per_second=speed.tokens_per_second,
        first_token_s=speed.first_token_s,
        tokens_per_correct=cost.tokens,
        seconds_per_correct=cost.seconds,
        energy_per_correct_j=None if power is None or cost.seconds is None else power * cost.seconds,
        energy_of=usage.energy_of,
    )


def against_baseline(every: Sequence[Resources], baseline: str) -> tuple[Resources, ...]:
    """Add the ratios against the baseline's numbers, where both are known, measured alike, and not 0."""
    base = next((one for one in every if one.variant == baseline), None)
    return tuple(
        one if base is None or one.variant == baseline else replace(one, ratios=_ratios(one, base)) for one in every
    )


def _ratios(one: Resources, base: Resources) -> dict[str, float]:
    pairs = {name: (one.number(name), base.number(name)) for name in _COMPARED if _is_alike(one, base, name)}
    return {name: mine / its for name, (mine, its) in pairs.items() if mine is not None and its}


def _is_alike(one: Resources, base: Resources, name: str) -> bool:
    return all(getattr(one, how) == getattr(base, how) for how in _COMPARED[name])


class _PerCorrect(NamedTuple):
    tokens: float | None
    seconds: float | None


def _per_correct(records: Iterable[Outline], grades: Iterable[Grade]) -> _PerCorrect:
    """Divide what the graded replies took by the correct ones; None where none is correct."""
    outcomes = {grade.key: grade.outcome for grade in grades if grade.outcome not in NO_GRADE}
    graded = [record for record in records if record.key in outcomes]
    timed = at_the_number(graded)
    correct = sum(outcomes[record.key] == "correct" for record in timed)
    counted = [
        (outcomes[record.key] == "correct", record.reply.completion_tokens)
        for record in graded
        if record.reply and record.reply.completion_tokens is not None
    ]
    counted_correct = sum(is_correct for is_correct, _ in counted)
    return _PerCorrect(
        tokens=sum(tokens for _, tokens in counted) / counted_correct if counted_correct else None,
        seconds=(busy_seconds(timed) / correct or None) if correct else None,
    )
