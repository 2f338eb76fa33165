"""Which of two builds has more of what is preferred: a smaller file, more speed, less memory, as far as measured."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from evaluator.decide.resources import Resources
from evaluator.study.study import Prefer

ORDER: Mapping[Prefer, tuple[Prefer, ...]] = {
    "size": ("size", "memory", "speed"),
    "speed": ("speed", "size", "memory"),
    "memory": ("memory", "size", "speed"),
}
"""What decides where builds have the same of what is preferred."""
SAME: Mapping[Prefer, float] = {"size": 0.01, "memory": 0.03, "speed": 0.05}
"""By how much two may differ and count as the same: speed and memory vary from run to run, and a file by its header."""


class Preference(Struct, frozen=True, kw_only=True):
    """What is preferred, and what is known of it."""

    prefer: Prefer
    costs: Mapping[Prefer, Mapping[str, float]]
    """By variant, less is better: bytes of the file, seconds for a token, bytes of memory. What is unknown is left out,
    and so is what was not measured in the way in which it was measured of the baseline."""
    speed_of: str
    """What the speed is of, in words."""

    def is_known(self, *variants: str) -> bool:
        """Whether what is preferred is known of all of them."""
        return all(variant in self.costs[self.prefer] for variant in variants)

    def ratio(self, measure: Prefer, one: str, other: str) -> float | None:
        """Return one's cost over the other's: 1.0 where they are the same by `SAME`, None where one is unknown."""
        costs = self.costs[measure]
        if one not in costs or other not in costs:
            return None
        ratio = costs[one] / costs[other]
        return 1.0 if max(ratio, 1 / ratio) <= 1 + SAME[measure] else ratio

    def preferred_by(self, one: str, other: str) -> Prefer | None:
        """Say by what one is preferred to the other; None where it is not, or what is preferred is unknown.

        Of two that have the same of what is preferred, one is preferred only if it costs less in something and more in
        nothing: which of less memory and more speed is worth more, only their user can say.
        """
        if not self.is_known(one, other):
            return None
        first, *others = ((measure, self.ratio(measure, one, other)) for measure in ORDER[self.prefer])
        counted = [first] if first[1] != 1.0 else others
        differing = [(measure, ratio) for measure, ratio in counted if ratio not in (None, 1.0)]
        return differing[0][0] if differing and all(ratio is not None and ratio < 1 for _, ratio in differing) else None

    def may_be_preferred(self, one: str, other: str) -> bool:
        """Whether one is preferred to the other, or could be: what is preferred is not known of both."""
        return not self.is_known(one, other) or self.preferred_by(one, other) is not None

    def best(self, variants: Sequence[str]) -> str:
        """Return the most preferred one; of those that are the same in all that is known, the first."""
        left = list(variants)
        for measure in ORDER[self.prefer]:
            known = {variant: self.costs[measure][variant] for variant in left if variant in self.costs[measure]}
            if known and (measure == self.prefer or len(known) == len(left)):
                least = min(known.values())
                left = [variant for variant in known if known[variant] <= least * (1 + SAME[measure])]
        return left[0]


def preference(
    prefer: Prefer, resources: Iterable[Resources], *, baseline: str, among: Iterable[str], busy: bool = False
) -> Preference:
    """Gather what is known of what is preferred.

    Args:
        prefer: What is preferred.
        resources: Of the variants.
        baseline: What the others are compared with.
        among: Variants whose speeds must be comparable: of one request alone if that was measured of the baseline and
            of each of them that has a speed at all, else of all requests in flight.
        busy: Whether the machine was busy with something else.
    """
    by_name = {one.variant: one for one in resources}
    base = by_name.get(baseline, Resources(variant=baseline))
    timed = [
        one for name in (baseline, *among) if (one := by_name.get(name)) and (_alone(one) or one.tokens_per_second)
    ]
    alone = bool(timed) and all(_alone(one) for one in timed)
    speeds = {name: _alone(one) if alone else _in_flight(one, base) for name, one in by_name.items()}
    at_once = "all requests" if base.in_flight is None else f"{base.in_flight} requests"
    return Preference(
        prefer=prefer,
        costs={
            "size": {name: one.file_bytes for name, one in by_name.items() if one.file_bytes},
            "speed": {name: 1 / speed for name, speed in speeds.items() if speed},
            "memory": {name: memory for name, one in by_name.items() if (memory := _memory(one, base))},
        },
        speed_of=("one request alone" if alone or base.in_flight == 1 else f"{at_once} at once")
        + (", on a busy machine" if busy else ""),
    )


def _alone(one: Resources) -> float | None:
    return one.alone.tokens_per_second if one.alone else None


def _in_flight(one: Resources, base: Resources) -> float | None:
    return one.tokens_per_second if one.in_flight == base.in_flight else None


def _memory(one: Resources, base: Resources) -> int | None:
    alike = one.memory_how == base.memory_how and one.gpu_how == base.gpu_how
    return one.all_memory_bytes if alike else None
