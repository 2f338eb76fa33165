"""What each variant costs: size, memory, load time, speed, time and tokens for a correct answer, energy."""

from msgspec import Struct

from evaluator.records import Alone


class Resources(Struct, frozen=True, kw_only=True):
    """What one variant costs, over all benchmarks together. None is unknown, never a guess."""

    variant: str
    file_bytes: int | None = None
    """Of the weights' files."""
    bits_per_weight: float | None = None
    load_s: float | None = None
    """Seconds from starting its server until it answered."""
    memory_bytes: int | None = None
    """Largest memory of its server's processes together."""
    memory_how: str = ""
    gpu_bytes: int | None = None
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
    """Completion tokens of all replies, over the correct ones."""
    seconds_per_correct: float | None = None
    """Time in which at least one question was in flight, over the correct answers."""
    energy_per_correct_j: float | None = None
    energy_of: str = ""
    ratios: dict[str, float] = {}
    """By the name of a number here (`alone.tokens_per_second` for one within): this variant's over the baseline's."""

    @property
    def all_memory_bytes(self) -> int | None:
        """Memory of the machine and of its graphics cards together; None where the machine's is unknown."""
        return None if self.memory_bytes is None else self.memory_bytes + (self.gpu_bytes or 0)
