"""Whether every prompt is evaluated whole, without the prompt cache: what that costs, and what is decided."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from evaluator.study.study import Study

MOST = 0.2
"""Of the time, what it may cost where the study does not say."""
_TIMES = 0.5
"""From this share on one speaks of how many times as long it takes."""


class Load(NamedTuple):
    """What one question takes of a variant's server, on average."""

    prompt_tokens: float
    saved: float
    """Share of them that the prompt cache saves, between 0 and 1."""
    reply_tokens: float | None = None
    """None: not known."""
    prompt_speed: float | None = None
    """Tokens a second of one request alone; None: not measured."""
    reply_speed: float | None = None

    def seconds(self, evaluated: float) -> float | None:
        """Return how long a question takes whose prompt is evaluated to this share; None where that is not known."""
        if not self.prompt_speed or not self.reply_speed or self.reply_tokens is None:
            return None
        return self.prompt_tokens * evaluated / self.prompt_speed + self.reply_tokens / self.reply_speed


class Choice(NamedTuple):
    """What was decided."""

    repeatable: bool
    why: str
    """In one sentence, without a full stop."""
    is_certain: bool = True
    """Whether it does not depend on what is yet to be measured."""


def cost(loads: Collection[Load]) -> float | None:
    """Return by which share of the time it takes longer to ask without prompt caches; None where it is not known.

    Where a speed is not known it is at most what it would be if prompts took all the time: that is returned where it
    is little.
    """
    pairs = [(load.seconds(1.0), load.seconds(1.0 - load.saved)) for load in loads]
    known = [(whole, rest) for whole, rest in pairs if whole and rest]
    if loads and len(known) == len(loads):
        return sum(whole for whole, _ in known) / sum(rest for _, rest in known) - 1.0
    saved = max((load.saved for load in loads), default=1.0)
    most = saved / (1.0 - saved) if saved < 1.0 else None
    return most if most is not None and most <= MOST else None


def choose(study: Study, cannot: Mapping[str, str], loads: Collection[Load] = ()) -> Choice:
    """Decide whether every prompt is evaluated whole.

    Args:
        study: It may say so; else it is done where builds are compared at temperature 0 and it costs little.
        cannot: By variant why its server cannot be told to.
        loads: Of all variants, as far as they are known.
    """
    if study.repeatable is False:
        return Choice(repeatable=False, why=f"{_STAY}, as the study says")
    if cannot:
        though = ", though the study says otherwise" if study.repeatable is True else ""
        return Choice(repeatable=False, why=f"{_STAY}{though}: {'; '.join(dict.fromkeys(cannot.values()))}")
    share = cost(loads)
    most = "at most " if any(load.seconds(1.0) is None for load in loads) else ""
    takes = "" if share is None else f"; without them asking takes {most}{_longer(share)}"
    if study.repeatable is True:
        return Choice(repeatable=True, why=f"prompt caches are off, as the study says{takes}")
    if why := _no_need(study):
        return Choice(repeatable=False, why=f"{_STAY}: {why}")
    if share is not None and share <= MOST:
        why = f"prompt caches are off, so that the same question gets the same answer as far as it can{takes}"
        return Choice(repeatable=True, why=why, is_certain=False)
    why = "how long asking would take without them is not known, since no speed was measured"
    if share is not None:
        why = f"without them asking would take {_longer(share)}"
    return Choice(repeatable=False, why=f"{_STAY}: {why}", is_certain=False)


_STAY = "prompt caches stay on"


def _no_need(study: Study) -> str:
    if len(study.variants) == 1:
        return "nothing is compared"
    return "" if study.sampling.temperature == 0 else "answers that are drawn differ anyway"


def _longer(share: float) -> str:
    """Write how much longer it takes: `about 8 % longer`, `about 3.1 times as long`."""
    if share < _TIMES:
        return f"about {100 * share:.0f} % longer" if share >= 0.005 else "hardly longer"
    return f"about {1 + share:.1f} times as long"


def shared_share(prompts: Sequence[str]) -> float:
    """Return which share of the characters stands, alike, at the beginning of another prompt: what a cache can save.

    Of prompts with a common beginning the first has to be evaluated: with few of them it saves less.
    """
    ordered = sorted(prompts)
    common = [0, *(_common(*two) for two in pairwise(ordered)), 0]
    shared = sum(max(before, after) for before, after in pairwise(common))
    return shared / max(1, sum(map(len, ordered)))


def _common(one: str, other: str) -> int:
    """Count the characters with which two texts begin alike."""
    return bisect_left(range(min(len(one), len(other))), x=True, key=lambda n: one[: n + 1] != other[: n + 1])
