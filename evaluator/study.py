"""What is compared with what, by which questions: the nouns of a study file."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from servers.spec import KvType, RuntimeName, Sampling

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
        max_length=100,
        description="letters, digits, dots, dashes: it names files",
    ),
]
Margin = Annotated[float, Meta(gt=0, lt=100, description="points within which a variant equals the baseline")]
Count = Annotated[int, Meta(ge=1)]


class StudyError(Exception):
    """The user's input is wrong; the message says what, where, and what to do."""


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to compare: weights, runtime, KV cache, thinking and anything else that is set."""

    name: Name
    model: str
    runtime: RuntimeName | None = None
    base_url: str | None = None
    binary: str | None = None
    context: Annotated[int, Meta(ge=256)] | None = None
    thinking: bool | None = None
    kv_cache: KvType | None = None
    args: tuple[str, ...] = ()
    api_key_env: str | None = None


class MmluPro(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How MMLU-Pro is asked."""

    questions: Count | Literal["all"] = 200
    shots: Annotated[int, Meta(ge=0, le=5)] = 5
    format: Literal["chat", "completion"] = "chat"
    repeats: Count = 1
    margin: Margin = 2.0


class HumanEval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How HumanEval is asked."""

    questions: Count | Literal["all"] = "all"
    format: Literal["chat", "completion"] = "chat"
    repeats: Count = 1
    margin: Margin = 5.0


class Benchmarks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked."""

    mmlu_pro: MmluPro | UnsetType = UNSET
    humaneval: HumanEval | UnsetType = UNSET

    def chosen(self) -> dict[str, MmluPro | HumanEval]:
        """Give the benchmarks that the study names, by name."""
        both: dict[str, MmluPro | HumanEval | UnsetType] = {"mmlu_pro": self.mmlu_pro, "humaneval": self.humaneval}
        return {name: settings for name, settings in both.items() if not isinstance(settings, UnsetType)}


class Decide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How differences are judged."""

    alpha: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05
    mode: Literal["fixed"] = "fixed"


class Study(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared with what, by which questions, and how it is decided."""

    study: Name
    baseline: str
    variants: Annotated[tuple[Variant, ...], Meta(min_length=1)]
    benchmarks: Benchmarks
    sampling: Sampling = Sampling()
    decide: Decide = Decide()
    concurrency: Annotated[int, Meta(ge=1, le=256, description="questions in flight at once, for each variant")] = 4
    parallel: Annotated[bool, Meta(description="all variants at once; they must fit into memory together")] = False
    stream: bool = True
    silence: Annotated[float, Meta(gt=0, description="seconds without a byte after which a reply is given up")] = 600.0
    seed: Annotated[int, Meta(description="order of the questions")] = 42
    note: Annotated[str, Meta(description="printed in the report")] = ""
