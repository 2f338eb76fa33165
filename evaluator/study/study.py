"""What a study file holds: what is compared with what, on which questions, and how it is decided."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from evaluator.benchmarks import Benchmarks
from servers.spec import KvType, RuntimeName, Sampling

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$(?!\n)",
        max_length=100,
        description="letters, digits, . _ + - only: it names files and folders",
    ),
]
Model = Annotated[
    str,
    Meta(description="a path; hf:org/repo[/file.gguf][@revision]; the id at a running server, default its only one"),
]
Runtime = Annotated[
    RuntimeName,
    Meta(
        description="which server to start; vllm and openai run already. Default: the kind that answers at base_url;"
        " llama_server for a .gguf file, mlx_lm for a folder of MLX weights"
    ),
]
BaseUrl = Annotated[str, Meta(description="address of a server that runs already, up to /v1; then nothing is started")]
Binary = Annotated[str, Meta(description="program to run in place of the one on PATH")]
Context = Annotated[
    int,
    Meta(
        ge=256,
        description="tokens for each question, prompt and reply; of servers that run already only Ollama takes it."
        " Default: the longest prompt plus max_tokens",
    ),
]
Thinking = Annotated[
    bool,
    Meta(
        description="set by a server flag and with every request, and checked in the replies; default: the model's own"
    ),
]
KvCache = Annotated[
    KvType,
    Meta(description="type of the KV cache of a server that whichquant starts; default: the server's own"),
]
Args = Annotated[tuple[str, ...], Meta(description="further arguments, passed to the server as they are")]
KeyName = Annotated[str, Meta(description="environment variable that holds the key; the key itself is never written")]
Mode = Literal["fixed", "sequential", "group_sequential"]
Prefer = Literal["size", "speed", "memory"]
"""What the recommended build is to have most of: the smallest file, the most tokens a second, the least memory."""
RUNNING = "running"
"""The only variant's name in a study that nobody wrote, of a run that an earlier version began."""
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_BETWEEN_PARTS = re.compile(r"[/:@ ]")
"""What stands between the parts of a model's id, and becomes a dash in a name."""
LONGEST_MODEL = 80
"""Characters of a model in a name."""
LOOKS = 5
"""Number of looks of the group-sequential design, if the study names none."""


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to compare: weights, runtime, KV cache, thinking and anything else that is set."""

    name: Name
    model: Model = ""
    """May be left out for the only one of a server that runs already."""
    runtime: Runtime | None = None
    base_url: BaseUrl | None = None
    binary: Binary | None = None
    context: Context | None = None
    thinking: Thinking | None = None
    kv_cache: KvCache | None = None
    args: Args = ()
    api_key_env: KeyName | None = None


class Decide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How differences are judged."""

    alpha: Annotated[
        float,
        Meta(
            ge=1e-6,
            lt=0.5,
            description="rate of false differences over all comparisons together, and likewise of false equivalences",
        ),
    ] = 0.05
    mode: Annotated[
        Mode,
        Meta(
            description="how differences are tested. fixed: ask all, then once. sequential: look as you go, stop"
            " what is decided. group_sequential: look at a few planned moments (O'Brien-Fleming); cannot be extended"
        ),
    ] = "fixed"
    looks: Annotated[int, Meta(ge=2, le=20, description="number of looks of group_sequential")] | UnsetType = UNSET
    noise_floor: Annotated[
        Annotated[int, Meta(ge=0)] | Literal["auto"],
        Meta(
            description="questions of each benchmark that the baseline is asked twice, to see how far it differs from"
            " itself; 0: none. auto, where variants are compared: a tenth of them, at least 20 and at most 100, and no"
            " more than 20 where all of these texts come again to the letter; with repeats none, which show it too"
        ),
    ] = "auto"

    @property
    def planned_looks(self) -> int:
        """Give the number of looks of the group-sequential design."""
        return self.looks if isinstance(self.looks, int) else LOOKS


class Study(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared with what, on which questions, and how it is decided."""

    study: Name
    baseline: Annotated[str, Meta(description="the variant that all others are compared with")]
    variants: Annotated[tuple[Variant, ...], Meta(min_length=1)]
    benchmarks: Benchmarks
    sampling: Sampling = Sampling()
    decide: Decide = Decide()
    prefer: Annotated[
        Prefer,
        Meta(
            description="which of the builds that are as good as the baseline to recommend: the smallest, the fastest,"
            " or the one that needs least memory"
        ),
    ] = "size"
    concurrency: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=256,
                description="questions in flight at once, and slots of the servers that whichquant starts; auto finds,"
                " while the first variant is asked, how many give the most tokens per second",
            ),
        ]
        | Literal["auto"]
    ) = "auto"
    parallel: Annotated[bool, Meta(description="all variants at once; they must fit into memory together")] = False
    router: Annotated[bool, Meta(description="one llama-server in router mode for all variants that it can serve")] = (
        False
    )
    repeatable: Annotated[
        bool | Literal["auto"],
        Meta(
            description="whether every prompt is evaluated whole, without the server's prompt cache, so that the same"
            " question gets the same answer as far as it can. auto: where builds are compared at temperature 0, all of"
            " their servers can, and it takes at most 20 % longer"
        ),
    ] = "auto"
    stream: Annotated[bool, Meta(description="false for a server that cannot; hides time to first token")] = True
    silence: Annotated[
        float,
        Meta(
            gt=0,
            description="seconds without a token after which a reply is given up, or a server that says nothing at all"
            " is started again",
        ),
    ] = 600.0
    seed: Annotated[int, Meta(description="order of the questions")] = 42
    note: Annotated[str, Meta(description="printed in the report")] = ""

    @property
    def tried_at_once(self) -> int:
        """Give how many requests are in flight while servers are checked: before the number of a run is known."""
        return self.concurrency if isinstance(self.concurrency, int) else 4


def in_a_name(model: str) -> tuple[str, bool]:
    """Write a model's id, or the end of its path, with the characters of names; and whether nothing was lost."""
    model = Path(model).name if model.startswith("/") else model
    short = _NOT_IN_A_NAME.sub("-", model).strip("-.")
    return short, bool(short) and len(model) <= LONGEST_MODEL and short == _BETWEEN_PARTS.sub("-", model)


def named_by_model(model: str) -> str:
    """Name a variant by its model; a hash at the end stands for what a name cannot hold."""
    short, whole = in_a_name(model)
    if whole and short[0].isalnum():
        return short
    return f"{short.lstrip('_+-.')[:LONGEST_MODEL] or 'model'}-{digest_of(model)}"


def digest_of(model: str) -> str:
    """Return eight characters that tell models apart whose names look alike."""
    model = Path(model).name if model.startswith("/") else model
    return hashlib.sha256(model.encode(errors="surrogatepass")).hexdigest()[:8]


def is_evaluated(study: Study) -> bool:
    """Whether a study is of one server that runs already and is named by its model, as `whichquant eval` makes it."""
    (variant, *others) = study.variants
    return not others and variant.base_url is not None and variant.name in (RUNNING, named_by_model(variant.model))
