"""Every threat to a comparison, planted one at a time; `python -m tests.support.threats` prints what was found."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from servers.fake import Reply
from servers.fake.dialects import LM_STUDIO, MLX_LM, OLLAMA, OMLX, VLLM
from tests.support.honest import honest, thinking
from tests.support.planting import (
    HOT,
    OFF,
    SHORT,
    Codes,
    Planted,
    Served,
    Threat,
    Told,
    coding,
    grave,
    llama,
    model,
    said,
    started,
    thoughts,
    told,
)
from tests.support.threats_after import AFTER
from tests.support.threats_before import BEFORE


def silent(body: Any, number: int) -> Reply:
    return replace(honest(body, number), usage=False)


THREATS = (*BEFORE, *AFTER)
KNOWN: dict[str, Codes] = {"mlx_lm that runs already": (("unmet", "warn"),)}
"""What is said of clean studies all the same: that server does not tell which model it has."""
CLEAN = {
    "any OpenAI server": Planted(),
    "llama-server": Planted(good=llama(), bad=llama()),
    "llama-server that is started, KV declared": Planted(
        good=started(settings="kv_cache: f16"), bad=started(settings="kv_cache: f16")
    ),
    "llama-server, thinking on": thoughts(said()),
    "llama-server, thinking off": Planted(
        good=llama(script=thinking, settings=OFF), bad=llama(script=thinking, settings=OFF)
    ),
    "declared off, and cannot think": Planted(
        good=llama(model=model(id="good", thinking=None), settings=OFF),
        bad=llama(model=model(thinking=None), settings=OFF),
    ),
    "drawn at 0.7": Planted(sampling=HOT),
    "Ollama": Planted(good=Served(dialect=OLLAMA), bad=Served(dialect=OLLAMA), sampling=SHORT, concurrency=1),
    "LM Studio": Planted(good=Served(dialect=LM_STUDIO), bad=Served(dialect=LM_STUDIO), sampling=SHORT),
    "mlx_lm that runs already": Planted(good=Served(dialect=MLX_LM), bad=Served(dialect=MLX_LM), sampling=SHORT),
    "oMLX": Planted(good=Served(dialect=OMLX), bad=Served(dialect=OMLX), sampling=SHORT),
    "vLLM": Planted(good=Served(dialect=VLLM), bad=Served(dialect=VLLM), sampling=SHORT),
    "all at once": Planted(extra="parallel: true\n"),
    "not streamed": Planted(extra="stream: false\n"),
    "decided on the way": Planted(extra="decide: {mode: sequential}\n"),
    "no tokens counted": Planted(good=Served(script=silent), bad=Served(script=silent)),
    "HumanEval": Planted(good=Served(script=coding), bad=Served(script=coding), benchmark="humaneval: {questions: 5}"),
    "baseline asked twice": Planted(extra="decide: {noise_floor: 20}\n"),
}
"""Studies in which nothing is wrong."""
"""Studies in which nothing is wrong."""


def severe(told_: Told) -> set[tuple[str, str]]:
    """Give what warned or blocked, at any time."""
    return grave((*told_.before, *told_.after))


def lines() -> Iterator[str]:
    """Plant everything, and write the table of what was found."""
    yield "| threat | planted by | found as | severity | found | also |"
    yield "|---|---|---|---|---|---|"
    for threat in THREATS:
        yield "| " + " | ".join(cells(threat, told(threat))) + " |"
    yield "\n| nothing planted | false alarms | notes |"
    yield "|---|---|---|"
    for name, study in CLEAN.items():
        came = told(Threat(name=name, planted="nothing", study=study, finds=()))
        notes = {check.code for check in came.after if check.severity == "note"}
        yield f"| {name} | {_listed(severe(came))} | {', '.join(sorted(notes)) or 'none'} |"


def cells(threat: Threat, came: Told) -> tuple[str, ...]:
    """Give one row of the table."""
    (code, severity), also = threat.finds[0], severe(came) - set(threat.finds)
    blamed = [check for check in (*came.before, *came.after) if check.variant == threat.whom]
    seen = (code, severity) in {(check.code, check.severity) for check in blamed}
    early = code in {check.code for check in came.before}
    when = "before the first question" if early else "after the run"
    return (
        threat.name,
        threat.planted.replace("|", "\\|"),
        f"`{code}`" if seen else "NOT FOUND",
        severity if seen else "",
        when if seen else "",
        _listed(also),
    )


def _listed(codes: set[tuple[str, str]]) -> str:
    return ", ".join(f"`{code}` ({severity})" for code, severity in sorted(codes)) or "none"


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)  # noqa: T201 - it is what this prints
